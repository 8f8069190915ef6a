import type { Tone } from '../lib/look';
import type { Import } from './importList';

export const STATE_TONES: Record<Import['state'], Tone> = {
  uploaded: 'grey',
  queued: 'blue',
  running: 'blue',
  done: 'green',
  cancelled: 'amber',
  failed: 'pink',
  reverting: 'violet',
  reverted: 'violet',
};

/** Stats come by REST and by push, in no fixed order; the feed position decides which is newer. */

import type { PositionedStats } from '../types';

export function newer(current: PositionedStats | null, incoming: PositionedStats): PositionedStats {
  return current !== null && incoming.position <= current.position ? current : incoming;
}

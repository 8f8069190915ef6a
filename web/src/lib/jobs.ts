/** Bulk jobs as they are shown: from answers and from pushes, whichever comes first. Pure. */

import type { Job } from '../types';

export interface Work {
  id: string;
  kind: Job['kind'];
  action: string;
  /** Null until the leads are counted. */
  total: number | null;
  done: number;
  changed: number;
  refused: number;
  state: 'running' | 'over';
  outcome: string | null;
  undone: boolean;
}

const OVER = new Set(['done', 'cancelled', 'failed']);

export function shownJob(job: Job): Work {
  const over = OVER.has(job.state);
  return {
    id: job.id,
    kind: job.kind,
    action: job.action,
    total: job.total,
    done: job.done,
    changed: job.changed,
    refused: Object.values(job.refused).reduce((sum, count) => sum + count, 0),
    state: over ? 'over' : 'running',
    outcome: over ? job.state : null,
    undone: job.undone_by !== null,
  };
}

/** Progress goes forward only: an answer may be older than what was pushed meanwhile. */
export function followed(works: readonly Work[], work: Work): readonly Work[] {
  const known = works.find(({ id }) => id === work.id);
  if (known === undefined) {
    return [work, ...works];
  }
  const isOlder = work.done < known.done || (known.state === 'over' && work.state !== 'over');
  return isOlder ? works : works.map((one) => (one.id === work.id ? work : one));
}

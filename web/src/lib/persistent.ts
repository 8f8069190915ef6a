/** Loading that does not give up: a failed task is reported and tried again, ever more slowly, unless it is invalid. */

import { Problem, Unreachable } from './problem';

const FIRST_DELAY = 1_000; // ms
const LONGEST_DELAY = 15_000;

export type LoadFailure = Problem | Unreachable;

/** Whether the same request would be refused again and again: asking once more is of no use. */
export function isFinal(failure: LoadFailure | null): failure is Problem {
  return failure instanceof Problem && failure.status === 422;
}

export interface Persistent {
  /** Start now; a run still under way is aborted. */
  run: () => void;
  stop: () => void;
}

export function persistent(
  task: (signal: AbortSignal) => Promise<void>,
  report: (failure: LoadFailure | null) => void = () => {},
): Persistent {
  let controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function stop(): void {
    controller.abort();
    clearTimeout(timer);
  }

  async function attempt(failures: number): Promise<void> {
    stop();
    controller = new AbortController();
    const { signal } = controller;
    try {
      await task(signal);
      if (!signal.aborted) {
        report(null);
      }
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      if (!(error instanceof Problem || error instanceof Unreachable)) {
        throw error;
      }
      report(error);
      if (isFinal(error)) {
        return;
      }
      timer = setTimeout(() => void attempt(failures + 1), Math.min(FIRST_DELAY * 2 ** failures, LONGEST_DELAY));
    }
  }

  return { run: () => void attempt(0), stop };
}

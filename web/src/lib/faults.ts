/** Errors in the screen's own code: each gets a short id, is logged with it, and is told to the person with it. */

const REPEATED = 10_000; // ms in which the same one is not told again
/** The browser's, about a layout that needs another frame: nothing is wrong. */
const HARMLESS = /^ResizeObserver loop/;

export interface Fault {
  /** What the person can quote, and what stands in the console. */
  id: string;
  error: unknown;
}

export interface FaultOptions {
  newId: () => string;
  now?: () => number;
  log?: (text: string, error: unknown) => void;
}

export type Faults = ReturnType<typeof createFaults>;

export function createFaults({ newId, now = Date.now, log = console.error }: FaultOptions) {
  const told = new Map<string, number>();
  /** What came before somebody listened. */
  let waiting: Fault[] = [];
  let listener: ((fault: Fault) => void) | null = null;

  function report(source: string, error: unknown): void {
    const words = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    if (HARMLESS.test(words)) {
      return;
    }
    const id = newId().slice(0, 8);
    log(`[${id}] ${source}`, error);
    const at = now();
    if (at - (told.get(words) ?? -Infinity) < REPEATED) {
      return;
    }
    told.set(words, at);
    if (listener === null) {
      waiting.push({ id, error });
    } else {
      listener({ id, error });
    }
  }

  return {
    report,
    /** Tell each fault, those that came already included. */
    listen(tell: (fault: Fault) => void): void {
      listener = tell;
      waiting.forEach(tell);
      waiting = [];
    },
    /** Hear of what nobody caught: timers, promises, and callbacks of Echo, which run in the socket's events. */
    watch(page: Pick<Window, 'addEventListener'>): void {
      page.addEventListener('error', (event) => {
        const { error, message } = event as ErrorEvent;
        report('uncaught', error ?? message);
      });
      page.addEventListener('unhandledrejection', (event) => report('rejected', (event as PromiseRejectionEvent).reason));
    },
  };
}

/** The last things that went over the wire: connection states, events, requests. Bounded, and written only while shown. */

import type { Exchange } from './http';

const MOST = 300;

export interface Heard {
  at: number;
  channel: string | null;
  event: string;
  data: unknown;
  /** Of the channel's stream, from the `leadwire:position` after it; null until that has come. */
  offset: number | null;
  /** Of the company's feed. */
  position: number | null;
  /** Milliseconds from the fact to here, by two clocks; null where the event does not say when it happened. */
  latency: number | null;
}

export interface Turned {
  at: number;
  state: string;
  /** Why, or what with: a socket id, a close code. */
  detail: string;
}

export type Trace = ReturnType<typeof createTrace>;

export function createTrace(now: () => number = Date.now) {
  const connection: Turned[] = [];
  const events: Heard[] = [];
  const requests: Exchange[] = [];
  const listeners = new Set<() => void>();

  function keep<T>(list: T[], entry: T): void {
    list.push(entry);
    if (list.length > MOST) {
      list.splice(0, list.length - MOST);
    }
    listeners.forEach((listener) => listener());
  }

  function heard(event: string, channel: string | null, data: unknown): void {
    if (event === 'leadwire:position') {
      locate(data as { channel: string; offset: number });
    }
    keep(events, { at: now(), channel, event, data, offset: null, position: positionOf(data), latency: latencyOf(event, data, now()) });
  }

  /** A burst is followed by the offset of its last event. */
  function locate({ channel, offset }: { channel: string; offset: number }): void {
    const last = events.findLast((one) => one.channel === channel && !/^(leadwire|pusher)/.test(one.event));
    if (last && last.offset === null) {
      last.offset = offset;
    }
  }

  return {
    connection: connection as readonly Turned[],
    events: events as readonly Heard[],
    requests: requests as readonly Exchange[],
    heard,
    turned: (state: string, detail = '') => keep(connection, { at: now(), state, detail }),
    asked: (exchange: Exchange) => keep(requests, exchange),
    /** Call `listener` after each entry, until the returned function is called. */
    watch(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function positionOf(data: unknown): number | null {
  const { position } = (data ?? {}) as { position?: unknown };
  return typeof position === 'number' ? position : null;
}

function latencyOf(event: string, data: unknown, now: number): number | null {
  const { updated_at, at } = (data ?? {}) as { updated_at?: unknown; at?: unknown };
  const happened = event === 'notification.created' ? at : event.startsWith('lead.') ? updated_at : undefined;
  return typeof happened === 'string' ? now - Date.parse(happened) : null;
}

import type Pusher from 'pusher-js';

/** What `leadwire:position` tells. */
export interface Position {
  channel: string;
  /** Of the stream: offsets of another one mean nothing. */
  epoch: string;
  offset: number;
  /** Only at the end of a subscription: whether nothing is missing since the last one. */
  resumed?: boolean;
  /** Beside it: how many missed events came before. */
  replayed?: number;
}

export interface Resume {
  /** For `channelAuthorization.paramsProvider`. */
  paramsProvider: () => { leadwire: string };
  /**
   * Call once, before subscribing.
   *
   * @param onFresh Called for each subscription that begins anew: the first one, and one that could not be resumed
   *   because too much was missed. Load what the channel is about.
   */
  attach: (pusher: Pusher, onFresh?: (channel: string) => void) => void;
}

export function resume(): Resume;

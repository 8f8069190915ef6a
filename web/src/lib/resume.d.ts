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
   * Call once, before subscribing. From then on subscriptions and sign-ins that the authorisation endpoint could not
   * answer are tried again, until there is an answer; 401 and 403 are final.
   *
   * @param onFresh Called for each subscription that begins anew: the first one, and one that could not be resumed
   *   because too much was missed. Load what the channel is about.
   */
  attach: (pusher: Pusher, onFresh?: (channel: string) => void) => void;
}

export interface Options {
  /** Milliseconds until a failed authorisation is tried again for the first time; 1,000 unless told otherwise. */
  firstRetry?: number;
  /** What that grows to at most; 30,000 unless told otherwise. */
  longestRetry?: number;
}

export function resume(options?: Options): Resume;

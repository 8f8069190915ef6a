/** JSON over HTTP to one service: who asks, what went wrong, and what each request was for those who look. */

import { problemOf, Unreachable } from './problem';

export interface HttpOptions {
  /** No trailing slash; '' for the page's own origin. */
  baseUrl: string;
  fetch: typeof fetch;
  token: () => string | null;
  /** This tab's socket: the server does not push a command's event back to it. */
  socketId: () => string | undefined;
  /** A token was sent and refused. */
  onUnauthorized: (token: string) => void;
  /** Hears of each exchange when it is over. */
  onExchange?: (exchange: Exchange) => void;
}

/** One request and what came of it. Never holds a token. */
export interface Exchange {
  method: string;
  url: string;
  body: string | null;
  /** 0: no answer came. */
  status: number;
  milliseconds: number;
  at: number;
}

export interface Asked {
  method?: string;
  /** A parameter with several values is repeated; undefined leaves it out. */
  query?: Query;
  body?: unknown;
  /** Sent as it is, instead of a body. */
  file?: Blob;
  signal?: AbortSignal;
  /** Makes it safe to send again. */
  key?: string;
  /** Only if the thing still is at this version, in this epoch of the log if it is known. */
  basedOn?: Versioned;
  /** The answer is no JSON: return it as it is. */
  text?: boolean;
}

export interface Versioned {
  version: number;
  epoch?: string | null;
}

export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export type Http = ReturnType<typeof createHttp>;

export function createHttp(options: HttpOptions) {
  return async function request<T>(path: string, asked: Asked = {}): Promise<T> {
    const token = options.token();
    const { method = asked.body === undefined && !asked.file ? 'GET' : 'POST', signal = null } = asked;
    const body = asked.file ?? (asked.body === undefined ? null : JSON.stringify(asked.body));
    const url = options.baseUrl + path + search(asked.query ?? {});
    const { response, text } = await exchange(url, { method, body, signal, headers: headers(token, method, asked) });
    if (response.status === 401 && token !== null) {
      options.onUnauthorized(token);
    }
    if (!response.ok) {
      throw problemOf(response.status, response.headers.get('content-type'), text);
    }
    return (asked.text ? text : JSON.parse(text)) as T;
  };

  function headers(token: string | null, method: string, asked: Asked): Headers {
    const socketId = method === 'GET' ? undefined : options.socketId();
    return new Headers({
      Accept: asked.text ? '*/*' : 'application/json',
      ...(token !== null && { Authorization: `Bearer ${token}` }),
      ...(asked.body !== undefined && { 'Content-Type': 'application/json' }),
      ...(asked.file && { 'Content-Type': 'text/csv' }),
      ...(asked.key !== undefined && { 'Idempotency-Key': asked.key }),
      ...(asked.basedOn && { 'If-Match': etagOf(asked.basedOn) }),
      ...(socketId !== undefined && { 'X-Socket-ID': socketId }),
    });
  }

  async function exchange(url: string, init: RequestInit & { body: string | Blob | null }): Promise<{ response: Response; text: string }> {
    const at = Date.now();
    const started = performance.now();
    let status = 0;
    try {
      const response = await options.fetch(url, init);
      const text = await response.text();
      ({ status } = response);
      return { response, text };
    } catch (error) {
      throw init.signal?.aborted ? error : new Unreachable();
    } finally {
      if (!init.signal?.aborted) {
        const milliseconds = performance.now() - started;
        options.onExchange?.({ method: init.method!, url, body: typeof init.body === 'string' ? init.body : null, status, milliseconds, at });
      }
    }
  }
}

export function search(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value]) {
      if (one !== undefined) {
        parameters.append(name, String(one));
      }
    }
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/** The ETag of a thing, as the service makes it: `"3.<epoch>"`. */
function etagOf({ version, epoch }: Versioned): string {
  return epoch ? `"${version}.${epoch}"` : `"${version}"`;
}

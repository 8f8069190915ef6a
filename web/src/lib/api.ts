/** The leads service over HTTP. */

import type { Colleague, Lead, LeadInput, PositionedStats, Source, Stats, Status, User } from '../types';
import type { LeadPage } from './leadList';
import { problemOf, Unreachable } from './problem';

const PAGE_SIZE = 50;

interface Envelope<T> {
  data: T;
  meta: { position: number };
  links?: { next: string | null };
}

/** What a command came to. */
export interface Outcome {
  /** The lead after it; for a deletion, its last state. */
  lead: Lead;
  /** The feed position the answer reflects: that of the command's last fact. */
  position: number;
  /** How many facts the command made: an edit may make one of each kind, or none. */
  facts: number;
}

export interface Login {
  access_token: string;
  user: User;
}

export interface ApiOptions {
  /** No trailing slash; '' for the page's own origin. */
  baseUrl: string;
  fetch: typeof fetch;
  token: () => string | null;
  /** This tab's socket: the server does not push a command's event back to it. */
  socketId: () => string | undefined;
  /** A token was sent and refused. */
  onUnauthorized: () => void;
}

export type Api = ReturnType<typeof createApi>;

export function createApi(options: ApiOptions) {
  async function request<T>(path: string, init: RequestInit = {}): Promise<T> {
    const token = options.token();
    const headers = new Headers(init.headers);
    headers.set('Accept', 'application/json');
    if (token !== null) {
      headers.set('Authorization', `Bearer ${token}`);
    }
    const { response, body } = await exchange(options.baseUrl + path, { ...init, headers });
    if (response.status === 401 && token !== null) {
      options.onUnauthorized();
    }
    if (!response.ok) {
      throw problemOf(response.status, response.headers.get('content-type'), body);
    }
    return JSON.parse(body) as T;
  }

  async function exchange(url: string, init: RequestInit): Promise<{ response: Response; body: string }> {
    try {
      const response = await options.fetch(url, init);
      return { response, body: await response.text() };
    } catch (error) {
      throw init.signal?.aborted ? error : new Unreachable();
    }
  }

  async function command(
    method: string,
    path: string,
    key: string,
    body?: Partial<LeadInput>,
    version?: number,
  ): Promise<Envelope<Lead>> {
    const headers = new Headers({ 'Idempotency-Key': key });
    const socketId = options.socketId();
    if (socketId !== undefined) {
      headers.set('X-Socket-ID', socketId);
    }
    if (version !== undefined) {
      headers.set('If-Match', `"${version}"`);
    }
    const init: RequestInit = { method, headers };
    if (body !== undefined) {
      headers.set('Content-Type', 'application/json');
      init.body = JSON.stringify(body);
    }
    return request(path, init);
  }

  const outcome = ({ data, meta }: Envelope<Lead>, facts: number): Outcome => ({ lead: data, position: meta.position, facts });

  async function page(query: string, signal: AbortSignal): Promise<LeadPage> {
    const { data, meta, links } = await request<Envelope<Lead[]>>(`/leads${query}`, { signal });
    return { rows: data, position: meta.position, next: links?.next ?? null };
  }

  return {
    login: (email: string, password: string) =>
      request<Login>('/auth/login', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email, password }),
      }),

    leads(filter: Status | null, signal: AbortSignal): Promise<LeadPage> {
      const query = new URLSearchParams({ limit: String(PAGE_SIZE), ...(filter && { status: filter }) });
      return page(`?${query}`, signal);
    },

    /** Follow a page's `next`. Only its query is taken: the token never goes to an address found in an answer. */
    leadsAfter: (next: string, signal: AbortSignal) => page(new URL(next, 'http://unused').search, signal),

    lead: (id: string) => request<Envelope<Lead>>(`/leads/${id}`).then(({ data }) => data),

    users: (signal: AbortSignal) => request<Envelope<Colleague[]>>('/users', { signal }).then(({ data }) => data),

    sources: (signal: AbortSignal) => request<Envelope<Source[]>>('/sources', { signal }).then(({ data }) => data),

    stats: (signal: AbortSignal): Promise<PositionedStats> =>
      request<Envelope<Stats>>('/stats', { signal }).then(({ data, meta }) => ({ ...data, ...meta })),

    create: async (input: Partial<LeadInput>, key: string) => outcome(await command('POST', '/leads', key, input), 1),

    /** Throws a Problem of status 412 when the lead is no longer at `version`. */
    async update(id: string, version: number, input: Partial<LeadInput>, key: string): Promise<Outcome> {
      const answer = await command('PATCH', `/leads/${id}`, key, input, version);
      return outcome(answer, answer.data.version - version);
    },

    remove: async (id: string, key: string) => outcome(await command('DELETE', `/leads/${id}`, key), 1),
  };
}

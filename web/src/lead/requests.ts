/** What the page of one lead asks the leads service. */

import type {
  HistoryEntry,
  HistoryPage,
  LeadAnswer,
  LeadPage,
  MergeAnswer,
  Message,
  MessageAnswer,
  MessagePage,
} from '../api/leads';
import type { Http, Query } from '../lib/http';
import type { Lead } from '../types';

export type { HistoryEntry, Message };

const PAGE = 500; // entries a request
const MOST = 10; // pages

export interface Found<T> {
  data: T;
  /** The feed position it reflects. */
  position: number;
}

export interface MergeWish {
  other: string;
  otherVersion: number;
  choose: Record<string, 'survivor' | 'other'>;
}

export type LeadRequests = ReturnType<typeof leadRequests>;

export function leadRequests(request: Http, id: string) {
  const path = `/leads/${id}`;

  const found = ({ data, meta: { position, epoch } }: { data: Lead; meta: LeadAnswer['meta'] }): Found<Lead> => ({ data: { ...data, epoch }, position });

  async function all<T>(where: string, query: Query, signal?: AbortSignal): Promise<T[]> {
    type Page = { data: T[]; links: { next: string | null } };
    const entries: T[] = [];
    let wanted: Query = { ...query, limit: PAGE };
    for (let page = 0; page < MOST; page++) {
      const { data, links } = await request<Page>(`${path}/${where}`, { query: wanted, ...(signal && { signal }) });
      entries.push(...data);
      if (links.next === null) {
        break;
      }
      wanted = { ...wanted, after: new URL(links.next, 'http://unused').searchParams.get('after')! };
    }
    return entries;
  }

  return {
    now: async (signal?: AbortSignal) => found(await request<LeadAnswer>(path, signal ? { signal } : {})),
    asOf: async (version: number) => found(await request<LeadAnswer>(path, { query: { as_of: version } })).data,
    /** What happened after a feed position, oldest first. */
    history: (after: number, signal?: AbortSignal) => all<HistoryPage['data'][number]>('history', { after }, signal),
    messages: (signal?: AbortSignal) => all<MessagePage['data'][number]>('messages', {}, signal),

    /** Throws a Problem of status 412 when the lead is no longer as it is in `basedOn`. */
    change: async (basedOn: Lead, body: Record<string, unknown>, key: string) =>
      found(await request<LeadAnswer>(path, { method: 'PATCH', body, key, basedOn })),
    convert: async (status: string | null, key: string) =>
      found(await request<LeadAnswer>(`${path}/convert`, { body: status === null ? {} : { status }, key })),
    remove: async (key: string) => found(await request<LeadAnswer>(path, { method: 'DELETE', key })),
    restore: async (key: string) => found(await request<LeadAnswer>(`${path}/restore`, { method: 'POST', key })),

    say: async (body: string, mentions: string[], key: string): Promise<Message> =>
      (await request<MessageAnswer>(`${path}/messages`, { body: { body, mentions }, key })).data,
    reword: async (message: string, body: string, mentions: string[]): Promise<Message> =>
      (await request<MessageAnswer>(`${path}/messages/${message}`, { method: 'PATCH', body: { body, mentions } })).data,

    /** Other leads with the same address or number, as far as there are a few. */
    twins: async ({ email, phone }: Lead, signal?: AbortSignal): Promise<Lead[]> => {
      const asked = [email && { email }, phone && { phone }].filter((query) => !!query);
      const pages = await Promise.all(
        asked.map((query) => request<LeadPage>('/leads', { query: { ...query, limit: 5 }, ...(signal && { signal }) })),
      );
      const others = pages.flatMap(({ data }) => data).filter((lead) => lead.id !== id);
      return [...new Map(others.map((lead) => [lead.id, lead])).values()];
    },
    search: async (q: string, signal: AbortSignal): Promise<Lead[]> =>
      (await request<LeadPage>('/leads', { query: { q, limit: 6 }, signal })).data.filter((lead) => lead.id !== id),
    /** Without a key nothing happens: the answer says what would be. */
    merge: async (basedOn: Lead, { other, otherVersion, choose }: MergeWish, key: string | null) => {
      const answer = await request<MergeAnswer>(`${path}/merge`, {
        body: { other, other_version: otherVersion, choose },
        basedOn,
        ...(key === null ? { query: { dry_run: 'true' } } : { key }),
      });
      return { ...answer, data: { ...answer.data, epoch: answer.meta.epoch } };
    },
  };
}

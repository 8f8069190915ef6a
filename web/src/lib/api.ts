/** The leads service over HTTP. */

import type {
  CompanyAnswer,
  CountAnswer,
  FieldsPage,
  JobAnswer,
  JobPage,
  LeadAnswer,
  LeadPage as LeadsAnswer,
  ListedLeadAnswer,
  PeoplePage,
  PipelineAnswer,
  SourcesPage,
  StatsAnswer,
  ViewAnswer,
  ViewsPage,
} from '../api/leads';
import type { BulkBody, Lead, LeadPatchBody, Login, NewLeadBody, NewViewBody, PositionedStats } from '../types';
import type { Locale } from '../i18n';
import type { Asked, Http, Query } from './http';
import type { LeadPage } from './leadList';

export type { Login };

export type LeadInput = Partial<LeadPatchBody>;

/** What a command came to. */
export interface Outcome {
  /** The lead after it; for a deletion, its last state. */
  lead: Lead;
  /** The feed position the answer reflects: that of the command's last fact. */
  position: number;
  /** The log's epoch of that position. */
  epoch: string | null;
  /** How many facts the command made: an edit may make one of each kind, or none. */
  facts: number;
}

export type Api = ReturnType<typeof createApi>;

export function createApi(request: Http) {
  const outcome = ({ data, meta: { position, epoch } }: LeadAnswer, facts: number): Outcome => ({ lead: { ...data, epoch }, position, epoch, facts });

  async function page(asked: Asked): Promise<LeadPage> {
    const { data, meta, links } = await request<LeadsAnswer>('/leads', asked);
    const { position, epoch } = meta;
    return { rows: data.map((lead) => ({ ...lead, epoch })), position, epoch, next: links.next };
  }

  return {
    request,

    /** Throws a Problem of code `company_needed` to somebody who is a user of several companies. */
    login: (email: string, password: string, device: string | null = null, company: string | null = null) =>
      request<Login>('/auth/login', { body: { email, password, device_token: device, company } }),

    leads: (query: Query, signal: AbortSignal): Promise<LeadPage> => page({ query, signal }),

    /** Follow a page's `next`. Only its query is taken: the token never goes to an address found in an answer. */
    leadsAfter: (next: string, signal: AbortSignal, limit: number): Promise<LeadPage> =>
      page({ query: { ...queryOf(next), limit }, signal }),

    /** How many leads a list has, loaded or not. */
    count: (query: Query) => request<CountAnswer>('/leads/count', { query }).then(({ data }) => data.count),

    lead: (id: string) => request<ListedLeadAnswer>(`/leads/${id}`).then(({ data, meta }): Lead => ({ ...data, epoch: meta.epoch })),

    company: (signal?: AbortSignal) => request<CompanyAnswer>('/company', asking(signal)).then(({ data }) => data),
    pipeline: (signal?: AbortSignal) => request<PipelineAnswer>('/pipeline', asking(signal)).then(({ data }) => data.stages),
    customFields: (signal?: AbortSignal) => request<FieldsPage>('/custom-fields', asking(signal)).then(({ data }) => data),
    people: (signal?: AbortSignal) => request<PeoplePage>('/users', asking(signal)).then(({ data }) => data),
    sources: (signal?: AbortSignal) => request<SourcesPage>('/sources', asking(signal)).then(({ data }) => data),

    views: (signal?: AbortSignal) => request<ViewsPage>('/views', asking(signal)).then(({ data }) => data),
    addView: (view: NewViewBody) => request<ViewAnswer>('/views', { body: view }).then(({ data }) => data),
    changeView: (id: string, change: Partial<NewViewBody>) =>
      request<ViewAnswer>(`/views/${id}`, { method: 'PATCH', body: change }).then(({ data }) => data),
    removeView: (id: string) => request<ViewAnswer>(`/views/${id}`, { method: 'DELETE' }),

    stats: (signal?: AbortSignal): Promise<PositionedStats> =>
      request<StatsAnswer>('/stats', asking(signal)).then(({ data, meta }) => ({ ...data, ...meta })),

    create: async (input: Partial<NewLeadBody>, key: string) => outcome(await request('/leads', { body: input, key }), 1),

    /** Throws a Problem of status 412 when the lead is no longer as it is in `basedOn`. */
    async update(basedOn: Pick<Lead, 'id' | 'version' | 'epoch'>, input: LeadInput, key: string): Promise<Outcome> {
      const answer = await request<LeadAnswer>(`/leads/${basedOn.id}`, { method: 'PATCH', body: input, key, basedOn });
      return outcome(answer, answer.data.version - basedOn.version);
    },

    bulk: (body: BulkBody, key: string) => request<JobAnswer>('/leads/bulk', { body, key }).then(({ data }) => data),
    job: (id: string, signal?: AbortSignal) => request<JobAnswer>(`/jobs/${id}`, asking(signal)).then(({ data }) => data),
    openJobs: (signal?: AbortSignal) =>
      request<JobPage>('/jobs', { query: { state: 'open' }, ...asking(signal) }).then(({ data }) => data),
    cancelJob: (id: string) => request<JobAnswer>(`/jobs/${id}/cancel`, { method: 'POST' }).then(({ data }) => data),
    undoJob: (id: string) => request<JobAnswer>(`/jobs/${id}/undo`, { method: 'POST' }).then(({ data }) => data),

    /** The list as CSV, all of it, as spreadsheets of a locale read it. */
    exported: (query: Query, locale: Locale) => request<string>('/leads/export', { query: { ...query, locale }, text: true }),

    remove: async (id: string, key: string) => outcome(await request(`/leads/${id}`, { method: 'DELETE', key }), 1),
    restore: async (id: string, key: string) => outcome(await request(`/leads/${id}/restore`, { method: 'POST', key }), 1),
  };
}

function queryOf(url: string): Record<string, string[]> {
  const parameters = new URL(url, 'http://unused').searchParams;
  return Object.fromEntries([...parameters.keys()].map((name) => [name, parameters.getAll(name)]));
}

function asking(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** The company's leads and figures, loaded without a gap and kept live. The decisions are in lib/leadList. */

import { onScopeDispose, reactive, shallowRef } from 'vue';

import type { LiveEcho } from '../echo';
import type { Api, Outcome } from '../lib/api';
import { changed, extended, filtered, hydrated, loading, opened, type LeadPage } from '../lib/leadList';
import { persistent, type LoadFailure } from '../lib/persistent';
import { Problem } from '../lib/problem';
import type { Position } from '../lib/resume';
import type { LeadEvent, User } from '../types';

const RESUBSCRIBE_DELAY = 3_000; // ms; pusher-js itself retries a refused subscription only on its next connection

interface Options {
  api: Api;
  echo: LiveEcho;
  user: User;
  /** Somebody else created a lead just now. */
  onCreated: (lead: LeadEvent) => void;
}

export function useLeadsRealtime({ api, echo, user, onCreated }: Options) {
  const list = shallowRef(opened(null));
  /** Why the list could not be loaded, or null. It goes when the list is loaded after all. */
  const failure = shallowRef<LoadFailure | null>(null);
  /** Why a channel could not be joined, or null. */
  const refused = shallowRef<Problem | null>(null);
  /** Lead id → version that somebody else made and that has not been highlighted to the end. */
  const touched = reactive(new Map<string, number>());

  const hydration = persistent(hydrate, report);
  const older = persistent(extend, report);

  function report(error: LoadFailure | null): void {
    failure.value = error;
  }

  /** Load what is shown now, all pages of it; changes that arrive meanwhile are kept by the list. */
  async function hydrate(signal: AbortSignal): Promise<void> {
    older.stop();
    list.value = loading(list.value);
    const wanted = list.value.rows.length;
    const pages: [LeadPage, ...LeadPage[]] = [await api.leads({ limit: 50, ...(list.value.filter !== null && { status: list.value.filter }) }, signal)];
    let last = pages[0];
    let count = last.rows.length;
    while (last.next !== null && count < wanted) {
      last = await api.leadsAfter(last.next, signal);
      pages.push(last);
      count += last.rows.length;
    }
    if (signal.aborted) {
      return;
    }
    list.value = hydrated(list.value, pages);
    touched.clear();
  }

  function setFilter(filter: string | null): void {
    list.value = filtered(list.value, filter);
    hydration.run();
  }

  function loadMore(): void {
    if (list.value.next !== null && !list.value.loading) {
      older.run();
    }
  }

  async function extend(signal: AbortSignal): Promise<void> {
    list.value = loading(list.value);
    const page = await api.leadsAfter(list.value.next!, signal);
    if (!signal.aborted) {
      list.value = extended(list.value, page);
    }
  }

  /** Show this tab's own command at once: its event is not pushed back here. */
  function applyOwn({ lead, position, facts }: Outcome, deleted = false): void {
    list.value = changed(list.value, { lead, position, deleted, ownFacts: facts });
  }

  function onEvent(event: LeadEvent, deleted = false): void {
    const before = list.value;
    list.value = changed(before, { lead: event, position: event.position, deleted, ownFacts: null });
    const isNews = list.value.versions.get(event.id) !== before.versions.get(event.id);
    if (isNews && !deleted && event.actor !== user.id) {
      touched.set(event.id, event.version);
    }
  }

  function onLeadCreated(event: LeadEvent): void {
    onEvent(event);
    if (event.actor !== user.id && !event.restored) {
      onCreated(event);
    }
  }

  /** A channel that was resumed has brought everything since; one that begins anew has not. */
  function onPosition(load: () => void) {
    return ({ resumed }: Position) => resumed === false && load();
  }

  const company = echo.private(`company.${user.company_id}`);
  company
    .listen('.lead.created', onLeadCreated)
    .listen('.lead.updated', (event: LeadEvent) => onEvent(event))
    .listen('.lead.deleted', (event: LeadEvent) => onEvent(event, true))
    .listen('.leadwire:position', onPosition(hydration.run))
    .subscribed(() => {
      refused.value = null;
    })
    .error((error: unknown) => onRefused(error, company));

  const resubscriptions = new Set<ReturnType<typeof setTimeout>>();

  function onRefused(error: unknown, channel: typeof company): void {
    const status = (error as { status?: number }).status ?? 0;
    refused.value = new Problem(status, {});
    if (status !== 403) {
      resubscriptions.add(setTimeout(() => channel.subscribe(), RESUBSCRIBE_DELAY));
    }
    loadUnlessLoaded();
  }

  /** Without a live connection the list still shows, as it was when asked; the subscription will load it again. */
  function loadUnlessLoaded(): void {
    if (list.value.base === null) {
      hydration.run();
    }
  }

  const { connection } = echo.connector.pusher;
  connection.bind('unavailable', loadUnlessLoaded);
  connection.bind('failed', loadUnlessLoaded);

  onScopeDispose(() => {
    resubscriptions.forEach(clearTimeout);
    connection.unbind('unavailable', loadUnlessLoaded);
    connection.unbind('failed', loadUnlessLoaded);
    for (const work of [hydration, older]) {
      work.stop();
    }
  });

  return { list, failure, refused, touched, setFilter, loadMore, applyOwn };
}

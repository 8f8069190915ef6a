/**
 * A list of leads, loaded without a gap and kept live. Needs Vue, Laravel Echo and the leads api, nothing else of this
 * application: the decisions are in lib/leadList, the loading that does not give up in lib/persistent.
 */

import { onScopeDispose, shallowReactive, shallowRef, toValue, watch, type MaybeRefOrGetter } from 'vue';

import type { LiveEcho } from '../echo';
import type { Api, Outcome } from '../lib/api';
import { asked, changed, extended, hydrated, loading, narrowed, opened, reset, type Change, type LeadPage } from '../lib/leadList';
import { sameQuery, type LeadQuery } from '../lib/leadQuery';
import { isFinal, persistent, type LoadFailure } from '../lib/persistent';
import { Problem } from '../lib/problem';
import type { Position } from '../lib/resume';
import type { JobPush, LeadEvent } from '../types';

const FIRST_PAGE = 100;
const NEXT_PAGES = 500;
const RESUBSCRIBE_DELAY = 3_000; // ms; pusher-js itself retries a refused subscription only on its next connection
const RELOAD_DELAY = 800; // after a change that only the server can place: others will follow
const FLASH = 4_000; // longer than the animation, for rows that nobody sees

export interface Options {
  api: Pick<Api, 'leads' | 'leadsAfter'>;
  echo: LiveEcho;
  companyId: string;
  /** Whom `assigned_to=me` means, and whose changes are no news. */
  userId: string;
  /** Parameters of `GET /leads`, sort and order among them. */
  query?: MaybeRefOrGetter<LeadQuery>;
  /** How many rows somebody looks at: as many are loaded again when loading again is all that helps. */
  needed?: () => number;
  /** Somebody else created a lead just now. */
  onCreated?: (lead: LeadEvent) => void;
}

export interface Touch {
  version: number;
  actor: string | null;
  at: number;
}

export type LeadsRealtime = ReturnType<typeof useLeadsRealtime>;

export function useLeadsRealtime({ api, echo, companyId, userId, query = {}, needed = () => 0, onCreated }: Options) {
  const list = shallowRef(opened(asked(toValue(query), userId)));
  /** Why the list could not be loaded, or null. It goes when the list is loaded after all. */
  const failure = shallowRef<LoadFailure | null>(null);
  /** Why the channel could not be joined, or null. */
  const refused = shallowRef<Problem | null>(null);
  /** Lead id → the change that somebody else made and that has not been shown off to the end. */
  const touched = shallowReactive(new Map<string, Touch>());

  const report = (error: LoadFailure | null): void => {
    if (isFinal(error)) {
      list.value = opened(list.value.asked); // what the list before it had must not look like what was asked for
    }
    failure.value = error;
  };
  const hydration = persistent(hydrate, report);
  const older = persistent(extend, report);

  /** Load as much as is looked at; changes that arrive meanwhile are kept by the list. */
  async function hydrate(signal: AbortSignal): Promise<void> {
    older.stop();
    clearTimeout(reloading);
    list.value = loading(list.value);
    const wanted = Math.min(needed(), list.value.rows.length);
    const { query: parameters } = list.value.asked;
    const limit = wanted > FIRST_PAGE ? NEXT_PAGES : FIRST_PAGE;
    const pages: [LeadPage, ...LeadPage[]] = [await api.leads({ ...parameters, limit }, signal)];
    let last = pages[0];
    let count = last.rows.length;
    while (last.next !== null && count < wanted) {
      last = await api.leadsAfter(last.next, signal, NEXT_PAGES);
      pages.push(last);
      count += last.rows.length;
    }
    if (!signal.aborted) {
      list.value = hydrated(list.value, pages);
      fill();
      reloadIfDoubtful();
    }
  }

  /** Who was at the end while a page was on its way has not asked again. */
  function fill(): void {
    if (needed() > list.value.rows.length) {
      loadMore();
    }
  }

  function loadMore(): void {
    if (list.value.next !== null && !list.value.loading) {
      older.run();
    }
  }

  async function extend(signal: AbortSignal): Promise<void> {
    list.value = loading(list.value);
    const page = await api.leadsAfter(list.value.next!, signal, NEXT_PAGES);
    if (!signal.aborted) {
      list.value = extended(list.value, page);
      fill();
      reloadIfDoubtful();
    }
  }

  let reloading: ReturnType<typeof setTimeout> | undefined;
  let lastReload = 0;

  /** Load again soon, however often this is called meanwhile. */
  function reloadSoon(): void {
    clearTimeout(reloading);
    const overdue = Date.now() - lastReload > 2 * RELOAD_DELAY;
    reloading = setTimeout(
      () => {
        lastReload = Date.now();
        hydration.run();
      },
      overdue ? 50 : RELOAD_DELAY,
    );
  }

  watch(
    () => toValue(query),
    (wanted) => {
      if (!sameQuery(wanted, list.value.asked.query)) {
        list.value = narrowed(list.value, asked(wanted, userId));
        hydration.run();
      }
    },
  );

  /** Show this tab's own command at once: its event is not pushed back here. */
  function applyOwn({ lead, position, epoch, facts }: Outcome, deleted = false): void {
    apply([{ lead, position, epoch, deleted, ownFacts: facts }]);
  }

  function apply(changes: readonly Change[]): void {
    list.value = changed(list.value, ...changes);
    reloadIfDoubtful();
  }

  function reloadIfDoubtful(): void {
    if (list.value.doubtful && !list.value.loading) {
      reloadSoon();
    }
  }

  /** Events of one frame are applied together: what is shown is drawn once for all of them. */
  let waiting: { event: LeadEvent; deleted: boolean }[] = [];

  function onEvent(event: LeadEvent, deleted = false): void {
    if (waiting.push({ event, deleted }) === 1) {
      nextFrame(flush);
    }
  }

  function flush(): void {
    const events = waiting;
    waiting = [];
    const before = list.value.versions;
    apply(events.map(({ event, deleted }) => ({ lead: event, position: event.position, epoch: event.epoch ?? null, deleted, ownFacts: null })));
    const { base, versions } = list.value;
    const now = Date.now();
    for (const [id, { at }] of touched) {
      if (now - at > FLASH) {
        touched.delete(id);
      }
    }
    for (const { event, deleted } of events) {
      const isNews = base !== null && versions.get(event.id) === event.version && before.get(event.id) !== event.version;
      if (isNews && !deleted && event.actor !== userId) {
        touched.set(event.id, { version: event.version, actor: event.actor, at: now });
      }
    }
  }

  const onLeadCreated = (event: LeadEvent): void => {
    onEvent(event);
    if (event.actor !== userId && !event.restored) {
      onCreated?.(event);
    }
  };
  const onLeadUpdated = (event: LeadEvent): void => onEvent(event);
  const onLeadDeleted = (event: LeadEvent): void => onEvent(event, true);
  /** A bulk job changes many leads, which are not told one by one; or all that was heard before does not hold. */
  const onLeadsChanged = ({ reset: reason }: Partial<JobPush>): void => {
    if (reason) {
      waiting = [];
      touched.clear();
      list.value = reset(list.value);
      hydration.run();
    } else {
      reloadSoon();
    }
  };
  /** A channel that was resumed has brought everything since; one that begins anew has not. */
  const onPosition = ({ resumed }: Position): void => {
    if (resumed === false) {
      hydration.run();
    }
  };

  const company = echo.private(`company.${companyId}`);
  const listeners = {
    '.lead.created': onLeadCreated,
    '.lead.updated': onLeadUpdated,
    '.lead.deleted': onLeadDeleted,
    '.leads.changed': onLeadsChanged,
    '.leadwire:position': onPosition,
  };
  for (const [event, listener] of Object.entries(listeners)) {
    company.listen(event, listener);
  }
  company.on('pusher:subscription_succeeded', onJoined).on('pusher:subscription_error', onRefused);
  if (company.subscription.subscribed) {
    hydration.run(); // somebody else on this page joined it: no position will be told
  }

  let resubscribing: ReturnType<typeof setTimeout> | undefined;

  function onJoined(): void {
    refused.value = null;
  }

  function onRefused(error: unknown): void {
    const status = (error as { status?: number }).status ?? 0;
    refused.value = new Problem(status, {});
    if (status !== 403) {
      clearTimeout(resubscribing);
      resubscribing = setTimeout(() => company.subscribe(), RESUBSCRIBE_DELAY);
    }
    loadUnlessLoaded(); // a token that has expired is refused here too, and that ends the session
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
    clearTimeout(resubscribing);
    clearTimeout(reloading);
    connection.unbind('unavailable', loadUnlessLoaded);
    connection.unbind('failed', loadUnlessLoaded);
    for (const [event, listener] of Object.entries(listeners)) {
      company.stopListening(event, listener);
    }
    company.subscription.unbind('pusher:subscription_succeeded', onJoined);
    company.subscription.unbind('pusher:subscription_error', onRefused);
    hydration.stop();
    older.stop();
  });

  return { list, failure, refused, touched, loadMore, applyOwn, reload: hydration.run };
}

/** The browser's next frame; a hidden page has none, but must not pile up what it hears. */
function nextFrame(work: () => void): void {
  if (document.hidden) {
    setTimeout(work, 100);
  } else {
    requestAnimationFrame(work);
  }
}

/** One lead, with its history and its chat, loaded without a gap and kept live. */

import { computed, onScopeDispose, shallowRef } from 'vue';

import { usePresence } from '../composables/usePresence';
import type { LiveEcho } from '../echo';
import type { Http } from '../lib/http';
import { idempotencyKeys } from '../lib/idempotency';
import { inputOf, rebase, type Clash, type Value } from '../lib/merge';
import { persistent, type LoadFailure } from '../lib/persistent';
import { Problem } from '../lib/problem';
import { onReset } from '../lib/reset';
import type { Position } from '../lib/resume';
import type { Lead, LeadEvent, MessagePush, User } from '../types';
import { leadRequests, type Found, type HistoryEntry, type Message } from './requests';

const ATTEMPTS = 5; // at an edit that others overtake without touching it

/** Why there is no lead to show. */
export type Absence = { kind: 'unknown' } | { kind: 'deleted'; by: string | null } | { kind: 'merged'; into: string };

export type LiveLead = ReturnType<typeof useLead>;

export function useLead(request: Http, echo: LiveEcho, user: User, id: string) {
  const requests = leadRequests(request, id);
  const keyFor = idempotencyKeys();
  const presence = usePresence(echo, `lead.${id}`, user.id);

  const lead = shallowRef<Lead | null>(null);
  const absence = shallowRef<Absence | null>(null);
  const history = shallowRef<readonly HistoryEntry[]>([]);
  const messages = shallowRef<readonly Message[]>([]);
  const failure = shallowRef<LoadFailure | null>(null);
  /** Fields that somebody else changed just now, and who. */
  const touched = shallowRef<ReadonlyMap<string, string | null>>(new Map());
  const loaded = shallowRef(false);

  const loading = persistent(load, (error) => (failure.value = error));
  const catching = persistent(catchUp);
  const chatting = persistent(async (signal) => {
    const all = await requests.messages(signal);
    if (!signal.aborted) {
      messages.value = merged(messages.value, all);
    }
  });

  async function load(signal: AbortSignal): Promise<void> {
    try {
      const { data } = await requests.now(signal);
      if (isReset && !signal.aborted) {
        isReset = false;
        lead.value = data;
        history.value = [];
        messages.value = [];
      }
      take(data);
      absence.value = null;
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) {
        throw error;
      }
      const into = error.document.merged_into;
      const isMerged = typeof into === 'string';
      lead.value = null;
      if (isReset) {
        isReset = false;
        history.value = [];
        messages.value = [];
      }
      absence.value = isMerged ? { kind: 'merged', into } : { kind: 'unknown' };
    }
    await catchUp(signal);
    if (absence.value?.kind === 'unknown' && history.value.at(-1)?.type === 'lead.deleted') {
      absence.value = { kind: 'deleted', by: history.value.at(-1)!.actor?.name ?? null };
    }
    if (!signal.aborted) {
      loaded.value = true;
      chatting.run();
    }
  }

  /** Versions and positions known so far may be used again, for something else. */
  let isReset = false;
  function restart(): void {
    isReset = true;
    loading.run();
  }

  /** Ask for what happened since the last entry that is shown. */
  async function catchUp(signal: AbortSignal): Promise<void> {
    try {
      const news = await requests.history(history.value.at(-1)?.position ?? 0, signal);
      if (!signal.aborted && news.length > 0) {
        const known = history.value.at(-1)?.position ?? 0;
        history.value = [...history.value, ...news.filter(({ position }) => position > known)];
      }
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) {
        throw error;
      }
    }
  }

  /** Events and answers come in no fixed order; the version decides which is newer. */
  function take(incoming: Lead): void {
    if (lead.value === null || incoming.version > lead.value.version) {
      lead.value = incoming;
    }
  }

  function takeOwn({ data }: Found<Lead>): void {
    take(data);
    catching.run();
  }

  function onUpdated(event: LeadEvent): void {
    if (lead.value !== null && event.version > lead.value.version && event.actor !== user.id) {
      touched.value = new Map([...touched.value, ...Object.keys(event.changed ?? {}).map((field) => [field, event.actor] as const)]);
    }
    take(event);
    catching.run();
  }

  function onMessage({ id: key, author, body, edited_at, mentions, posted_at }: MessagePush): void {
    presence.heardFrom(author);
    messages.value = merged(messages.value, [{ id: key, author, body, edited_at, mentions, posted_at }]);
  }

  function onDeleted(event: LeadEvent): void {
    if (event.id === id) {
      gone(event.merged_into ?? null);
    }
  }

  function gone(into: string | null): void {
    lead.value = null;
    absence.value = into === null ? { kind: 'deleted', by: null } : { kind: 'merged', into };
    loading.run();
  }

  function onCreated(event: LeadEvent): void {
    if (event.id === id) {
      loading.run();
    }
  }

  presence.channel
    .listen('.lead.updated', onUpdated)
    .listen('.message.posted', onMessage)
    .listen('.message.edited', onMessage)
    .listen('.leadwire:position', ({ resumed }: Position) => resumed === false && loading.run())
    .error(() => loading.run()); // one that is deleted has no channel, but a history
  const company = echo.private(`company.${user.company_id}`).listen('.lead.deleted', onDeleted).listen('.lead.created', onCreated);

  const ignoreResets = onReset(echo, user.company_id, restart);
  loading.run();
  onScopeDispose(() => {
    ignoreResets();
    company.stopListening('.lead.deleted', onDeleted).stopListening('.lead.created', onCreated);
    for (const work of [loading, catching, chatting]) {
      work.stop();
    }
  });

  /**
   * Set fields that were seen as they are in `base`. What others changed meanwhile survives; where both changed the same
   * field nothing is saved and the clashes come back.
   */
  async function save(base: Lead, values: Readonly<Record<string, Value>>): Promise<readonly Clash[]> {
    const body = inputOf(values);
    let now = lead.value ?? base;
    for (let attempt = 0; ; attempt++) {
      const { clashes } = rebase(base, body, now);
      if (clashes.length > 0) {
        return clashes;
      }
      try {
        takeOwn(await requests.change(now, body, keyFor({ version: now.version, epoch: now.epoch, body })));
        return [];
      } catch (error) {
        if (!(error instanceof Problem && error.status === 412 && attempt < ATTEMPTS)) {
          throw error;
        }
        now = (await requests.now()).data;
        take(now);
      }
    }
  }

  async function say(body: string, mentions: string[]): Promise<void> {
    const message = await requests.say(body, mentions, keyFor({ body, mentions, after: messages.value.length }));
    presence.typed();
    messages.value = merged(messages.value, [message]);
    catching.run();
  }

  async function reword(message: string, body: string, mentions: string[]): Promise<void> {
    messages.value = merged(messages.value, [await requests.reword(message, body, mentions)]);
    catching.run();
  }

  return {
    id,
    requests,
    presence,
    lead,
    absence,
    history,
    messages,
    failure,
    touched,
    loaded,
    seen: (field: string) => (touched.value = new Map([...touched.value].filter(([one]) => one !== field))),
    /** Newest first. */
    timeline: computed(() => history.value.toReversed()),
    take: takeOwn,
    gone,
    save,
    say,
    reword,
    convert: async (status: string | null) => takeOwn(await requests.convert(status, keyFor({ convert: status, version: lead.value?.version }))),
    remove: async () => {
      await requests.remove(keyFor({ remove: lead.value?.version }));
      gone(null);
    },
    restore: async () => {
      const { data } = await requests.restore(keyFor({ restore: history.value.length }));
      lead.value = data;
      absence.value = null;
      catching.run();
      presence.channel.subscribe(); // refused while the lead was deleted
    },
  };
}

/** Put messages in by id, the newer edit of each; in the order in which they were posted. */
function merged(known: readonly Message[], incoming: readonly Message[]): readonly Message[] {
  const byId = new Map(known.map((message) => [message.id, message]));
  for (const message of incoming) {
    const before = byId.get(message.id);
    if (before === undefined || (message.edited_at ?? '') >= (before.edited_at ?? '')) {
      byId.set(message.id, message);
    }
  }
  return [...byId.values()].sort((one, other) => (one.posted_at < other.posted_at ? -1 : 1));
}

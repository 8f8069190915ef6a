/**
 * Changing leads: shown at once, taken back with an explanation when the server does not agree, and put together with what
 * somebody else did meanwhile.
 */

import { shallowReactive, shallowRef } from 'vue';
import { useI18n } from 'vue-i18n';

import { useDescribe } from '../composables/useDescribe';
import type { Toasts } from '../composables/useToasts';
import type { Api, LeadInput, Outcome } from '../lib/api';
import { randomUuid } from '../lib/idempotency';
import { rebase, type Clash } from '../lib/merge';
import { Problem, Unreachable } from '../lib/problem';
import type { Lead, NewLeadBody } from '../types';

const MOST_RETRIES = 3;

/** What somebody has to decide before it can be saved. */
export interface Conflict {
  /** As it is now. */
  theirs: Lead;
  clashes: readonly Clash[];
  /** Save these as well. */
  rest: LeadInput;
}

/** Hears of what this tab did: its events are not pushed back to it. */
export type OutcomeListener = (outcome: Outcome, deleted: boolean) => void;

export type Commands = ReturnType<typeof useCommands>;

export function useCommands(api: Api, toasts: Toasts) {
  const { t } = useI18n();
  const describe = useDescribe();
  /** Lead id → what was asked of the server and is shown already. */
  const pending = shallowReactive(new Map<string, LeadInput>());
  const conflict = shallowRef<Conflict | null>(null);
  const listeners = new Set<OutcomeListener>();
  /** Lead id → its last request: one follows the other, on the version that the first one made. */
  const queues = new Map<string, Promise<unknown>>();
  const latest = new Map<string, Lead>();

  function tell(outcome: Outcome, deleted = false): Outcome {
    latest.set(outcome.lead.id, outcome.lead);
    listeners.forEach((listener) => listener(outcome, deleted));
    return outcome;
  }

  function newest(lead: Lead): Lead {
    const known = latest.get(lead.id);
    return known !== undefined && known.epoch === lead.epoch && known.version > lead.version ? known : lead;
  }

  /**
   * Change a lead; true when it is saved, false when somebody has to decide first.
   *
   * Throws what else the server or the network has against it.
   */
  async function save(lead: Lead, input: LeadInput): Promise<boolean> {
    pending.set(lead.id, { ...pending.get(lead.id), ...input });
    const before = queues.get(lead.id) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(() => send(newest(lead), input));
    queues.set(lead.id, mine);
    try {
      return await mine;
    } finally {
      if (queues.get(lead.id) === mine) {
        queues.delete(lead.id);
        pending.delete(lead.id);
      }
    }
  }

  async function send(lead: Lead, input: LeadInput, retries = 0): Promise<boolean> {
    try {
      tell(await api.update(lead, input, randomUuid()));
      return true;
    } catch (error) {
      if (!(error instanceof Problem && error.status === 412) || retries === MOST_RETRIES) {
        throw error;
      }
    }
    const theirs = await api.lead(lead.id);
    const { clashes, rest } = rebase(lead, input, theirs);
    if (clashes.length > 0) {
      conflict.value = { theirs, clashes, rest };
      return false;
    }
    return Object.keys(rest).length === 0 || send(theirs, rest, retries + 1);
  }

  /** As `save`, for where there is no form to show what is wrong: a message says it. */
  async function change(lead: Lead, input: LeadInput): Promise<boolean> {
    return attempt(() => save(lead, input), t('change.notSaved', { name: lead.name }), () => void change(newest(lead), input));
  }

  /** Decide a conflict: `input` is what of mine is to hold. */
  async function resolve({ theirs }: Conflict, input: LeadInput): Promise<void> {
    conflict.value = null;
    if (Object.keys(input).length > 0) {
      await change(theirs, input);
    }
  }

  async function create(input: Partial<NewLeadBody>, key: string): Promise<Lead> {
    return tell(await api.create(input, key)).lead;
  }

  async function remove(lead: Lead): Promise<void> {
    await attempt(async () => {
      tell(await api.remove(lead.id, randomUuid()), true);
      toasts.add(t('lead.deleted', { name: lead.name }), { kind: 'success', action: { label: t('change.undo'), run: () => void restore(lead) } });
      return true;
    }, t('change.notDeleted', { name: lead.name }));
  }

  async function restore(lead: Lead): Promise<void> {
    await attempt(async () => {
      tell(await api.restore(lead.id, randomUuid()));
      return true;
    }, t('change.notRestored', { name: lead.name }));
  }

  async function attempt(work: () => Promise<boolean>, failed: string, again?: () => void): Promise<boolean> {
    try {
      return await work();
    } catch (error) {
      const retry = error instanceof Unreachable && again ? { action: { label: t('change.again'), run: again } } : {};
      toasts.add(`${failed} ${describe(error)}`, { kind: 'error', ...retry });
      return false;
    }
  }

  return {
    pending: pending as ReadonlyMap<string, LeadInput>,
    conflict,
    save,
    change,
    resolve,
    create,
    remove,
    restore,
    /** Call `listener` for each outcome until the returned function is called. */
    listen(listener: OutcomeListener): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

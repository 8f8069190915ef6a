/** Which leads are chosen for what comes next: single ones, or all that a query matches, loaded or not. */

import { computed, ref, shallowReactive, type Ref } from 'vue';

import type { Lead } from '../types';

export interface Selection {
  has: (id: string) => boolean;
  ids: ReadonlySet<string>;
  count: Readonly<Ref<number>>;
  /** The one chosen last: where a range begins. */
  last: Readonly<Ref<string | null>>;
  /** Whether all that the query matches are meant, loaded or not. */
  matching: Readonly<Ref<boolean>>;
  toggle: (id: string) => void;
  extend: (rows: readonly Lead[], from: string, to: string) => void;
  all: (rows: readonly Lead[]) => void;
  /** Mean all that the query matches: as many as the server has counted. */
  match: (counted: number) => void;
  clear: () => void;
}

export function useSelection(): Selection {
  const ids = shallowReactive(new Set<string>());
  const last = ref<string | null>(null);
  const counted = ref<number | null>(null);
  const matching = computed(() => counted.value !== null);

  function toggle(id: string): void {
    counted.value = null;
    if (!ids.delete(id)) {
      ids.add(id);
    }
    last.value = id;
  }

  function extend(rows: readonly Lead[], from: string, to: string): void {
    const ends = [from, to].map((id) => rows.findIndex((row) => row.id === id)).sort((one, other) => one - other);
    rows.slice(Math.max(0, ends[0]!), ends[1]! + 1).forEach(({ id }) => ids.add(id));
    last.value = to;
  }

  function clear(): void {
    ids.clear();
    counted.value = null;
    last.value = null;
  }

  return {
    has: (id) => matching.value || ids.has(id),
    ids,
    count: computed(() => counted.value ?? ids.size),
    last,
    matching,
    toggle,
    extend,
    all(rows) {
      clear();
      rows.forEach(({ id }) => ids.add(id));
    },
    match: (number) => {
      counted.value = number;
    },
    clear,
  };
}

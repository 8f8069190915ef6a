/** Which leads are chosen for what comes next: single ones, or all that a query matches, loaded or not. */

import { computed, ref, shallowReactive, type Ref } from 'vue';

import type { Lead } from '../types';

export interface Selection {
  has: (id: string) => boolean;
  ids: ReadonlySet<string>;
  count: Readonly<Ref<number>>;
  /** The one chosen last: where a range begins. */
  last: Readonly<Ref<string | null>>;
  /** Whether all that the query matches are meant. */
  matching: Ref<boolean>;
  toggle: (id: string) => void;
  extend: (rows: readonly Lead[], from: string, to: string) => void;
  all: (rows: readonly Lead[]) => void;
  clear: () => void;
}

export function useSelection(): Selection {
  const ids = shallowReactive(new Set<string>());
  const last = ref<string | null>(null);
  const matching = ref(false);

  function toggle(id: string): void {
    matching.value = false;
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
    matching.value = false;
    last.value = null;
  }

  return {
    has: (id) => matching.value || ids.has(id),
    ids,
    count: computed(() => ids.size),
    last,
    matching,
    toggle,
    extend,
    all(rows) {
      clear();
      rows.forEach(({ id }) => ids.add(id));
    },
    clear,
  };
}

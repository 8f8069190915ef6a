/** Which columns the list shows, by each person's choice, kept in their browser. */

import { computed, ref } from 'vue';

import { useFields } from '../composables/useFields';
import type { Kind } from '../lib/fields';
import { useWorkspace } from '../live/workspace';

const USUAL = ['status', 'assigned_to', 'organisation', 'value', 'phone', 'tags', 'created_at'];
const WIDTHS: Partial<Record<Kind, number>> = { stage: 130, person: 160, money: 116, number: 92, score: 92, count: 92, email: 210, phone: 138, time: 96, date: 110, boolean: 80, tags: 144, source: 120 };

export function useColumns() {
  const { user } = useWorkspace();
  const { fields } = useFields();
  const storageKey = `leadwire.columns.${user.company_id}`;
  const stored = localStorage.getItem(storageKey);
  const chosen = ref<readonly string[]>(stored === null ? USUAL : (JSON.parse(stored) as string[]));

  const choosable = computed(() => fields.value.filter(({ path }) => path !== 'name'));
  const columns = computed(() =>
    chosen.value.flatMap((path) => {
      const field = fields.value.find((one) => one.path === path);
      return field === undefined ? [] : [{ ...field, width: WIDTHS[field.kind] ?? 152 }];
    }),
  );

  function choose(path: string, on: boolean): void {
    const order = choosable.value.map((field) => field.path);
    const wanted = new Set(on ? [...chosen.value, path] : chosen.value.filter((one) => one !== path));
    chosen.value = [...USUAL, ...order].filter((one, index, all) => wanted.has(one) && all.indexOf(one) === index);
    localStorage.setItem(storageKey, JSON.stringify(chosen.value));
  }

  return { columns, choosable, chosen, choose };
}

export type Column = ReturnType<typeof useColumns>['columns']['value'][number];

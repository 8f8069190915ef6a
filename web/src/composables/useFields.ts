/** The fields of a lead, the company's own among them: what they are called and how their values read. */

import { computed } from 'vue';
import { useI18n } from 'vue-i18n';

import { useWorkspace } from '../live/workspace';
import type { Value } from '../lib/merge';
import type { CustomField, Lead } from '../types';
import { useFormats } from './useFormats';

export type Kind =
  | 'text'
  | 'email'
  | 'phone'
  | 'stage'
  | 'source'
  | 'person'
  | 'money'
  | 'number'
  | 'tags'
  | 'time'
  | CustomField['kind'];

export interface Field {
  /** `phone`, `custom.plan`. */
  path: string;
  label: string;
  kind: Kind;
  /** Only of the company's own. */
  custom?: CustomField;
}

const STANDARD: readonly (readonly [string, Kind])[] = [
  ['name', 'text'],
  ['status', 'stage'],
  ['assigned_to', 'person'],
  ['organisation', 'text'],
  ['title', 'text'],
  ['email', 'email'],
  ['phone', 'phone'],
  ['value', 'money'],
  ['source', 'source'],
  ['score', 'number'],
  ['tags', 'tags'],
  ['messages', 'number'],
  ['lost_reason', 'text'],
  ['created_at', 'time'],
  ['updated_at', 'time'],
  ['status_since', 'time'],
];

export function useFields() {
  const { t } = useI18n();
  const { company } = useWorkspace();
  const formats = useFormats();

  const fields = computed<readonly Field[]>(() => [
    ...STANDARD.map(([path, kind]) => ({ path, kind, label: t(`field.${path}`) })),
    ...company.fields.value
      .filter(({ active }) => active)
      .map((custom) => ({ path: `custom.${custom.key}`, kind: custom.kind, label: custom.label, custom })),
  ]);
  const byPath = computed(() => new Map(fields.value.map((field) => [field.path, field])));

  function label(path: string): string {
    return byPath.value.get(path)?.label ?? company.fields.value.find(({ key }) => `custom.${key}` === path)?.label ?? path;
  }

  /** A value in words; '' for none. `lead` says the currency of an amount. */
  function text(path: string, value: Value, lead?: Lead): string {
    if (value === null || value === '') {
      return '';
    }
    switch (byPath.value.get(path)?.kind) {
      case 'stage':
        return company.stage(String(value))?.name ?? String(value);
      case 'person':
        return company.person(String(value))?.name ?? t('list.somebody');
      case 'source':
        return company.source(String(value))?.name ?? String(value);
      case 'money':
        return formats.money(String(value), lead?.currency ?? company.about.value?.currency ?? null);
      case 'time':
        return formats.fullTime(String(value));
      case 'date':
        return formats.date(`${String(value)}T00:00:00`);
      case 'boolean':
        return t(value === true ? 'value.yes' : 'value.no');
      default:
        return Array.isArray(value) ? value.join(', ') : typeof value === 'number' ? formats.number(value) : String(value);
    }
  }

  return { fields, field: (path: string) => byPath.value.get(path), label, text };
}

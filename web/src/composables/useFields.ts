/** The fields of a lead, the company's own among them: what they are called and how their values read. */

import { computed } from 'vue';
import { useI18n } from 'vue-i18n';

import { isEmpty, STANDARD, type Kind } from '../lib/fields';
import type { Value } from '../lib/merge';
import { useWorkspace } from '../live/workspace';
import type { CustomField } from '../types';
import { useFormats } from './useFormats';

export interface Field {
  /** `phone`, `custom.plan`. */
  path: string;
  label: string;
  kind: Kind;
  /** Only of the company's own. */
  custom?: CustomField;
}

const KINDS = new Map<string, Kind>([
  ...STANDARD.map(({ path, kind }) => [path, kind] as const),
  ['messages', 'count'],
  ['created_at', 'time'],
  ['updated_at', 'time'],
  ['status_since', 'time'],
  ['converted_at', 'time'],
]);
/** Those that a list may show, in this order. */
const LISTED = [
  'name',
  'status',
  'assigned_to',
  'organisation',
  'title',
  'email',
  'phone',
  'value',
  'source',
  'score',
  'tags',
  'messages',
  'lost_reason',
  'created_at',
  'updated_at',
  'status_since',
];

export function useFields() {
  const { t, te } = useI18n();
  const { company } = useWorkspace();
  const formats = useFormats();

  const fields = computed<readonly Field[]>(() => [
    ...LISTED.map((path) => ({ path, kind: KINDS.get(path)!, label: label(path) })),
    ...company.fields.value
      .filter(({ active }) => active)
      .map((custom) => ({ path: `custom.${custom.key}`, kind: custom.kind, label: custom.label, custom })),
  ]);

  const own = (path: string): CustomField | undefined => company.fields.value.find(({ key }) => `custom.${key}` === path);

  function label(path: string): string {
    const known = [`field.${path}`, `leadPage.field.${path}`].find((key) => te(key));
    return own(path)?.label ?? (known === undefined ? path : t(known));
  }

  /** A value in words; '' for none. Without its currency an amount is a number with two decimals. */
  function text(path: string, value: Value, currency: string | null = null): string {
    if (value === null || isEmpty(value)) {
      return '';
    }
    switch (KINDS.get(path) ?? own(path)?.kind) {
      case 'stage':
        return company.stage(String(value))?.name ?? String(value);
      case 'person':
        return person(String(value));
      case 'source':
        return company.source(String(value))?.name ?? String(value);
      case 'money':
        return formats.value.money(String(value), currency);
      case 'time':
        return formats.value.fullTime(String(value));
      case 'date':
        return formats.value.date(String(value));
      case 'boolean':
        return t(value === true ? 'value.yes' : 'value.no');
      default:
        return Array.isArray(value) ? value.join(', ') : typeof value === 'number' ? formats.value.exact(value) : String(value);
    }
  }

  /** As `text`, but with a dash for none. */
  const shown = (path: string, value: Value, currency: string | null = null): string => text(path, value, currency) || '–';

  const person = (id: string | null): string => company.person(id)?.name ?? t('list.somebody');

  return { fields, label, text, shown, person, moment: (time: string): string => formats.value.moment(time) };
}

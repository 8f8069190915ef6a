/** Which fields a lead's page shows, and how each is edited. */

import type { Value } from '../lib/merge';
import type { CustomField, Lead } from '../types';

export type Kind = 'text' | 'email' | 'tel' | 'number' | 'date' | 'url' | 'person' | 'source' | 'stage' | 'choice' | 'choices' | 'boolean';

export interface FieldSpec {
  /** `phone`, `custom.plan`. */
  name: string;
  kind: Kind;
  /** Of a field of the company's own; others are translated. */
  label?: string;
  choices?: readonly string[];
  required?: boolean;
}

export const STANDARD: readonly FieldSpec[] = [
  { name: 'name', kind: 'text', required: true },
  { name: 'email', kind: 'email' },
  { name: 'phone', kind: 'tel' },
  { name: 'organisation', kind: 'text' },
  { name: 'title', kind: 'text' },
  { name: 'assigned_to', kind: 'person' },
  { name: 'source', kind: 'source' },
  { name: 'value', kind: 'number' },
  { name: 'currency', kind: 'text' },
  { name: 'score', kind: 'number' },
];

/** The standard fields and the company's own; one that is no longer in use is shown while the lead has a value in it. */
export function fieldsOf(lead: Lead, custom: readonly CustomField[]): readonly FieldSpec[] {
  const own = [...custom]
    .sort((one, other) => one.position - other.position)
    .filter(({ key, active }) => active || key in lead.custom)
    .map(({ key, kind, label, choices, required }): FieldSpec => ({ name: `custom.${key}`, kind, label, choices, required }));
  const reason: readonly FieldSpec[] = lead.lost_reason === null ? [] : [{ name: 'lost_reason', kind: 'text' }];
  return [...STANDARD, ...reason, ...own];
}

/** What an input holds for a value. */
export function textOf(value: Value): string {
  return value === null ? '' : Array.isArray(value) ? value.join(', ') : String(value);
}

/** The value that somebody typed; nothing is null. */
export function typedValue({ kind, name }: FieldSpec, text: string): Value {
  const trimmed = text.trim();
  if (trimmed === '') {
    return null;
  }
  switch (kind) {
    case 'number':
      return name === 'value' ? trimmed : Number(trimmed);
    case 'choices':
      return trimmed.split(',').map((choice) => choice.trim()).filter((choice) => choice !== '');
    case 'boolean':
      return trimmed === 'true';
    default:
      return trimmed;
  }
}

/** Between a lead and the strings of its form. */

import type { CustomField, Lead } from '../types';
import type { LeadInput } from './api';
import { inputOf, same, valueAt, type Value } from './merge';

/** Fields of every lead that a form has; those of the company's own come after them. */
export const FIELDS = [
  'name',
  'organisation',
  'title',
  'email',
  'phone',
  'status',
  'lost_reason',
  'assigned_to',
  'source',
  'value',
  'currency',
  'score',
  'tags',
] as const;

/** By path: `phone`, `custom.plan`. */
export type Draft = Record<string, string | boolean | string[]>;

export function draftOf(lead: Lead | null, custom: readonly CustomField[], firstStage: string): Draft {
  const plain = FIELDS.map((field) => [field, lead === null ? '' : shown(valueAt(lead, field))]);
  const own = custom.map((field) => {
    const path = `custom.${field.key}`;
    const value = lead === null ? null : valueAt(lead, path);
    return [path, field.kind === 'choices' ? (value ?? []) : field.kind === 'boolean' ? shownBoolean(value) : shown(value)];
  });
  const draft = Object.fromEntries([...plain, ...own]) as Draft;
  return { ...draft, status: lead?.status ?? firstStage };
}

/** The body that creates a lead: what was left empty is left out. */
export function creation(draft: Draft, custom: readonly CustomField[]): LeadInput & { name: string } {
  const filled = Object.entries(valuesOf(draft, custom)).filter(([, value]) => value !== null && !isEmpty(value));
  return { ...inputOf(Object.fromEntries(filled)), name: String(draft.name).trim() };
}

/** The body that changes `lead` into the draft: only the fields that differ, so that other people's edits survive. */
export function difference(lead: Lead, draft: Draft, custom: readonly CustomField[]): LeadInput {
  const differing = Object.entries(valuesOf(draft, custom)).filter(([path, value]) => {
    const before = valueAt(lead, path);
    return !(isEmpty(before) && isEmpty(value)) && !same(before, value) && !sameAmount(path, before, value);
  });
  return inputOf(Object.fromEntries(differing));
}

function valuesOf(draft: Draft, custom: readonly CustomField[]): Record<string, Value> {
  const kinds = new Map(custom.map(({ key, kind }) => [`custom.${key}`, kind]));
  return Object.fromEntries(
    Object.entries(draft).map(([path, typed]): [string, Value] => {
      if (Array.isArray(typed)) {
        return [path, typed.length === 0 ? null : typed];
      }
      const text = String(typed).trim();
      if (path === 'tags') {
        return [path, tagsOf(text)];
      }
      if (text === '') {
        return [path, null];
      }
      const kind = kinds.get(path) ?? (path === 'score' ? 'number' : 'text');
      return [path, kind === 'number' ? Number(text) : kind === 'boolean' ? text === 'true' : text];
    }),
  );
}

function tagsOf(text: string): string[] {
  const tags = text.split(/[,;]/).map((tag) => tag.trim().toLowerCase().replace(/\s+/g, ' '));
  return [...new Set(tags.filter(Boolean))].sort();
}

function shown(value: Value): string {
  return value === null ? '' : Array.isArray(value) ? value.join(', ') : String(value);
}

function shownBoolean(value: Value): string {
  return value === null ? '' : String(value);
}

function isEmpty(value: Value): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

/** `1500` typed is the `1500.00` that the server says. */
function sameAmount(path: string, before: Value, value: Value): boolean {
  return path === 'value' && before !== null && value !== null && Number(before) === Number(value);
}

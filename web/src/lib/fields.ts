/** The fields of a lead: of which kind each is, and what was typed into it, read and written. */

import type { CustomField, Lead } from '../types';
import type { Formats, Misread, Read } from './formats';
import { mailLink, pageLink } from './links';
import { AMOUNT, inputOf, patched, same, valueAt, type Value } from './merge';

/** Kinds that somebody may edit; a kind of the server's that is missing here fails the type check of `kindOf`. */
export const EDITED_KINDS = [
  'text',
  'email',
  'phone',
  'url',
  'money',
  'score',
  'number',
  'date',
  'stage',
  'source',
  'person',
  'choice',
  'choices',
  'boolean',
  'tags',
] as const;

export type EditedKind = (typeof EDITED_KINDS)[number];
export type Kind = EditedKind | 'count' | 'time';

export interface FieldSpec {
  /** `phone`, `custom.plan`. */
  path: string;
  kind: EditedKind;
  /** Of a field of the company's own; others are translated. */
  label?: string;
  choices?: readonly string[];
  required?: boolean;
}

/** Those of every lead, in the order of its form; a currency belongs to the value. */
export const STANDARD: readonly FieldSpec[] = [
  { path: 'name', kind: 'text', required: true },
  { path: 'organisation', kind: 'text' },
  { path: 'title', kind: 'text' },
  { path: 'email', kind: 'email' },
  { path: 'phone', kind: 'phone' },
  { path: 'status', kind: 'stage', required: true },
  { path: 'lost_reason', kind: 'text' },
  { path: 'assigned_to', kind: 'person' },
  { path: 'source', kind: 'source' },
  { path: 'value', kind: 'money' },
  { path: 'score', kind: 'score' },
  { path: 'tags', kind: 'tags' },
];

export const LOWEST_SCORE = 0;
export const BEST_SCORE = 100;

const kindOf = ({ kind }: CustomField): EditedKind => kind;

export function specOf(field: CustomField): FieldSpec {
  const { key, label, choices, required } = field;
  return { path: `custom.${key}`, kind: kindOf(field), label, choices, required };
}

/** The company's own fields in their order; one that is no longer in use while `lead` has a value in it. */
export function ownSpecs(custom: readonly CustomField[], lead: Lead | null): readonly FieldSpec[] {
  return [...custom]
    .sort((one, other) => one.position - other.position)
    .filter(({ key, active }) => active || (lead !== null && key in lead.custom))
    .filter(({ kind }) => (EDITED_KINDS as readonly string[]).includes(kind)) // a newer server's kind is left alone
    .map(specOf);
}

/** What a lead's page shows as fields: stage and tags have places of their own. */
export function pageSpecs(lead: Lead, custom: readonly CustomField[]): readonly FieldSpec[] {
  const standard = STANDARD.filter(({ path, kind }) => kind !== 'stage' && kind !== 'tags' && (path !== 'lost_reason' || lead.lost_reason !== null));
  return [...standard, ...ownSpecs(custom, lead)];
}

/** What a control holds: text, or the chosen ones of several. */
export type Entry = string | readonly string[];

/** By path; an amount's currency is an entry of its own. */
export type Draft = Readonly<Record<string, Entry>>;

export const CURRENCY = 'currency';

const ofMoney = ({ kind }: FieldSpec): boolean => kind === 'money';

/** What the controls of a field hold for a lead; `fallback` is the currency of an amount that is yet to be typed. */
export function entriesOf(spec: FieldSpec, lead: Lead | null, formats: Formats, fallback: string | null = null): Draft {
  const value = lead === null ? null : valueAt(lead, spec.path);
  if (ofMoney(spec)) {
    const currency = lead?.currency ?? null;
    return { [spec.path]: value === null ? '' : formats.amountText(String(value), currency), [CURRENCY]: currency ?? fallback ?? '' };
  }
  return { [spec.path]: written(spec.kind, value, formats) };
}

export function draftOf(specs: readonly FieldSpec[], lead: Lead | null, formats: Formats): Draft {
  return Object.assign({}, ...specs.map((spec) => entriesOf(spec, lead, formats))) as Draft;
}

function written(kind: EditedKind, value: Value, formats: Formats): Entry {
  if (kind === 'choices') {
    return Array.isArray(value) ? (value as readonly string[]) : [];
  }
  if (value === null) {
    return '';
  }
  switch (kind) {
    case 'score':
    case 'number':
      return formats.exact(Number(value));
    case 'date':
      return formats.dateText(String(value));
    case 'tags':
      return (value as readonly string[]).join(', ');
    default:
      return String(value);
  }
}

export interface ReadDraft {
  values: Readonly<Record<string, Value>>;
  /** By path: what could not be read. Nothing may be sent while there is one. */
  misread: Readonly<Record<string, Misread>>;
}

export interface ReadContext {
  formats: Formats;
  /** The lead that is edited, or null for a new one. */
  lead: Lead | null;
  /** The company's currency. */
  currency: string | null;
}

/**
 * The values that were typed; no text is null. What the draft has no entry for is left out, and so is what nobody touched:
 * a value of old times that would be refused today is in nobody's way.
 */
export function readDraft(specs: readonly FieldSpec[], draft: Draft, context: ReadContext): ReadDraft {
  const values: Record<string, Value> = {};
  const misread: Record<string, Misread> = {};
  const isTouched = (spec: FieldSpec): boolean =>
    spec.path in draft && (context.lead === null || Object.entries(entriesOf(spec, context.lead, context.formats)).some(([path, entry]) => !same(entry as Value, (draft[path] ?? '') as Value)));
  for (const spec of specs.filter(isTouched)) {
    const read = ofMoney(spec) ? readMoney(spec, draft, context) : readField(spec, draft[spec.path]!, context.formats);
    if (read.misread === undefined) {
      Object.assign(values, read.value);
    } else {
      misread[spec.path] = read.misread;
    }
  }
  return { values, misread };
}

type Values = Record<string, Value>;

function readField(spec: FieldSpec, entry: Entry, formats: Formats): Read<Values> {
  const read = readValue(spec, entry, formats);
  if (read.misread !== undefined) {
    return read;
  }
  return read.value === null && spec.required ? { misread: { code: 'required' } } : { value: { [spec.path]: read.value } };
}

function readValue({ kind, choices = [] }: FieldSpec, entry: Entry, formats: Formats): Read<Value> {
  if (typeof entry !== 'string') {
    return { value: entry.length === 0 ? null : choices.filter((choice) => entry.includes(choice)) };
  }
  const text = entry.trim();
  if (kind === 'tags') {
    return { value: tagsOf(text) };
  }
  if (text === '') {
    return { value: null };
  }
  switch (kind) {
    case 'score':
      return formats.readWhole(text, LOWEST_SCORE, BEST_SCORE);
    case 'number':
      return formats.readNumber(text);
    case 'date':
      return formats.readDate(text);
    case 'boolean':
      return { value: text === 'true' };
    case 'email':
      return mailLink(text) === null ? { misread: { code: 'email' } } : { value: text.toLowerCase() };
    case 'url':
      return pageLink(text) === null ? { misread: { code: 'url' } } : { value: text };
    default:
      return { value: text };
  }
}

/** An amount and its currency go together: neither is dropped because the other one was emptied. */
function readMoney({ path, required = false }: FieldSpec, draft: Draft, { formats, lead, currency: fallback }: ReadContext): Read<Values> {
  const text = String(draft[path]).trim();
  const chosen = String(draft[CURRENCY] ?? '').trim().toUpperCase();
  if (chosen !== '' && !/^[A-Z]{3}$/.test(chosen)) {
    return { misread: { code: 'currency' } };
  }
  if (text === '') {
    if (chosen !== '' || required) {
      return { misread: { code: 'amountMissing', values: { currency: chosen } } };
    }
    return { value: { [path]: null, [CURRENCY]: null } };
  }
  const read = formats.readAmount(text, { currency: chosen || null, fallback });
  if (read.misread !== undefined) {
    return read;
  }
  const currency = chosen || read.value.currency || (lead?.currency ? null : fallback);
  return currency ? { value: { [path]: read.value.amount, [CURRENCY]: currency } } : { misread: { code: 'currencyMissing' } };
}

export function tagsOf(text: string): string[] {
  const tags = text.split(/[,;]/).map((tag) => tag.trim().toLowerCase().replace(/\s+/g, ' '));
  return [...new Set(tags.filter(Boolean))].sort();
}

/** The same draft for somebody who reads another language; what could not be read stays as it was typed. */
export function translated(specs: readonly FieldSpec[], draft: Draft, from: Formats, to: Formats): Draft {
  if (from.locale === to.locale) {
    return draft;
  }
  const rewritten = specs.map(({ kind, path }): Draft => {
    const entry = draft[path];
    const text = typeof entry === 'string' ? rewrittenText(kind, entry, String(draft[CURRENCY] ?? ''), from, to) : null;
    return text === null ? {} : { [path]: text };
  });
  return Object.assign({}, draft, ...rewritten) as Draft;
}

function rewrittenText(kind: EditedKind, text: string, chosen: string, from: Formats, to: Formats): string | null {
  switch (kind) {
    case 'money': {
      const read = from.readAmount(text);
      if (read.misread !== undefined) {
        return null;
      }
      const { amount, currency } = read.value;
      const mark = currency !== null && chosen === '' ? `${currency} ` : '';
      return mark + to.amountText(amount, currency ?? (chosen.toUpperCase() || null));
    }
    case 'score':
    case 'number': {
      const read = from.readNumber(text);
      return read.misread === undefined ? to.exact(read.value) : null;
    }
    case 'date': {
      const read = from.readDate(text);
      return read.misread === undefined ? to.dateText(read.value) : null;
    }
    default:
      return null;
  }
}

/** Of what was read, what differs from the lead: other people's edits survive. An amount takes its currency along. */
export function changesOf(lead: Lead, values: Readonly<Record<string, Value>>): Record<string, Value> {
  const differing = Object.keys(values).filter((path) => !alike(valueAt(lead, path), values[path]!));
  const isMoney = differing.some((path) => AMOUNT.includes(path));
  const paths = new Set([...differing, ...(isMoney ? AMOUNT.filter((path) => path in values) : [])]);
  return Object.fromEntries([...paths].map((path) => [path, values[path]!]));
}

/** What creates a lead: what was left empty is left out. */
export function filled(values: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => !isEmpty(value)));
}

function alike(one: Value, other: Value): boolean {
  return same(one, other) || (isEmpty(one) && isEmpty(other));
}

export function isEmpty(value: Value): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

/** A lead as it was seen by somebody who began to edit these fields. */
export function seenAs(lead: Lead, before: Readonly<Record<string, Value>>): Lead {
  return patched(lead, inputOf(before));
}

/** Two people changed the same lead: which of my changes still stand, and about which somebody has to decide. Pure. */

import type { Lead } from '../types';
import type { LeadInput } from './api';

export type Value = string | number | boolean | readonly string[] | null;

/** A field by its path (`phone`, `custom.plan`), with what it was to me, what I made of it and what it is now. */
export interface Clash {
  path: string;
  base: Value;
  mine: Value;
  theirs: Value;
}

export interface Rebased {
  /** What both sides gave different values. */
  clashes: readonly Clash[];
  /** What of mine can be applied to theirs as it is. */
  rest: LeadInput;
}

const CUSTOM = 'custom.';

/** What is one thing: whose amount holds, their currency holds. */
export const AMOUNT: readonly string[] = ['value', 'currency'];

export function valueAt(lead: Lead, path: string): Value {
  const value = path.startsWith(CUSTOM) ? lead.custom[path.slice(CUSTOM.length)] : lead[path as keyof Lead];
  return (value ?? null) as Value;
}

/** The fields of an input by path. */
export function pathsOf({ custom, ...plain }: LeadInput): Record<string, Value> {
  const own = Object.entries(custom ?? {}).map(([key, value]) => [CUSTOM + key, value]);
  return Object.fromEntries([...Object.entries(plain), ...own]) as Record<string, Value>;
}

export function inputOf(paths: Readonly<Record<string, Value>>): LeadInput {
  const entries = Object.entries(paths);
  const plain = entries.filter(([path]) => !path.startsWith(CUSTOM));
  const own = entries.filter(([path]) => path.startsWith(CUSTOM)).map(([path, value]) => [path.slice(CUSTOM.length), value]);
  return { ...Object.fromEntries(plain), ...(own.length > 0 && { custom: Object.fromEntries(own) }) } as LeadInput;
}

export function rebase(base: Lead, input: LeadInput, theirs: Lead): Rebased {
  const clashes: Clash[] = [];
  const rest: Record<string, Value> = {};
  const fields = Object.entries(pathsOf(input)).map(([path, mine]): Clash => ({ path, base: valueAt(base, path), mine, theirs: valueAt(theirs, path) }));
  const isAmountContested = fields.some((field) => AMOUNT.includes(field.path) && isContested(field));
  for (const field of fields) {
    const { path, base: before, mine, theirs: now } = field;
    if (isContested(field) || (isAmountContested && AMOUNT.includes(path))) {
      clashes.push(field);
    } else if (!same(mine, now) && same(before, now)) {
      rest[path] = mine;
    }
  }
  return { clashes, rest: inputOf(rest) };
}

/** Both sides changed it, and not to the same. */
function isContested({ base, mine, theirs }: Clash): boolean {
  return !same(mine, theirs) && !same(base, theirs);
}

/** The lead as it will be when the server agrees. */
export function patched(lead: Lead, { custom, ...plain }: LeadInput): Lead {
  const { allow_duplicate: _asked, ...fields } = plain;
  return { ...lead, ...(fields as Partial<Lead>), ...(custom && { custom: { ...lead.custom, ...custom } }) };
}

export function same(one: Value, other: Value): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

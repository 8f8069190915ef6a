/** What becomes of an edit when somebody else changed the lead meanwhile. */

import type { Lead } from '../types';

/** A field of a lead, `custom.<key>` for one of the company's own. */
export type FieldName = string;

export type Value = string | number | boolean | readonly string[] | null;

export function valueOf(lead: Lead, field: FieldName): Value {
  const key = field.startsWith('custom.') ? field.slice('custom.'.length) : null;
  return key === null ? ((lead[field as keyof Lead] as Value | undefined) ?? null) : (lead.custom[key] ?? null);
}

export function isSame(one: Value, other: Value): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

export interface Conflict {
  field: FieldName;
  mine: Value;
  theirs: Value;
}

/** The fields that both changed, each to something else: a person has to choose. All others go through as they are. */
export function conflicts(base: Lead, theirs: Lead, mine: Readonly<Record<FieldName, Value>>): readonly Conflict[] {
  return Object.entries(mine)
    .map(([field, value]) => ({ field, mine: value, theirs: valueOf(theirs, field) }))
    .filter(({ field, mine: value, theirs: now }) => !isSame(now, valueOf(base, field)) && !isSame(now, value));
}

/** The body of a PATCH that sets these fields. */
export function patchOf(values: Readonly<Record<FieldName, Value>>): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  const custom: Record<string, Value> = {};
  for (const [field, value] of Object.entries(values)) {
    if (field.startsWith('custom.')) {
      custom[field.slice('custom.'.length)] = value;
    } else {
      body[field] = value;
    }
  }
  return Object.keys(custom).length > 0 ? { ...body, custom } : body;
}

/**
 * What a list asks for, in the parameters of `GET /leads`, read on this side of the wire: does a changed lead belong to
 * the list, and where? What only the server can tell (words, for one) is undecided.
 */

import type { Lead } from '../types';

export type LeadQuery = Readonly<Record<string, string | readonly string[]>>;

/** Of two leads, the one that comes first is the lesser. */
export type Order = (one: Lead, other: Lead) => number;

/** Whether a lead belongs to the list; null when only the server knows. */
export type Membership = (lead: Lead) => boolean | null;

type Test = (lead: Lead) => boolean;

const NOBODY = 'none';
const CALLER = 'me';
const CUSTOM = 'custom.';
const SHAPING = new Set(['sort', 'order', 'view', 'include', 'limit', 'cursor']);
const ONE_OF = ['status', 'source', 'assigned_to', 'contact_id', 'deal_id'] as const;
const SAME_TEXT = ['email', 'currency', 'organisation', 'title', 'lost_reason'] as const; // case left aside
const RANGES = { score: Number, value: Number, messages: Number, created_at: Date.parse, updated_at: Date.parse, status_since: Date.parse, converted_at: Date.parse };

export function valuesOf(query: LeadQuery, name: string): readonly string[] {
  const value = query[name];
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

/** The same query with a parameter that has other values; none takes it out. */
export function withValues(query: LeadQuery, name: string, values: readonly string[]): LeadQuery {
  const { [name]: _before, ...rest } = query;
  return values.length === 0 ? rest : { ...rest, [name]: values.length === 1 ? values[0]! : values };
}

export function sameQuery(one: LeadQuery, other: LeadQuery): boolean {
  return canonical(one) === canonical(other);
}

export function canonical(query: LeadQuery): string {
  const names = Object.keys(query).sort();
  return JSON.stringify(names.map((name) => [name, [...valuesOf(query, name)].sort()]));
}

/** Whether a query narrows the list at all. */
export function narrows(query: LeadQuery): boolean {
  return Object.keys(query).some((name) => !SHAPING.has(name));
}

export function membership(query: LeadQuery, caller: string): Membership {
  const tests = Object.keys(query).filter((name) => !SHAPING.has(name)).map((name) => testOf(name, valuesOf(query, name), caller));
  const decided = tests.filter((test) => test !== null);
  const undecided = decided.length < tests.length;
  return (lead) => (decided.every((test) => test(lead)) ? (undecided ? null : true) : false);
}

/** Null for a parameter that only the server can apply. */
function testOf(name: string, values: readonly string[], caller: string): Test | null {
  if (name.startsWith(CUSTOM)) {
    return customTest(name.slice(CUSTOM.length), values);
  }
  const one = ONE_OF.find((field) => field === name);
  if (one !== undefined) {
    const wanted = new Set(values.map((value) => (value === NOBODY ? null : value === CALLER ? caller : value)));
    return (lead) => wanted.has(lead[one]);
  }
  const text = SAME_TEXT.find((field) => field === name);
  if (text !== undefined) {
    const wanted = new Set(values.map((value) => value.trim().toLowerCase()));
    return (lead) => wanted.has(lead[text]?.toLowerCase() ?? '');
  }
  switch (name) {
    case 'tags':
      return ({ tags }) => values.some((tag) => tags.includes(tag));
    case 'tags_all':
      return ({ tags }) => values.every((tag) => tags.includes(tag));
    case 'converted':
      return (lead) => (lead.converted_at !== null) === (values[0] === 'yes');
    default:
      return rangeTest(name, values[0]!);
  }
}

function rangeTest(name: string, value: string): Test | null {
  const end = name.slice(name.lastIndexOf('_') + 1);
  const field = name.slice(0, -end.length - 1);
  if (!(field in RANGES) || !['min', 'max', 'from', 'to'].includes(end)) {
    return null;
  }
  const range = field as keyof typeof RANGES;
  const read = RANGES[range];
  const limit = read(value);
  return (lead) => {
    const held = lead[range];
    if (held === null) {
      return false;
    }
    const number = read(String(held));
    return end === 'to' ? number < limit : end === 'max' ? number <= limit : number >= limit;
  };
}

function customTest(key: string, values: readonly string[]): Test {
  return ({ custom }) => {
    const held = custom[key];
    if (typeof held === 'number') {
      return values.some((value) => Number(value) === held);
    }
    const texts = Array.isArray(held) ? held : held === undefined || held === null ? [] : [String(held)];
    return values.some((value) => texts.includes(value));
  };
}

export function order(query: LeadQuery): Order {
  const [sort = 'newest'] = valuesOf(query, 'sort');
  const direction = (valuesOf(query, 'order')[0] ?? (sort === 'name' ? 'asc' : 'desc')) === 'asc' ? 1 : -1;
  const compare = COMPARE[sort] ?? COMPARE.newest!;
  return (one, other) => compare(one, other, direction) || direction * texts(one.id, other.id);
}

type Compare = (one: Lead, other: Lead, direction: number) => number;

const COMPARE: Readonly<Record<string, Compare>> = {
  newest: (one, other, direction) => direction * times(one.created_at, other.created_at),
  updated: (one, other, direction) => direction * times(one.updated_at, other.updated_at),
  name: (one, other, direction) => direction * texts(folded(one.name), folded(other.name)),
  value: (one, other, direction) => emptyLast(one.value, other.value, direction, (a, b) => Number(a) - Number(b)),
  score: (one, other, direction) => emptyLast(one.score, other.score, direction, (a, b) => a - b),
  status_since: (one, other, direction) => emptyLast(one.status_since, other.status_since, direction, times),
};

/** Leads without a value come last in either direction. */
function emptyLast<T>(one: T | null, other: T | null, direction: number, compare: (one: T, other: T) => number): number {
  return one === null || other === null ? Number(one === null) - Number(other === null) : direction * compare(one, other);
}

function texts(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function times(one: string, other: string): number {
  return one === other ? 0 : Date.parse(one) - Date.parse(other) || microseconds(one) - microseconds(other);
}

/** The digits of a timestamp that `Date` drops. */
function microseconds(timestamp: string): number {
  return Number((/\.\d{3}(\d{1,3})/.exec(timestamp)?.[1] ?? '').padEnd(3, '0'));
}

/** Letters that no decomposition makes plain, as the server has them. */
const PLAIN: Readonly<Record<string, string>> = { ß: 'ss', ł: 'l', ø: 'o', đ: 'd', æ: 'ae', œ: 'oe', þ: 'th', ð: 'd', ı: 'i' };

export function folded(text: string): string {
  const plain = text.toLowerCase().normalize('NFKD').replace(/\p{M}/gu, '');
  return plain.replace(/[ßłøđæœþðı]/g, (letter) => PLAIN[letter]!).toLowerCase().trim().split(/\s+/).join(' ');
}

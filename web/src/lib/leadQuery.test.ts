import { describe, expect, test } from 'vitest';

import { aLead } from '../given';
import { folded, membership, order, sameQuery, withValues, type LeadQuery } from './leadQuery';

const ME = 'user-1';
const belongs = (query: LeadQuery, lead = {}) => membership(query, ME)(aLead(lead));

describe('a lead belongs to a list', () => {
  test.each<[LeadQuery, object, boolean]>([
    [{}, {}, true],
    [{ status: ['new', 'won'] }, { status: 'won' }, true],
    [{ status: 'new' }, { status: 'won' }, false],
    [{ source: 'none' }, { source: null }, true],
    [{ assigned_to: ['me', 'none'] }, { assigned_to: ME }, true],
    [{ assigned_to: 'me' }, { assigned_to: 'user-2' }, false],
    [{ organisation: 'ACME' }, { organisation: 'Acme' }, true],
    [{ tags: ['vip', 'hot'] }, { tags: ['hot'] }, true],
    [{ tags_all: ['vip', 'hot'] }, { tags: ['hot'] }, false],
    [{ value_min: '1000' }, { value: '999.99' }, false],
    [{ value_max: '1000' }, { value: '1000.00' }, true],
    [{ score_min: '10' }, { score: null }, false],
    [{ created_at_from: '2026-01-01' }, { created_at: '2026-01-01T00:00:00Z' }, true],
    [{ created_at_to: '2026-01-01' }, { created_at: '2026-01-01T00:00:00Z' }, false],
    [{ converted: 'no' }, { converted_at: null }, true],
    [{ 'custom.plan': 'pro' }, { custom: { plan: 'pro' } }, true],
    [{ 'custom.seats': '5.0' }, { custom: { seats: 5 } }, true],
    [{ 'custom.tools': 'b' }, { custom: { tools: ['a', 'b'] } }, true],
    [{ 'custom.plan': 'pro' }, {}, false],
    [{ sort: 'name', order: 'asc' }, {}, true],
  ])('%j and %j: %j', (query, lead, expected) => {
    expect(belongs(query, lead)).toBe(expected);
  });

  test('or not, which only the server can tell of words, unless something else decides', () => {
    expect(belongs({ q: 'ada' })).toBeNull();
    expect(belongs({ q: 'ada', status: 'new' })).toBeNull();
    expect(belongs({ q: 'ada', status: 'won' })).toBe(false);
  });
});

describe('the order', () => {
  const sorted = (query: LeadQuery, ...leads: object[]) => leads.map((lead, number) => aLead({ id: `${number}`, ...lead })).sort(order(query)).map(({ id }) => id);

  test('puts leads without the value last, in either direction', () => {
    const leads = [{ value: null }, { value: '9.00' }, { value: '10.00' }];

    expect(sorted({ sort: 'value' }, ...leads)).toEqual(['2', '1', '0']);
    expect(sorted({ sort: 'value', order: 'asc' }, ...leads)).toEqual(['1', '2', '0']);
  });

  test('of names leaves accents and case aside', () => {
    expect(sorted({ sort: 'name' }, { name: 'Zoe' }, { name: 'Émile' }, { name: 'eva' })).toEqual(['1', '2', '0']);
  });

  test('of equals is that of their ids', () => {
    expect(sorted({ sort: 'score' }, { score: 1 }, { score: 1 })).toEqual(['1', '0']);
  });
});

test('names are folded as the server folds them', () => {
  expect(folded('  Łukasz  Peña ')).toBe('lukasz pena');
});

test('queries are the same however their values are written down', () => {
  expect(sameQuery({ status: ['new', 'won'], q: 'x' }, { q: ['x'], status: ['won', 'new'] })).toBe(true);
  expect(withValues({ status: 'new' }, 'status', [])).toEqual({});
});

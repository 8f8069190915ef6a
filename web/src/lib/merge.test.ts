import { expect, test } from 'vitest';

import { aLead } from '../given';
import { inputOf, patched, pathsOf, rebase } from './merge';

const base = aLead({ phone: '1', custom: { plan: 'basic' }, tags: ['a'] });

test('what only I changed stands, whatever else they did', () => {
  const { clashes, rest } = rebase(base, { phone: '2', custom: { plan: 'pro' } }, { ...base, name: 'Theirs', version: 2 });

  expect(clashes).toEqual([]);
  expect(rest).toEqual({ phone: '2', custom: { plan: 'pro' } });
});

test('what both changed is for somebody to decide', () => {
  const theirs = { ...base, phone: '3', custom: { plan: 'max' }, version: 2 };

  const { clashes, rest } = rebase(base, { phone: '2', name: 'Mine', custom: { plan: 'pro' } }, theirs);

  expect(rest).toEqual({ name: 'Mine' });
  expect(clashes).toEqual([
    { path: 'phone', base: '1', mine: '2', theirs: '3' },
    { path: 'custom.plan', base: 'basic', mine: 'pro', theirs: 'max' },
  ]);
});

test('what both changed to the same is done', () => {
  expect(rebase(base, { tags: ['b'] }, { ...base, tags: ['b'] })).toEqual({ clashes: [], rest: {} });
});

test('paths and inputs say the same', () => {
  const input = { name: 'A', value: null, custom: { plan: 'pro' } };

  expect(inputOf(pathsOf(input))).toEqual(input);
});

test('a lead is shown as it will be', () => {
  expect(patched(base, { phone: '2', custom: { seats: 3 }, allow_duplicate: true })).toEqual({ ...base, phone: '2', custom: { plan: 'basic', seats: 3 } });
});

test('an amount and its currency are decided together', () => {
  const before = aLead({ value: '100.00', currency: 'BRL' });
  const mine = { value: '200.00', currency: 'BRL' };

  expect(rebase(before, mine, { ...before, name: 'Theirs' })).toEqual({ clashes: [], rest: { value: '200.00' } });
  expect(rebase(before, mine, { ...before, currency: 'USD' })).toEqual({
    clashes: [
      { path: 'value', base: '100.00', mine: '200.00', theirs: '100.00' },
      { path: 'currency', base: 'BRL', mine: 'BRL', theirs: 'USD' },
    ],
    rest: {},
  });
});

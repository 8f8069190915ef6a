import { expect, test } from 'vitest';

import { aLead } from '../given';
import { conflicts, patchOf, valueOf } from './rebase';

const base = aLead({ phone: '1', email: 'a@x', tags: ['a'], custom: { plan: 'pro' } });

test('an edit goes through when the others changed something else', () => {
  const theirs = aLead({ ...base, email: 'b@x', version: 2 });

  expect(conflicts(base, theirs, { phone: '2' })).toEqual([]);
});

test('an edit goes through when the others made the same one', () => {
  expect(conflicts(base, aLead({ ...base, phone: '2' }), { phone: '2' })).toEqual([]);
});

test('whoever changed the same field to something else is asked, of that field alone', () => {
  const theirs = aLead({ ...base, phone: '3', custom: { plan: 'free' }, tags: ['b'] });

  expect(conflicts(base, theirs, { phone: '2', 'custom.plan': 'team', tags: ['a', 'c'], email: null })).toEqual([
    { field: 'phone', mine: '2', theirs: '3' },
    { field: 'custom.plan', mine: 'team', theirs: 'free' },
    { field: 'tags', mine: ['a', 'c'], theirs: ['b'] },
  ]);
});

test('fields of the company travel together', () => {
  expect(patchOf({ phone: null, 'custom.plan': 'team', 'custom.seats': 3 })).toEqual({ phone: null, custom: { plan: 'team', seats: 3 } });
  expect(valueOf(base, 'custom.plan')).toBe('pro');
  expect(valueOf(base, 'custom.seats')).toBeNull();
});

import { expect, test } from 'vitest';

import type { ImportPush } from '../types';
import { isOver, mapped, missing, progress, put, told, type Import } from './importList';

const shown: Import = {
  id: 'i1', name: 'leads.csv', author: 'ana', state: 'queued', encoding: 'utf-8', delimiter: ',', header: true, rows: 0, bytes: 9,
  columns: ['Name', 'Mail'], mapping: ['name', 'email'], duplicates: 'skip', defaults: {}, fields: [], preview: [], done: 0, created: 0,
  updated: 0, duplicated: 0, failed: 0, error: null, reason: null, reverted_by: null, created_at: '2026-01-01', started_at: null, finished_at: null,
};
const event = (values: Partial<ImportPush>): ImportPush => ({
  id: 'i1', name: 'leads.csv', author: 'ana', rows: 10, done: 0, created: 0, updated: 0, duplicates: 0, failed: 0, outcome: null, version: 2,
  state: 'running', position: 1, epoch: null, event_id: 'e', actor: null, ...values,
});

test('an import goes on by its events, and a late one does not set it back', () => {
  const half = told(shown, event({ done: 5, created: 4, duplicates: 1 }));
  const late = told(half, event({ done: 3 }));
  const done = told(half, event({ done: 10, created: 9, duplicates: 1, state: 'finished', outcome: 'done' }));

  expect([half.state, progress(half), half.duplicated]).toEqual(['running', 0.5, 1]);
  expect(late).toBe(half);
  expect([done.state, isOver(done)]).toEqual(['done', true]);
  expect(told(done, event({ state: 'reverted', done: 10 })).state).toBe('reverted');
});

test('an import stands in the list once, a new one in front', () => {
  const other = { ...shown, id: 'i2' };

  expect(put([shown], other).map(({ id }) => id)).toEqual(['i2', 'i1']);
  expect(put([other, shown], { ...shown, done: 1 }).map(({ done }) => done)).toEqual([0, 1]);
});

test('a field belongs to one column, and a required one must have one', () => {
  const fields = [{ field: 'name', required: true }, { field: 'email', required: false }];

  expect(mapped(['name', 'email'], 1, 'name')).toEqual([null, 'name']);
  expect(mapped(['name', null], 1, null)).toEqual(['name', null]);
  expect(missing([null, 'email'], fields)).toEqual(['name']);
  expect(missing(['name', null], fields)).toEqual([]);
});

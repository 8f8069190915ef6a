import { expect, test } from 'vitest';

import type { PositionedStats } from '../types';
import { bars, funnel, growth, lengthOf } from './figures';

const stats: PositionedStats = {
  epoch: null,
  position: 1,
  total: 10,
  won: 1,
  lost: 2,
  conversion: 0.1,
  new_this_month: 6,
  new_last_month: 4,
  new_per_day: {},
  by_status: { new: 5, won: 1, lost: 2, gone: 2 },
  by_source: { web: 3, fair: 3, none: 0 },
  by_assignee: {},
  funnel: [
    { stage: 'new', entered: 8, rate: null, median_seconds: 90 },
    { stage: 'won', entered: 2, rate: 0.25, median_seconds: null },
    { stage: 'lost', entered: 2, rate: null, median_seconds: null },
  ],
};

test('bars stand longest first, with the rest of the total at the end', () => {
  const rows = bars(stats.by_source, (key) => key, { label: 'nobody', total: stats.total });

  expect(rows.map(({ key, count, share }) => [key, count, share])).toEqual([
    ['fair', 3, 0.75],
    ['web', 3, 0.75],
    ['', 4, 1],
  ]);
});

test('the funnel has the stages in their order, and no lost ones', () => {
  const stages = ['new', 'won', 'lost'].map((key) => ({ key, name: key, kind: key === 'new' ? 'open' : key, tone: 'blue' as const }));

  expect(funnel(stats, stages).map(({ key, count, share, rate, now }) => [key, count, share, rate, now])).toEqual([
    ['new', 8, 1, null, 5],
    ['won', 2, 0.25, 0.25, 1],
  ]);
});

test('nothing is said of growth from nothing', () => {
  expect(growth(stats)).toBeCloseTo(0.5);
  expect(growth({ ...stats, new_last_month: 0 })).toBeNull();
});

test('a length of time is told in its largest unit', () => {
  expect([lengthOf(0.2, 'en'), lengthOf(90, 'en'), lengthOf(7_300, 'en'), lengthOf(200_000, 'en')]).toEqual(['0 sec', '2 min', '2 hr', '2 days']);
});

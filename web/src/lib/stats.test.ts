import { expect, test } from 'vitest';

import { newer } from './stats';

const at = (position: number, total = 0) => ({ position, total, new_this_month: 0, by_status: {}, conversion: 0 });

test('the first figures are taken', () => {
  expect(newer(null, at(0))).toEqual(at(0));
});

test('later figures replace earlier ones, whichever way they came', () => {
  expect(newer(at(4), at(5))).toEqual(at(5));
  expect(newer(at(5), at(4))).toEqual(at(5));
});

test('a repeat changes nothing', () => {
  const current = at(5, 1);

  expect(newer(current, at(5, 2))).toBe(current);
});

test('figures of another epoch of the log replace those that are here, whatever their positions', () => {
  const restored = { ...at(3, 1), epoch: 'b' };

  expect(newer({ ...at(9), epoch: 'a' }, restored)).toBe(restored);
});

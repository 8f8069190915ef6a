import { expect, test } from 'vitest';

import { followed, type Work } from './jobs';

const work = (values: Partial<Work>): Work => ({ id: '1', kind: 'bulk', action: 'tag', total: 9, done: 0, changed: 0, refused: 0, state: 'running', outcome: null, undone: false, ...values });

test('progress goes forward only', () => {
  const shown = [work({ done: 5 })];

  expect(followed(shown, work({ done: 3 }))).toBe(shown);
  expect(followed(shown, work({ done: 7 }))).toEqual([work({ done: 7 })]);
});

test('what is over stays over', () => {
  const shown = [work({ done: 9, state: 'over', outcome: 'done' })];

  expect(followed(shown, work({ done: 9 }))).toBe(shown);
});

test('a new job comes first', () => {
  expect(followed([work({})], work({ id: '2' })).map(({ id }) => id)).toEqual(['2', '1']);
});

import { expect, test } from 'vitest';

import { mentioned, mentionQuery, suggested } from './mentions';

const people = [
  { id: '1', name: 'Ana' },
  { id: '2', name: 'Ana Souza' },
  { id: '3', name: 'James Carter' },
];

test('a mention is the longest name after an @', () => {
  expect(mentioned('@ana souza and @James Carter, not james@example.com', people)).toEqual(['2', '3']);
  expect(mentioned('ask @Ana', people)).toEqual(['1']);
});

test('names are offered while one is typed, by any of their words', () => {
  expect(mentionQuery('hello @so')).toBe('so');
  expect(mentionQuery('mail ana@so')).toBeNull();
  expect(suggested('so', people).map(({ id }) => id)).toEqual(['2']);
  expect(suggested('', people)).toHaveLength(3);
});

import { expect, test } from 'vitest';

import { BELIEVED, edited, left, pruned, said, SILENCE, typed } from './whispers';

test('a whisper is believed until it is over, or too old', () => {
  const heard = typed(edited(SILENCE, 'ana', 'phone', 0), 'bo', 1_000);

  expect(pruned(heard, BELIEVED - 1)).toBe(heard);
  expect([...pruned(heard, BELIEVED).editing]).toEqual([]);
  expect([...pruned(heard, BELIEVED).typing.keys()]).toEqual(['bo']);
  expect([...said(heard, 'bo').typing]).toEqual([]);
});

test('somebody edits one field at a time, and the last one who came holds it', () => {
  const moved = edited(edited(SILENCE, 'ana', 'phone', 0), 'ana', 'email', 1);
  const taken = edited(moved, 'bo', 'email', 2);

  expect([...moved.editing.keys()]).toEqual(['email']);
  expect(taken.editing.get('email')!.user).toBe('bo');
  expect([...edited(taken, 'ana', null, 3).editing.keys()]).toEqual(['email']);
});

test('who leaves takes along what they whispered', () => {
  const heard = left(typed(edited(SILENCE, 'ana', 'phone', 0), 'ana', 0), 'ana');

  expect([heard.typing.size, heard.editing.size]).toEqual([0, 0]);
});

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { idempotencyKeys, randomUuid } from './idempotency';

const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('without a secure context keys are version 4 UUIDs all the same', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const source = { getRandomValues: <T extends ArrayBufferView | null>(array: T) => (array as Uint8Array & T).fill(0) && bytes } as unknown as Crypto;

      expect(randomUuid(source)).toMatch(UUID_4);
    }),
  );
  expect(randomUuid()).toMatch(UUID_4);
});

test('a command tried again keeps its key, another command gets another', () => {
  let count = 0;
  const keyFor = idempotencyKeys(() => `key-${++count}`);

  expect([{ name: 'Ana' }, { name: 'Ana' }, { name: 'Eva' }, { name: 'Ana' }].map(keyFor)).toEqual([
    'key-1',
    'key-1',
    'key-2',
    'key-3',
  ]);
});

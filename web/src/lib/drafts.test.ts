import { expect, test } from 'vitest';

import { createDrafts } from './drafts';

const ana = { id: 'ana', company_id: 'acme' };
const bia = { id: 'bia', company_id: 'acme' };
const isText = (value: unknown): value is string => typeof value === 'string';

function storage(room = Infinity) {
  const kept = new Map<string, string>([['leadwire.locale', 'en']]);
  return {
    kept,
    get length() {
      return kept.size;
    },
    key: (index: number) => [...kept.keys()][index] ?? null,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => {
      if (value.length > room) {
        throw new DOMException('full', 'QuotaExceededError');
      }
      kept.set(key, value);
    },
    removeItem: (key: string) => void kept.delete(key),
  };
}

test('a draft is there for its owner after a reload, and for nobody else', () => {
  const tab = storage();
  createDrafts(tab).of(ana).write('chat.1', 'half a sent');

  const later = createDrafts(tab);

  expect(later.of(ana).read('chat.1', isText)).toBe('half a sent');
  expect(later.of(ana).any()).toBe(true);
  expect(later.of(bia).read('chat.1', isText)).toBeNull();
  expect(later.of({ ...ana, company_id: 'globex' }).read('chat.1', isText)).toBeNull();
  expect(later.of(bia).any()).toBe(false);
});

test('signing out forgets all drafts and nothing else', () => {
  const tab = storage();
  const drafts = createDrafts(tab);
  drafts.of(ana).write('chat.1', 'one');
  drafts.of(bia).write('chat.1', 'other');

  drafts.clear();

  expect([...tab.kept.keys()]).toEqual(['leadwire.locale']);
});

test('a draft without room in storage lives as long as the page', () => {
  const tab = storage(10);
  const mine = createDrafts(tab).of(ana);
  mine.write('chat.1', 'far too long for it');

  expect(mine.read('chat.1', isText)).toBe('far too long for it');
  expect(mine.any()).toBe(true);
  mine.remove('chat.1');
  expect(mine.any()).toBe(false);
});

test.each(['{', '"', '17', 'null'])('%j in storage is no draft', (text) => {
  const tab = storage();
  tab.kept.set('leadwire.draft.acme.ana.chat.1', text);

  expect(createDrafts(tab).of(ana).read('chat.1', isText)).toBeNull();
});

import { expect, test } from 'vitest';

import type { NotificationPush, ReadPush } from '../types';
import { EMPTY, extended, hydrated, loading, news, pushed, wished, type Notification } from './inbox';

const note = (number: number, read_at: string | null = null): Notification => ({
  id: `n${number}`,
  number,
  kind: 'assigned',
  critical: true,
  actor: 'ana',
  at: '2026-01-01T10:00:00Z',
  details: {},
  event_id: `e${number}`,
  job_id: null,
  lead: { id: 'l1', name: 'Ada' },
  position: number,
  read_at,
});
const page = (numbers: number[], unread: number, revision: number) => ({
  data: numbers.map((number) => note(number)),
  meta: { unread, revision, number: Math.max(0, ...numbers) },
  links: { next: null },
});
const created = (number: number, revision: number, unread: number) => {
  const { read_at: _, ...rest } = note(number);
  return { created: { ...rest, revision, unread } as NotificationPush };
};
const read = (change: Partial<ReadPush>) => ({ read: { ids: [], all_before: null, read: true, unread: 0, revision: 0, ...change } as ReadPush });

test('what is pushed while the page is on its way is shown over it, and nothing twice', () => {
  const waiting = pushed(pushed(EMPTY, created(1, 1, 1)), created(2, 2, 2));
  const shown = hydrated(waiting, page([1], 1, 1));

  expect(shown.items.map(({ id }) => id)).toEqual(['n2', 'n1']);
  expect([shown.unread, shown.revision, shown.hasGap]).toEqual([2, 2, false]);
  expect(pushed(shown, created(2, 2, 2))).toBe(shown);
});

test('a missing revision is noticed', () => {
  const shown = pushed(hydrated(EMPTY, page([1], 1, 1)), created(3, 3, 3));

  expect([shown.unread, shown.hasGap]).toEqual([3, true]);
  expect(hydrated(loading(shown), page([3, 2, 1], 3, 3)).hasGap).toBe(false);
});

test('reading in one tab is reading in all of them', () => {
  const shown = hydrated(EMPTY, page([3, 2, 1], 3, 3));
  const one = pushed(shown, read({ ids: ['n2'], unread: 2, revision: 4 }));
  const all = pushed(one, read({ all_before: 3, unread: 1, revision: 5 }));
  const again = pushed(all, read({ ids: ['n1'], read: false, unread: 2, revision: 6 }));

  const unread = (inbox: typeof shown) => inbox.items.filter(({ read_at }) => read_at === null).map(({ id }) => id);
  expect([unread(one), unread(all), unread(again)]).toEqual([['n3', 'n1'], ['n3'], ['n3', 'n1']]);
  expect([one.unread, all.unread, again.unread]).toEqual([2, 1, 2]);
});

test('what is wished for is shown before it is confirmed, without moving on', () => {
  const shown = hydrated(EMPTY, page([2, 1], 2, 2));
  const wish = wished(shown, { ids: ['n1'], all_before: null, read: true });

  expect([wish.unread, wish.revision]).toEqual([1, 2]);
  expect(wished(wish, { ids: ['n1'], all_before: null, read: true }).unread).toBe(1);
  expect(wished(shown, { ids: [], all_before: 3, read: true }).unread).toBe(0);
});

test('older pages are appended', () => {
  const shown = hydrated(EMPTY, page([3, 2], 3, 3));

  expect(extended(shown, page([2, 1], 3, 3)).items.map(({ id }) => id)).toEqual(['n3', 'n2', 'n1']);
});

test('news is what came after a number, however it came, and is not read yet', () => {
  const shown = pushed(hydrated(EMPTY, page([3, 2, 1], 3, 3)), created(4, 4, 4));

  expect(news(shown, 2).map(({ id }) => id)).toEqual(['n3', 'n4']);
  expect(news(wished(shown, { ids: ['n4'], all_before: null, read: true }), 2).map(({ id }) => id)).toEqual(['n3']);
});

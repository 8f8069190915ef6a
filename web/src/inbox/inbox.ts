/**
 * A person's notifications as a value: pages and pushes in, a new inbox out. Each change of the inbox has the next revision,
 * so counting tells whether one was missed.
 */

import type { Notification, NotificationPage } from '../api/notifier';
import type { NotificationPush, ReadPush } from '../types';

export type { Notification };

export type Push = { created: NotificationPush } | { read: ReadPush };

export interface Inbox {
  /** Newest first. */
  items: readonly Notification[];
  unread: number;
  /** Null until loaded. */
  revision: number | null;
  next: string | null;
  /** Pushes that came before the first page. */
  waiting: readonly Push[];
  /** A push is missing: load it anew. */
  hasGap: boolean;
}

export const EMPTY: Inbox = { items: [], unread: 0, revision: null, next: null, waiting: [], hasGap: false };

export function hydrated(inbox: Inbox, { data, meta, links }: NotificationPage): Inbox {
  const fresh: Inbox = { items: data, unread: meta.unread, revision: meta.revision, next: links.next, waiting: [], hasGap: false };
  return inbox.waiting.reduce(pushed, fresh);
}

/** Append the next, older page. */
export function extended(inbox: Inbox, { data, links }: NotificationPage): Inbox {
  const known = new Set(inbox.items.map(({ id }) => id));
  return { ...inbox, items: [...inbox.items, ...data.filter(({ id }) => !known.has(id))], next: links.next };
}

/** Wait for a page: what is pushed meanwhile is kept for it. */
export function loading(inbox: Inbox): Inbox {
  return { ...inbox, revision: null };
}

export function pushed(inbox: Inbox, push: Push): Inbox {
  if (inbox.revision === null) {
    return { ...inbox, waiting: [...inbox.waiting, push] };
  }
  const { revision, unread } = 'created' in push ? push.created : push.read;
  if (revision <= inbox.revision) {
    return inbox;
  }
  const items = 'created' in push ? added(inbox.items, push.created) : marked(inbox.items, push.read);
  return { ...inbox, items, unread, revision, hasGap: inbox.hasGap || revision > inbox.revision + 1 };
}

/** Show at once what was asked for; the push that follows says the same. */
export function wished(inbox: Inbox, push: Pick<ReadPush, 'ids' | 'all_before' | 'read'>): Inbox {
  const items = marked(inbox.items, push);
  const change = items.filter(isUnread).length - inbox.items.filter(isUnread).length;
  return { ...inbox, items, unread: push.all_before === null ? Math.max(0, inbox.unread + change) : 0 };
}

/** What is unread and came after a number, oldest first. */
export function news({ items }: Inbox, after: number): readonly Notification[] {
  return items.filter((item) => item.number > after && isUnread(item)).toReversed();
}

function isUnread({ read_at }: Notification): boolean {
  return read_at === null;
}

function added(items: readonly Notification[], { unread: _, revision: __, ...notification }: NotificationPush): readonly Notification[] {
  const fresh: Notification = { ...notification, details: notification.details ?? {}, read_at: null };
  return [fresh, ...items.filter(({ id }) => id !== fresh.id)];
}

function marked(items: readonly Notification[], { ids, all_before, read }: Pick<ReadPush, 'ids' | 'all_before' | 'read'>): readonly Notification[] {
  const named = new Set(ids);
  const now = new Date().toISOString();
  return items.map((item) => (named.has(item.id) || (all_before !== null && item.number < all_before) ? { ...item, read_at: read ? (item.read_at ?? now) : null } : item));
}

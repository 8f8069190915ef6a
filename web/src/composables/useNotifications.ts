/**
 * A person's notifications, kept alike in all tabs. Subscribe, ask, then ignore pushes at or below the answer's revision.
 *
 *     const { items, unread, read, readAll } = useNotifications(inbox, echo, user.id, { onCritical: (one) => toast(one) });
 */

import { computed, onScopeDispose, shallowRef } from 'vue';

import type { NotificationPage, StateAnswer } from '../api/notifier';
import type { LiveEcho } from '../echo';
import { EMPTY, extended, hydrated, loading, news, pushed, wished, type Inbox, type Notification, type Push } from '../inbox/inbox';
import type { Http } from '../lib/http';
import { persistent } from '../lib/persistent';
import type { Position } from '../lib/resume';
import type { NotificationPush, ReadPush } from '../types';

const PAGE = 30;

interface Options {
  /** Something came since the first look that waits for this very person: by a push, or by a page that overtook it. */
  onCritical: (notification: Notification) => void;
}

export type Notifications = ReturnType<typeof useNotifications>;

export function useNotifications(request: Http, echo: LiveEcho, userId: string, { onCritical }: Options) {
  const inbox = shallowRef<Inbox>(EMPTY);
  const first = persistent(async (signal) => {
    inbox.value = loading(inbox.value);
    const page = await request<NotificationPage>('/notifications', { query: { limit: PAGE }, signal });
    if (!signal.aborted) {
      inbox.value = hydrated(inbox.value, page);
      told ??= page.meta.number;
      tell();
    }
  });
  /** The number of the last one that was looked at here; null before the first look. */
  let told: number | null = null;

  function tell(): void {
    if (told !== null) {
      const fresh = news(inbox.value, told);
      told = Math.max(told, ...inbox.value.items.map(({ number }) => number));
      fresh.filter(({ critical }) => critical).forEach(onCritical);
    }
  }

  function onPush(push: Push): void {
    inbox.value = pushed(inbox.value, push);
    tell();
    if (inbox.value.hasGap) {
      first.run();
    }
  }

  echo
    .private(`user.${userId}`)
    .listen('.notification.created', (created: NotificationPush) => onPush({ created }))
    .listen('.notification.read', (read: ReadPush) => onPush({ read }))
    .listen('.leadwire:position', ({ resumed }: Position) => resumed === false && first.run());
  first.run();
  onScopeDispose(() => {
    first.stop();
    echo.leave(`user.${userId}`);
  });

  async function more(): Promise<void> {
    const { next } = inbox.value;
    if (next !== null) {
      const page = await request<NotificationPage>(`/notifications${new URL(next, 'http://unused').search}`);
      inbox.value = extended(inbox.value, page);
    }
  }

  /** Mark one as read, or as unread again. */
  async function read(id: string, isRead = true): Promise<void> {
    inbox.value = wished(inbox.value, { ids: [id], all_before: null, read: isRead });
    await request<StateAnswer>(`/notifications/${id}/${isRead ? 'read' : 'unread'}`, { method: 'POST' });
  }

  async function readAll(): Promise<void> {
    const before = (inbox.value.items[0]?.number ?? 0) + 1;
    inbox.value = wished(inbox.value, { ids: [], all_before: before, read: true });
    await request<StateAnswer>('/notifications/read-all', { body: { before } });
  }

  return {
    items: computed(() => inbox.value.items),
    unread: computed(() => inbox.value.unread),
    loaded: computed(() => inbox.value.revision !== null),
    hasMore: computed(() => inbox.value.next !== null),
    reload: first.run,
    more,
    read,
    readAll,
  };
}

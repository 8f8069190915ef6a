/**
 * Who looks at the same thing, who types, and who edits which field: members and whispers of a presence channel.
 *
 *     const { viewers, typing, editing, type, edit } = usePresence(echo, `lead.${id}`, me);
 *
 * A whisper carries no name: the gateway says whose it is, so that nobody can speak for somebody else.
 */

import type { PresenceChannel } from 'pusher-js';
import { computed, onScopeDispose, shallowRef } from 'vue';

import type { LiveEcho } from '../echo';
import { BELIEVED, edited, HEARTBEAT, left, pruned, said, SILENCE, typed } from '../lib/whispers';

export interface Viewer {
  id: string;
  name: string;
}

/** What pusher-js hands to a listener beside the data of a client event. */
interface Sender {
  user_id?: string;
}

export type Presence = ReturnType<typeof usePresence>;

export function usePresence(echo: LiveEcho, name: string, me: string) {
  const channel = echo.join(name);
  const members = shallowRef<ReadonlyMap<string, string>>(new Map());
  const heard = shallowRef(SILENCE);
  let lastTyped = 0;
  let beating: ReturnType<typeof setInterval> | undefined;

  // Echo hands on what is known of a member, but not who it is.
  const { members: joined } = echo.connector.pusher.channel(`presence-${name}`) as PresenceChannel;

  function count(): void {
    const now = new Map<string, string>();
    joined.each(({ id, info }: { id: string; info: { name: string } }) => now.set(id, info.name));
    members.value = now;
  }

  channel
    .here(count)
    .joining(count)
    .leaving(() => {
      const before = members.value;
      count();
      for (const id of before.keys()) {
        heard.value = members.value.has(id) ? heard.value : left(heard.value, id);
      }
    })
    .listenForWhisper('typing', (_: unknown, sender?: Sender) => {
      heard.value = typed(heard.value, sender?.user_id ?? '', Date.now());
    })
    .listenForWhisper('editing', ({ field }: { field: string | null }, sender?: Sender) => {
      heard.value = edited(heard.value, sender?.user_id ?? '', field, Date.now());
    });

  const pruning = setInterval(() => (heard.value = pruned(heard.value, Date.now())), BELIEVED / 8);

  /** Say that a message is being typed; call it as often as a key is pressed. */
  function type(): void {
    const now = Date.now();
    if (now - lastTyped >= HEARTBEAT) {
      lastTyped = now;
      channel.whisper('typing', {});
    }
  }

  /** Say which field is being edited, until told that it is none: who comes later hears it, too. */
  function edit(field: string | null): void {
    clearInterval(beating);
    channel.whisper('editing', { field });
    if (field !== null) {
      beating = setInterval(() => channel.whisper('editing', { field }), HEARTBEAT);
    }
  }

  onScopeDispose(() => {
    clearInterval(pruning);
    clearInterval(beating);
    echo.leave(name);
  });

  const others = (ids: Iterable<string>): Viewer[] =>
    [...ids].filter((id) => id !== me && members.value.has(id)).map((id) => ({ id, name: members.value.get(id)! }));

  return {
    channel,
    /** Everybody but oneself. */
    viewers: computed(() => others(members.value.keys())),
    typing: computed(() => others(heard.value.typing.keys())),
    /** Field → who edits it. */
    editing: computed(() => {
      const shown = new Map<string, Viewer>();
      for (const [field, { user }] of heard.value.editing) {
        const [viewer] = others([user]);
        if (viewer) {
          shown.set(field, viewer);
        }
      }
      return shown as ReadonlyMap<string, Viewer>;
    }),
    /** Their message is here. */
    heardFrom: (user: string) => (heard.value = said(heard.value, user)),
    type,
    /** The message is sent: the next key begins anew. */
    typed: () => (lastTyped = 0),
    edit,
  };
}

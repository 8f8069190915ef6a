/** What colleagues whisper about themselves: that they type, which field they edit. Believed for a while, not for ever. */

export const HEARTBEAT = 3_000; // ms between whispers of somebody who goes on
export const BELIEVED = 8_000; // ms without another one, then it is over

export interface Whispers {
  /** User → until when they are believed to type. */
  typing: ReadonlyMap<string, number>;
  /** Field → who edits it, and until when that is believed. Who began last holds it. */
  editing: ReadonlyMap<string, { user: string; until: number }>;
}

export const SILENCE: Whispers = { typing: new Map(), editing: new Map() };

export function typed(heard: Whispers, user: string, now: number): Whispers {
  return { ...heard, typing: new Map(heard.typing).set(user, now + BELIEVED) };
}

/** Somebody is at a field now, or at none. */
export function edited(heard: Whispers, user: string, field: string | null, now: number): Whispers {
  const editing = new Map([...heard.editing].filter(([, one]) => one.user !== user));
  if (field !== null) {
    editing.set(field, { user, until: now + BELIEVED });
  }
  return { ...heard, editing };
}

/** What somebody said is here: nobody waits for the end of their typing. */
export function said(heard: Whispers, user: string): Whispers {
  const typing = new Map(heard.typing);
  typing.delete(user);
  return { ...heard, typing };
}

export function left(heard: Whispers, user: string): Whispers {
  return edited(said(heard, user), user, null, 0);
}

/** Forget what is no longer believed; the same object when there is nothing to forget. */
export function pruned(heard: Whispers, now: number): Whispers {
  const typing = [...heard.typing].filter(([, until]) => until > now);
  const editing = [...heard.editing].filter(([, { until }]) => until > now);
  const isSame = typing.length === heard.typing.size && editing.length === heard.editing.size;
  return isSame ? heard : { typing: new Map(typing), editing: new Map(editing) };
}

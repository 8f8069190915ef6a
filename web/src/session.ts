/**
 * Who is logged in. Kept in sessionStorage, so that two windows can be two users and a closed window forgets. When the server
 * no longer takes the token, the person stays on the screen with what they typed, and logs in over it.
 */

import { readonly, ref, shallowRef } from 'vue';

import type { Login } from './lib/api';

const STORAGE_KEY = 'leadwire.session';

export type Session = ReturnType<typeof createSession>;

export function createSession(storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>) {
  const stored = storage.getItem(STORAGE_KEY);
  const login = shallowRef<Login | null>(stored === null ? null : (JSON.parse(stored) as Login));
  const expired = ref(false);

  function open(answer: Login): void {
    storage.setItem(STORAGE_KEY, JSON.stringify(answer));
    login.value = answer;
    expired.value = false;
  }

  function close(): void {
    storage.removeItem(STORAGE_KEY);
    login.value = null;
    expired.value = false;
  }

  /** The server no longer accepts a token. A late answer about an old one changes nothing. */
  function expire(refused: string): void {
    if (login.value?.access_token === refused) {
      storage.removeItem(STORAGE_KEY);
      expired.value = true;
    }
  }

  /** What requests carry; null when there is none that the server would take. */
  const token = (): string | null => (expired.value ? null : (login.value?.access_token ?? null));

  return { login: readonly(login), expired: readonly(expired), token, open, close, expire };
}

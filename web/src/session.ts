/** Who is logged in. Kept in sessionStorage, so that two windows can be two users and a closed window forgets. */

import { readonly, ref, shallowRef } from 'vue';

import type { Login } from './lib/api';

const STORAGE_KEY = 'leadwire.session';

export type Session = ReturnType<typeof createSession>;

export function createSession(storage: Storage) {
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
  }

  /** The server no longer accepts the token. */
  function expire(): void {
    close();
    expired.value = true;
  }

  return { login: readonly(login), expired: readonly(expired), open, close, expire };
}

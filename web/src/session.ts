/**
 * Who is logged in. Kept in sessionStorage, so that two windows can be two users and a closed window forgets. When the server
 * no longer takes the token, the person stays on the screen with what they typed, and logs in over it.
 */

import { readonly, ref, shallowRef } from 'vue';

import type { Login } from './lib/api';

const STORAGE_KEY = 'leadwire.session';
const DEVICE_KEY = 'leadwire.device';

type Kept = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export type Session = ReturnType<typeof createSession>;

/**
 * @param storage Forgets when the window is closed.
 * @param device Stays: what the last log-in left here, so that nobody's wrong guesses elsewhere keep this device out.
 */
export function createSession(storage: Kept, device: Kept) {
  const stored = storage.getItem(STORAGE_KEY);
  const login = shallowRef<Login | null>(stored === null ? null : (JSON.parse(stored) as Login));
  const expired = ref(false);

  function open(answer: Login): void {
    storage.setItem(STORAGE_KEY, JSON.stringify(answer));
    device.setItem(DEVICE_KEY, answer.device_token);
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

  const deviceToken = (): string | null => device.getItem(DEVICE_KEY);

  return { login: readonly(login), expired: readonly(expired), token, deviceToken, open, close, expire };
}

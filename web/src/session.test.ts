import { expect, test } from 'vitest';

import type { Login } from './lib/api';
import { createSession } from './session';

function storage() {
  const kept = new Map<string, string>();
  return { kept, getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value), removeItem: (key: string) => void kept.delete(key) };
}

const login = (token: string): Login => ({ access_token: token, expires_in: 3600, device_token: `device of ${token}`, token_type: 'Bearer', user: { id: 'ana', name: 'Ana', email: 'ana@example.com', role: 'agent', company_id: 'acme', company_name: 'Acme' } });

test('a session that ends keeps who it was, and no token', () => {
  const tab = storage();
  const session = createSession(tab, storage());
  session.open(login('one'));

  session.expire('one');

  expect(session.expired.value).toBe(true);
  expect(session.login.value?.user.id).toBe('ana');
  expect(session.token()).toBeNull();
  expect(tab.kept.size).toBe(0);
  session.open(login('two'));
  expect(session.expired.value).toBe(false);
  expect(session.token()).toBe('two');
});

test('a late refusal of the old token does not end the new session', () => {
  const session = createSession(storage(), storage());
  session.open(login('one'));
  session.expire('one');
  session.open(login('two'));

  session.expire('one');

  expect(session.expired.value).toBe(false);
});

test('signing out leaves nobody', () => {
  const tab = storage();
  const session = createSession(tab, storage());
  session.open(login('one'));

  session.close();

  expect(session.login.value).toBeNull();
  expect(tab.kept.size).toBe(0);
});

test('a device is known after the session has ended, and in the next window', () => {
  const device = storage();
  const session = createSession(storage(), device);
  session.open(login('one'));

  session.close();

  expect(session.deviceToken()).toBe('device of one');
  expect(createSession(storage(), device).deviceToken()).toBe('device of one');
});

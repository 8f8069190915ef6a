/** The state of the WebSocket, and a way out of a connection that died while the machine slept. */

import { computed, onScopeDispose, readonly, ref } from 'vue';

import type { LiveEcho } from '../echo';

const TICK = 5_000; // ms
const NAP = 20_000; // a timer so late means that the machine slept
const PATIENCE = 3_000; // for an answer to a ping after it

export type ConnectionState = 'live' | 'connecting' | 'offline';

export function useConnection(echo: LiveEcho) {
  const { pusher } = echo.connector;
  const { connection } = pusher;
  /** In pusher-js's own words. */
  const raw = ref<string>(connection.state);
  /** What the browser says of the network. */
  const online = ref(navigator.onLine);
  let wasLive = false;

  const state = computed<ConnectionState>(() => {
    if (raw.value === 'connected' && online.value) {
      return 'live';
    }
    return online.value && !wasLive && ['initialized', 'connecting'].includes(raw.value) ? 'connecting' : 'offline';
  });

  function onChange({ current }: { current: string }): void {
    raw.value = current;
    wasLive ||= current === 'connected';
  }

  function onNetwork(): void {
    online.value = navigator.onLine;
    if (online.value) {
      probe();
    }
  }

  /** Ask whether anybody is still there; connect anew when nobody answers. pusher-js itself would wait for minutes. */
  function probe(): void {
    if (connection.state !== 'connected') {
      pusher.connect();
      return;
    }
    const answered = (): void => {
      clearTimeout(waiting);
      connection.unbind('message', answered);
    };
    const waiting = setTimeout(() => {
      answered();
      renew();
    }, PATIENCE);
    connection.bind('message', answered); // also the pong itself
    connection.send_event('pusher:ping', {});
  }

  /** Connect anew, with what holds now: the server hung up, or refused channels, for what held before. */
  function renew(): void {
    pusher.disconnect();
    pusher.connect();
  }

  let last = Date.now();
  const ticking = setInterval(() => {
    const now = Date.now();
    if (now - last > NAP) {
      probe();
    }
    last = now;
  }, TICK);

  connection.bind('state_change', onChange);
  window.addEventListener('online', onNetwork);
  window.addEventListener('offline', onNetwork);
  onScopeDispose(() => {
    clearInterval(ticking);
    connection.unbind('state_change', onChange);
    window.removeEventListener('online', onNetwork);
    window.removeEventListener('offline', onNetwork);
  });
  return { raw: readonly(raw), state, probe, renew };
}

export type Connection = ReturnType<typeof useConnection>;

/** The state of the WebSocket, in pusher-js's own words. */

import { onScopeDispose, ref } from 'vue';

import type { LiveEcho } from '../echo';

export function useConnection(echo: LiveEcho) {
  const { connection } = echo.connector.pusher;
  const state = ref<string>(connection.state);

  function onChange({ current }: { current: string }): void {
    state.value = current;
  }

  connection.bind('state_change', onChange);
  onScopeDispose(() => connection.unbind('state_change', onChange));
  return state;
}

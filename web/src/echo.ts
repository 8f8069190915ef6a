/** Laravel Echo exactly as a Laravel app sets it up; only the host differs: the page's own origin is the gateway. */

import Echo from 'laravel-echo';
import Pusher from 'pusher-js';

import type { Config } from './config';
import { resume } from './lib/resume';
import type { Trace } from './lib/trace';

export type LiveEcho = Echo<'pusher'>;

declare global {
  interface Window {
    Pusher: typeof Pusher;
    Echo: LiveEcho | undefined;
  }
}

/** Connect, and leave the client at `window.Echo`, where Laravel developers look for it. */
export function connectEcho(config: Config, token: () => string | null, trace: Trace): LiveEcho {
  const secure = location.protocol === 'https:';
  const port = Number(location.port) || (secure ? 443 : 80);

  const resuming = resume();
  window.Pusher = Pusher;
  window.Echo = new Echo({
    broadcaster: 'pusher',
    key: config.appKey,
    cluster: '',
    wsHost: location.hostname,
    wsPort: port,
    wssPort: port,
    forceTLS: secure,
    enabledTransports: ['ws', 'wss'],
    channelAuthorization: {
      transport: 'ajax',
      endpoint: `${config.apiUrl}/broadcasting/auth`,
      headersProvider: () => ({ Authorization: `Bearer ${token() ?? ''}` }), // another one after each login
      paramsProvider: resuming.paramsProvider,
    },
  });
  const { pusher } = window.Echo.connector;
  resuming.attach(pusher);
  traceInto(pusher, trace);
  return window.Echo;
}

function traceInto({ connection }: Pusher, trace: Trace): void {
  connection.bind('state_change', ({ current }: { current: string }) =>
    trace.turned(current, current === 'connected' ? connection.socket_id : ''),
  );
  connection.bind('error', ({ error }: { error?: { data?: { code?: number; message?: string } } }) =>
    trace.turned('error', [error?.data?.code, error?.data?.message].filter(Boolean).join(' ')),
  );
  connection.bind('message', ({ event, channel, data }: { event: string; channel?: string; data?: unknown }) =>
    trace.heard(event, channel ?? null, data),
  );
}

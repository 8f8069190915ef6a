/** Laravel Echo exactly as a Laravel app sets it up; only the host differs: the page's own origin is the gateway. */

import Echo from 'laravel-echo';
import Pusher from 'pusher-js';

import type { Config } from './config';
import { resume } from './lib/resume';

export type LiveEcho = Echo<'pusher'>;

declare global {
  interface Window {
    Pusher: typeof Pusher;
    Echo: LiveEcho | undefined;
  }
}

/** Connect, and leave the client at `window.Echo`, where Laravel developers look for it. */
export function connectEcho(config: Config, token: string): LiveEcho {
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
      headers: { Authorization: `Bearer ${token}` },
      paramsProvider: resuming.paramsProvider,
    },
  });
  resuming.attach(window.Echo.connector.pusher);
  return window.Echo;
}

// Laravel's own bootstrap of Echo, and three lines so that a client that comes back hears what it missed.

import Echo from 'laravel-echo';
import Pusher from 'pusher-js';
import { resume } from './resume.js'; // + a copy of web/src/lib/resume.js

const env = import.meta.env;
const resuming = resume();

window.Pusher = Pusher;

window.Echo = new Echo({
    broadcaster: 'pusher',
    key: env.VITE_PUSHER_APP_KEY,
    cluster: env.VITE_PUSHER_APP_CLUSTER ?? 'mt1',
    wsHost: env.VITE_PUSHER_HOST,
    wsPort: env.VITE_PUSHER_PORT ?? 80,
    wssPort: env.VITE_PUSHER_PORT ?? 443,
    forceTLS: (env.VITE_PUSHER_SCHEME ?? 'https') === 'https',
    enabledTransports: ['ws', 'wss'],
    channelAuthorization: {
        endpoint: env.VITE_BROADCASTING_AUTH ?? '/broadcasting/auth',
        transport: 'ajax',
        headersProvider: () => ({ 'X-CSRF-TOKEN': document.querySelector('meta[name="csrf-token"]')?.content }),
        paramsProvider: resuming.paramsProvider, // +
    },
});

resuming.attach(window.Echo.connector.pusher); // +

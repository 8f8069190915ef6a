// A user's backend: checks a webhook with the unmodified server library and prints what it found.
// Usage: node verify-webhook.mjs '{"app": {"id", "key", "secret"}, "headers", "body"}'

import Pusher from "pusher";

const { app, headers, body } = JSON.parse(process.argv[2]);
const pusher = new Pusher({ appId: app.id, key: app.key, secret: app.secret, host: "127.0.0.1" });
const webhook = pusher.webhook({ headers, rawBody: body });
const valid = webhook.isValid();
console.log(JSON.stringify({ valid, events: valid ? webhook.getEvents() : null, time: valid ? webhook.getTime().getTime() : null }));

// A user's backend: triggers a batch of events with the unmodified server library and prints the answer.
// Usage: node trigger-batch.mjs '{"port", "app": {"id", "key", "secret"}, "batch": [{"channel", "name", "data"}]}'

import Pusher from "pusher";

const { port, app, batch } = JSON.parse(process.argv[2]);
const pusher = new Pusher({ appId: app.id, key: app.key, secret: app.secret, host: "127.0.0.1", port, useTLS: false });
const answer = await pusher.triggerBatch(batch).catch((error) => error);
console.log(JSON.stringify({ status: answer.status, body: answer.text ? await answer.text() : answer.body }));

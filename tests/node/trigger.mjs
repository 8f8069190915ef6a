// A user's backend: triggers one event with the unmodified server library and prints the answer.
// Usage: node trigger.mjs '{"port", "app": {"id", "key", "secret"}, "channels", "event", "data", "socketId"}'

import Pusher from "pusher";

const { port, app, channels, event, data, socketId } = JSON.parse(process.argv[2]);
const pusher = new Pusher({ appId: app.id, key: app.key, secret: app.secret, host: "127.0.0.1", port, useTLS: false });
const answer = await pusher.trigger(channels, event, data, socketId ? { socket_id: socketId } : {}).catch((error) => error);
console.log(JSON.stringify({ status: answer.status, body: answer.text ? await answer.text() : answer.body }));

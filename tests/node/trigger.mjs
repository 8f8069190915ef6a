// A user's backend: triggers one event with the unmodified server library and prints the answer.
// Usage: node trigger.mjs '{"port", "app": {"id", "key", "secret"}, "channels", "event", "data", "socketId", "masterKey"}'

import Pusher from "pusher";

const { port, app, channels, event, data, socketId, masterKey } = JSON.parse(process.argv[2]);
const address = { host: "127.0.0.1", port, useTLS: false };
const encryption = masterKey ? { encryptionMasterKeyBase64: masterKey } : {};
const pusher = new Pusher({ appId: app.id, key: app.key, secret: app.secret, ...address, ...encryption });
const answer = await pusher.trigger(channels, event, data, socketId ? { socket_id: socketId } : {}).catch((error) => error);
console.log(JSON.stringify({ status: answer.status, body: answer.text ? await answer.text() : answer.body }));

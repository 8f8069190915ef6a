// A user's app that talks to others: joins a private channel with unmodified Laravel Echo, whispers each line it reads,
// and prints what it hears, one JSON object a line.
// Usage: node whisper.mjs '{"port", "app": {"id", "key", "secret"}, "channel", "event"}'

import { createInterface } from "node:readline";
import Echo from "laravel-echo";
import PusherServer from "pusher";
import Pusher from "pusher-js";

const { port, app, channel: name, event } = JSON.parse(process.argv[2]);
const say = (what, detail = {}) => console.log(JSON.stringify({ what, ...detail }));
const server = new PusherServer({ appId: app.id, key: app.key, secret: app.secret, cluster: "mt1" });

const echo = new Echo({
  broadcaster: "reverb",
  key: app.key,
  Pusher,
  wsHost: "127.0.0.1",
  wsPort: port,
  forceTLS: false,
  enabledTransports: ["ws"],
  channelAuthorization: {
    customHandler: ({ socketId, channelName }, callback) => callback(null, server.authorizeChannel(socketId, channelName)),
  },
});
echo.connector.pusher.connection.bind("error", (error) => say("error", { code: error?.data?.code }));

const channel = echo.private(name);
channel.subscribed(() => say("subscribed"));
channel.listenForWhisper(event, (data) => say("heard", { data }));
createInterface({ input: process.stdin }).on("line", (line) => channel.whisper(event, JSON.parse(line)));

// A user's app: listens to a public and a private channel with the unmodified client library and prints what it hears,
// one JSON object a line. Its own little backend authorises channels with the unmodified server library.
// Usage: node client.mjs pusher|echo '{"port", "app": {"id", "key", "secret"}, "public", "private", "event", "signed"}'
// `signed` is what the backend signs as the private channel's channel_data.

import { createServer } from "node:http";
import Echo from "laravel-echo";
import PusherServer from "pusher";
import Pusher from "pusher-js";

const [library, configuration] = process.argv.slice(2);
const { port, app, event, signed, ...channels } = JSON.parse(configuration);
const say = (what, detail = {}) => console.log(JSON.stringify({ what, ...detail }));

const backend = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  const server = new PusherServer({ appId: app.id, key: app.key, secret: app.secret, cluster: "mt1" });
  const answer = server.authorizeChannel(form.get("socket_id"), form.get("channel_name"), signed);
  response.setHeader("Content-Type", "application/json").end(JSON.stringify(answer));
});
await new Promise((ready) => backend.listen(0, "127.0.0.1", ready));

const options = {
  wsHost: "127.0.0.1",
  wsPort: port,
  forceTLS: false,
  enabledTransports: ["ws"],
  channelAuthorization: { endpoint: `http://127.0.0.1:${backend.address().port}/broadcasting/auth`, transport: "ajax" },
};

function watch(connection) {
  connection.bind("state_change", ({ current }) => say(current, { socketId: connection.socket_id }));
  connection.bind("error", (error) => say("error", { code: error?.data?.code }));
}

if (library === "echo") {
  const echo = new Echo({ broadcaster: "reverb", key: app.key, Pusher, ...options });
  watch(echo.connector.pusher.connection);
  for (const [channel, name] of [
    [echo.channel(channels.public), channels.public],
    [echo.private(channels.private), channels.private],
  ]) {
    channel.subscribed(() => say("subscribed", { channel: name }));
    channel.error((error) => say("refused", { channel: name, status: error.status }));
    channel.listen(`.${event}`, (data) => say("heard", { channel: name, data }));
  }
} else {
  const pusher = new Pusher(app.key, { cluster: "mt1", ...options });
  watch(pusher.connection);
  for (const name of [channels.public, `private-${channels.private}`]) {
    const channel = pusher.subscribe(name);
    channel.bind("pusher:subscription_succeeded", () => say("subscribed", { channel: name }));
    channel.bind("pusher:subscription_error", (error) => say("refused", { channel: name, status: error.status }));
    channel.bind(event, (data) => say("heard", { channel: name, data }));
  }
}

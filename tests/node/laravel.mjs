// A Laravel user's page: Echo's own names for events, notifications and encrypted channels, one JSON object a line.
// Usage: node laravel.mjs '{"port", "app": {"id", "key", "secret"}, "masterKey"}'

import { createServer } from "node:http";
import Echo from "laravel-echo";
import PusherServer from "pusher";
import Pusher from "pusher-js";

const { port, app, masterKey } = JSON.parse(process.argv[2]);
const say = (what, detail = {}) => console.log(JSON.stringify({ what, ...detail }));

const backend = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  const name = form.get("channel_name");
  const secret = name === "private-forged" ? "another secret" : app.secret;
  const server = new PusherServer({ appId: app.id, key: app.key, secret, cluster: "mt1", encryptionMasterKeyBase64: masterKey });
  const answer = server.authorizeChannel(form.get("socket_id"), name);
  response.setHeader("Content-Type", "application/json").end(JSON.stringify(answer));
});
await new Promise((ready) => backend.listen(0, "127.0.0.1", ready));

const echo = new Echo({
  broadcaster: "reverb",
  key: app.key,
  Pusher,
  wsHost: "127.0.0.1",
  wsPort: port,
  forceTLS: false,
  enabledTransports: ["ws"],
  authEndpoint: `http://127.0.0.1:${backend.address().port}/broadcasting/auth`,
});

function watch(name, channel) {
  channel.subscribed(() => say("subscribed", { name }));
  channel.error((error) => say("refused", { name, type: error.type, status: error.status }));
  return channel;
}

watch("orders", echo.private("orders.1"))
  .listen("OrderShipped", (data) => say("listened", { data }))
  .listen(".order.paid", (data) => say("listened as", { data }));
watch("user", echo.private("App.Models.User.1")).notification((data) => say("notified", { data }));
watch("secret", echo.encryptedPrivate("notes")).listen(".note.written", (data) => say("decrypted", { data }));
watch("forged", echo.private("forged"));

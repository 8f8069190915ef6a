// An app whose authorisation endpoint fails as told, with the client library of a name and our resume helper. Prints what
// happens, one JSON object a line, and reads commands from its input: "unsubscribe", "disconnect", "connect", "control".
// Usage: node flaky.mjs pusher|pusher7|echo '{"port", "app", "channel", "statuses", "userStatuses", "controlStatuses", "firstRetry"}'
// A status of 0 cuts the connection; "late" answers with a signature that has expired.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Echo from "laravel-echo";
import PusherServer from "pusher";
import Pusher from "pusher-js";
import Pusher7 from "pusher-js-7";
import { resume } from "../../web/src/lib/resume.js";

const CONTROL = "private-control";
const [library, configuration] = process.argv.slice(2);
const { port, app, channel, statuses, userStatuses, controlStatuses, firstRetry } = JSON.parse(configuration);
const say = (what, detail = {}) => console.log(JSON.stringify({ what, ...detail }));
const server = new PusherServer({ appId: app.id, key: app.key, secret: app.secret, cluster: "mt1" });
const next = (list) => (list.length > 1 ? list.shift() : list[0]);

function signed(form, late) {
  const [socket, name] = [form.get("socket_id"), form.get("channel_name")];
  if (!name) return server.authenticateUser(socket, { id: "ada" });
  const expiry = { signature_expires_at: Math.floor(Date.now() / 1000) + (late ? -1 : 60) };
  return server.authorizeChannel(socket, name, { user_id: "ada", ...expiry });
}

const backend = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  const name = form.get("channel_name");
  const status = next(name === CONTROL ? controlStatuses : name ? statuses : userStatuses);
  say("asked", { name, status, socketId: form.get("socket_id") });
  if (status === 0) return request.socket.destroy();
  const good = status === 200 || status === "late";
  response.statusCode = good ? 200 : status;
  return response.end(good ? JSON.stringify(signed(form, status === "late")) : "{}");
});
await new Promise((ready) => backend.listen(0, "127.0.0.1", ready));

const resuming = resume({ firstRetry, longestRetry: 8 * firstRetry });
const endpoint = `http://127.0.0.1:${backend.address().port}/auth`;
const options = {
  cluster: "mt1",
  wsHost: "127.0.0.1",
  wsPort: port,
  forceTLS: false,
  enabledTransports: ["ws"],
  channelAuthorization: { endpoint, transport: "ajax", paramsProvider: resuming.paramsProvider },
  userAuthentication: { endpoint, transport: "ajax" },
};
const echo = library === "echo" && new Echo({ broadcaster: "pusher", key: app.key, Pusher, ...options });
const pusher = echo ? echo.connector.pusher : new (library === "pusher7" ? Pusher7 : Pusher)(app.key, options);
resuming.attach(pusher);
pusher.connection.bind("state_change", ({ current }) => say(current, { socketId: pusher.connection.socket_id }));
pusher.connection.bind("message", ({ event }) => event === "pusher:signin_success" && say("signed-in"));

function listen(name) {
  if (!echo) {
    const subscription = pusher.subscribe(name);
    subscription.bind("pusher:subscription_succeeded", () => say("subscribed", { name }));
    subscription.bind("pusher:subscription_error", ({ status }) => say("refused", { name, status }));
    subscription.bind("e", (data) => say("heard", { name, data }));
    return;
  }
  const [kind, rest] = [name.split("-", 1)[0], name.slice(name.indexOf("-") + 1)];
  const subscription = kind === "presence" ? echo.join(rest) : echo.private(rest);
  subscription.subscribed(() => say("subscribed", { name }));
  subscription.error(({ status }) => say("refused", { name, status }));
  subscription.listen(".e", (data) => say("heard", { name, data }));
}

if (channel) listen(channel);
if (userStatuses) pusher.signin();
for await (const line of createInterface({ input: process.stdin })) {
  const commands = {
    unsubscribe: () => (echo ? echo.leave(channel.slice(channel.indexOf("-") + 1)) : pusher.unsubscribe(channel)),
    disconnect: () => pusher.disconnect(),
    connect: () => pusher.connect(),
    control: () => listen(CONTROL),
  };
  commands[JSON.parse(line)]();
}

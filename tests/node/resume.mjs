// A user's app that resumes: listens to a private channel with the unmodified client library and our helper, and prints what
// it hears, one JSON object a line. Its own little backend signs what the helper sends into channel_data.
// pusher7 has the lines of docs/realtime.md for pusher-js before 8.2, pusher7-alone has not.
// Usage: node resume.mjs pusher|echo|plain|pusher7|pusher7-alone '{"port", "app": {"id", "key", "secret"}, "channel", "event"}'

import { createServer } from "node:http";
import Echo from "laravel-echo";
import PusherServer from "pusher";
import Pusher from "pusher-js";
import Pusher7 from "pusher-js-7";
import { resume } from "../../web/src/lib/resume.js";

const [library, configuration] = process.argv.slice(2);
const { port, app, channel: name, event } = JSON.parse(configuration);
const say = (what, detail = {}) => console.log(JSON.stringify({ what, ...detail }));
const server = new PusherServer({ appId: app.id, key: app.key, secret: app.secret, cluster: "mt1" });

const backend = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  const heard = JSON.parse(form.get("leadwire"));
  const entry = heard && { leadwire: { ...heard.positions[form.get("channel_name")], except: heard.except } };
  const answer = server.authorizeChannel(form.get("socket_id"), form.get("channel_name"), entry);
  response.setHeader("Content-Type", "application/json").end(JSON.stringify(answer));
});
await new Promise((ready) => backend.listen(0, "127.0.0.1", ready));

const resuming = resume();
const options = {
  cluster: "mt1",
  wsHost: "127.0.0.1",
  wsPort: port,
  forceTLS: false,
  enabledTransports: ["ws"],
  channelAuthorization: {
    endpoint: `http://127.0.0.1:${backend.address().port}/broadcasting/auth`,
    transport: "ajax",
    ...(library !== "plain" && { paramsProvider: resuming.paramsProvider }),
  },
};

function watch(pusher) {
  pusher.connection.bind("state_change", ({ current }) => say(current, { socketId: pusher.connection.socket_id }));
  pusher.bind_global((name, data) => {
    if (name === "leadwire:position") say("position", data);
  });
  if (library !== "plain") resuming.attach(pusher, (channel) => say("fresh", { channel }));
}

if (library === "echo") {
  const echo = new Echo({ broadcaster: "reverb", key: app.key, Pusher, ...options });
  watch(echo.connector.pusher);
  echo.private(name).listen(`.${event}`, (data) => say("heard", { data })).subscribed(() => say("subscribed"));
} else {
  const pusher = new (library.startsWith("pusher7") ? Pusher7 : Pusher)(app.key, options);
  watch(pusher);
  if (library === "pusher7") {
    for (const state of ['failed', 'unavailable']) pusher.connection.bind(state, () => setTimeout(() => {
      pusher.disconnect(); pusher.connection.updateStrategy(); pusher.connect();
    }, 1000));
  }
  const channel = pusher.subscribe(`private-${name}`);
  channel.bind(event, (data) => say("heard", { data }));
  channel.bind("pusher:subscription_succeeded", () => say("subscribed"));
}

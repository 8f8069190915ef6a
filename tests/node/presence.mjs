// A user's app on a presence channel, with the unmodified client library: prints who is there, comes and goes, and what
// is whispered, one JSON object a line. Reads commands, one JSON object a line: {"whisper": …} or {"leave": true}.
// Usage: node presence.mjs pusher|echo '{"port", "app": {"id", "key", "secret"}, "channel", "user": {"user_id", "user_info"}}'

import { createInterface } from "node:readline";
import Echo from "laravel-echo";
import PusherServer from "pusher";
import Pusher from "pusher-js";

const [library, configuration] = process.argv.slice(2);
const { port, app, channel: name, user } = JSON.parse(configuration);
const say = (what, detail = {}) => console.log(JSON.stringify({ what, ...detail }));
const server = new PusherServer({ appId: app.id, key: app.key, secret: app.secret, cluster: "mt1" });

const options = {
  wsHost: "127.0.0.1",
  wsPort: port,
  forceTLS: false,
  enabledTransports: ["ws"],
  channelAuthorization: {
    customHandler: ({ socketId, channelName }, callback) =>
      callback(null, server.authorizeChannel(socketId, channelName, user)),
  },
};

const commands = { whisper: undefined, leave: undefined };
if (library === "echo") {
  const echo = new Echo({ broadcaster: "reverb", key: app.key, Pusher, ...options });
  const channel = echo
    .join(name)
    .here((members) => say("here", { members }))
    .joining((member) => say("joining", { member }))
    .leaving((member) => say("leaving", { member }))
    .error(({ status }) => say("refused", { status }))
    .listenForWhisper("typing", (data) => say("heard", { data }));
  commands.whisper = (data) => channel.whisper("typing", data);
  commands.leave = () => echo.leave(name);
} else {
  const pusher = new Pusher(app.key, { cluster: "mt1", ...options });
  const channel = pusher.subscribe(`presence-${name}`);
  channel.bind("pusher:subscription_succeeded", (members) => {
    const found = [];
    members.each((member) => found.push(member.info));
    say("here", { members: found, me: members.me.id, count: members.count });
  });
  channel.bind("pusher:member_added", ({ info }) => say("joining", { member: info }));
  channel.bind("pusher:member_removed", ({ info }) => say("leaving", { member: info }));
  channel.bind("pusher:subscription_error", ({ status }) => say("refused", { status }));
  channel.bind("client-typing", (data, metadata) => say("heard", { data, userId: metadata.user_id }));
  commands.whisper = (data) => channel.trigger("client-typing", data);
  commands.leave = () => pusher.unsubscribe(channel.name);
}

createInterface({ input: process.stdin }).on("line", (line) => {
  for (const [command, argument] of Object.entries(JSON.parse(line))) commands[command](argument);
});

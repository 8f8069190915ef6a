// A user's app that signs in with the unmodified client library and prints what it hears, one JSON object a line; it also
// joins a presence channel as the user it is signed in as. Its own little backend signs with the unmodified server library.
// Usage: node user.mjs '{"port", "app": {"id", "key", "secret"}, "user": {"id", "user_info", "watchlist"}, "event", "presence"}'

import PusherServer from "pusher";
import Pusher from "pusher-js";

const { port, app, user, event, presence } = JSON.parse(process.argv[2]);
const say = (what, detail = {}) => console.log(JSON.stringify({ what, ...detail }));
const server = new PusherServer({ appId: app.id, key: app.key, secret: app.secret, cluster: "mt1" });

const pusher = new Pusher(app.key, {
  cluster: "mt1",
  wsHost: "127.0.0.1",
  wsPort: port,
  forceTLS: false,
  enabledTransports: ["ws"],
  userAuthentication: {
    customHandler: ({ socketId }, callback) => callback(null, server.authenticateUser(socketId, user)),
  },
  channelAuthorization: {
    customHandler: ({ socketId, channelName }, callback) => callback(null, server.authorizeChannel(socketId, channelName)),
  },
});

pusher.connection.bind("state_change", ({ current }) => say(current));
pusher.connection.bind("error", (error) => say("error", { code: error?.data?.code }));
pusher.connection.bind("message", ({ event, channel }) => {
  if (event === "pusher:signin_success") say("signed-in", { user: pusher.user.user_data });
  if (event === "pusher_internal:subscription_succeeded") say("subscribed", { channel });
});
pusher.user.bind(event, (data) => say("heard", { data }));
for (const name of ["online", "offline"]) {
  pusher.user.watchlist.bind(name, ({ user_ids }) => say(name, { users: user_ids }));
}
pusher.signin();
if (presence) {
  const channel = pusher.subscribe(presence);
  channel.bind("pusher:subscription_succeeded", () => say("joined", { me: channel.members.me }));
}

// A CRM screen without a screen: subscribes the company channel as a user's app does, with Laravel Echo or bare pusher-js,
// and prints what it hears, one JSON object a line.
// Usage: node crm-client.mjs echo|pusher '{"gateway": {"host", "port"}, "api", "key", "token", "company"}'

import Echo from "laravel-echo";
import Pusher from "pusher-js";

const [library, configuration] = process.argv.slice(2);
const { gateway, api, key, token, company } = JSON.parse(configuration);
const say = (event, detail = {}) => console.log(JSON.stringify({ event, ...detail }));
const EVENTS = ["lead.created", "lead.updated", "lead.deleted", "leads.changed", "import.progress", "job.progress"];

const options = {
  cluster: "mt1",
  wsHost: gateway.host,
  wsPort: gateway.port,
  forceTLS: false,
  enabledTransports: ["ws", "wss"],
  channelAuthorization: {
    endpoint: `${api}/broadcasting/auth`,
    transport: "ajax",
    headers: { Authorization: `Bearer ${token}` },
  },
};

function watch(connection) {
  connection.bind("connected", () => say("connected", { socketId: connection.socket_id }));
  connection.bind("disconnected", () => say("disconnected"));
  connection.bind("error", (error) => say("connection-error", { error }));
}

if (library === "echo") {
  const echo = new Echo({ broadcaster: "pusher", client: new Pusher(key, options), key });
  watch(echo.connector.pusher.connection);
  const channel = echo.private(`company.${company}`);
  channel.subscribed(() => say("subscribed"));
  channel.error((error) => say("refused", { status: error.status }));
  for (const event of EVENTS) channel.listen(`.${event}`, (data) => say(event, { data }));
} else {
  const pusher = new Pusher(key, options);
  watch(pusher.connection);
  const channel = pusher.subscribe(`private-company.${company}`);
  channel.bind("pusher:subscription_succeeded", () => say("subscribed"));
  channel.bind("pusher:subscription_error", (error) => say("refused", { status: error.status }));
  for (const event of EVENTS) channel.bind(event, (data) => say(event, { data }));
}

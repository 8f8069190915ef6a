// A user's backend: calls methods of the unmodified server library one after the other and prints all answers.
// Usage: node backend.mjs '{"port", "app": {"id", "key", "secret"}, "calls": [["trigger", ["news", "event", {}]], …]}'

import Pusher from "pusher";

const { port, app, calls } = JSON.parse(process.argv[2]);
const pusher = new Pusher({ appId: app.id, key: app.key, secret: app.secret, host: "127.0.0.1", port, useTLS: false });
const answers = [];
for (const [method, parameters] of calls) {
  const answer = await pusher[method](...parameters).catch((error) => error);
  answers.push({ status: answer.status, body: answer.text ? await answer.text() : answer.body });
}
console.log(JSON.stringify(answers));

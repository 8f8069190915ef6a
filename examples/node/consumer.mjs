// Hears every fact of every company, in order, with nats.js. How to run it: ../README.md.
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const { host, username, password } = new URL(process.env.EXAMPLE_NODE_NATS_URL);
// A client that stops reconnecting stays deaf while everything else goes on.
const nats = await connect({ servers: host, user: username, pass: password, maxReconnectAttempts: -1 });
// Our account, its user and the consumer have one name.
const consumer = await jetstream(nats, { apiPrefix: "leadwire" }).consumers.get("CRM", username);
// Company and epoch of the log → the last position of this run. In another epoch, after an older state of the log was restored,
// the same position is another fact.
const seen = new Map();

for await (const message of await consumer.consume({ max_messages: 1 })) {
  let fact;
  try {
    fact = message.json();
    if (!Number.isInteger(fact.feedposition)) throw new TypeError("no position");
  } catch {
    message.term("unreadable"); // never: no further attempt teaches us to read it
    continue;
  }
  const feed = `${fact.companyid} ${fact.feedepoch}`;
  if (fact.feedposition > (seen.get(feed) ?? 0)) { // else it came again
    console.log(JSON.stringify({ position: fact.feedposition, type: fact.type, subject: fact.subject }));
    seen.set(feed, fact.feedposition);
  }
  message.ack(); // done
}

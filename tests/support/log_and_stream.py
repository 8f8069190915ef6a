"""What a company's log holds, and what of it is on the streams."""

import json

import psycopg

from contracts import envelope, streams, subjects
from contracts.channels import CompanyChannel
from support.stack import Company, Stack


def in_the_log(stack: Stack, company: Company) -> list[tuple[int, str, str]]:
    """Return (position, event id, lead id) of a company's facts."""
    with psycopg.connect(stack.topology.superuser_url) as connection:
        return [
            (position, str(event_id), str(stream_id))
            for position, event_id, stream_id in connection.execute(
                "SELECT feed_position, event_id, stream_id FROM events WHERE company_id = %s ORDER BY feed_position",
                [company.id],
            )
        ]


async def messages(stack: Stack, stream: str, subject: str) -> list[bytes]:
    """Return everything a stream holds on a subject, in its order."""
    async with stack.nats.client("operator") as nats:
        js = nats.jetstream()
        subscription = await js.subscribe(subject, stream=stream, ordered_consumer=True)
        consumer = await subscription.consumer_info()
        there = (consumer.num_pending or 0) + (consumer.delivered.consumer_seq if consumer.delivered else 0)
        found = [(await subscription.next_msg(timeout=30)).data for _ in range(there)]
        await subscription.unsubscribe()
        return found


async def on_the_stream(stack: Stack, company: Company) -> list[tuple[int, str, str]]:
    """Return the same of what the stream CRM holds."""
    facts = [envelope.parse(body) for body in await messages(stack, streams.CRM, f"crm.{company.id}.>")]
    return [(fact.feedposition, fact.id, fact.subject) for fact in facts]


async def pushed(stack: Stack, company: Company) -> list[str]:
    """Return the event ids of what was pushed to the company's screens, in order."""
    subject = subjects.push(stack.topology.credentials.pusher_app_id, str(CompanyChannel(company.id)))
    frames = [json.loads(body) for body in await messages(stack, streams.PUSH, subject)]
    return [json.loads(frame["data"])["event_id"] for frame in frames]

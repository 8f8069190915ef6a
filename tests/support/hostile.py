"""Messages that nobody should have stored: what a stranger with a password for NATS may leave on a stream."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from nats.aio.client import Client

from runtime import broker

BODIES: dict[str, bytes] = {
    "empty": b"",
    "NUL": b"\x00",
    "not UTF-8": b"\xff\xfe\x00{",
    "JSON in UTF-16": '{"event":"x","data":"{}"}'.encode("utf-16"),
    "null": b"null",
    "list": b"[]",
    "text": b'"crm"',
    "number": b"-1e999",
    "NaN": b"NaN",
    "long number": b"9" * 5_000,
    "unfinished": b'{"id":',
    "deep objects": b'{"a":' * 100_000,
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "many keys": json.dumps(dict.fromkeys(map(str, range(20_000)))).encode(),
    "large": b"x" * 900_000,
}
"""Why it is hostile → a body."""

HEADERS: dict[str, dict[str, str]] = {
    "a status": {"Status": "503"},
    "another status": {"Status": "404", "Description": "No Messages"},
    "a heartbeat": {"Status": "100", "Nats-Consumer-Stalled": "x"},
    "the server's own": {
        "Nats-Sequence": "no number",
        "Nats-Subject": "elsewhere",
        "Nats-Num-Pending": "-",
        "Nats-Last-Sequence": "9" * 5_000,
        "Nats-Time-Stamp": "yesterday",
        "Nats-Stream": "OTHER",
    },
    "ours": {
        "Record-Version": "x",
        "traceparent": "00-zz",
        "Nats-Msg-Id": "x" * 2_000,
        "Control": "explode",
        "Correlation-Id": "\x1b[2J",
        "Except-Socket": "\x00",
    },
    "not ASCII": {"X-Name": "é\x7f"},
}
"""Why they are hostile → headers."""

RAW_HEADERS: dict[str, bytes] = {
    "no first line": b"abcdef\r\n\r\n",
    "a status in the first line": b"NATS/1.0 503\r\n\r\n",
    "no status in the first line": b"NATS/1.0 \xff\xff\xff\r\n\r\n",
    "bytes": b"NATS/1.0\r\n\xff\xfe: \xff\r\nno colon\r\n: nothing\r\n\r\n",
}
"""Why it is hostile → a header block, which no client library would send."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A message."""

    why: str
    subject: bytes
    body: bytes
    headers: bytes = b""


def on(subject: str, body: bytes) -> list[Hostile]:
    """Return hostile bodies on a subject, and hostile headers with a given body."""
    bodies = [Hostile(why, subject.encode(), each) for why, each in BODIES.items()]
    headers = [Hostile(why, subject.encode(), body, _block(each)) for why, each in HEADERS.items()]
    raw = [Hostile(why, subject.encode(), body, each) for why, each in RAW_HEADERS.items()]
    return bodies + headers + raw


async def publish(client: Client, messages: Sequence[Hostile]) -> None:
    """Publish messages as they are, also those that no client library would send; return when the server has them."""
    for message in messages:
        await _send(client, message)
        await broker.barrier(client)


async def store(client: Client, messages: Sequence[Hostile]) -> None:
    """Publish messages as they are; return when a stream has stored each."""
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    await broker.barrier(client)
    for message in messages:
        await _send(client, message, inbox.encode())
        answer = json.loads((await answers.next_msg(timeout=30)).data)
        assert "seq" in answer, (message.why, answer)
    await answers.unsubscribe()


async def _send(client: Client, message: Hostile, reply: bytes = b"") -> None:
    size = len(message.headers) + len(message.body)
    if message.headers:
        head = b"HPUB %b %b %d %d\r\n" % (message.subject, reply, len(message.headers), size)
    else:
        head = b"PUB %b %b %d\r\n" % (message.subject, reply, size)
    await client._send_command(head + message.headers + message.body + b"\r\n")
    await client._flush_pending()


def fact(company_id: str, position: Any, **others: Any) -> bytes:
    """Return what looks like a fact."""
    said = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/leads",
        "type": "crm.lead.renamed.v1",
        "subject": str(uuid4()),
        "time": "2026-11-30T10:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": "/contracts/schemas/crm.lead.renamed.v1.json",
        "companyid": company_id,
        "feedposition": position,
        "streamversion": 1,
        "data": {"name": "Forged"},
    }
    return json.dumps({**said, **others}).encode()


def _block(headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"NATS/1.0\r\n{lines}\r\n".encode()

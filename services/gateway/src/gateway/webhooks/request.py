"""Finished requests: url, headers, body and signature are fixed when a request is made, and are the same in every
attempt. The stream stores the body as it is and the rest in one header.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from contracts import signing
from contracts.push import compact_json
from gateway.pusher import channels
from gateway.pusher.app import App
from gateway.webhooks.events import Event

MAX_EVENTS: Final = 100  # of one request
MAX_BYTES: Final = 256 * 1024  # of a request that tells several events
MAX_BODY: Final = 900 * 1024  # of any request: NATS takes a message of 1 MiB

REQUEST_HEADER: Final = "Webhook-Request"
"""Of a stored message: JSON of url and HTTP headers."""
RESERVED: Final = frozenset(
    {"connection", "content-length", "content-type", "host", "transfer-encoding", "x-pusher-key", "x-pusher-signature"}
)
"""Headers that an app cannot set, in lower case."""


class Unreadable(Exception):
    """A stored message is none of ours."""


@dataclass(frozen=True, slots=True)
class Request:
    """One POST to one endpoint."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def stored_headers(self) -> dict[str, str]:
        """The NATS headers that hold, with the body, all of it."""
        return {REQUEST_HEADER: json.dumps({"url": self.url, "headers": dict(self.headers)})}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a body tells."""

    time_ms: int
    """When the request was made; Python's SDK refuses it 300 s later."""
    channels: frozenset[str]
    kinds: tuple[str, ...]
    """The name of each event."""


def finish(app: App, events: Iterable[Event], time_ms: int) -> list[Request]:
    """Return the requests that tell an app's endpoints of events.

    Each endpoint hears what it wants, in the events' order: one event a request, or many when the app batches. An event
    of an encrypted channel always has a request of its own: the SDKs of PHP and Go fail on the whole request when they
    cannot decrypt one event of it.
    """
    told = list(events)
    batches = _batches if app.batch_webhooks else _singles
    return [
        _request(app, webhook.url, webhook.headers, documents, time_ms)
        for webhook in app.webhooks
        for documents in batches([event for event in told if webhook.wants(event.name, event.channel)])
    ]


def halve(app: App, request: Request) -> tuple[Request, Request] | None:
    """Return two requests that tell the same, half of the events each, in order; None for a single event.

    Args:
        app: whose request it is; signs the halves.
        request: one that `finish` or `halve` made.
    """
    told = orjson.loads(request.body)
    documents = [compact_json(event) for event in told["events"]]
    if len(documents) < 2:  # noqa: PLR2004 - nothing to divide
        return None
    middle = len(documents) // 2
    first, second = (
        _request(app, request.url, request.headers, half, told["time_ms"])
        for half in (documents[:middle], documents[middle:])
    )
    return first, second


def kinds_of(request: Request) -> list[str]:
    """Return the name of each event that a request tells of."""
    return [event["name"] for event in orjson.loads(request.body)["events"]]


def read(headers: Mapping[str, str] | None, body: bytes) -> tuple[Request, Contents]:
    """Return what a stored message holds.

    Raises:
        Unreadable: it was not stored by `finish`'s requests.
    """
    try:
        stored = json.loads((headers or {})[REQUEST_HEADER])
        told = orjson.loads(body)
        contents = Contents(
            told["time_ms"],
            frozenset(event["channel"] for event in told["events"]),
            tuple(event["name"] for event in told["events"]),
        )
        return Request(stored["url"], stored["headers"], body), contents
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(type(error).__name__) from error


def _request(app: App, url: str, headers: Mapping[str, str], documents: Sequence[str], time_ms: int) -> Request:
    body = f'{{"time_ms":{time_ms},"events":[{",".join(documents)}]}}'.encode()
    own = {name: value for name, value in headers.items() if name.lower() not in RESERVED}
    ours = {
        "Content-Type": "application/json",  # exactly so: the Node.js SDK takes nothing else
        "X-Pusher-Key": app.key,
        "X-Pusher-Signature": signing.sign(app.secret, body),
    }
    return Request(url, own | ours, body)


def _document(event: Event) -> str:
    return compact_json({"name": event.name.value, "channel": event.channel, **event.fields})


def _singles(events: Iterable[Event]) -> list[list[str]]:
    return [[_document(event)] for event in events]


def _batches(events: Iterable[Event]) -> list[list[str]]:
    """Split what one endpoint hears into requests that are not too large, unless a single event is."""
    batches: list[list[str]] = []
    size = 0
    is_open = False  # whether the last batch takes more
    for event in events:
        document = _document(event)
        own = len(document.encode()) + 1
        alone = channels.kind_of(event.channel).encrypted
        if not is_open or alone or len(batches[-1]) == MAX_EVENTS or size + own > MAX_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(document)
        size += own
        is_open = not alone
    return batches

"""The events that endpoints hear of (Pusher docs, "Webhooks"). Each has a name and a channel; ids and data are text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.pusher.app import WebhookEvent


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened on a channel."""

    name: WebhookEvent
    channel: str
    fields: Mapping[str, str | int] = field(default_factory=dict)
    """What else is told, by name."""


def client_event(frame: bytes, sender: str) -> Event:
    """Return what is told of an accepted client event.

    Args:
        frame: as the other clients get it; on a presence channel it names the user.
        sender: the sending connection's socket id.
    """
    sent: dict[str, Any] = orjson.loads(frame)
    fields = {"event": sent["event"], "data": sent["data"], "socket_id": sender}
    if "user_id" in sent:
        fields["user_id"] = sent["user_id"]
    return Event(WebhookEvent.CLIENT_EVENT, sent["channel"], fields)


def member(name: WebhookEvent, channel: str, user_id: str) -> Event:
    return Event(name, channel, {"user_id": user_id})


def subscription_count(channel: str, number: int) -> Event:
    return Event(WebhookEvent.SUBSCRIPTION_COUNT, channel, {"subscription_count": number})

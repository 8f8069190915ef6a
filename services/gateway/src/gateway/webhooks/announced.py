"""Records of what endpoints were told, in the stream `STATE`: a new leader neither repeats nor forgets.

| subject | body |
| --- | --- |
| `state.announced.<app>.<channel>` | `{"occupied": true, "count": 12}` |
| `state.announced.<app>.<channel>.<member>` | `{"user_id": "7"}` |
| `state.announcing` | the last announcement as a whole, see `Announcement` |

An empty body says that nothing of it holds any more; it expires by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from contracts import subjects
from gateway.cluster.records import OVER, member_token
from gateway.pusher.app import WebhookEvent
from gateway.webhooks.events import Event

PATTERN: Final = "state.announced.>"
ANNOUNCING: Final = "state.announcing"
_CHANNEL_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class Record:
    """What was told of a channel, or of a member of it."""

    app_id: str
    channel: str
    user_id: str | None = None
    """Of a member who was told as added; None: it is about the channel."""
    occupied: bool = False
    count: int = 0
    """Listeners, as last told; 0 when never."""


@dataclass(frozen=True, slots=True)
class Story:
    """An event to tell, and the record of having told it."""

    app_id: str
    event: Event
    subject: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Announcement:
    """Stories that are told together. It is written down first, so that a successor can finish it: with the same ids,
    so that nothing is stored twice.
    """

    id: str
    time_ms: int
    stories: Sequence[Story]

    @property
    def records(self) -> Mapping[str, bytes]:
        """What stands when all is told; of two stories about one subject the later one holds."""
        return {story.subject: story.body for story in self.stories}

    def dump(self) -> bytes:
        return orjson.dumps(
            {
                "id": self.id,
                "time_ms": self.time_ms,
                "stories": [
                    {
                        "app_id": story.app_id,
                        "name": story.event.name,
                        "channel": story.event.channel,
                        "fields": dict(story.event.fields),
                        "subject": story.subject,
                        "body": story.body.decode(),
                    }
                    for story in self.stories
                ],
            }
        )


def load(body: bytes) -> Announcement | None:
    """Return what `Announcement.dump` wrote; None when something else did."""
    try:
        return _load(body)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _load(body: bytes) -> Announcement:
    found = orjson.loads(body)
    stories = [
        Story(
            one["app_id"],
            Event(WebhookEvent(one["name"]), one["channel"], one["fields"]),
            one["subject"],
            one["body"].encode(),
        )
        for one in found["stories"]
    ]
    return Announcement(found["id"], found["time_ms"], stories)


def channel_subject(app_id: str, channel: str) -> str:
    return f"state.announced.{subjects.token(app_id)}.{subjects.token(channel)}"


def member_subject(app_id: str, channel: str, user_id: str) -> str:
    return f"{channel_subject(app_id, channel)}.{member_token(user_id)}"


def channel_body(*, occupied: bool, count: int) -> bytes:
    return orjson.dumps({"occupied": occupied, "count": count}) if occupied or count else OVER


def member_body(user_id: str) -> bytes:
    return orjson.dumps({"user_id": user_id})


def parse(subject: str, body: bytes) -> Record | None:
    """Return what a stored record says; None when it is over, or none of ours."""
    try:
        return _parse(subject, body) if body else None
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _parse(subject: str, body: bytes) -> Record:
    parts, fields = subject.split("."), orjson.loads(body)
    app_id, channel = subjects.name_of(parts[2]), subjects.name_of(parts[3])
    if len(parts) == _CHANNEL_PARTS:
        return Record(app_id, channel, occupied=fields["occupied"], count=fields["count"])
    return Record(app_id, channel, user_id=fields["user_id"])

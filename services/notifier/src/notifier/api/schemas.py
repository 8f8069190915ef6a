"""What requests and answers look like."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from contracts.push import NotificationKind

NOTIFICATION: Final[JsonDict] = {
    "id": "0b1d8a6e-6a0f-5c1d-9a55-3a0d4c3f9b21",
    "number": 12,
    "kind": "mentioned",
    "critical": True,
    "at": "2026-11-23T18:02:00Z",
    "actor": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01",
    "lead": {"id": "01939d1c-77a2-7c3e-9d0b-2f6c1c1f0a55", "name": "Ada Lovelace"},
    "details": {"message_id": "4c1c6b0e-0d54-4b55-8a0d-2f6c1c1f0a55", "excerpt": "Could you call her back?"},
    "position": 42,
    "event_id": "0a5d2c0e-3c55-5f0b-9f3c-0a2f1f6f7d11",
    "job_id": None,
    "read_at": None,
}
META: Final[JsonDict] = {"unread": 3, "revision": 17, "number": 12}
PREFERENCES: Final[JsonDict] = {
    "assigned": True,
    "unassigned": True,
    "status_changed": False,
    "mentioned": True,
    "message": True,
    "import_finished": True,
    "duplicate_found": True,
}


class Lead(BaseModel):
    """The lead that a notification is about."""

    id: str
    name: str


class Notification(BaseModel):
    """One thing that the user was told."""

    id: str
    number: int
    """Dense from 1 in the inbox."""
    kind: NotificationKind
    critical: bool
    at: datetime
    actor: str | None
    lead: Lead | None
    details: Mapping[str, Any]
    position: int
    """The company's feed position of the fact."""
    event_id: str
    job_id: str | None
    read_at: datetime | None


class Meta(BaseModel):
    """The inbox, at the moment of the answer."""

    unread: int
    revision: int
    """Ignore events of `private-user.<id>` at or below it."""
    number: int
    """Of the newest notification; 0 in an empty inbox."""


class Links(BaseModel):
    """Where to go on."""

    next: str | None
    """The next page; null on the last."""


class NotificationAnswer(BaseModel):
    """One notification."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"data": {**NOTIFICATION, "read_at": "2026-11-23T18:05:00Z"}, "meta": META}}
    )

    data: Notification
    meta: Meta


class NotificationPage(BaseModel):
    """Notifications, newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"data": [NOTIFICATION], "meta": META, "links": {"next": "/notifications?limit=1&cursor=MTI"}}
        }
    )

    data: list[Notification]
    meta: Meta
    links: Links


class ReadAll(BaseModel):
    """Which ones: what the page did not show is not read."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"before": 13}})

    before: int | None = Field(default=None, ge=1, lt=1 << 63)
    """Only those with a lower `number`; without it, all."""


class StateAnswer(BaseModel):
    """The inbox without its notifications."""

    model_config = ConfigDict(json_schema_extra={"example": {"data": None, "meta": {**META, "unread": 0}}})

    data: None = None
    meta: Meta


class Preferences(BaseModel):
    """Which kinds of notifications the user wants. What a request leaves out is on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": PREFERENCES})

    assigned: bool = True
    unassigned: bool = True
    status_changed: bool = True
    mentioned: bool = True
    message: bool = True
    import_finished: bool = True
    duplicate_found: bool = True


class PreferencesAnswer(BaseModel):
    """The user's preferences, and which kinds are critical."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"data": PREFERENCES, "meta": {"critical": ["assigned", "mentioned"]}}}
    )

    data: Preferences
    meta: "Criticals"


class Criticals(BaseModel):
    """The kinds that somebody waits for."""

    critical: list[NotificationKind]

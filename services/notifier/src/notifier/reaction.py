"""What the rules are made of. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.push import Notification, NotificationKind, Push, Termination


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What follows from facts of one type."""

    company: str | None = None
    """The event on `private-company.<id>`."""
    lead: tuple[str, ...] = ()
    """The events on `presence-lead.<id>`."""
    notices: tuple[NotificationKind, ...] = ()
    """The kinds of notifications; whom two of them fit is told by the first."""
    figures: bool | str = False
    """Whether the company's figures may be others now: always, never, or when this field changed."""
    terminates: bool = False
    """Whether the user's sockets and access tokens end."""
    returns: bool = False
    """Whether those sockets' clients come back at once, to be let in anew if they may."""

    @property
    def is_about_leads(self) -> bool:
        """Whether a bulk job's facts of this type are told together."""
        return self.company is not None and self.company.startswith("lead.")


@dataclass(frozen=True, slots=True)
class Told:
    """A notification and whom it is for."""

    user_id: str
    notification: Notification


@dataclass(frozen=True, slots=True)
class ShutOut:
    """A user whose access tokens from before a moment are void."""

    user_id: str
    since: datetime
    position: int = 0
    """Of the fact that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What follows from one fact."""

    pushes: tuple[Push | Termination, ...] = ()
    notifications: tuple[Told, ...] = ()
    changes_stats: bool = False
    """Whether the company's figures may be others now."""
    job_id: str | None = None
    """The bulk job whose signal counts it."""
    shut_out: ShutOut | None = None


SILENCE: Final = Reaction()

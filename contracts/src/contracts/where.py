"""What processes tell an operator of the way of one fact: ids, channels and times, never what the fact says.

Asked over NATS. Each answers from what it stores, and from a bounded memory of what it did last.
"""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

ORDER: Final = "(closes the user's sockets)"
"""In place of an event's name: a push that is an order to the gateways, which hand it to no socket."""
MOST: Final = 200
"""Messages that one question may be about, and pushes that are looked for."""


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class Pushed(_Told):
    """A push that follows from the fact."""

    channel: str
    event: str
    message_id: str
    sequence: int | None = None
    """Its number in the stream `PUSH`; None: it is not there."""
    at: datetime | None = None
    """When it was stored."""


class Applied(_Told):
    """The active notifier's answer about a fact; the request's body is the envelope."""

    cursor: int
    """The last position of the company that had its effects."""
    at: datetime | None = None
    """When this fact had them; None: not yet, or before what this process remembers."""
    is_known: bool = True
    """False for a fact of a later release, which is passed over."""
    failure: str | None = None
    """Why nothing can follow from it."""
    passed_over: bool = False
    """Its effects did not happen: it is a dead letter."""
    dead_letter: int | None = None
    """Its number in the stream `DEAD`."""
    job_id: str | None = None
    """The bulk job whose signals stand for the fact."""
    changes_figures: bool = False
    pushes: tuple[Pushed, ...] = ()


class DeliveriesAsked(_Told):
    """A question to all gateways."""

    message_ids: tuple[str, ...] = Field(max_length=MOST)


class Delivered(_Told):
    """What a gateway did with a push."""

    message_id: str
    sequence: int
    at: datetime
    sockets: int
    """How many connections got it."""
    has_author: bool
    """Whether its author's socket was to be left out."""


class Deliveries(_Told):
    """One gateway's answer."""

    node: str
    nodes: tuple[str, ...]
    """The gateways that live, as this one sees it."""
    since: datetime
    """What it did before, it does not remember."""
    delivered: tuple[Delivered, ...] = ()

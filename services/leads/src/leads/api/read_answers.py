"""What reads answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from contracts.events import Change, LeadSummary, Message
from contracts.push import Stats
from leads.api import examples
from leads.api.schemas import Answer, Page
from leads.views import DeletedLead


def _example(example: JsonDict) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


@dataclass(frozen=True, slots=True)
class Person:
    """A user as colleagues see them."""

    id: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDetails:
    """A source as people call it."""

    key: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedLead(LeadSummary):
    """A lead, with what `include` asked for."""

    assigned_user: Person | None = None
    source_details: SourceDetails | None = None


class LeadPage(Page[ListedLead]):
    """Leads, in the order asked for."""

    model_config = _example(examples.page(examples.LISTED_LEAD, next_page="/leads?status=new&limit=1&cursor=WyI0ZjEi"))


class ListedLeadAnswer(Answer[ListedLead]):
    """One lead."""

    model_config = _example(examples.answer(examples.LISTED_LEAD))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadCount:
    """How many leads there are."""

    count: int
    exact: bool
    """False when there are more than one job can change: `count` is that limit then."""


class CountAnswer(Answer[LeadCount]):
    """The number of leads that a list would show."""

    model_config = _example(examples.answer({"count": 320, "exact": True}))


class DeletedLeadPage(Page[DeletedLead]):
    """Deleted leads, the last one deleted first."""

    model_config = _example(examples.page(examples.DELETED_LEAD))


class MessagePage(Page[Message]):
    """Messages, oldest first."""

    model_config = _example(examples.page(examples.MESSAGE))


class LeadMoment(BaseModel):
    """A version of a lead."""

    version: int
    updated_at: datetime


class LeadDiff(BaseModel):
    """A lead at two moments."""

    model_config = _example(examples.DIFF)

    before: LeadMoment
    after: LeadMoment
    changes: dict[str, Change]
    """Field → its value before and after; only fields that differ."""


class DiffAnswer(Answer[LeadDiff]):
    """What differs."""

    model_config = _example(examples.answer(examples.DIFF))


class Actor(BaseModel):
    """Who did something."""

    id: str
    name: str | None


class Cause(BaseModel):
    """What a fact came from."""

    command_id: str | None
    """The same for all facts of one request."""
    correlation_id: str | None
    """The request's `X-Correlation-ID`: the logs of all services name it."""


class HistoryEntry(BaseModel):
    """One fact of a lead's history, or of the history of a lead that was merged into it."""

    model_config = _example(examples.HISTORY_ENTRY)

    lead_id: str
    position: int
    version: int
    """The version of that lead."""
    type: str
    occurred_at: datetime
    actor: Actor | None
    changes: dict[str, Change]
    details: dict[str, Any]
    """What the fact holds besides: a message, the lead that was merged."""
    caused_by: Cause


class HistoryPage(Page[HistoryEntry]):
    """Facts, oldest first."""

    model_config = _example(examples.page(examples.HISTORY_ENTRY))


class FeedEntry(BaseModel):
    """One fact of the company's feed, with the lead as it was after it; no lead when it is about something else."""

    model_config = _example(examples.FEED_ENTRY)

    position: int
    event_id: str
    type: str
    """What it is about, and what happened: `lead.status_changed`, `user.added`, `pipeline.changed`."""
    subject: str
    """The id of what it is about: of the lead, the user, the import; of the company for its pipeline."""
    occurred_at: datetime
    actor: str | None
    """Id of the user who did it."""
    changes: dict[str, Change]
    lead: LeadSummary | None
    data: dict[str, Any]
    """What the fact holds besides: `user`, `pipeline`, `imported`, `message` …"""


class FeedPage(Page[FeedEntry]):
    """Facts in feed order."""

    model_config = _example(examples.page(examples.FEED_ENTRY))


class StatsAnswer(Answer[Stats]):
    """A company's figures."""

    model_config = _example(examples.answer(examples.STATS))

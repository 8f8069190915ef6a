"""What travels in bodies. Everything is bounded; unknown fields are refused."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from contracts.events import Change, LeadSummary
from contracts.push import Stats
from leads.api import examples
from leads.domain import LeadPatch, NewLead, Status
from leads.views import Account, Person

T = TypeVar("T")


def _text(max_length: int, pattern: str = r"^[^\x00-\x1f\x7f]*$") -> StringConstraints:
    # PostgreSQL keeps no NUL, and no field here has a use for other control characters.
    return StringConstraints(strip_whitespace=True, max_length=max_length, pattern=pattern)


Name = Annotated[str, _text(200), Field(min_length=1)]
Email = Annotated[str, _text(254, r"^([^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+)?$")]
Phone = Annotated[str, _text(50)]
Organisation = Annotated[str, _text(200)]
Source = Annotated[str, _text(100)]


def _example(example: JsonDict) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewLeadBody(_Body):
    """A lead to create; only its name is needed."""

    model_config = _example({"name": "Ada Lovelace", "email": "ada@example.com", "source": "website", "status": "new"})

    name: Name
    email: Email | None = None
    phone: Phone | None = None
    organisation: Organisation | None = None
    source: Source | None = None
    status: Status = Status.NEW
    assigned_to: UUID | None = None

    def values(self) -> NewLead:
        return NewLead(
            name=self.name,
            email=self.email,
            phone=self.phone,
            organisation=self.organisation,
            source=self.source,
            status=self.status,
            assigned_to=str(self.assigned_to) if self.assigned_to else None,
        )


class LeadPatchBody(_Body):
    """New values of the fields that are to change; null clears one."""

    model_config = _example({"status": "contacted", "phone": None})

    # An absent field keeps its value: nobody looks at the defaults.
    name: Name = Field(default_factory=str)
    email: Email | None = None
    phone: Phone | None = None
    organisation: Organisation | None = None
    source: Source | None = None
    status: Status = Field(default_factory=lambda: Status.NEW)
    assigned_to: UUID | None = None

    def patch(self) -> LeadPatch:
        given: LeadPatch = self.model_dump(exclude_unset=True)  # type: ignore[assignment]
        if self.assigned_to is not None:
            given["assigned_to"] = str(self.assigned_to)
        return given


class Credentials(_Body):
    """Who wants to log in."""

    model_config = _example({"email": "ada@example.com", "password": "secret words"})

    email: Annotated[str, _text(254), Field(min_length=1)]
    password: str = Field(min_length=1, max_length=200, repr=False)


class Meta(BaseModel):
    """Beside every answer."""

    position: int
    """The company's feed position that the data reflects: ignore events at or below it."""


class Answer(BaseModel, Generic[T]):
    """One thing."""

    data: T
    meta: Meta


class Links(BaseModel):
    """Where to go on."""

    next: str | None
    """The next page; null on the last."""


class Page(Answer[list[T]], Generic[T]):
    """Some of many things."""

    links: Links


class LeadAnswer(Answer[LeadSummary]):
    """One lead."""

    model_config = _example(examples.answer(examples.LEAD))


class LeadPage(Page[LeadSummary]):
    """Leads, newest first."""

    model_config = _example(examples.page(examples.LEAD, next_page="/leads?cursor=MjAyNi0x&limit=1"))


class Actor(BaseModel):
    """Who did something."""

    id: str
    name: str | None


class HistoryEntry(BaseModel):
    """One fact of a lead's history."""

    model_config = _example(examples.HISTORY_ENTRY)

    position: int
    version: int
    type: str
    occurred_at: datetime
    actor: Actor | None
    changes: dict[str, Change]


class FeedEntry(BaseModel):
    """One fact of the company's feed, with the lead as it was after it; no lead when it is about something else."""

    model_config = _example(examples.FEED_ENTRY)

    position: int
    event_id: str
    type: str
    occurred_at: datetime
    actor: str | None
    """Id of the user who did it."""
    changes: dict[str, Change]
    lead: LeadSummary | None


class HistoryPage(Page[HistoryEntry]):
    """A lead's facts, oldest first."""


class FeedPage(Page[FeedEntry]):
    """Facts in feed order."""


class StatsAnswer(Answer[Stats]):
    """A company's figures."""

    model_config = _example(examples.answer(examples.STATS))


class AccountAnswer(Answer[Account]):
    """Whom the access token stands for."""

    model_config = _example(examples.answer(examples.ACCOUNT))


class PeoplePage(Page[Person]):
    """The company's users."""

    model_config = _example(
        {"data": [{**examples.PERSON, "role": "agent"}], "meta": {"position": 41}, "links": {"next": None}}
    )


class Login(BaseModel):
    """An access token and whom it is for."""

    model_config = _example(
        {"access_token": "eyJ…", "token_type": "Bearer", "expires_in": 43200, "user": examples.ACCOUNT}
    )

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a word of RFC 6750
    expires_in: int
    """Seconds."""
    user: Account


class ChannelAuth(BaseModel):
    """What pusher-js forwards to the gateway."""

    model_config = _example({"auth": "app-key:5c1f7f0e…"})

    auth: str
    channel_data: str | None = None

"""What travels in bodies. Everything is bounded; unknown fields are refused."""

from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from contracts.events import LeadSummary
from leads.api import examples
from leads.command import Answer as CommandAnswer
from leads.command import Feed

T = TypeVar("T")


def text(max_length: int, pattern: str = r"^[^\x00-\x1f\x7f]*$") -> StringConstraints:
    """Return the constraints of a line of text."""
    # PostgreSQL keeps no NUL, and no field here has a use for other control characters.
    return StringConstraints(strip_whitespace=True, max_length=max_length, pattern=pattern)


def example(shown: JsonDict) -> ConfigDict:
    """Let OpenAPI show this."""
    return ConfigDict(json_schema_extra={"examples": [shown]})


class Body(BaseModel):
    """Of a request: what is not expected is refused."""

    model_config = ConfigDict(extra="forbid")


class Credentials(Body):
    """Who wants to log in."""

    model_config = example({"email": "ada@example.com", "password": "secret words"})

    email: Annotated[str, text(254), Field(min_length=1)]
    password: str = Field(min_length=1, max_length=200, repr=False)
    device_token: str | None = Field(default=None, max_length=1000, repr=False)
    """Of the last log-in on this device. Without it others' wrong guesses may make this log-in wait."""
    company: UUID | None = None
    """The id of the company whose user this is; needed only by somebody who is a user of several with one password."""


class Meta(BaseModel):
    """Beside every answer."""

    position: int
    """The company's feed position that the data reflects: ignore events of the same epoch at or below it."""
    epoch: str | None = None
    """The log's epoch. Positions of different epochs are not comparable: on another one, load everything again."""

    @classmethod
    def of(cls, reflected: Feed | CommandAnswer) -> "Meta":
        """Return what an answer says about the place in the company's feed that it reflects."""
        return cls(position=reflected.position, epoch=reflected.epoch)


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

    model_config = example(examples.answer(examples.LEAD))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user as they see themselves."""

    id: str
    name: str
    email: str
    role: str
    company_id: str
    company_name: str


class AccountAnswer(Answer[Account]):
    """Whom the access token stands for."""

    model_config = example(examples.answer(examples.ACCOUNT))


class Login(BaseModel):
    """An access token and whom it is for."""

    model_config = example(
        {
            "access_token": "eyJ…",
            "token_type": "Bearer",
            "expires_in": 43200,
            "device_token": "eyJ…",
            "user": examples.ACCOUNT,
        }
    )

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a word of RFC 6750
    expires_in: int
    """Seconds."""
    device_token: str
    """For the next log-in on this device; it opens nothing by itself."""
    user: Account


class ChannelAuth(BaseModel):
    """What pusher-js forwards to the gateway."""

    model_config = example({"auth": "app-key:5c1f7f0e…"})

    auth: str
    channel_data: str | None = None

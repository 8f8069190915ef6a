"""What a company has settled: its people, its pipeline, its sources, fields of its own. Decisions take it as given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from contracts.events import Pipeline, Role, Stage

FieldKind: TypeAlias = Literal["text", "number", "boolean", "date", "choice", "choices", "url"]


class SettingsRefusal(Exception):
    """A change of a company's settings that the rules do not allow.

    - SettingsRefusal
      - TooMany
      - UserNotFound, EmailTaken, LastAdmin, StaleUser (people)
      - InvalidPipeline, StageInUse, StalePipeline (pipeline)
      - SourceNotFound, FieldNotFound, KeyTaken, SourceInUse, InvalidField (catalogue)
      - ViewNotFound (saved views)
    """

    code = "settings_refused"


class TooMany(SettingsRefusal):
    """A company has no room for more of these."""

    code = "too_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who works, or worked, for the company."""

    id: str
    name: str
    role: Role
    email: str = ""
    active: bool = True
    tokens_since: datetime | None = None
    """Access tokens from before are void."""
    version: int = 0
    """Of the user's facts; 0 for one who came with the company."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """A field that the company's leads have besides those of every lead."""

    key: str
    label: str
    kind: FieldKind
    choices: tuple[str, ...] = ()
    """What may be chosen; only for `choice` and `choices`."""
    required: bool = False
    active: bool = True
    """An inactive one keeps its values and takes no new ones."""
    position: int = 0
    """Where a form shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where leads come from."""

    key: str
    name: str
    active: bool = True


DEFAULT_PIPELINE: Final = Pipeline(
    stages=(
        Stage(key="new", name="New"),
        Stage(key="contacted", name="Contacted"),
        Stage(key="qualified", name="Qualified"),
        Stage(key="won", name="Won", kind="won"),
        Stage(key="lost", name="Lost", kind="lost"),
    ),
    version=0,
)
"""What a new company starts with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A company's settings as of one version of them."""

    id: str
    name: str
    region: str | None = None
    """ISO 3166 country of phone numbers without a country code; None: each needs one."""
    currency: str | None = None
    """ISO 4217 currency of values without one; None: each needs one."""
    pipeline: Pipeline = DEFAULT_PIPELINE
    users: Mapping[str, User] = field(default_factory=lambda: MappingProxyType({}))
    """By id; also those who are not active any more."""
    sources: Mapping[str, Source] = field(default_factory=lambda: MappingProxyType({}))
    """By key."""
    custom_fields: Mapping[str, CustomField] = field(default_factory=lambda: MappingProxyType({}))
    """By key."""
    settings_version: int = 0
    """Rises with every change of anything here."""

    def stage(self, key: str) -> Stage | None:
        """Return the stage of that key; None when the pipeline has none, or none any more."""
        return next((stage for stage in self.pipeline.stages if stage.key == key), None)

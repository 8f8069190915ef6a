"""The facts of the log: frozen, in the past tense, each with one name that never changes.

A lead's fact carries the lead's summary *after* it, so that a consumer needs no second source. A new field gets a
default; a new meaning gets a new name (`.v2`) and an upcaster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

Value: TypeAlias = str | int | float | bool | tuple[str, ...] | None
"""What a field of a lead may hold. Money is decimal text: a float would lose cents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadSummary:
    """What a list row shows of one lead, as it is after a fact."""

    id: str
    name: str
    email: str | None = None
    """Lower case."""
    phone: str | None = None
    """E.164, such as `+5511987654321`."""
    organisation: str | None = None
    title: str | None = None
    """The person's position in the organisation."""
    source: str | None = None
    """The key of one of the company's sources."""
    status: str
    """The key of a stage of the company's pipeline."""
    status_since: datetime | None = None
    lost_reason: str | None = None
    """Why it is lost; none while it is not."""
    assigned_to: str | None = None
    """The id of the user who works on it."""
    value: str | None = None
    """What it may bring, as decimal text with two places: `1500.00`."""
    currency: str | None = None
    """ISO 4217; there whenever `value` is."""
    score: int | None = None
    """0 to 100."""
    tags: tuple[str, ...] = ()
    """Lower case, sorted, each once."""
    custom: Mapping[str, Value] = field(default_factory=dict)
    """The company's own fields by key; only those that have a value."""
    messages: int = 0
    """How many messages its chat has."""
    contact_id: str | None = None
    """The contact it was converted to."""
    deal_id: str | None = None
    """The deal it was converted to."""
    converted_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    version: int
    """The lead's stream version: 1 for its first fact, then dense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field's value before and after."""

    old: Value
    new: Value


Changes: TypeAlias = Mapping[str, Change]
"""Field name → its change; only fields that really changed. A company's own field is `custom.<key>`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of the chat on a lead."""

    id: str
    author: str
    """A user's id."""
    body: str
    mentions: tuple[str, ...] = ()
    """The ids of the users it mentions."""
    posted_at: datetime
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Another lead with the same e-mail address or phone number."""

    id: str
    assigned_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadCreated:
    """Somebody entered a lead."""

    lead: LeadSummary
    duplicates: tuple[Duplicate, ...] = ()
    """The leads it duplicates, knowingly: its author was told of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadUpdated:
    """Somebody changed what is known of a lead (neither its status, its assignee nor its tags)."""

    lead: LeadSummary
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadAssigned:
    """A lead got another assignee, or none."""

    lead: LeadSummary
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadStatusChanged:
    """A lead moved to another stage of the pipeline."""

    lead: LeadSummary
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTagged:
    """A lead got or lost tags."""

    lead: LeadSummary
    added: tuple[str, ...] = ()
    """Sorted, each once."""
    removed: tuple[str, ...] = ()

    @property
    def changes(self) -> Changes:
        """The same as facts about other fields say it: all tags before and after."""
        before = sorted({*self.lead.tags, *self.removed} - {*self.added})
        return {"tags": Change(old=tuple(before), new=self.lead.tags)} if self.added or self.removed else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadMessagePosted:
    """Somebody wrote a message on a lead."""

    lead: LeadSummary
    message: Message
    participants: tuple[str, ...] = ()
    """Who follows the lead: its assignee, and everybody who wrote or was mentioned so far. User ids, each once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadMessageEdited:
    """The author changed a message."""

    lead: LeadSummary
    message: Message
    before: str
    """The body until now."""
    mentioned: tuple[str, ...] = ()
    """Those whom only the new body mentions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadConverted:
    """A lead became a contact and a deal; `lead` names both."""

    lead: LeadSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadMerged:
    """A lead took in another one, whose own last fact is a `LeadDeleted` that names this lead."""

    lead: LeadSummary
    merged: LeadSummary
    """The other lead as it was."""
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadDeleted:
    """Somebody deleted a lead, or merged it into another; the summary is its last state."""

    lead: LeadSummary
    merged_into: str | None = None
    """The lead that took it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRestored:
    """Somebody took a deletion back."""

    lead: LeadSummary


LeadEvent: TypeAlias = (
    LeadCreated
    | LeadUpdated
    | LeadAssigned
    | LeadStatusChanged
    | LeadTagged
    | LeadMessagePosted
    | LeadMessageEdited
    | LeadConverted
    | LeadMerged
    | LeadDeleted
    | LeadRestored
)


Role: TypeAlias = Literal["viewer", "agent", "manager", "admin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSummary:
    """A user as they are after a fact."""

    id: str
    name: str
    email: str
    role: Role
    active: bool = True
    """Whether they may log in."""
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAdded:
    """Somebody may log in from now on."""

    user: UserSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanged:
    """A user got another name, e-mail address or role."""

    user: UserSummary
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDeactivated:
    """A user may not log in any more; tokens and sockets end."""

    user: UserSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class UserReactivated:
    """A user may log in again."""

    user: UserSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSignedOut:
    """A user has to log in anew, everywhere: they logged out, or have another password. Tokens and sockets end."""

    user: UserSummary


UserEvent: TypeAlias = UserAdded | UserChanged | UserDeactivated | UserReactivated | UserSignedOut


StageKind: TypeAlias = Literal["open", "won", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a pipeline."""

    key: str
    """What leads name as their status."""
    name: str
    kind: StageKind = "open"
    next: tuple[str, ...] | None = None
    """The stages to which a lead may move from here; None for any."""
    reason_required: bool = False
    """Whether a lead needs a lost reason to get here; only for stages of the kind `lost`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The stages that a company's leads go through."""

    stages: tuple[Stage, ...]
    """In order; a new lead starts in the first."""
    version: int
    """Dense from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineChanged:
    """A company has another pipeline from now on. Its stream's id is the company's."""

    pipeline: Pipeline


Outcome: TypeAlias = Literal["done", "cancelled", "failed"]
"""How a job ended. What it did until then stays done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """An import of leads from a file, as it is after a fact."""

    id: str
    name: str
    """What its author called it: the file's name."""
    author: str
    """A user's id."""
    rows: int
    created: int = 0
    duplicates: int = 0
    """Rows left out because there is such a lead already."""
    failed: int = 0
    """Rows that are no valid lead."""
    updated: int = 0
    """Rows that changed a lead that is there already."""
    done: int = 0
    """Rows seen to so far."""
    outcome: Outcome | None = None
    """How it ended; none while it runs."""
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportStarted:
    """Somebody imports leads."""

    imported: ImportSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgressed:
    """An import is under way; at most about once a second."""

    imported: ImportSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFinished:
    """An import came to its end."""

    imported: ImportSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReverted:
    """Somebody took an import back: its leads are deleted."""

    imported: ImportSummary


ImportEvent: TypeAlias = ImportStarted | ImportProgressed | ImportFinished | ImportReverted


JobKind: TypeAlias = Literal["bulk", "undo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """A change of many leads, as it is after a fact."""

    id: str
    kind: JobKind
    action: str
    """What it does to its leads: `edit`, `assign`, `status`, `tag`, `delete`, `undo`."""
    author: str
    """A user's id."""
    undoes: str | None = None
    """The job or import that it takes back."""
    total: int
    """Leads."""
    done: int = 0
    """Leads seen to so far."""
    changed: int = 0
    refused: int = 0
    """Leads that the rules left as they were."""
    outcome: Outcome | None = None
    """How it ended; none while it runs."""
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted:
    """Somebody changes many leads at once."""

    job: JobSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgressed:
    """A change of many leads is under way; at most about once a second."""

    job: JobSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinished:
    """A change of many leads came to its end."""

    job: JobSummary


JobEvent: TypeAlias = JobStarted | JobProgressed | JobFinished


Fact: TypeAlias = LeadEvent | UserEvent | PipelineChanged | ImportEvent | JobEvent
"""Anything a company's feed may hold."""

NAMES: Final[Mapping[type[Fact], str]] = MappingProxyType(
    {
        LeadCreated: "crm.lead.created.v1",
        LeadUpdated: "crm.lead.updated.v1",
        LeadAssigned: "crm.lead.assigned.v1",
        LeadStatusChanged: "crm.lead.status_changed.v1",
        LeadTagged: "crm.lead.tagged.v2",
        LeadMessagePosted: "crm.lead.message_posted.v1",
        LeadMessageEdited: "crm.lead.message_edited.v1",
        LeadConverted: "crm.lead.converted.v1",
        LeadMerged: "crm.lead.merged.v1",
        LeadDeleted: "crm.lead.deleted.v1",
        LeadRestored: "crm.lead.restored.v1",
        UserAdded: "crm.user.added.v1",
        UserChanged: "crm.user.changed.v1",
        UserDeactivated: "crm.user.deactivated.v1",
        UserReactivated: "crm.user.reactivated.v1",
        UserSignedOut: "crm.user.signed_out.v1",
        PipelineChanged: "crm.pipeline.changed.v1",
        ImportStarted: "crm.import.started.v1",
        ImportProgressed: "crm.import.progressed.v1",
        ImportFinished: "crm.import.finished.v1",
        ImportReverted: "crm.import.reverted.v1",
        JobStarted: "crm.job.started.v1",
        JobProgressed: "crm.job.progressed.v1",
        JobFinished: "crm.job.finished.v1",
    }
)
"""Fact class → the name it has in the log, on the wire and in the schema files. Classes may move; names may not."""

TYPES: Final[Mapping[str, type[Fact]]] = MappingProxyType({name: fact for fact, name in NAMES.items()})
"""The same table read backwards."""


class UnknownEvent(Exception):
    """A fact's name is in no table of this release: a newer producer, or a stranger."""


def subject_of(fact: Fact, company_id: str) -> str:
    """Return the id of what a fact is about, which is the id of its stream."""
    if isinstance(fact, PipelineChanged):
        return company_id
    if isinstance(fact, UserEvent):
        return fact.user.id
    if isinstance(fact, ImportEvent):
        return fact.imported.id
    if isinstance(fact, JobEvent):
        return fact.job.id
    return fact.lead.id


def version_of(fact: Fact) -> int:
    """Return the version that a fact's stream has with it."""
    if isinstance(fact, PipelineChanged):
        return fact.pipeline.version
    if isinstance(fact, UserEvent):
        return fact.user.version
    if isinstance(fact, ImportEvent):
        return fact.imported.version
    if isinstance(fact, JobEvent):
        return fact.job.version
    return fact.lead.version


def kind_of(name: str) -> str:
    """Return what a fact of that name is about: `crm.lead.status_changed.v1` → `lead`."""
    return name.split(".")[1]


def event_of(name: str) -> str:
    """Return the short event of a fact's name: `crm.lead.status_changed.v1` → `status_changed`."""
    return name.split(".")[2]

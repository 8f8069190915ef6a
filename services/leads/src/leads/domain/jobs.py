"""Jobs: what is to be done to many leads, how far it is, and who may stop it or take it back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, cast

from contracts.events import (
    ImportEvent,
    ImportFinished,
    ImportProgressed,
    ImportStarted,
    ImportSummary,
    JobEvent,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobSummary,
    LeadEvent,
    Outcome,
)
from leads.domain.assignment import assign
from leads.domain.changing import change
from leads.domain.company import Company
from leads.domain.deletion import delete
from leads.domain.details import LeadPatch
from leads.domain.importing import Import
from leads.domain.lead import Lead
from leads.domain.stage import change_status
from leads.domain.tags import tag

State: TypeAlias = Literal["uploading", "uploaded", "queued", "running", "done", "cancelled", "failed"]
OPEN: Final[frozenset[State]] = frozenset({"queued", "running"})
ENDED: Final[frozenset[State]] = frozenset({"done", "cancelled", "failed"})

MOST_IDS: Final = 1000  # leads that one request names
MOST_LEADS: Final = 200_000  # leads that one job changes
MOST_OPEN: Final = 20  # jobs of a company that wait or run
MOST_OWN: Final = 5  # of one user
MOST_UPLOADED: Final = 10  # imports of a company that are not started
BATCH: Final = 250  # leads or rows of one transaction: the company's lock is held for no longer
TOLERATED_PERCENT: Final = 5  # by which a filter's leads may have grown since its user was shown their number …
MOST_TOLERATED: Final = 100  # … but by no more leads than this
TELLING: Final = timedelta(seconds=1)
"""Between two facts that say how far a job is."""
MOST_ATTEMPTS: Final = 20
"""A job that was taken up so often without getting on never will."""
PATIENCE: Final = timedelta(minutes=10)
"""How long attempts that end with the loss of the database do not count."""


class JobRefusal(Exception):
    """Something that cannot be done with jobs.

    - JobRefusal
      - JobNotFound
        - ImportNotFound
      - TooManyJobs
      - JobIsOver
      - JobNotFinished
      - JobNotUndoable
      - ImportIsStarted
      - CountChanged
    """

    code = "job_refused"


class JobNotFound(JobRefusal):
    """The company has no such job."""

    code = "job_not_found"


class ImportNotFound(JobNotFound):
    """The company has no such import."""

    code = "import_not_found"


class TooManyJobs(JobRefusal):
    """The company, or the user, has no room for more open jobs."""

    code = "too_many_jobs"


class JobIsOver(JobRefusal):
    """A job that has ended cannot be cancelled."""

    code = "job_finished"


class JobNotFinished(JobRefusal):
    """Only a job that has ended can be taken back."""

    code = "job_not_finished"


class JobNotUndoable(JobRefusal):
    """A job that takes another one back, or that changed nothing, or of which too little is known any more."""

    code = "job_not_undoable"


class ImportIsStarted(JobRefusal):
    """What was started cannot be mapped or forgotten any more."""

    code = "import_started"


class CountChanged(JobRefusal):
    """A filter means more leads than its user was shown."""

    code = "count_changed"

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count
        """Leads that the filter means now; at most `MOST_LEADS` + 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Other values for what is known of the leads."""

    fields: Mapping[str, Any]
    """As `LeadPatch`."""
    action: Literal["edit"] = "edit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Another assignee, nobody, or whose turn it is."""

    assigned_to: str | None = None
    by_turn: bool = False
    action: Literal["assign"] = "assign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Another stage."""

    status: str
    lost_reason: str | None = None
    action: Literal["status"] = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retag:
    """Tags to add and to take away."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    action: Literal["tag"] = "tag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """The leads are to go."""

    action: Literal["delete"] = "delete"


BulkChange: TypeAlias = Edit | Assign | Move | Retag | Delete


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """The same change of many leads."""

    change: BulkChange
    filter: Mapping[str, Any] | None = None
    """Parameters of `GET /leads`; None when the leads were named."""
    expected_count: int | None = None
    """Leads of the filter that its user was shown; None when the leads were named, and in jobs of older releases."""
    kind: Literal["bulk"] = "bulk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Taking back what another job did."""

    of: str
    of_import: bool = False
    kind: Literal["undo"] = "undo"


Task: TypeAlias = Bulk | Undo | Import

OPERATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "edit": "change_lead",
        "assign": "assign_lead",
        "status": "change_status",
        "tag": "tag_lead",
        "delete": "delete_lead",
        "undo": "undo_job",
        "import": "start_import",
    }
)
"""Action → the operation that its author must be allowed, as long as the job runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it is."""

    id: str
    kind: Literal["bulk", "undo", "import"]
    state: State
    author: str
    task: Task
    total: int | None = None
    """Leads or rows; None until they are counted."""
    done: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """Outcome → leads or rows: `changed`, `unchanged`; `created`, `updated`, `duplicated`."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Code → leads or rows."""
    error: str | None = None
    batch: int = 0
    """The next one."""
    mark: Mapping[str, Any] | None = None
    version: int = 0
    """Of its facts."""
    undoes: str | None = None
    undone_by: str | None = None
    undo_state: State | None = None
    """Of the job that takes it back."""
    correlation_id: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    told_at: datetime | None = None
    attempts: int = 0
    """How often it was taken up since it last got on."""
    reason: str | None = None
    """What its last attempt failed with since it last got on: the name of an exception, or PostgreSQL's SQLSTATE."""

    @property
    def action(self) -> str:
        """What it does to its leads."""
        return self.task.change.action if isinstance(self.task, Bulk) else self.kind

    @property
    def operation(self) -> str:
        """What its author must be allowed."""
        if isinstance(self.task, Undo) and self.task.of_import:
            return "revert_import"
        return OPERATIONS[self.action]

    @property
    def changed(self) -> int:
        """Leads that it changed."""
        return sum(self.counts.get(outcome, 0) for outcome in ("changed", "created", "updated"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One lead or row that the rules left out."""

    item: int
    lead_id: str | None
    code: str
    errors: Sequence[Mapping[str, Any]] = ()


@dataclass(slots=True)
class Portion:
    """What one batch came to."""

    items: int
    facts: list[LeadEvent] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)


def decide(wanted: BulkChange, lead: Lead | None, company: Company, now: datetime) -> Sequence[LeadEvent]:
    """Return what becomes of one lead, by the rules of single changes."""
    match wanted:
        case Edit(fields=fields):
            return change(lead, cast("LeadPatch", fields), company, now)
        case Assign(assigned_to=user_id):
            return assign(lead, user_id, company, now)
        case Move(status=status, lost_reason=reason):
            return change_status(lead, status, reason, company, now)
        case Retag(add=add, remove=remove):
            return tag(lead, add, remove, now)
        case Delete():
            return delete(lead, now)


def after(job: Job, portion: Portion) -> Job:
    """Return a job after one more batch."""
    refused = Counter(job.refused) + Counter(refusal.code for refusal in portion.refused)
    return replace(
        job,
        done=job.done + portion.items,
        counts=dict(Counter(job.counts) + portion.counts),  # no zeros
        refused=dict(refused),
        batch=job.batch + 1,
        attempts=0,
        reason=None,
    )


def ended(job: Job, outcome: Outcome, now: datetime, error: str | None = None) -> Job:
    """Return a job that has come to its end."""
    total = job.done if job.kind == "undo" and outcome == "done" else job.total  # a lead is taken back but once
    return replace(job, state=outcome, error=error, finished_at=now, total=total)


def tell(job: Job, now: datetime) -> tuple[Job, list[ImportEvent | JobEvent]]:
    """Return what is to be told of a job now, and the job that has told it: its start, each second, and its end."""
    if job.state in ENDED:
        return _told(job, now, [ImportFinished, JobFinished])
    if job.version == 0:
        return _told(job, now, [ImportStarted, JobStarted])
    if job.told_at is None or now - job.told_at >= TELLING:
        return _told(job, now, [ImportProgressed, JobProgressed])
    return job, []


def _told(job: Job, now: datetime, kinds: list[Any]) -> tuple[Job, list[ImportEvent | JobEvent]]:
    told = replace(job, version=job.version + 1, told_at=now)
    of_import, of_job = kinds
    if isinstance(job.task, Import):
        return told, [of_import(imported=import_summary(told))]
    return told, [of_job(job=job_summary(told))]


def import_summary(job: Job, *, version: int | None = None) -> ImportSummary:
    """Return an import as its facts tell it."""
    assert isinstance(job.task, Import)
    return ImportSummary(
        id=job.id,
        name=job.task.name,
        author=job.author,
        rows=job.total or 0,
        created=job.counts.get("created", 0),
        duplicates=job.counts.get("duplicated", 0),
        failed=sum(job.refused.values()),
        updated=job.counts.get("updated", 0),
        done=job.done,
        outcome=_outcome(job),
        version=version or job.version,
    )


def job_summary(job: Job) -> JobSummary:
    """Return a bulk job as its facts tell it."""
    assert job.kind != "import"
    return JobSummary(
        id=job.id,
        kind=job.kind,
        action=job.action,
        author=job.author,
        undoes=job.undoes,
        total=job.total or 0,
        done=job.done,
        changed=job.changed,
        refused=sum(job.refused.values()),
        outcome=_outcome(job),
        version=job.version,
    )


def _outcome(job: Job) -> Outcome | None:
    return job.state if job.state in ("done", "cancelled", "failed") else None


def require_room(company_open: int, own_open: int) -> None:
    """Refuse one open job too many."""
    if company_open >= MOST_OPEN or own_open >= MOST_OWN:
        raise TooManyJobs


def require_count(task: Bulk, count: int) -> None:
    """Refuse a filter that means more leads than its user was shown, by more than a little.

    A little is 5 % of what was shown, rounded up, and at most 100 leads: what came in while the user decided. Fewer
    leads than expected are no reason to refuse.

    Raises:
        CountChanged: see above.
    """
    if task.expected_count is not None and count > task.expected_count + tolerated_growth(task.expected_count):
        raise CountChanged(count)


def tolerated_growth(expected_count: int) -> int:
    """Return by how many leads a filter may have grown since its user was shown so many."""
    return min(-(-expected_count * TOLERATED_PERCENT // 100), MOST_TOLERATED)


def require_undoable(job: Job) -> None:
    """Refuse to take back what cannot be."""
    if job.state not in ENDED:
        raise JobNotFinished
    if job.kind == "undo" or not job.changed:
        raise JobNotUndoable

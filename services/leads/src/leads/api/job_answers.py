"""How jobs are shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from pydantic.config import JsonDict

from leads.api import examples
from leads.api.schemas import Answer, Page, example
from leads.domain.jobs import Job, Refused

SHOWN_JOB: Final[JsonDict] = {
    "id": "01939d40-77a2-7c3e-9d0b-2f6c1c1f0a91",
    "kind": "bulk",
    "action": "assign",
    "state": "running",
    "author": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01",
    "total": 1200,
    "done": 500,
    "changed": 480,
    "unchanged": 15,
    "refused": {"lead_not_found": 5},
    "error": None,
    "reason": None,
    "undoes": None,
    "undone_by": None,
    "created_at": "2026-11-23T17:50:10Z",
    "started_at": "2026-11-23T17:50:11Z",
    "finished_at": None,
}
_REFUSAL: Final[JsonDict] = {
    "item": 17,
    "lead_id": "01939d1c-77a2-7c3e-9d0b-2f6c1c1f0a55",
    "code": "illegal_transition",
    "errors": [],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownJob:
    """A change of many leads, or an import, and how far it is."""

    id: str
    kind: Literal["bulk", "undo", "import"]
    action: str
    """What it does: `edit`, `assign`, `status`, `tag`, `delete`, `undo`, `import`."""
    state: Literal["queued", "running", "done", "cancelled", "failed"]
    author: str
    """A user's id."""
    total: int | None
    """Leads, or rows of a file; null until they are counted."""
    done: int
    changed: int
    unchanged: int
    """Leads that were so already; rows whose lead is there already."""
    refused: Mapping[str, int]
    """Code → how many the rules left as they were."""
    error: str | None
    """Why it failed."""
    reason: str | None
    """What the last attempt failed with since the job last got on: the name of an exception, or an SQLSTATE."""
    undoes: str | None
    """The job that it takes back."""
    undone_by: str | None
    """The job that takes it back."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRefusal:
    """What was refused of a job."""

    item: int
    """The number of a lead in the job, or the row of a file, from 1."""
    lead_id: str | None
    code: str
    errors: list[dict[str, Any]]


class JobAnswer(Answer[ShownJob]):
    """One job."""

    model_config = example(examples.answer(SHOWN_JOB))


class JobPage(Page[ShownJob]):
    """Jobs, the newest first."""

    model_config = example(examples.page(SHOWN_JOB))


class RefusalPage(Page[ShownRefusal]):
    """What was refused, in the order of the job."""

    model_config = example(examples.page(_REFUSAL))


def shown(job: Job) -> ShownJob:
    """Return a job as requests see it."""
    assert job.state != "uploading"
    assert job.state != "uploaded"
    return ShownJob(
        id=job.id,
        kind=job.kind,
        action=job.action,
        state=job.state,
        author=job.author,
        total=job.total,
        done=job.done,
        changed=job.changed,
        unchanged=job.counts.get("unchanged", 0) + job.counts.get("duplicated", 0),
        refused=job.refused,
        error=job.error,
        reason=job.reason,
        undoes=job.undoes,
        undone_by=job.undone_by,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def shown_refusal(refusal: Refused) -> ShownRefusal:
    """Return a refusal as requests see it."""
    return ShownRefusal(
        item=refusal.item, lead_id=refusal.lead_id, code=refusal.code, errors=[dict(error) for error in refusal.errors]
    )

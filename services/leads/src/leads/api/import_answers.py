"""How imports are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from pydantic import TypeAdapter
from pydantic.config import JsonDict

from contracts.events import LeadSummary
from leads.api import examples
from leads.api.schemas import Answer, Page, example
from leads.domain.company import Company
from leads.domain.importing import PREVIEWED, Import, Reader, fields_of, required_fields
from leads.domain.jobs import Job

ImportState: TypeAlias = Literal[
    "uploaded", "queued", "running", "done", "cancelled", "failed", "reverting", "reverted"
]
_NEW: Final = frozenset(
    {
        *("name", "email", "phone", "organisation", "title", "source", "status", "lost_reason", "assigned_to"),
        *("value", "currency", "score", "tags", "custom"),
    }
)
_SUMMARY: Final = TypeAdapter(LeadSummary)
_SHOWN: Final[JsonDict] = {
    "id": "01939d55-77a2-7c3e-9d0b-2f6c1c1f0a92",
    "name": "leads.csv",
    "author": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01",
    "state": "uploaded",
    "encoding": "utf-8",
    "delimiter": ";",
    "header": True,
    "rows": 2,
    "bytes": 60,
    "columns": ["Name", "E-Mail", "Plan"],
    "mapping": ["name", "email", "custom.plan"],
    "duplicates": "skip",
    "defaults": {},
    "fields": [{"field": "name", "label": "Name", "required": True}],
    "preview": [
        {
            "row": 1,
            "cells": ["Ada Lovelace", "ada@example.com", "pro"],
            "lead": {"name": "Ada Lovelace", "email": "ada@example.com", "custom": {"plan": "pro"}},
            "errors": [],
        },
        {
            "row": 2,
            "cells": ["", "x", ""],
            "lead": None,
            "errors": [{"column": 0, "field": "name", "code": "name_missing", "message": "Should not be blank"}],
        },
    ],
    "done": 0,
    "created": 0,
    "updated": 0,
    "duplicated": 0,
    "failed": 0,
    "error": None,
    "reason": None,
    "reverted_by": None,
    "created_at": "2026-11-23T17:50:10Z",
    "started_at": None,
    "finished_at": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MappableField:
    """What a column may be."""

    field: str
    label: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """What is wrong with a row."""

    column: int | None
    """From 0; null when it is about no single column."""
    field: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """A row, and what it would become."""

    row: int
    """From 1, the header left aside."""
    cells: Sequence[str]
    lead: Mapping[str, Any] | None
    """What the lead would be; null when there are errors."""
    errors: Sequence[RowProblem]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownImport:
    """A file of leads, and how far it is."""

    id: str
    name: str
    author: str
    state: ImportState
    encoding: str
    delimiter: str
    header: bool
    rows: int
    bytes: int
    columns: Sequence[str]
    mapping: Sequence[str | None]
    """A field for each column; null leaves it out."""
    duplicates: Literal["skip", "update", "create"]
    defaults: Mapping[str, Any]
    fields: Sequence[MappableField] = ()
    """What columns may be mapped to; only while it is `uploaded`."""
    preview: Sequence[PreviewRow] = ()
    """The first rows by this mapping; only while it is `uploaded`."""
    done: int
    created: int
    updated: int
    duplicated: int
    failed: int
    error: str | None
    reason: str | None
    """What the last attempt failed with since the job last got on: the name of an exception, or an SQLSTATE."""
    reverted_by: str | None
    """The job that takes it back."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ImportAnswer(Answer[ShownImport]):
    """One import."""

    model_config = example(examples.answer(_SHOWN))


class ImportPage(Page[ShownImport]):
    """Imports, the newest first."""

    model_config = example(examples.page({**_SHOWN, "fields": [], "preview": []}))


def shown(
    job: Job, *, company: Company | None = None, rows: Sequence[Sequence[str]] = (), now: datetime | None = None
) -> ShownImport:
    """Return an import as requests see it, with a preview of rows if there are some."""
    task = job.task
    assert isinstance(task, Import)
    fields: list[MappableField] = []
    preview: list[PreviewRow] = []
    if company is not None and now is not None and job.state == "uploaded":
        required = required_fields(company)
        fields = [
            MappableField(field=name, label=label, required=name in required)
            for name, label in fields_of(company).items()
        ]
        preview = _preview(task, company, rows, now)
    return ShownImport(
        id=job.id,
        name=task.name,
        author=job.author,
        state=_state(job),
        encoding=task.encoding,
        delimiter=task.delimiter,
        header=task.header,
        rows=job.total or 0,
        bytes=task.bytes,
        columns=task.columns,
        mapping=task.mapping,
        duplicates=task.duplicates,
        defaults=task.defaults,
        fields=fields,
        preview=preview,
        done=job.done,
        created=job.counts.get("created", 0),
        updated=job.counts.get("updated", 0),
        duplicated=job.counts.get("duplicated", 0),
        failed=sum(job.refused.values()),
        error=job.error,
        reason=job.reason,
        reverted_by=job.undone_by,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def _preview(task: Import, company: Company, rows: Sequence[Sequence[str]], now: datetime) -> list[PreviewRow]:
    reader = Reader(task, company)
    shown_rows = []
    for number, cells in enumerate(rows[:PREVIEWED], 1):
        row = reader.row(number, cells, "", now)
        lead = None
        if row.fact is not None:
            values = _SUMMARY.dump_python(row.fact.lead, mode="json")
            lead = {name: value for name, value in values.items() if name in _NEW and value not in (None, [], {})}
        errors = [
            RowProblem(column=error.column, field=error.field, code=error.code, message=error.message)
            for error in row.errors
        ]
        shown_rows.append(PreviewRow(row=number, cells=cells, lead=lead, errors=errors))
    return shown_rows


def _state(job: Job) -> ImportState:
    if job.undone_by is not None:
        return "reverted" if job.undo_state == "done" else "reverting"
    assert job.state != "uploading"
    return job.state

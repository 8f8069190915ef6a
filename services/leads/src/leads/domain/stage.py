"""Where a lead stands in the company's pipeline."""

from collections.abc import Sequence
from datetime import datetime

from contracts.events import LeadEvent, LeadStatusChanged, LeadSummary, LeadUpdated, Stage, Value
from leads.domain.company import Company
from leads.domain.details import LENGTHS
from leads.domain.lead import Lead, after, changes_of, existing
from leads.domain.refusals import IllegalTransition, ReasonMissing, ReasonWithoutLoss, UnknownStage
from leads.domain.text import line


def change_status(
    lead: Lead | None, status: str, lost_reason: str | None, company: Company, now: datetime
) -> Sequence[LeadEvent]:
    """Move a lead to another stage, or say why it was lost."""
    current = existing(lead)
    if status == current.status:
        return [] if lost_reason is None else give_reason(lead, lost_reason, company, now)
    stage = reachable(current, status, company)
    wanted: dict[str, Value] = {"status": stage.key, "lost_reason": reason(lost_reason, stage)}
    return [moved(current, wanted, now)]


def give_reason(lead: Lead | None, lost_reason: str | None, company: Company, now: datetime) -> Sequence[LeadEvent]:
    """Say why a lead was lost that is lost already."""
    current = existing(lead)
    changes = changes_of(current, corrected(current, lost_reason, company))
    return [LeadUpdated(lead=after(current, changes, now), changes=changes)] if changes else []


def corrected(current: LeadSummary, lost_reason: str | None, company: Company) -> dict[str, Value]:
    """Return another reason for being in the stage where the lead is; nothing when it is the one it has.

    Raises:
        InvalidValue: see `reason`.
    """
    if _text(lost_reason) == current.lost_reason:
        return {}  # also where the stage has come to need one since
    stage = company.stage(current.status)
    if stage is None:
        raise UnknownStage("/status")
    return {"lost_reason": reason(lost_reason, stage)}


def moved(current: LeadSummary, wanted: dict[str, Value], now: datetime) -> LeadStatusChanged:
    """Return the fact of a move that is allowed."""
    changes = changes_of(current, wanted)
    return LeadStatusChanged(
        lead=after(current, changes, now, status_since=max(now, current.updated_at)), changes=changes
    )


def reachable(current: LeadSummary, status: str, company: Company) -> Stage:
    """Return the stage of that key, to which the lead may move from where it is.

    Raises:
        UnknownStage: the pipeline has none of that key.
        IllegalTransition: it may not.
    """
    stage = company.stage(status)
    if stage is None:
        raise UnknownStage("/status")
    here = company.stage(current.status)  # None when the pipeline lost it: then any way out is fine
    if here is not None and here.next is not None and stage.key not in here.next:
        raise IllegalTransition
    return stage


def first_of(status: str | None, company: Company) -> Stage:
    """Return the stage that a new lead starts in: the one it names, else the first.

    Raises:
        UnknownStage: the pipeline has none of that key.
    """
    stage = company.pipeline.stages[0] if status is None else company.stage(status)
    if stage is None:
        raise UnknownStage("/status")
    return stage


def reason(lost_reason: str | None, stage: Stage) -> str | None:
    """Return the reason for being in a stage.

    Raises:
        ReasonMissing: the stage needs one.
        ReasonWithoutLoss: only lost leads have one.
    """
    text = _text(lost_reason)
    if text is None and stage.reason_required:
        raise ReasonMissing("/lost_reason")
    if text is not None and stage.kind != "lost":
        raise ReasonWithoutLoss("/lost_reason")
    return text


def _text(lost_reason: str | None) -> str | None:
    return line(lost_reason, "/lost_reason", longest=LENGTHS["lost_reason"])

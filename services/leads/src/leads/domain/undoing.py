"""What makes good what a job did to one lead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.events import LeadAssigned, LeadEvent, LeadSummary, LeadUpdated, Value
from leads.domain.assignment import assignee
from leads.domain.company import Company
from leads.domain.deletion import delete, restore
from leads.domain.lead import CUSTOM, Lead, after, changes_of, existing, get, replay
from leads.domain.refusals import UnknownStage
from leads.domain.stage import moved
from leads.domain.tags import retagged

_DETAILS: Final = ("name", "email", "phone", "organisation", "title", "source", "value", "currency", "score")


class ChangedSince(Exception):
    """Somebody has changed the lead since the job did; only jobs tell it."""

    code = "changed_since"


@dataclass(frozen=True, slots=True)
class Part:
    """One fact of a lead, and the job that it belongs to."""

    fact: LeadEvent | None
    """None for what was said in a chat, where only that it was said counts."""
    job_id: str | None


def undo(history: Sequence[Part], job_id: str, undo_id: str, company: Company, now: datetime) -> Sequence[LeadEvent]:
    """Return what takes a lead back to where it was before a job; nothing when that was done already.

    Args:
        history: all facts of the lead.
        job_id: the job that is taken back.
        undo_id: the job that takes it back.
        company: the settings as they are now.
        now: the time.

    Raises:
        ChangedSince: others have changed it after the job.
        LeadRefusal: what it was is not possible any more.
    """
    first = next(index for index, part in enumerate(history) if part.job_id == job_id)
    later = {part.job_id for part in history[first:]} - {job_id}
    if later == {undo_id}:
        return []
    if later:
        raise ChangedSince
    before = replay(part.fact for part in history[:first] if part.fact is not None)
    lead = replay((part.fact for part in history[first:] if part.fact is not None), before)
    assert lead is not None
    if before is None or before.deleted:
        return [] if lead.deleted else delete(lead, now)
    if lead.deleted:
        return restore(lead, company, now)
    return _back(lead, before.summary, company, now)


def _back(lead: Lead, target: LeadSummary, company: Company, now: datetime) -> list[LeadEvent]:
    """Return what gives a lead the values it had. Old values are not checked again: a lead may keep what it has."""
    facts: list[LeadEvent] = []
    current = existing(lead)
    names = [*_DETAILS, *(CUSTOM + key for key in {**current.custom, **target.custom})]
    wanted: dict[str, Value] = {name: get(target, name) for name in names}
    if current.status == target.status:
        wanted["lost_reason"] = target.lost_reason
    if changes := changes_of(current, wanted):
        facts.append(LeadUpdated(lead=after(current, changes, now), changes=changes))
    current = existing(replay(facts, lead))
    facts += retagged(current, target.tags, now)
    current = existing(replay(facts, lead))
    if target.assigned_to != current.assigned_to:
        changes = changes_of(current, {"assigned_to": assignee(target.assigned_to, company)})
        facts.append(LeadAssigned(lead=after(current, changes, now), changes=changes))
    current = existing(replay(facts, lead))
    if target.status != current.status:
        if company.stage(target.status) is None:
            raise UnknownStage("/status")
        facts.append(moved(current, {"status": target.status, "lost_reason": target.lost_reason}, now))
    return facts

"""A lead becomes a contact and a deal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from contracts.events import LeadConverted, LeadEvent, LeadSummary, Stage
from leads.domain.company import Company
from leads.domain.lead import Lead, after, existing, replay
from leads.domain.refusals import AlreadyConverted, NoWonStage, UnknownStage
from leads.domain.stage import change_status, reachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What a lead is to become; what is None is made up, the same for the same lead."""

    contact_id: str | None = None
    deal_id: str | None = None
    status: str | None = None
    """A stage of the kind `won`; None: the first one, unless the lead is in one."""


def convert(lead: Lead | None, wanted: Conversion, company: Company, now: datetime) -> Sequence[LeadEvent]:
    """Convert a lead. The same again changes nothing."""
    current = existing(lead)
    if current.converted_at is not None:
        if _contradicts(wanted.contact_id, current.contact_id) or _contradicts(wanted.deal_id, current.deal_id):
            raise AlreadyConverted
        return []
    stage = _won_stage(current, wanted.status, company)
    facts = list(change_status(lead, stage.key, None, company, now))
    summary = existing(replay(facts, lead))
    references = {
        "contact_id": wanted.contact_id or str(uuid5(UUID(current.id), "contact")),
        "deal_id": wanted.deal_id or str(uuid5(UUID(current.id), "deal")),
    }
    return [
        *facts,
        LeadConverted(lead=after(summary, {}, now, **references, converted_at=max(now, summary.updated_at))),
    ]


def _won_stage(current: LeadSummary, wanted: str | None, company: Company) -> Stage:
    won = {stage.key: stage for stage in company.pipeline.stages if stage.kind == "won"}
    if not won:
        raise NoWonStage
    if wanted is not None and wanted not in won:
        raise UnknownStage("/status")
    key = wanted or (current.status if current.status in won else next(iter(won)))
    return won[key] if key == current.status else reachable(current, key, company)


def _contradicts(wanted: str | None, known: str | None) -> bool:
    return wanted is not None and wanted != known

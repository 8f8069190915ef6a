"""Enter a lead."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.events import LeadCreated, LeadEvent, LeadSummary
from leads.domain import custom, stage, tags
from leads.domain.assignment import assignee
from leads.domain.company import Company
from leads.domain.details import NewLead, details
from leads.domain.lead import CUSTOM
from leads.domain.refusals import NameMissing


def create(lead_id: str, values: NewLead, company: Company, now: datetime) -> Sequence[LeadEvent]:
    kept: dict[str, Any] = details(values, None, company)
    if kept.get("name") is None:
        raise NameMissing("/name")
    own = {name.removeprefix(CUSTOM): kept.pop(name) for name in list(kept) if name.startswith(CUSTOM)}
    custom.require_all(own, company)
    status = stage.first_of(values.get("status"), company)
    reason = stage.reason(values.get("lost_reason"), status)
    lead = LeadSummary(
        **kept,
        id=lead_id,
        status=status.key,
        status_since=now,
        lost_reason=reason,
        assigned_to=assignee(values.get("assigned_to"), company),
        tags=tags.normalised(values.get("tags", ())),
        custom={key: value for key, value in own.items() if value is not None},
        created_at=now,
        updated_at=now,
        version=1,
    )
    return [LeadCreated(lead=lead)]

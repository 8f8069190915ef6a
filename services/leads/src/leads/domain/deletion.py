"""Delete a lead, and take that back."""

from collections.abc import Sequence
from datetime import datetime

from contracts.events import LeadAssigned, LeadDeleted, LeadEvent, LeadRestored
from leads.domain.assignment import may_have_leads
from leads.domain.company import Company
from leads.domain.lead import Lead, after, changes_of, existing
from leads.domain.refusals import LeadNotFound, LeadWasMerged
from leads.domain.stage import first_of, moved


def delete(lead: Lead | None, now: datetime) -> Sequence[LeadEvent]:
    return [LeadDeleted(lead=after(existing(lead), {}, now))]


def restore(lead: Lead | None, company: Company, now: datetime) -> Sequence[LeadEvent]:
    """Take a deletion back. What became of the pipeline and the people meanwhile is made good at once."""
    if lead is None:
        raise LeadNotFound
    if lead.merged_into is not None:
        raise LeadWasMerged
    if not lead.deleted:
        return []
    facts: list[LeadEvent] = [LeadRestored(lead=after(lead.summary, {}, now))]
    if company.stage(facts[-1].lead.status) is None:
        first = first_of(None, company)
        facts.append(moved(facts[-1].lead, {"status": first.key, "lost_reason": None}, now))
    if lead.summary.assigned_to is not None and not may_have_leads(lead.summary.assigned_to, company):
        changes = changes_of(facts[-1].lead, {"assigned_to": None})
        facts.append(LeadAssigned(lead=after(facts[-1].lead, changes, now), changes=changes))
    return facts

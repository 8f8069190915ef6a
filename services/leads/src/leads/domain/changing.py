"""A patch: whatever of a lead is to change, at once."""

from collections.abc import Sequence
from datetime import datetime

from contracts.events import LeadEvent
from leads.domain.assignment import assign
from leads.domain.company import Company
from leads.domain.details import LeadPatch, update
from leads.domain.lead import Lead, existing, replay
from leads.domain.stage import change_status, corrected
from leads.domain.tags import retag


def change(lead: Lead | None, patch: LeadPatch, company: Company, now: datetime) -> Sequence[LeadEvent]:
    """Return what a patch amounts to: at most one fact of each kind, none when nothing would change."""
    current = existing(lead)
    moves = patch.get("status", current.status) != current.status
    reason = corrected(current, patch["lost_reason"], company) if "lost_reason" in patch and not moves else {}
    facts: list[LeadEvent] = list(update(lead, patch, company, now, also=reason))
    if "tags" in patch:
        facts += retag(replay(facts, lead), patch["tags"], now)
    if "assigned_to" in patch:
        facts += assign(replay(facts, lead), patch["assigned_to"], company, now)
    if moves:
        facts += change_status(replay(facts, lead), patch["status"], patch.get("lost_reason"), company, now)
    return facts

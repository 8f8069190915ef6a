"""Who works on a lead."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from contracts.events import LeadAssigned, LeadEvent, Role
from leads.domain.company import Company
from leads.domain.lead import Lead, after, changes_of, existing
from leads.domain.refusals import NobodyToAssign, UnknownUser

IN_ROTATION: Final[frozenset[Role]] = frozenset({"agent", "manager"})


def assign(lead: Lead | None, user_id: str | None, company: Company, now: datetime) -> Sequence[LeadEvent]:
    """Give a lead to somebody; None takes it from whoever has it."""
    current = existing(lead)
    if user_id == current.assigned_to:
        return []
    changes = changes_of(current, {"assigned_to": assignee(user_id, company)})
    return [LeadAssigned(lead=after(current, changes, now), changes=changes)]


def assign_by_turn(lead: Lead | None, drawn: str | None, company: Company, now: datetime) -> Sequence[LeadEvent]:
    """Give a lead to whose turn it is.

    Args:
        lead: the lead.
        drawn: whose turn was drawn, by an older or newer list of users than the company's.
        company: whose users take turns.
        now: the time.
    """
    existing(lead)
    eligible = sorted(user.id for user in company.users.values() if user.active and user.role in IN_ROTATION)
    if not eligible:
        raise NobodyToAssign
    turn = next((user_id for user_id in eligible if user_id >= (drawn or "")), eligible[0])
    return assign(lead, turn, company, now)


def assignee(user_id: str | None, company: Company) -> str | None:
    """Return somebody who may have leads, or None for nobody.

    Raises:
        UnknownUser: they may not.
    """
    if user_id is not None and not may_have_leads(user_id, company):
        raise UnknownUser("/assigned_to")
    return user_id


def may_have_leads(user_id: object, company: Company) -> bool:
    """Whether leads may be assigned to a user."""
    user = company.users.get(str(user_id))
    return user is not None and user.active and user.role != "viewer"

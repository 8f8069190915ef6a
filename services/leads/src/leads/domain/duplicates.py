"""Which e-mail addresses and phone numbers facts bring in, so that other leads with the same can be found."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from contracts.events import Changes, LeadCreated, LeadEvent, LeadMerged, LeadRestored, LeadSummary, LeadUpdated
from leads.domain.search import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """How a lead can be reached from now on."""

    lead_id: str
    email: str | None
    phone: str | None
    others: frozenset[str] = frozenset()
    """Leads that may have the same: those merged into it."""


def is_same_person(one: LeadSummary, other: LeadSummary) -> bool:
    """Whether two leads that share an e-mail address or a phone number are certainly one person.

    An e-mail address is a person's. A phone number may be a switchboard's or a family's: with it go the same name and
    no other e-mail address.
    """
    if one.email is not None and one.email == other.email:
        return True
    has_other_address = one.email is not None and other.email is not None
    return one.phone is not None and one.phone == other.phone and not has_other_address and _is_same_name(one, other)


def _is_same_name(one: LeadSummary, other: LeadSummary) -> bool:
    return fold(one.name) == fold(other.name)


def new_contacts(facts: Iterable[LeadEvent]) -> list[Contact]:
    """Return what facts newly say of how leads can be reached; a lead that already had it is left alone."""
    return [contact for fact in facts if (contact := _new_contact(fact)) and (contact.email or contact.phone)]


def _new_contact(fact: LeadEvent) -> Contact | None:
    lead = fact.lead
    match fact:
        case LeadCreated() | LeadRestored():
            return Contact(lead_id=lead.id, email=lead.email, phone=lead.phone)
        case LeadUpdated(changes=changes):
            return _changed(lead, changes)
        case LeadMerged(changes=changes, merged=merged):
            return replace(_changed(lead, changes), others=frozenset({merged.id}))
        case _:
            return None


def _changed(lead: LeadSummary, changes: Changes) -> Contact:
    return Contact(
        lead_id=lead.id,
        email=lead.email if "email" in changes else None,
        phone=lead.phone if "phone" in changes else None,
    )

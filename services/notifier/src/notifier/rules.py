"""Who hears about which fact. Pure, one table, silence by default."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from contracts.channels import CompanyChannel
from contracts.envelope import Envelope
from contracts.events import (
    Changes,
    LeadAssigned,
    LeadConverted,
    LeadCreated,
    LeadDeleted,
    LeadEvent,
    LeadMerged,
    LeadMessageEdited,
    LeadMessagePosted,
    LeadRestored,
    LeadStatusChanged,
    LeadTagged,
    LeadUpdated,
)
from contracts.push import LeadPush, Push

COMPANY_HEARS: Final[Mapping[type[LeadEvent], str]] = MappingProxyType(
    {
        LeadCreated: "lead.created",
        LeadUpdated: "lead.updated",
        LeadAssigned: "lead.updated",
        LeadStatusChanged: "lead.updated",
        LeadTagged: "lead.updated",
        LeadMessagePosted: "lead.updated",
        LeadMessageEdited: "lead.updated",
        LeadConverted: "lead.updated",
        LeadMerged: "lead.updated",
        LeadRestored: "lead.created",
        LeadDeleted: "lead.deleted",
    }
)
"""Fact → the event on its company's channel. A list only has to replace the row that `lead.updated` brings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What follows from one fact."""

    pushes: tuple[Push, ...] = ()
    changes_stats: bool = False
    """Whether the company's figures may be others now."""


SILENCE: Final = Reaction()


def react(envelope: Envelope, app_id: str) -> Reaction:
    """Return what follows from the fact in an envelope; its author's own socket is left out.

    Raises:
        contracts.events.UnknownEvent: the fact is of a later release.
        pydantic.ValidationError: its data does not fit its type.
    """
    fact = envelope.fact()
    if not isinstance(fact, LeadEvent):
        return SILENCE
    event = COMPANY_HEARS[type(fact)]
    return Reaction(
        pushes=(_company_push(event, envelope, fact, app_id),),
        changes_stats=_changes_stats(fact),
    )


def _company_push(event: str, envelope: Envelope, fact: LeadEvent, app_id: str) -> Push:
    payload = LeadPush(
        lead=fact.lead,
        position=envelope.feedposition,
        event_id=envelope.id,
        actor=envelope.actor,
        changed=_changes(fact),
    )
    return Push(
        app_id=app_id,
        channel=str(CompanyChannel(envelope.companyid)),
        event=event,
        data=payload.data,
        key=envelope.id,
        except_socket=envelope.socketid,
        correlation_id=envelope.correlationid,
    )


def _changes(fact: LeadEvent) -> Changes | None:
    if isinstance(fact, LeadCreated | LeadDeleted | LeadRestored):
        return None
    return fact.changes if isinstance(fact, LeadUpdated | LeadAssigned | LeadStatusChanged | LeadTagged) else {}


def _changes_stats(fact: LeadEvent) -> bool:
    # Of what LeadUpdated may change, only the source is counted.
    silent = LeadTagged | LeadMessagePosted | LeadMessageEdited
    return "source" in fact.changes if isinstance(fact, LeadUpdated) else not isinstance(fact, silent)

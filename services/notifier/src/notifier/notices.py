"""Who is notified of a fact, and of what. Pure.

Nobody is notified of what they did themselves, and nobody twice of one fact. Of a bulk job a recipient gets one
notification of a kind: its id is derived from the job in place of the fact, and the inbox keeps each id once.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid5

from contracts import channels
from contracts.channels import UserChannel
from contracts.envelope import Envelope
from contracts.events import (
    Fact,
    ImportFinished,
    LeadAssigned,
    LeadCreated,
    LeadEvent,
    LeadMessageEdited,
    LeadMessagePosted,
    LeadStatusChanged,
)
from contracts.push import Notification, NotificationKind, NotifiedLead
from notifier.reaction import Rule, Told

EXCERPT: Final = 200  # characters of a message

_IDS: Final = UUID("5b0c7a55-5a40-4a3e-9d52-6d1f2a0c3a11")
Recipients: TypeAlias = Iterator[tuple[str, Mapping[str, Any]]]
"""User ids, each with the details."""


class NoSuchUser(ValueError):
    """What should be a user's id is none."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One kind of notification."""

    recipients: Callable[[Fact], Recipients]
    critical: bool = False
    """Somebody waits for this very person."""


def _assigned(fact: Fact) -> Recipients:
    if isinstance(fact, LeadCreated | LeadAssigned) and fact.lead.assigned_to is not None:
        yield fact.lead.assigned_to, {}


def _unassigned(fact: Fact) -> Recipients:
    if isinstance(fact, LeadAssigned):
        change = fact.changes.get("assigned_to")
        if change is not None and isinstance(change.old, str):
            yield change.old, {}


def _status_changed(fact: Fact) -> Recipients:
    if isinstance(fact, LeadStatusChanged) and fact.lead.assigned_to is not None:
        change = fact.changes.get("status")
        yield fact.lead.assigned_to, {"old": change and change.old, "new": fact.lead.status}


def _mentioned(fact: Fact) -> Recipients:
    if isinstance(fact, LeadMessagePosted | LeadMessageEdited):
        mentioned = fact.message.mentions if isinstance(fact, LeadMessagePosted) else fact.mentioned
        yield from ((user_id, _excerpt(fact)) for user_id in mentioned)


def _message(fact: Fact) -> Recipients:
    if isinstance(fact, LeadMessagePosted):
        yield from ((user_id, _excerpt(fact)) for user_id in fact.participants)


def _excerpt(fact: LeadMessagePosted | LeadMessageEdited) -> Mapping[str, Any]:
    return {"message_id": fact.message.id, "excerpt": fact.message.body[:EXCERPT]}


def _duplicate_found(fact: Fact) -> Recipients:
    if isinstance(fact, LeadCreated):
        for duplicate in fact.duplicates:
            if duplicate.assigned_to is not None:
                yield duplicate.assigned_to, {"duplicate_of": duplicate.id}


def _import_finished(fact: Fact) -> Recipients:
    if isinstance(fact, ImportFinished):
        done = fact.imported
        counts = {"rows": done.rows, "created": done.created, "duplicates": done.duplicates, "failed": done.failed}
        yield done.author, {"import_id": done.id, "name": done.name, **counts}


NOTICES: Final[Mapping[NotificationKind, Notice]] = MappingProxyType(
    {
        "assigned": Notice(_assigned, critical=True),
        "unassigned": Notice(_unassigned),
        "status_changed": Notice(_status_changed),
        "mentioned": Notice(_mentioned, critical=True),
        "message": Notice(_message),
        "import_finished": Notice(_import_finished),
        "duplicate_found": Notice(_duplicate_found),
    }
)
"""Kind → whom it tells. Critical is what waits for this very person."""


def notifications(rule: Rule, fact: Fact, envelope: Envelope) -> Iterator[Told]:
    """Return the notifications of a fact, whatever their recipients want to hear.

    Raises:
        NoSuchUser: a recipient's id is none.
    """
    told = _authors(fact, envelope)
    for kind in rule.notices:
        for user_id, details in NOTICES[kind].recipients(fact):
            if user_id not in told:
                told.add(user_id)
                yield Told(_user(user_id), _notification(kind, user_id, details, fact, envelope))


def notification_id(event_or_job_id: str, user_id: str, kind: NotificationKind) -> str:
    """Return the id that this notification has whenever it is made."""
    return str(uuid5(_IDS, f"{event_or_job_id}:{user_id}:{kind}"))


def _authors(fact: Fact, envelope: Envelope) -> set[str]:
    if isinstance(fact, ImportFinished):
        return set()  # that it is finished is not what its author did
    authors = {envelope.actor} if envelope.actor is not None else set()
    if isinstance(fact, LeadMessagePosted | LeadMessageEdited):
        authors.add(fact.message.author)
    return authors


def _user(user_id: str) -> str:
    if channels.parse(str(UserChannel(user_id))) is None:
        raise NoSuchUser("a recipient's id is none of a user")
    return user_id


def _notification(
    kind: NotificationKind, user_id: str, details: Mapping[str, Any], fact: Fact, envelope: Envelope
) -> Notification:
    return Notification(
        id=notification_id(envelope.jobid or envelope.id, user_id, kind),
        kind=kind,
        critical=NOTICES[kind].critical,
        at=envelope.time,
        actor=envelope.actor,
        lead=NotifiedLead(id=fact.lead.id, name=fact.lead.name) if isinstance(fact, LeadEvent) else None,
        details=details,
        position=envelope.feedposition,
        event_id=envelope.id,
        epoch=envelope.feedepoch,
        job_id=envelope.jobid,
    )

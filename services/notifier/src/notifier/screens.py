"""What screens hear of a fact at once. Pure."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from contracts.channels import CompanyChannel, LeadChannel
from contracts.envelope import Envelope
from contracts.events import (
    Change,
    Changes,
    Fact,
    ImportEvent,
    ImportFinished,
    ImportProgressed,
    ImportReverted,
    ImportStarted,
    JobEvent,
    JobFinished,
    JobProgressed,
    JobStarted,
    LeadConverted,
    LeadCreated,
    LeadDeleted,
    LeadEvent,
    LeadMessageEdited,
    LeadMessagePosted,
    LeadRestored,
    UserEvent,
)
from contracts.push import (
    ImportPush,
    ImportState,
    JobProgressPush,
    JobProgressState,
    LeadPush,
    MessagePush,
    Push,
    Termination,
)
from notifier.reaction import Rule

USER_CHANNEL: Final = "#server-to-user-"
STATES: Final[Mapping[type[ImportEvent], ImportState]] = MappingProxyType(
    {
        ImportStarted: "started",
        ImportProgressed: "running",
        ImportFinished: "finished",
        ImportReverted: "reverted",
    }
)
JOB_STATES: Final[Mapping[type[JobEvent], JobProgressState]] = MappingProxyType(
    {JobStarted: "started", JobProgressed: "running", JobFinished: "finished"}
)


def pushes(rule: Rule, fact: Fact, envelope: Envelope, app_id: str) -> Iterator[Push | Termination]:
    """Return what a fact stores in `PUSH`, in order."""
    if isinstance(fact, UserEvent) and rule.terminates:
        channel = f"{USER_CHANNEL}{fact.user.id}"
        yield Termination(app_id=app_id, channel=channel, key=envelope.id, returns=rule.returns)
    elif isinstance(fact, ImportEvent) and rule.company is not None:
        channel = str(CompanyChannel(envelope.companyid))
        yield _push(channel, rule.company, _import_data(fact, envelope), envelope, app_id)
    elif isinstance(fact, JobEvent) and rule.company is not None:
        channel = str(CompanyChannel(envelope.companyid))
        yield _push(channel, rule.company, _job_data(fact, envelope), envelope, app_id)
    elif isinstance(fact, LeadEvent) and envelope.jobid is None:
        yield from _lead_pushes(rule, fact, envelope, app_id)


def _lead_pushes(rule: Rule, fact: LeadEvent, envelope: Envelope, app_id: str) -> Iterator[Push]:
    data = _lead_data(fact, envelope)
    if rule.company is not None:
        yield _push(str(CompanyChannel(envelope.companyid)), rule.company, data, envelope, app_id)
    channel = str(LeadChannel(fact.lead.id))
    for event in rule.lead:
        if isinstance(fact, LeadMessagePosted | LeadMessageEdited) and event.startswith("message."):
            yield _push(channel, event, _message_data(fact, envelope), envelope, app_id)
        else:
            yield _push(channel, event, data, envelope, app_id)


def _push(channel: str, event: str, data: str, envelope: Envelope, app_id: str) -> Push:
    return Push(
        app_id=app_id,
        channel=channel,
        event=event,
        data=data,
        # One channel may hear two events of one fact.
        key=f"{envelope.id}:message" if event.startswith("message.") else envelope.id,
        except_socket=envelope.socketid,
        correlation_id=envelope.correlationid,
    )


def _lead_data(fact: LeadEvent, envelope: Envelope) -> str:
    return LeadPush(
        lead=fact.lead,
        position=envelope.feedposition,
        event_id=envelope.id,
        epoch=envelope.feedepoch,
        actor=envelope.actor,
        changed=_changes(fact),
        restored=isinstance(fact, LeadRestored),
        merged_into=fact.merged_into if isinstance(fact, LeadDeleted) else None,
    ).data


def _message_data(fact: LeadMessagePosted | LeadMessageEdited, envelope: Envelope) -> str:
    return MessagePush(
        message=fact.message,
        lead_id=fact.lead.id,
        position=envelope.feedposition,
        event_id=envelope.id,
        epoch=envelope.feedepoch,
        actor=envelope.actor,
    ).data


def _import_data(fact: ImportEvent, envelope: Envelope) -> str:
    return ImportPush(
        imported=fact.imported,
        state=STATES[type(fact)],
        position=envelope.feedposition,
        event_id=envelope.id,
        epoch=envelope.feedepoch,
        actor=envelope.actor,
    ).data


def _job_data(fact: JobEvent, envelope: Envelope) -> str:
    return JobProgressPush(
        job=fact.job,
        state=JOB_STATES[type(fact)],
        position=envelope.feedposition,
        event_id=envelope.id,
        epoch=envelope.feedepoch,
        actor=envelope.actor,
    ).data


def _changes(fact: LeadEvent) -> Changes | None:
    match fact:
        case LeadCreated() | LeadDeleted() | LeadRestored():
            return None
        case LeadMessagePosted(lead=lead):
            return {"messages": Change(old=lead.messages - 1, new=lead.messages)}
        case LeadMessageEdited():
            return {}
        case LeadConverted(lead=lead):
            return {
                "contact_id": Change(old=None, new=lead.contact_id),
                "deal_id": Change(old=None, new=lead.deal_id),
            }
        case _:
            return fact.changes

"""Who hears about which fact. Pure, one table, silence by default.

A fact of a bulk job reaches no channel by itself: its company hears of the job (`notifier.jobs`), and each recipient of
a notification gets one for the whole job.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contracts.envelope import Envelope
from contracts.events import (
    Fact,
    ImportFinished,
    ImportProgressed,
    ImportReverted,
    ImportStarted,
    JobFinished,
    JobProgressed,
    JobStarted,
    LeadAssigned,
    LeadConverted,
    LeadCreated,
    LeadDeleted,
    LeadMerged,
    LeadMessageEdited,
    LeadMessagePosted,
    LeadRestored,
    LeadStatusChanged,
    LeadTagged,
    LeadUpdated,
    PipelineChanged,
    UserAdded,
    UserChanged,
    UserDeactivated,
    UserReactivated,
    UserSignedOut,
)
from notifier.notices import notifications
from notifier.reaction import Reaction, Rule, ShutOut
from notifier.screens import pushes

_LEAD: Final = ("lead.updated",)
_POSTED: Final = ("lead.updated", "message.posted")
_EDITED: Final = ("lead.updated", "message.edited")

# fmt: off
RULES: Final[Mapping[type[Fact], Rule]] = MappingProxyType(
    {
        LeadCreated:       Rule(company="lead.created", notices=("assigned", "duplicate_found"), figures=True),
        LeadUpdated:       Rule(company="lead.updated", lead=_LEAD, figures="source"),
        LeadAssigned:      Rule(company="lead.updated", lead=_LEAD, notices=("assigned", "unassigned"), figures=True),
        LeadStatusChanged: Rule(company="lead.updated", lead=_LEAD, notices=("status_changed",), figures=True),
        LeadTagged:        Rule(company="lead.updated", lead=_LEAD),
        LeadMessagePosted: Rule(company="lead.updated", lead=_POSTED, notices=("mentioned", "message")),
        LeadMessageEdited: Rule(company="lead.updated", lead=_EDITED, notices=("mentioned",)),
        LeadConverted:     Rule(company="lead.updated", lead=_LEAD, figures=True),
        LeadMerged:        Rule(company="lead.updated", lead=_LEAD, figures=True),
        LeadDeleted:       Rule(company="lead.deleted", figures=True),
        LeadRestored:      Rule(company="lead.created", figures=True),
        ImportStarted:     Rule(company="import.progress"),
        ImportProgressed:  Rule(company="import.progress"),
        ImportFinished:    Rule(company="import.progress", notices=("import_finished",)),
        ImportReverted:    Rule(company="import.progress"),
        JobStarted:        Rule(company="job.progress"),
        JobProgressed:     Rule(company="job.progress"),
        JobFinished:       Rule(company="job.progress"),
        UserDeactivated:   Rule(terminates=True),
        UserSignedOut:     Rule(terminates=True, returns=True),
        UserAdded:         Rule(),
        UserChanged:       Rule(),
        UserReactivated:   Rule(),
        PipelineChanged:   Rule(figures=True),
    }
)
# fmt: on
"""Fact → what follows. Whom two notices fit is told by the first; `notices.py` says whom a notice tells."""


def react(envelope: Envelope, app_id: str) -> Reaction:
    """Return what follows from the fact in an envelope; its author's own socket is left out.

    Raises:
        contracts.events.UnknownEvent: the fact is of a later release.
        pydantic.ValidationError: its data does not fit its type.
        notifier.notices.NoSuchUser: it names a recipient by what is no user's id.
    """
    fact = envelope.fact()
    rule = RULES[type(fact)]
    return Reaction(
        pushes=tuple(pushes(rule, fact, envelope, app_id)),
        notifications=tuple(notifications(rule, fact, envelope)),
        changes_stats=_changes_stats(rule, fact),
        job_id=envelope.jobid if rule.is_about_leads else None,
        shut_out=ShutOut(envelope.subject, envelope.time, envelope.feedposition) if rule.terminates else None,
    )


def _changes_stats(rule: Rule, fact: Fact) -> bool:
    if isinstance(rule.figures, str):
        return isinstance(fact, LeadUpdated) and rule.figures in fact.changes
    return rule.figures

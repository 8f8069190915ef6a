"""What browsers hear: on which channel which event, and what its data is. Documents and tests read this table."""

from dataclasses import dataclass
from typing import Final

from contracts.channels import CompanyChannel, CrmChannel, LeadChannel, StatsChannel, UserChannel
from contracts.push import (
    ImportPush,
    JobProgressPush,
    JobPush,
    LeadPush,
    MessagePush,
    NotificationPush,
    ReadPush,
    StatsPush,
)


@dataclass(frozen=True, slots=True)
class Heard:
    """One event of one channel."""

    channel: type[CrmChannel]
    event: str
    payload: type
    """The class in `contracts.push` whose `data` it carries."""
    when: str


HEARD: Final = (
    Heard(CompanyChannel, "lead.created", LeadPush, "a lead was entered, or a deletion taken back (`restored`)"),
    Heard(CompanyChannel, "lead.updated", LeadPush, "anything about a lead changed; `changed`: field → `old`, `new`"),
    Heard(CompanyChannel, "lead.deleted", LeadPush, "a lead was deleted, or merged into another (`merged_into`)"),
    Heard(
        CompanyChannel,
        "leads.changed",
        JobPush,
        "a bulk job changes leads: fetch again; at most once a second. With `reset`: load everything again",
    ),
    Heard(
        CompanyChannel,
        "import.progress",
        ImportPush,
        "an import started, goes on, finished or was taken back (`state`)",
    ),
    Heard(CompanyChannel, "job.progress", JobProgressPush, "a bulk job started, goes on or finished (`state`)"),
    Heard(StatsChannel, "stats.updated", StatsPush, "the company's figures are others; at most once a second"),
    Heard(LeadChannel, "lead.updated", LeadPush, "anything about this lead changed"),
    Heard(LeadChannel, "message.posted", MessagePush, "somebody wrote a message on the lead"),
    Heard(LeadChannel, "message.edited", MessagePush, "the author changed a message"),
    Heard(UserChannel, "notification.created", NotificationPush, "the user is told of something"),
    Heard(UserChannel, "notification.read", ReadPush, "notifications were marked as read or unread, in whatever tab"),
)

"""What browsers hear: on which channel which event, and what its data is. Documents and tests read this table."""

from dataclasses import dataclass
from typing import Final

from contracts.channels import CompanyChannel, CrmChannel, StatsChannel
from contracts.push import LeadPush, StatsPush


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
    Heard(StatsChannel, "stats.updated", StatsPush, "the company's figures are others; at most once a second"),
)

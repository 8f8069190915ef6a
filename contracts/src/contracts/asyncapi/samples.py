"""One example of each fact and of what browsers hear, for documents and tests."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from contracts import envelope
from contracts.channels import CompanyChannel, CrmChannel, LeadChannel, StatsChannel, UserChannel
from contracts.envelope import Envelope
from contracts.events import (
    NAMES,
    Change,
    Duplicate,
    Fact,
    ImportFinished,
    ImportProgressed,
    ImportReverted,
    ImportStarted,
    ImportSummary,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobSummary,
    LeadAssigned,
    LeadConverted,
    LeadCreated,
    LeadDeleted,
    LeadMerged,
    LeadMessageEdited,
    LeadMessagePosted,
    LeadRestored,
    LeadStatusChanged,
    LeadSummary,
    LeadTagged,
    LeadUpdated,
    Message,
    Pipeline,
    PipelineChanged,
    Stage,
    UserAdded,
    UserChanged,
    UserDeactivated,
    UserReactivated,
    UserSignedOut,
    UserSummary,
)
from contracts.push import (
    FunnelStage,
    ImportPush,
    InboxState,
    JobProgressPush,
    JobPush,
    LeadPush,
    MessagePush,
    Notification,
    NotificationPush,
    NotifiedLead,
    ReadPush,
    Stats,
    StatsPush,
)

APP: Final = "4242"
COMPANY: Final = "9b1c0f0e-5d1a-4c39-8f57-2f6f0d6f3b11"
LEAD: Final = "0198a3c2-7d4e-7b11-a2c3-5f6a7b8c9d10"
OTHER_LEAD: Final = "0198a3c2-9f00-7c22-b3d4-6a7b8c9d0e21"
ANA: Final = "3f0e9c5a-1b2c-4d3e-8f40-516273849506"
BRUNO: Final = "5d4c3b2a-1908-4f7e-96d5-c4b3a2918070"
IMPORT: Final = "0198a3c3-0a1b-7d33-84e5-7b8c9d0e1f32"
EVENT: Final = "c9e0a6de-6a0e-5b7c-9d3f-1a2b3c4d5e6f"
COMMAND: Final = "0198a3c4-1b2c-7e44-95f6-8c9d0e1f2a43"

_MORNING: Final = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
_NOW: Final = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)

_LEAD: Final = LeadSummary(
    id=LEAD,
    name="Ada Lovelace",
    email="ada@example.com",
    phone="+5511987654321",
    organisation="Analytical Engines",
    source="website",
    status="contacted",
    status_since=_NOW,
    assigned_to=BRUNO,
    value="1500.00",
    currency="BRL",
    tags=("vip",),
    created_at=_MORNING,
    updated_at=_NOW,
    version=4,
)
_MESSAGE: Final = Message(
    id="0198a3c5-2c3d-7f55-a607-9d0e1f2a3b54",
    author=ANA,
    body="@Bruno, she asked for a demo.",
    mentions=(BRUNO,),
    posted_at=_NOW,
)
_USER: Final = UserSummary(id=BRUNO, name="Bruno", email="bruno@example.com", role="agent", version=2)
_IMPORT: Final = ImportSummary(id=IMPORT, name="fair.csv", author=ANA, rows=120, version=1)
_DONE: Final = replace(_IMPORT, created=110, duplicates=8, failed=2, done=120, outcome="done", version=3)
_JOB: Final = JobSummary(id=COMMAND, kind="bulk", action="assign", author=ANA, total=250, version=1)
_JOB_DONE: Final = replace(_JOB, done=250, changed=247, refused=3, outcome="done", version=3)
_MERGED: Final = replace(_LEAD, id=OTHER_LEAD, name="A. Lovelace", version=2)

FACTS: Final[tuple[Fact, ...]] = (
    LeadCreated(lead=replace(_LEAD, version=1), duplicates=(Duplicate(id=OTHER_LEAD, assigned_to=ANA),)),
    LeadUpdated(lead=_LEAD, changes={"phone": Change(old=None, new="+5511987654321")}),
    LeadAssigned(lead=_LEAD, changes={"assigned_to": Change(old=ANA, new=BRUNO)}),
    LeadStatusChanged(lead=_LEAD, changes={"status": Change(old="new", new="contacted")}),
    LeadTagged(lead=_LEAD, added=("vip",)),
    LeadMessagePosted(lead=replace(_LEAD, messages=1), message=_MESSAGE, participants=(ANA, BRUNO)),
    LeadMessageEdited(
        lead=replace(_LEAD, messages=1),
        message=replace(_MESSAGE, body="@Bruno, she asked for a demo on Monday.", edited_at=_NOW),
        before=_MESSAGE.body,
    ),
    LeadConverted(lead=replace(_LEAD, status="won", contact_id=OTHER_LEAD, deal_id=COMMAND, converted_at=_NOW)),
    LeadMerged(lead=_LEAD, merged=_MERGED, changes={"email": Change(old=None, new="ada@example.com")}),
    LeadDeleted(lead=_MERGED, merged_into=LEAD),
    LeadRestored(lead=_LEAD),
    UserAdded(user=replace(_USER, version=1)),
    UserChanged(user=_USER, changes={"role": Change(old="viewer", new="agent")}),
    UserDeactivated(user=replace(_USER, active=False)),
    UserReactivated(user=_USER),
    UserSignedOut(user=_USER),
    PipelineChanged(
        pipeline=Pipeline(
            stages=(
                Stage(key="new", name="New", next=("contacted",)),
                Stage(key="contacted", name="Contacted"),
                Stage(key="won", name="Won", kind="won", next=()),
                Stage(key="lost", name="Lost", kind="lost", reason_required=True),
            ),
            version=2,
        )
    ),
    ImportStarted(imported=_IMPORT),
    ImportProgressed(imported=replace(_IMPORT, created=57, duplicates=3, done=60, version=2)),
    ImportFinished(imported=_DONE),
    ImportReverted(imported=replace(_DONE, version=4)),
    JobStarted(job=_JOB),
    JobProgressed(job=replace(_JOB, done=100, changed=99, refused=1, version=2)),
    JobFinished(job=_JOB_DONE),
)
_BY_NAME: Final = {NAMES[type(fact)]: fact for fact in FACTS}

STATS: Final = Stats(
    total=42,
    new_this_month=7,
    by_status={"new": 20, "contacted": 12, "won": 10},
    by_source={"website": 30},
    by_assignee={BRUNO: 17},
    conversion=0.238,
    new_last_month=12,
    new_per_day={"2026-11-22": 1, "2026-11-23": 2},
    won=10,
    funnel=(
        FunnelStage(stage="new", entered=42, median_seconds=86_690.0),
        FunnelStage(stage="contacted", entered=22, rate=0.524, median_seconds=601_000.0),
        FunnelStage(stage="won", entered=10, rate=0.455),
    ),
)
EPOCH: Final = "5e1c7f0a6d2b4a439f0c1d7b6a2f4e11"
_PLACE: Final[Mapping[str, Any]] = MappingProxyType({"position": 128, "epoch": EPOCH, "event_id": EVENT, "actor": ANA})

_INBOX: Final = InboxState(unread=3, revision=17)
_NOTIFICATION: Final = Notification(
    id="7a1d2c3b-4e5f-5061-8273-94a5b6c7d8e9",
    kind="mentioned",
    critical=True,
    at=_NOW,
    actor=ANA,
    lead=NotifiedLead(id=LEAD, name="Ada Lovelace"),
    details={"message_id": _MESSAGE.id, "excerpt": _MESSAGE.body},
    position=128,
    event_id=EVENT,
    epoch=EPOCH,
)

HEARD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lead.created": LeadPush(lead=replace(_LEAD, version=1), **_PLACE).data,
        "lead.updated": LeadPush(lead=_LEAD, changed={"status": Change(old="new", new="contacted")}, **_PLACE).data,
        "lead.deleted": LeadPush(lead=_MERGED, merged_into=LEAD, **_PLACE).data,
        "leads.changed": JobPush(job_id=COMMAND, count=250, position=378, epoch=EPOCH).data,
        "import.progress": ImportPush(imported=_DONE, state="finished", **_PLACE).data,
        "job.progress": JobProgressPush(job=_JOB_DONE, state="finished", **_PLACE).data,
        "message.posted": MessagePush(message=_MESSAGE, lead_id=LEAD, **_PLACE).data,
        "message.edited": MessagePush(message=replace(_MESSAGE, edited_at=_NOW), lead_id=LEAD, **_PLACE).data,
        "notification.created": NotificationPush(notification=_NOTIFICATION, number=12, state=_INBOX).data,
        "notification.read": ReadPush(ids=(_NOTIFICATION.id,), state=replace(_INBOX, unread=2, revision=18)).data,
        "stats.updated": StatsPush(stats=STATS, position=128, epoch=EPOCH).data,
    }
)
"""Event → its data."""

CHANNELS: Final[Mapping[type[CrmChannel], str]] = MappingProxyType(
    {
        CompanyChannel: str(CompanyChannel(COMPANY)),
        StatsChannel: str(StatsChannel(COMPANY)),
        LeadChannel: str(LeadChannel(LEAD)),
        UserChannel: str(UserChannel(BRUNO)),
    }
)


def sample(name: str) -> Envelope:
    """Return a fact of that name as it travels."""
    fact = _BY_NAME[name]
    return envelope.wrap(
        fact,
        time=_NOW,
        companyid=COMPANY,
        id=EVENT,
        feedposition=128,
        feedepoch=EPOCH,
        streamversion=4,
        actor=ANA,
        causationid=COMMAND,
        correlationid=COMMAND,
        socketid="1234.5678",
    )

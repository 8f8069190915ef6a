"""Any fact there can be, for property tests."""

from datetime import UTC

from hypothesis import strategies as st

from contracts.events import (
    Change,
    Duplicate,
    Fact,
    ImportEvent,
    ImportFinished,
    ImportProgressed,
    ImportReverted,
    ImportStarted,
    ImportSummary,
    JobEvent,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobSummary,
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
    UserEvent,
    UserReactivated,
    UserSignedOut,
    UserSummary,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ids = st.uuids().map(str)
times = st.datetimes(timezones=st.just(UTC))
maybe = st.none() | texts
versions = st.integers(1, 2**53)
values = st.one_of(
    st.none(),
    texts,
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(texts, max_size=3).map(tuple),
)
tags = st.lists(texts, max_size=3, unique=True).map(lambda drawn: tuple(sorted(drawn)))
people = st.lists(ids, max_size=3, unique=True).map(tuple)

summaries = st.builds(
    LeadSummary,
    id=ids,
    name=texts,
    email=maybe,
    phone=maybe,
    organisation=maybe,
    title=maybe,
    source=maybe,
    status=st.sampled_from(["new", "contacted", "qualified", "won", "lost"]),
    status_since=st.none() | times,
    lost_reason=maybe,
    assigned_to=st.none() | ids,
    value=st.none() | st.decimals(0, 10**9, places=2).map(str),
    currency=st.none() | st.sampled_from(["BRL", "EUR", "USD"]),
    score=st.none() | st.integers(0, 100),
    tags=tags,
    custom=st.dictionaries(texts, values, max_size=3),
    messages=st.integers(0, 2**31),
    contact_id=st.none() | ids,
    deal_id=st.none() | ids,
    converted_at=st.none() | times,
    created_at=times,
    updated_at=times,
    version=versions,
)
changes = st.dictionaries(
    st.sampled_from(["name", "email", "phone", "organisation", "source", "status", "assigned_to", "tags", "custom.a"]),
    st.builds(Change, old=values, new=values),
    max_size=4,
)
messages = st.builds(
    Message, id=ids, author=ids, body=texts, mentions=people, posted_at=times, edited_at=st.none() | times
)
lead_facts: st.SearchStrategy[LeadEvent] = st.one_of(
    st.builds(
        LeadCreated,
        lead=summaries,
        duplicates=st.lists(st.builds(Duplicate, id=ids, assigned_to=st.none() | ids), max_size=2).map(tuple),
    ),
    st.builds(LeadUpdated, lead=summaries, changes=changes),
    st.builds(LeadAssigned, lead=summaries, changes=changes),
    st.builds(LeadStatusChanged, lead=summaries, changes=changes),
    st.builds(LeadTagged, lead=summaries),
    st.builds(LeadMessagePosted, lead=summaries, message=messages, participants=people),
    st.builds(LeadMessageEdited, lead=summaries, message=messages, before=texts, mentioned=people),
    st.builds(LeadConverted, lead=summaries),
    st.builds(LeadMerged, lead=summaries, merged=summaries, changes=changes),
    st.builds(LeadDeleted, lead=summaries, merged_into=st.none() | ids),
    st.builds(LeadRestored, lead=summaries),
)
users = st.builds(
    UserSummary,
    id=ids,
    name=texts,
    email=texts,
    role=st.sampled_from(["viewer", "agent", "manager", "admin"]),
    active=st.booleans(),
    version=versions,
)
user_facts: st.SearchStrategy[UserEvent] = st.one_of(
    st.builds(UserAdded, user=users),
    st.builds(UserChanged, user=users, changes=changes),
    st.builds(UserDeactivated, user=users),
    st.builds(UserReactivated, user=users),
    st.builds(UserSignedOut, user=users),
)
stages = st.builds(
    Stage,
    key=texts,
    name=texts,
    kind=st.sampled_from(["open", "won", "lost"]),
    next=st.none() | st.lists(texts, max_size=2).map(tuple),
    reason_required=st.booleans(),
)
pipeline_facts = st.builds(
    PipelineChanged,
    pipeline=st.builds(Pipeline, stages=st.lists(stages, max_size=3).map(tuple), version=versions),
)
imports = st.builds(ImportSummary, id=ids, name=texts, author=ids, rows=st.integers(0, 10**6), version=versions)
import_facts: st.SearchStrategy[ImportEvent] = st.one_of(
    st.builds(ImportStarted, imported=imports),
    st.builds(ImportProgressed, imported=imports),
    st.builds(ImportFinished, imported=imports),
    st.builds(ImportReverted, imported=imports),
)
jobs = st.builds(
    JobSummary,
    id=ids,
    kind=st.sampled_from(["bulk", "undo"]),
    action=texts,
    author=ids,
    undoes=st.none() | ids,
    total=st.integers(0, 10**6),
    version=versions,
)
job_facts: st.SearchStrategy[JobEvent] = st.one_of(
    st.builds(JobStarted, job=jobs), st.builds(JobProgressed, job=jobs), st.builds(JobFinished, job=jobs)
)
facts: st.SearchStrategy[Fact] = st.one_of(lead_facts, user_facts, pipeline_facts, import_facts, job_facts)

"""Any fact there can be, for property tests."""

from datetime import UTC

from hypothesis import strategies as st

from contracts.events import (
    Change,
    LeadAssigned,
    LeadCreated,
    LeadDeleted,
    LeadEvent,
    LeadStatusChanged,
    LeadSummary,
    LeadUpdated,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ids = st.uuids().map(str)
times = st.datetimes(timezones=st.just(UTC))
maybe = st.none() | texts

summaries = st.builds(
    LeadSummary,
    id=ids,
    name=texts,
    email=maybe,
    phone=maybe,
    organisation=maybe,
    source=maybe,
    status=st.sampled_from(["new", "contacted", "qualified", "won", "lost"]),
    assigned_to=st.none() | ids,
    created_at=times,
    updated_at=times,
    version=st.integers(1, 2**53),
)
changes = st.dictionaries(
    st.sampled_from(["name", "email", "phone", "organisation", "source", "status", "assigned_to"]),
    st.builds(Change, old=maybe, new=maybe),
    max_size=4,
)
facts: st.SearchStrategy[LeadEvent] = st.one_of(
    st.builds(LeadCreated, lead=summaries),
    st.builds(LeadUpdated, lead=summaries, changes=changes),
    st.builds(LeadAssigned, lead=summaries, changes=changes),
    st.builds(LeadStatusChanged, lead=summaries, changes=changes),
    st.builds(LeadDeleted, lead=summaries),
)

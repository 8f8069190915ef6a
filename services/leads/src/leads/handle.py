"""The write path: read, decide, append; a lost race is decided anew, and so is what outdated settings decided."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeAlias
from uuid import UUID

from contracts.events import LeadEvent
from leads import access
from leads.access import AccessRefused
from leads.command import Answer, Command, Dated, Feed, Moment, SettingsChanged, VersionConflict, version_in
from leads.domain.company import Company
from leads.domain.lead import UNDATED, Lead, require_version
from leads.domain.refusals import DuplicateLead, LeadRefusal

RETRIES: Final = 3  # after lost races; more would only hide a hot spot

Leads: TypeAlias = Mapping[UUID, Lead | None]
"""Leads by id, as their facts left them; None: there never was such a lead."""
Decide: TypeAlias = Callable[[Lead | None, Company, datetime], Sequence[LeadEvent]]
"""A command with everything but the state: state, settings and time in, facts out, or a `LeadRefusal`.

The time decides nothing: it is only what the facts bear. The append decides once more at the time of the recording."""
DecideAll: TypeAlias = Callable[[Leads, Company, datetime], Sequence[LeadEvent]]
DecidePair: TypeAlias = Callable[[Lead | None, Lead | None, Company, datetime], Sequence[LeadEvent]]


class EventStore(Protocol):
    """Where facts and settings are kept. A repeated command is answered as the first time.

    Raises:
        IdempotencyKeyReused: the command's key belongs to another request.
    """

    async def company(self, company_id: UUID, *, at_least: int = 0) -> Company:
        """Return a company's settings: version `at_least`, a later one, or whatever is at hand."""

    async def read(self, command: Command, lead_ids: Sequence[UUID]) -> Moment: ...

    async def append(
        self, command: Command, facts: Sequence[LeadEvent], *, dated: Dated, before: Leads, settings: int
    ) -> Answer:
        """Append facts about any leads, all or none, each at the version it says.

        Args:
            command: whose facts they are.
            facts: in the order of their positions; their times do not count.
            dated: returns the same facts with the time at which they are recorded.
            before: the leads as they were decided about; one that is missing is new.
            settings: the version of the settings that they were decided by.

        Raises:
            VersionConflict: a lead is at another version.
            SettingsChanged: the settings are newer.
            DuplicateLead: another lead has the same e-mail address or phone number.
        """

    async def remember(self, command: Command, answer: Answer) -> Answer:
        """Keep the answer of a command that changed nothing, for when it is repeated."""

    async def draw_turn(self, company_id: UUID) -> UUID | None:
        """Return whose turn it is to get a lead, and pass the turn on; None without anybody to take it."""


async def create(
    store: EventStore, command: Command, decide: Callable[[Company, datetime], Sequence[LeadEvent]]
) -> Answer:
    """Start a lead's stream. Nothing is read first: a new lead has no history, and the settings are at hand."""
    try:
        company = await store.company(command.company_id)
        _check_permit(command, company)
        return await store.append(
            command,
            decide(company, UNDATED),
            dated=lambda at: decide(company, at),
            before={},
            settings=company.settings_version,
        )
    except DuplicateLead:
        raise
    except (LeadRefusal, AccessRefused, SettingsChanged, VersionConflict):
        # By settings that may be outdated, and it may have been answered before: now look.
        return await settle(store, command, [command.lead_id], lambda _leads, current, at: decide(current, at))


async def handle(store: EventStore, command: Command, decide: Decide) -> Answer:
    """Decide a command on an existing lead and append the outcome."""
    lead_id = command.lead_id
    return await settle(store, command, [lead_id], lambda leads, company, at: decide(leads[lead_id], company, at))


async def handle_pair(store: EventStore, command: Command, other_id: UUID, decide: DecidePair) -> Answer:
    """Decide a command on its lead and another one, and append what becomes of both."""
    lead_id = command.lead_id
    return await settle(
        store,
        command,
        [lead_id, other_id],
        lambda leads, company, at: decide(leads[lead_id], leads[other_id], company, at),
    )


async def preview_pair(
    store: EventStore, command: Command, other_id: UUID, decide: DecidePair
) -> tuple[Sequence[LeadEvent], Feed]:
    """Return what such a command would come to, and the feed that this reflects; nothing is kept."""
    moment = await store.read(command, [command.lead_id, other_id])
    company = await store.company(command.company_id, at_least=moment.feed.settings_version)
    _check_permit(command, company)
    lead = moment.leads[command.lead_id]
    require_version(lead, version_in(moment.feed.epoch, command.expected))
    return decide(lead, moment.leads[other_id], company, moment.feed.at), moment.feed


async def settle(store: EventStore, command: Command, lead_ids: Sequence[UUID], decide: DecideAll) -> Answer:
    """Decide a command by what its leads and the company's settings are, and append the outcome.

    Raises:
        LeadRefusal: the rules say no.
        AccessRefused: the author may not do this, or not any more.
        IdempotencyKeyReused: see `EventStore`.
        VersionConflict, SettingsChanged: others were faster each time.
    """
    retries = RETRIES
    while True:
        moment = await store.read(command, lead_ids)
        company = await store.company(command.company_id, at_least=moment.feed.settings_version)
        _check_permit(command, company)
        if moment.answer is not None:
            return moment.answer
        leads = moment.leads
        lead = leads[command.lead_id]
        require_version(lead, version_in(moment.feed.epoch, command.expected))
        facts = decide(leads, company, moment.feed.at)
        if not facts:
            assert lead is not None  # decided: so it exists
            return await store.remember(command, Answer.of(command, lead, moment.feed))
        try:
            return await store.append(
                command,
                facts,
                dated=partial(decide, leads, company),
                before=leads,
                settings=company.settings_version,
            )
        except (VersionConflict, SettingsChanged):
            if not retries:
                raise
        retries -= 1


def _check_permit(command: Command, company: Company) -> None:
    if command.permit is not None:
        access.check(company, command.permit)

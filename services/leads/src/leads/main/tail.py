"""`python -m leads tail`: beside a relay, with what the relay is told."""

import asyncio
import contextlib
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from leads import tail
from leads.main import read
from leads.settings import RelaySettings
from leads.tail import Wanted
from runtime import broker, logs


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the person asked for."""

    company: UUID | None
    lead: UUID | None
    type: str | None
    since: float
    """Seconds ago."""
    count: int | None
    """After how many it ends; None: never."""
    as_json: bool
    with_data: bool


def run(**options: Any) -> None:  # noqa: ANN401 - as the command line has them
    settings = read.settings(RelaySettings)
    logs.configure("leads-tail", "ERROR")
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(_show(settings.nats_url.get_secret_value(), Options(**options)))


async def _show(nats_url: str, options: Options) -> None:
    wanted = Wanted(company_id=options.company, subject_id=options.lead, type=options.type)
    begin = datetime.now(UTC) - timedelta(seconds=options.since)
    show = tail.json_line if options.as_json else tail.line
    nats = await broker.connect(nats_url, "leadwire tail")
    try:
        shown = 0
        async with aclosing(tail.facts(nats, wanted, since=begin)) as found:
            async for message, fact in found:
                print(show(message, fact, with_data=options.with_data), flush=True)  # noqa: T201 - this is its answer
                shown += 1
                if shown == options.count:
                    return
    finally:
        await broker.close(nats)

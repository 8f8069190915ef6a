"""`python -m leads reseed`."""

import time
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import psycopg

from leads import reseed
from leads.main import read
from leads.main.progress import Progress
from leads.settings import ReseedSettings
from runtime import logs, postgres

_LOOK: Final = 0.2  # seconds between two looks
_PATIENCE: Final = 3.0  # seconds after which it is said that no relay takes it up
_INTERRUPTED: Final = 130  # as a shell reports a program that Ctrl-C ended
_GOES_ON: Final = "the relay goes on with it; the same command looks at it again"


def run(*, since: datetime | timedelta | None, company_id: UUID | None, anew: bool) -> None:
    settings = read.settings(ReseedSettings)
    logs.configure("leads-reseed", settings.log_level)
    progress = Progress("reseed", "facts")
    generation: int | None = None
    try:
        with postgres.connect_blocking(
            settings.database_url.get_secret_value(),
            application_name="leads-reseed",
            options=postgres.server_options(statement_timeout="50s"),
            patience=60.0,
        ) as connection:
            generation = reseed.request(connection, since=since, company_id=company_id, anew=anew)
            _follow(connection, generation, progress)
    except reseed.UnknownCompany:
        read.refuse("there is no such company", code=1)
    except psycopg.Error as error:
        outcome = "nothing was asked for" if generation is None else _GOES_ON
        read.refuse(f"the database refuses: {read.reason(error)}; {outcome}", code=1)
    except KeyboardInterrupt:
        progress.note(_GOES_ON)
        raise SystemExit(_INTERRUPTED) from None


def _follow(connection: psycopg.Connection, generation: int, progress: Progress) -> None:
    """Return when a request is done."""
    told_after: float | None = time.monotonic() + _PATIENCE
    while not (now := reseed.look(connection, generation)).ended:
        if now.begun:
            progress.show(now.published, now.wanted)
        elif told_after is not None and time.monotonic() > told_after:
            progress.note("waiting for an active relay, which does it")
            told_after = None
        time.sleep(_LOOK)
    if now.superseded:
        read.refuse(f"generation {generation} was given up for a newer one", code=1)
    progress.note(f"done: {now.published:,} facts published once more, generation {generation}")

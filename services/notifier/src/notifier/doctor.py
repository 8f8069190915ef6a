"""What the notifier sees with its own credentials, and what of it is wrong."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import psycopg

from contracts import streams, subjects
from notifier.grants import GRANTS
from notifier.migrate import revisions
from notifier.store import LOCK
from runtime import postgres
from runtime.doctor import broker, database
from runtime.doctor.broker import Rights
from runtime.doctor.database import Expected
from runtime.doctor.findings import MIGRATE, Report

PACKAGE: Final = "leadwire-notifier"
RIGHTS: Final = Rights(
    store=("push.doctor.probe", subjects.dead(streams.NOTIFIER)),
    publish=("rpc.leads.doctor",),
    hear=("rpc.notifier.doctor",),
    never_publish=("crm.doctor.probe", "live.doctor.probe", "$JS.API.STREAM.DELETE.doctor"),
    never_hear=(">", "crm.>"),
)


def examine_database(report: Report, url: str, role: str, clock: Callable[[], datetime]) -> None:
    """Report how the database is, as one role sees it."""
    head, earlier = revisions()
    expected = Expected(
        role=role,
        bypasses_row_security=role == "notifier_writer",
        grants=GRANTS,
        head=head,
        earlier=earlier,
        migrate=MIGRATE,
    )
    try:
        with postgres.connect_blocking(
            url,
            application_name="notifier-doctor",
            options=postgres.server_options(statement_timeout="5s"),
            patience=6.0,
        ) as connection:
            database.examine(report, connection, expected, clock)
            if role == "notifier_writer":
                database.examine_leader(report, connection, LOCK, "notifier")
    except psycopg.Error as error:
        reason = str(error).partition("\n")[0]
        report.fail("database", f"{type(error).__name__}: {reason}", "docs/operations/failures.md#postgresql")


async def examine_nats(report: Report, url: str, clock: Callable[[], datetime]) -> None:
    """Report whether NATS lets the notifier do what it must, and how its consumer and the stream of pushes are."""
    async with broker.connected(report, url, report.process) as session:
        if session is None:
            return
        await broker.examine_rights(report, session, RIGHTS)
        await broker.examine_clock(report, session, f"$JS.API.STREAM.INFO.{streams.PUSH}", clock)
        await broker.examine_streams(report, session, [streams.PUSH])
        own = [
            (stream, consumer) for stream, consumer in streams.CONSUMERS if consumer.durable_name == streams.NOTIFIER
        ]
        await broker.examine_consumers(report, session, own)

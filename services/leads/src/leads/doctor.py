"""What the processes of the leads service see with their own credentials, and what of it is wrong."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import psycopg

from contracts import streams
from leads.grants import GRANTS
from leads.migrate import revisions
from leads.relay import LAG_LIMIT
from runtime import postgres
from runtime.doctor import broker, database
from runtime.doctor.broker import Rights
from runtime.doctor.database import Expected
from runtime.doctor.findings import MIGRATE as MIGRATE_STEP
from runtime.doctor.findings import Report

PACKAGE: Final = "leadwire-leads"
_LATE: Final = "docs/operations/incidents.md#screens-are-late"

_RELAY: Final = "SELECT hashtext('leadwire.leads.relay')"
# The whole table: rows that the relay passed over, if there were such a thing, count too.
_OUTBOX: Final = """
SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT 100000) AS counted),
       (SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)::float8
        FROM (SELECT * FROM outbox ORDER BY id LIMIT 1) AS o JOIN events AS e USING (company_id, feed_position))
"""

API: Final = Rights(
    hear=("rpc.leads.doctor", "crm.doctor.>"),
    never_publish=("crm.doctor.probe", "push.doctor.probe", "$JS.API.STREAM.DELETE.doctor"),
    never_hear=(">", "push.>"),
)
RELAY: Final = Rights(
    store=("crm.doctor.probe",),
    never_publish=("push.doctor.probe", "live.doctor.probe", "$JS.API.STREAM.DELETE.doctor"),
    never_hear=(">", "crm.>"),
)
MIGRATE: Final = Rights(
    publish=("$JS.API.STREAM.INFO.doctor", "$JS.API.CONSUMER.LIST.doctor"),
    never_publish=("crm.doctor.probe", "push.doctor.probe", "live.doctor.probe", "$JS.API.STREAM.DELETE.doctor"),
    never_hear=(">", "crm.>"),
)


def examine_database(report: Report, url: str, role: str, clock: Callable[[], datetime]) -> None:
    """Report how the database is, as one role sees it; as the relay's also what waits to be published."""
    head, earlier = revisions()
    expected = Expected(
        role=role,
        bypasses_row_security=role == "leads_relay",
        grants=GRANTS,
        head=head,
        earlier=earlier,
        migrate=MIGRATE_STEP,
    )
    try:
        with postgres.connect_blocking(
            url,
            application_name="leads-doctor",
            options=postgres.server_options(statement_timeout="5s"),
            patience=6.0,
        ) as connection:
            is_migrated = database.examine(report, connection, expected, clock)
            key = connection.execute(_RELAY).fetchall()[0][0]
            database.examine_leader(report, connection, key, "relay")
            if is_migrated and role == "leads_relay":
                examine_outbox(report, connection)
    except psycopg.Error as error:
        reason = str(error).partition("\n")[0]
        report.fail("database", f"{type(error).__name__}: {reason}", "docs/operations/failures.md#postgresql")


def examine_outbox(report: Report, connection: database.Connection, *, limit: float = LAG_LIMIT) -> None:
    """Report how many facts wait to be published, and for how long.

    Args:
        report: where to.
        connection: of a role that sees every company's.
        limit: seconds the oldest may wait.
    """
    rows, age = connection.execute(_OUTBOX).fetchall()[0]
    if age is not None and age > limit:
        report.fail("outbox", f"{rows} facts are not published, the oldest has waited for {age:.0f} s", _LATE)
    else:
        report.fine("outbox", f"{rows} facts wait")


async def examine_nats(report: Report, url: str, rights: Rights) -> None:
    """Report whether NATS lets a process do what it must, and nothing else."""
    async with broker.connected(report, url, report.process) as session:
        if session is not None:
            await broker.examine_rights(report, session, rights)


async def examine_streams(
    report: Report, url: str, *, replicas: int, listeners: Mapping[str, str], clock: Callable[[], datetime]
) -> None:
    """Report whether all streams and consumers are as declared: only who makes them sees them all."""
    async with broker.connected(report, url, report.process) as session:
        if session is None:
            return
        await broker.examine_rights(report, session, MIGRATE)
        names = [stream.name or "" for stream in streams.STREAMS]
        await broker.examine_clock(report, session, f"$JS.API.STREAM.INFO.{streams.CRM}", clock)
        await broker.examine_streams(report, session, names, replicas=replicas)
        await broker.examine_consumers(report, session, streams.CONSUMERS, look=broker.listing)
        others = [(streams.CRM, streams.listener(name, subject)) for name, subject in listeners.items()]
        await broker.examine_consumers(report, session, others, ours=False, look=broker.listing)

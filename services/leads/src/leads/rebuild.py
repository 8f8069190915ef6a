"""Make the read models anew from the log, while everything goes on: `leads rebuild`.

The new tables are made beside the old ones, in a schema of their own: filled part by part by several processes, given
the indexes, policies and grants of the old ones, brought up to date, and put in their place. Nothing else happens:
facts are only read, nobody is told.

The schema says how far that is. Whoever is killed, the next one goes on.
"""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import asynccontextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, Final, LiteralString

import psycopg
from psycopg.errors import LockNotAvailable, QueryCanceled
from psycopg.sql import SQL, Composed, Identifier

from leads.store import derive
from leads.store.database import RawConnection
from leads.store.derive import Part, Rest
from leads.store.projections import TABLES
from runtime import postgres

NEW: Final = "rebuilding"
OLD: Final = "rebuilt"
PART: Final = 20_000  # facts of a company that one transaction derives from, about
STEP: Final = 1000  # facts of a company that one transaction catches up with
CLOSE: Final = 500  # facts that may be caught up with while nobody writes
PATIENCE: Final = "SET LOCAL lock_timeout = '500ms'"
TRIES: Final = 60
PAUSE: Final = 1.0  # seconds between two tries
SETTLE: Final = 0.1  # seconds in which reads that have begun reach their tables

# Also the migrations': tables do not change meanwhile.
LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('leadwire.leads.migrate'))"
LEFT: Final = "SELECT to_regclass('rebuilding.rebuild_about'), to_regclass('rebuilding.leads')"
FACTS: Final = "SELECT coalesce(sum(position), 0) FROM rebuild_companies"
ABOUT: Final = """
CREATE TABLE rebuild_about AS SELECT version_num FROM public.alembic_version;
CREATE TABLE rebuild_companies (
    company_id uuid PRIMARY KEY,
    until      bigint NOT NULL,  -- where its feed was when it was begun with
    parts      integer NOT NULL,
    position   bigint  -- what its read models reflect; NULL: some parts are missing
);
CREATE TABLE rebuild_parts (
    company_id uuid, number integer, facts bigint NOT NULL, counted jsonb NOT NULL, merges jsonb NOT NULL,
    PRIMARY KEY (company_id, number)
);
"""
IS_OURS: Final = "SELECT (SELECT version_num FROM rebuild_about) = (SELECT version_num FROM public.alembic_version)"
PLAN: Final = """
INSERT INTO rebuild_companies (company_id, until, parts)
SELECT company_id, position, position / %(part)s + 1 FROM public.feeds ON CONFLICT DO NOTHING
"""
MISSING: Final = """
SELECT c.company_id, c.until, number, c.parts
FROM rebuild_companies AS c CROSS JOIN LATERAL generate_series(0, c.parts - 1) AS number
WHERE c.position IS NULL AND NOT EXISTS (
    SELECT FROM rebuild_parts AS p WHERE p.company_id = c.company_id AND p.number = number.number
)
ORDER BY c.until DESC, c.company_id, number
"""
PART_DONE: Final = "INSERT INTO rebuild_parts VALUES (%(company_id)s, %(number)s, %(facts)s, %(counted)s, %(merges)s)"
UNFINISHED: Final = "SELECT company_id, until FROM rebuild_companies WHERE position IS NULL"
PARTS: Final = "SELECT facts, counted, merges FROM rebuild_parts WHERE company_id = %(company_id)s"
FORGET_PARTS: Final = "DELETE FROM rebuild_parts WHERE company_id = %(company_id)s"
AT: Final = "UPDATE rebuild_companies SET position = %(position)s WHERE company_id = %(company_id)s"
BEHIND: Final = """
SELECT f.company_id, c.position, f.position FROM public.feeds AS f LEFT JOIN rebuild_companies AS c USING (company_id)
WHERE f.position > coalesce(c.position, 0)
"""
NEWCOMERS: Final = """
INSERT INTO rebuild_companies (company_id, until, parts, position)
SELECT company_id, 0, 1, 0 FROM public.feeds ON CONFLICT DO NOTHING
"""
TOTAL: Final = "SELECT coalesce(sum(until), 0)::bigint FROM rebuild_companies"

# What a copy of a table lacks.
OPTIONS: Final = "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = %(table)s::regclass"
INDEXES: Final = """
SELECT i.relname, pg_get_indexdef(x.indexrelid), c.contype
FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid LEFT JOIN pg_constraint AS c ON c.conindid = i.oid
WHERE x.indrelid = %(table)s::regclass ORDER BY c.contype IS DISTINCT FROM 'p', i.relname
"""
POLICIES: Final = """
SELECT format(
    'CREATE POLICY %%I ON rebuilding.%%I AS %%s FOR %%s TO %%s', policyname, tablename, permissive, cmd,
    (SELECT string_agg(CASE r WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(r) END, ', ') FROM unnest(roles) AS r)
) || coalesce(' USING (' || qual || ')', '') || coalesce(' WITH CHECK (' || with_check || ')', '')
FROM pg_policies WHERE schemaname = 'public' AND tablename = %(name)s
"""
GRANTS: Final = """
SELECT format('GRANT %%s ON rebuilding.%%I TO %%s', privilege_type, %(name)s::text, grantee::regrole)
FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = %(table)s::regclass AND grantee <> relowner
UNION ALL
SELECT format('GRANT %%s (%%I) ON rebuilding.%%I TO %%s', privilege_type, attname, %(name)s::text, grantee::regrole)
FROM pg_attribute, aclexplode(attacl) WHERE attrelid = %(table)s::regclass AND grantee <> 0
"""
SECURITY: Final = "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %(table)s::regclass"

# The new tables are found before the old ones.
CONNECTION: Final[dict[str, Any]] = {
    "options": postgres.server_options(search_path=f"{NEW},public", synchronous_commit="off"),
    "application_name": "leads-rebuild",
    "patience": None,  # a log may be large
}

Report = Callable[[str], None]
Show = Callable[[int, int], None]


class Busy(Exception):
    """Another rebuild or a migration is under way."""


class NoQuietMoment(Exception):
    """The tables were in use whenever we wanted to put the new ones in their place."""


def rebuild(database_url: str, *, processes: int, anew: bool, report: Report, show: Show) -> int:
    """Make the read models anew, and return from how many facts.

    Args:
        database_url: as leads_owner.
        processes: that derive at the same time.
        anew: begin from the start, though another one was interrupted.
        report: takes what happens.
        show: takes how many facts are done, of how many.

    Raises:
        Busy: see there.
        NoQuietMoment: see there; what was done stays for the next one.
        psycopg.Error: the database refuses, or is away; the same.
    """
    with postgres.connect_blocking(database_url, **CONNECTION) as owner:
        if owner.execute(LOCK).fetchone() != (True,):
            raise Busy
        if not _is_taken_over(owner):
            _prepare(owner, anew=anew, report=report)
            _derive(owner, database_url, processes, show)
            report("building indexes")
            _complete(owner)
            report("catching up")
            asyncio.run(_take_over(database_url))
        report("dropping the old tables")
        (facts,) = _row(owner, FACTS)
        owner.execute(SQL("DROP SCHEMA IF EXISTS {}, {} CASCADE").format(Identifier(OLD), Identifier(NEW)))
        return int(facts)


def _is_taken_over(owner: psycopg.Connection) -> bool:
    """Whether an earlier one was killed when nothing was left to do but to clear up."""
    about, table = _row(owner, LEFT)
    return about is not None and table is None


def _prepare(owner: psycopg.Connection, *, anew: bool, report: Report) -> None:
    about, _table = _row(owner, LEFT)
    if about is not None:
        if not anew and _row(owner, IS_OURS)[0]:
            report("going on where an interrupted one was")
            return
        report("dropping what an interrupted one left")
    with owner.transaction():
        owner.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(NEW)))
        owner.execute(SQL("CREATE SCHEMA {}").format(Identifier(NEW)))
        for table in TABLES:
            _create(owner, table)
        owner.execute(ABOUT)
        owner.execute(PLAN, {"part": PART})


def _create(owner: psycopg.Connection, table: str) -> None:
    """Make a table like the old one, with its primary key alone: rows come in its order."""
    here, there = Identifier(NEW, table), Identifier("public", table)
    owner.execute(SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES)").format(here, there))
    (options,) = _one(owner, OPTIONS, table)
    if options:
        owner.execute(SQL("ALTER TABLE {} SET ({})").format(here, SQL(options)))
    for name, definition, kind in owner.execute(INDEXES, {"table": f"public.{table}"}).fetchall():
        if kind == "p":
            owner.execute(_elsewhere(definition, table))
            owner.execute(
                SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY USING INDEX {}").format(
                    here, Identifier(name), Identifier(name)
                )
            )


def _derive(owner: psycopg.Connection, database_url: str, processes: int, show: Show) -> None:
    missing = [Part(company_id, until, number, of) for company_id, until, number, of in owner.execute(MISSING)]
    (total,) = _row(owner, TOTAL)
    done = total - sum(part.until // part.of for part in missing)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_die_with_parent) as pool:
        running: list[Future[int]] = [pool.submit(_derive_part, database_url, part) for part in missing]
        try:
            for part in as_completed(running):
                done += part.result()
                show(min(done, total), total)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    asyncio.run(_finish_companies(database_url))
    show(total, total)


def _die_with_parent() -> None:
    """Leave no process behind when the first one is killed."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _derive_part(database_url: str, part: Part) -> int:
    return asyncio.run(_derive_part_of(database_url, part))


async def _derive_part_of(database_url: str, part: Part) -> int:
    async with _connected(database_url) as connection:
        await derive.enter(connection, part.company_id)
        rest = await derive.derive_part(connection, part)
        values = {
            "company_id": part.company_id,
            "number": part.number,
            "facts": rest.facts,
            "counted": json.dumps([[*key, number] for key, number in rest.counted.items()]),
            "merges": json.dumps(rest.merges),
        }
        await connection.execute(PART_DONE, values)
        await connection.commit()
        return rest.facts


async def _finish_companies(database_url: str) -> None:
    async with _connected(database_url) as connection:
        for company_id, until in await (await connection.execute(UNFINISHED)).fetchall():
            company = {"company_id": company_id}
            await derive.enter(connection, company_id)
            rest = Rest()
            for facts, counted, merges in await (await connection.execute(PARTS, company)).fetchall():
                rest.facts += facts
                rest.counted.update({(dimension, key): number for dimension, key, number in counted})
                rest.merges.extend((position, survivor, merged) for position, survivor, merged in merges)
            await derive.finish(connection, company_id, rest)
            await connection.execute(AT, {**company, "position": until})
            await connection.execute(FORGET_PARTS, company)
            await connection.commit()


def _complete(owner: psycopg.Connection) -> None:
    """Give the new tables all that the old ones have."""
    owner.execute("SET maintenance_work_mem = '256MB'")
    for table in TABLES:
        here, new = Identifier(NEW, table), {"table": f"{NEW}.{table}"}
        there = {row[0] for row in owner.execute(INDEXES, new)}
        for name, definition, _kind in owner.execute(INDEXES, {"table": f"public.{table}"}).fetchall():
            if name not in there:
                owner.execute(_elsewhere(definition, table))
        with owner.transaction():
            for statement in _missing_rights(owner, table):
                owner.execute(statement)
        owner.execute(SQL("ANALYZE {}").format(here))


def _missing_rights(owner: psycopg.Connection, table: str) -> Iterator[SQL | Composed]:
    """Yield what protects a table, unless that was done."""
    if _one(owner, SECURITY, table, NEW) == _one(owner, SECURITY, table):
        return
    enabled, forced = _one(owner, SECURITY, table)
    for query in (POLICIES, GRANTS):
        values = {"table": f"public.{table}", "name": table}
        for (statement,) in owner.execute(query, values).fetchall():
            yield SQL(statement)
    if forced:
        yield SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(Identifier(NEW, table))
    if enabled:
        yield SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(Identifier(NEW, table))


async def _take_over(database_url: str) -> None:
    """Bring the new tables to where the log is, and put them in the place of the old ones."""
    async with _connected(database_url) as connection:
        while await _catch_up(connection) > CLOSE:
            pass
        for _ in range(TRIES):
            try:
                await _swap(database_url, connection)
            except (LockNotAvailable, QueryCanceled):
                await connection.rollback()
                await asyncio.sleep(PAUSE)
                await _catch_up(connection)
            else:
                return
    raise NoQuietMoment


async def _swap(database_url: str, connection: RawConnection) -> None:
    async with _connected(database_url) as swapping:
        await swapping.execute(PATIENCE)
        # Nobody writes from here on; everybody reads.
        await swapping.execute("LOCK TABLE public.feeds IN EXCLUSIVE MODE")
        while await _catch_up(connection):
            pass
        # A read sees the new tables as they were when it began: let those that began before this moment have the old
        # ones.
        await asyncio.sleep(SETTLE)
        old, new = Identifier("public"), Identifier(NEW)
        tables = SQL(", ").join(Identifier("public", table) for table in TABLES)
        await swapping.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(tables))
        await swapping.execute(SQL("CREATE SCHEMA {}").format(Identifier(OLD)))
        for table in TABLES:
            for here, there in ((old, Identifier(OLD)), (new, old)):
                moved = SQL("{}.{}").format(here, Identifier(table))
                await swapping.execute(SQL("ALTER TABLE {} SET SCHEMA {}").format(moved, there))
        await swapping.commit()


async def _catch_up(connection: RawConnection) -> int:
    """Derive from what is new in the log, and return how many facts that were."""
    await connection.execute(NEWCOMERS)
    behind = await (await connection.execute(BEHIND)).fetchall()
    await connection.commit()
    for company_id, position, head in behind:
        after = position or 0
        while after < head:
            until = min(after + STEP, head)
            await derive.enter(connection, company_id)
            await derive.advance(connection, company_id, after=after, until=until)
            await connection.execute(AT, {"company_id": company_id, "position": until})
            await connection.commit()
            after = until
    return sum(head - (position or 0) for _company_id, position, head in behind)


@asynccontextmanager
async def _connected(database_url: str) -> AsyncIterator[RawConnection]:
    async with await postgres.connect(database_url, **CONNECTION, autocommit=False) as connection:
        yield connection


def _elsewhere(definition: str, table: str) -> SQL:
    return SQL(definition.replace(f" ON public.{table} ", f" ON {NEW}.{table} ", 1))


def _one(owner: psycopg.Connection, statement: LiteralString, table: str, schema: str = "public") -> Sequence[Any]:
    return _row(owner, statement, table=f"{schema}.{table}")


def _row(owner: psycopg.Connection, statement: LiteralString, **values: object) -> Sequence[Any]:
    row = owner.execute(statement, values).fetchone()
    assert row is not None
    return row

"""What any role of a database can see of its state. The connection is the service's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString, Protocol

from runtime.doctor import clocks
from runtime.doctor.findings import Report, Severity

_TESTED: Final = 18  # of PostgreSQL
_CROWDED: Final = 0.8  # of the connections
_RUNBOOK: Final = "docs/operations/failures.md"

_STATE: Final = """
SELECT current_setting('server_version_num')::int / 10000, current_setting('server_version'), clock_timestamp(),
       current_user, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
       current_setting('max_connections')::int, pg_size_pretty(pg_database_size(current_database())),
       pg_is_in_recovery(), (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database())
"""
_ROLE: Final = """
SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication, rolbypassrls
FROM pg_roles WHERE rolname = current_user
"""
# A line for what a role may do with a table, one for each deed that is limited to columns. "-" is everybody.
GRANTS: Final = """
SELECT role || ' ' || object || ' ' || string_agg(privilege || columns, ', ' ORDER BY privilege || columns)
FROM (
    SELECT a.grantee::regrole::text AS role, c.relname AS object, a.privilege_type AS privilege, '' AS columns
    FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
    WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner
    UNION ALL
    SELECT a.grantee::regrole::text, c.relname, a.privilege_type,
           '(' || string_agg(t.attname, ' ' ORDER BY t.attname) || ')'
    FROM pg_class AS c JOIN pg_attribute AS t ON t.attrelid = c.oid CROSS JOIN aclexplode(t.attacl) AS a
    WHERE c.relnamespace = 'public'::regnamespace AND NOT t.attisdropped AND a.grantee <> c.relowner
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT a.grantee::regrole::text, p.proname || '()', a.privilege_type, ''
    FROM pg_proc AS p CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
    WHERE p.pronamespace = 'public'::regnamespace AND p.prorettype <> 'trigger'::regtype AND a.grantee <> p.proowner
) AS granted
GROUP BY role, object, CASE columns WHEN '' THEN '' ELSE privilege END ORDER BY 1
"""
_UNGUARDED: Final = """
SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS t ON t.attrelid = c.oid AND t.attname = 'company_id'
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
ORDER BY c.relname
"""
# A lock's number is told in two halves.
_HOLDERS: Final = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid::bigint << 32) | objid::bigint = %(key)s
"""
_REVISION: Final = "SELECT version_num FROM alembic_version"
_OLD_TRANSACTIONS: Final = 1_500_000_000  # of 2,147,483,648, after which PostgreSQL refuses writes


class Rows(Protocol):
    """What a statement returned."""

    def fetchall(self) -> Sequence[tuple[Any, ...]]: ...


class Connection(Protocol):
    """A connection that runs each statement as it comes."""

    def execute(self, query: LiteralString, params: Mapping[str, object] | None = None) -> Rows: ...


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a database of this release looks like to one role."""

    role: str
    bypasses_row_security: bool
    grants: str
    """Of all roles, as `GRANTS` returns them, a line each."""
    head: str
    """The revision of the last migration."""
    earlier: frozenset[str]
    """The revisions before it."""
    migrate: str
    """The command that migrates."""


def examine(report: Report, connection: Connection, expected: Expected, clock: Callable[[], datetime]) -> bool:
    """Report how a database is, as one role sees it; return whether it has the tables of this release."""
    before = clock()
    row = connection.execute(_STATE).fetchall()[0]
    major, version, now, user, connections, most, size, is_standby, age = row
    clocks.examine(report, "PostgreSQL", clocks.Reading(before, now, clock()))
    report.settle("versions", _versions(major, version), f"PostgreSQL {version}")
    report.settle("connections", _crowd(connections, most), f"{connections} of {most} are used")
    report.settle("database", _database(is_standby=is_standby, age=age), f"{size}, takes writes")
    is_migrated = _migrations(report, connection, expected)
    report.settle("permissions", _role(connection, user, expected), f"{user} has the attributes it needs, no others")
    if is_migrated:
        report.settle("permissions", _grants(connection, expected), "every role has its grants and no others")
        unguarded = [name for (name,) in connection.execute(_UNGUARDED).fetchall()]
        report.settle("permissions", _unguarded(unguarded), "row-level security is forced on every company's rows")
    return is_migrated


def examine_leader(report: Report, connection: Connection, lock: int, process: str) -> None:
    """Report whether one process of a kind is active: it holds the advisory lock of this number."""
    holders = connection.execute(_HOLDERS, {"key": lock}).fetchall()[0][0]
    if holders:
        report.fine("active", f"one {process} is active")
    else:
        report.fail("active", f"no {process} is active", "docs/operations/incidents.md#screens-are-late")


def _versions(major: int, version: str) -> list[tuple[Severity, str, str]]:
    if major >= _TESTED:
        return []
    return [("warning", f"PostgreSQL {version}: tested with {_TESTED}", "upgrade PostgreSQL")]


def _crowd(connections: int, most: int) -> list[tuple[Severity, str, str]]:
    if connections < _CROWDED * most:
        return []
    return [("warning", f"{connections} of {most} connections are used", "docs/capacity.md")]


def _database(*, is_standby: bool, age: int) -> list[tuple[Severity, str, str]]:
    found: list[tuple[Severity, str, str]] = []
    if is_standby:
        found.append(("error", "this server is a standby: it takes no writes", _RUNBOOK))
    if age > _OLD_TRANSACTIONS:
        found.append(("error", f"its oldest transaction is {age} transactions old", "VACUUM FREEZE, as its owner"))
    return found


def _migrations(report: Report, connection: Connection, expected: Expected) -> bool:
    exists = connection.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL").fetchall()[0][0]
    revision = next((number for (number,) in connection.execute(_REVISION).fetchall()), None) if exists else None
    if revision is None:
        report.fail("migrations", "the database was never migrated", expected.migrate)
    elif revision in expected.earlier:
        report.fail("migrations", f"at {revision}, this release needs {expected.head}", expected.migrate)
    elif revision != expected.head:
        report.warn("migrations", f"at {revision}, which a newer release made", "finish the upgrade of all processes")
    else:
        report.fine("migrations", f"at {revision}")
    return bool(revision == expected.head)


def _role(connection: Connection, user: str, expected: Expected) -> list[tuple[Severity, str, str]]:
    if user != expected.role:
        return [("error", f"connected as {user}, not as {expected.role}", "docs/operations.md#processes")]
    is_powerful, bypasses = connection.execute(_ROLE).fetchall()[0]
    fix = "psql --file deploy/postgres/roles.sql, as the superuser"
    found: list[tuple[Severity, str, str]] = []
    if is_powerful:
        found.append(("error", f"{user} may administer the server", fix))
    if bypasses != expected.bypasses_row_security:
        found.append(("error", f"{user} {'' if bypasses else 'does not '}pass by row-level security", fix))
    return found


def _grants(connection: Connection, expected: Expected) -> list[tuple[Severity, str, str]]:
    found = {line for (line,) in connection.execute(GRANTS).fetchall()}
    declared = set(expected.grants.split("\n")) - {""}
    repair = "GRANT or REVOKE it, as the tables' owner"
    return [
        *(("error", f"missing: {line}", repair) for line in sorted(declared - found)),
        *(("error", f"too much: {line}", repair) for line in sorted(found - declared)),
    ]


def _unguarded(tables: list[str]) -> list[tuple[Severity, str, str]]:
    return [
        ("error", f"{table} shows every company's rows", f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY, and ENABLE")
        for table in tables
    ]

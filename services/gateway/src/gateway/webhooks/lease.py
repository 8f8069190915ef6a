"""One leader among the gateways: a record that only its holder renews, and that the server removes when nobody does."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error
from nats.js.errors import APIError

from contracts import streams

SUBJECT: Final = "state.leader"
RENEWALS: Final = 3.3  # in the time of a lease
MARGIN: Final = 0.1  # of the time of a lease, before its end, at which the holder stops by itself
LOOK: Final = 1.0  # seconds between two attempts to get it
PATIENCE: Final = 2.0  # seconds for an answer of NATS

TTL_HEADER: Final = "Nats-TTL"

_log = structlog.stdlib.get_logger("gateway.webhooks.lease")


class Taken(Exception):
    """Somebody else wrote the record first."""


async def put(nats: Client, subject: str, body: bytes, *, expected: int, ttl: float | None = None) -> int:
    """Store a record if the last one of its subject has this sequence number (0: there is none); return its own.

    Raises:
        Taken: it has another one.
        nats.errors.Error, OSError, TimeoutError: nobody knows whether it is stored.
    """
    headers = {streams.EXPECTED_LAST_HEADER: str(expected)} | (
        {} if ttl is None else {TTL_HEADER: f"{max(1, round(ttl))}s"}
    )
    try:
        return (await nats.jetstream().publish(subject, body, timeout=PATIENCE, headers=headers)).seq
    except APIError as error:
        if error.err_code == streams.WRONG_LAST_SEQUENCE:
            raise Taken(subject) from error
        raise


class Lease:
    """The part of one process in who leads."""

    def __init__(self, nats: Client, holder: str, seconds: float) -> None:
        """Want it, but do nothing yet.

        Args:
            nats: a connected client.
            holder: who this process is, for people who look.
            seconds: without a renewal until somebody else may have it.
        """
        self._nats = nats
        self._body = holder.encode()
        self._seconds = seconds
        self._sequence = 0
        self._until = 0.0

    async def acquire(self) -> None:
        """Return once this process holds it."""
        while True:
            try:
                await self._write(0)
            except Taken:
                await asyncio.sleep(LOOK)
            except (Error, OSError, TimeoutError):  # NATS is away
                await asyncio.sleep(LOOK)
            else:
                _log.info("leading webhooks")
                return

    async def keep(self) -> None:
        """Renew it; return when it is lost, at the latest just before it could be somebody else's."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(self._seconds / RENEWALS, max(0.0, self._until - loop.time())))
            if loop.time() >= self._until:
                break
            try:
                await self._write(self._sequence)
            except Taken:
                break
            except (Error, OSError, TimeoutError) as error:
                _log.warning("lead not renewed", reason=type(error).__name__)
        _log.warning("no longer leading webhooks")

    async def release(self) -> None:
        """Let somebody else have it soon."""
        with contextlib.suppress(Taken, Error, OSError, TimeoutError):
            await put(self._nats, SUBJECT, b"", expected=self._sequence, ttl=1)

    async def _write(self, expected: int) -> None:
        began = asyncio.get_running_loop().time()
        self._sequence = await put(self._nats, SUBJECT, self._body, expected=expected, ttl=self._seconds)
        self._until = began + self._seconds * (1 - MARGIN)


async def lead(lease: Lease, work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Wait for the lease, then do work that does not end by itself; return when the lease is lost."""
    await lease.acquire()
    keeping, working = asyncio.create_task(lease.keep()), asyncio.create_task(work())
    try:
        await asyncio.wait({keeping, working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await working
        finally:
            keeping.cancel()
            await lease.release()

"""Who may log in, and how often somebody may try."""

import asyncio
from collections import OrderedDict
from typing import Final
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from leads.store.database import Database

ATTEMPTS: Final = 5  # failed log-ins of one e-mail address from one network address …
ADDRESS_ATTEMPTS: Final = 50  # failed log-ins from one network address, whatever the e-mail addresses …
PERIOD: Final = 60.0  # … in so many seconds
REMEMBERED: Final = 10_000  # pairs and addresses; the oldest are forgotten first
PARALLEL: Final = 2  # verifications at a time: each takes 64 MiB and a core for some 50 ms
QUEUE: Final = 40  # log-ins at a time, for some second of verifications; more are told to come back


class TooManyAttempts(Exception):
    """Somebody guesses."""

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after = retry_after
        """Seconds until the next try is welcome."""


class TooManyAtOnce(Exception):
    """So many log in that another would wait for long."""


class LoginLimiter:
    """Counts failed log-ins in this process' memory."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def check(self, who: tuple[str, str], now: float) -> None:
        """Count one more try; `who` is e-mail and network address, `now` seconds of any steady clock.

        Raises:
            TooManyAttempts: it does not count, and must not be served.
        """
        limits = {who: ATTEMPTS, ("", who[1]): ADDRESS_ATTEMPTS}
        recent = {key: [at for at in self._failures.get(key, ()) if at > now - PERIOD] for key in limits}
        for key, limit in limits.items():
            if len(recent[key]) >= limit:
                raise TooManyAttempts(recent[key][0] + PERIOD - now)
        for key, tries in recent.items():
            self._failures[key] = [*tries, now]
            self._failures.move_to_end(key)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def forgive(self, who: tuple[str, str]) -> None:
        """Forget somebody's tries: they knew the password. Their address has one try less against it."""
        self.take_back(who)
        self._failures.pop(who, None)

    def take_back(self, who: tuple[str, str]) -> None:
        """Forget somebody's last try: it was not answered. Those before it still count."""
        for key in (who, ("", who[1])):
            if tries := self._failures.get(key):
                tries.pop()


class Passwords:
    """Verifies passwords; a wrong one takes as long as an unknown user."""

    def __init__(self, database: Database, hasher: PasswordHasher) -> None:
        self._database = database
        self._hasher = hasher
        self._nobody = hasher.hash("nobody has this password")
        self._turns = asyncio.Semaphore(PARALLEL)
        self._queued = 0

    async def verify(self, email: str, password: str) -> tuple[UUID, UUID] | None:
        """Return the company and user id behind the credentials, or None.

        Raises:
            TooManyAtOnce: nothing was verified.
            DatabaseAway: see `Database`.
        """
        if self._queued >= QUEUE:
            raise TooManyAtOnce
        self._queued += 1
        try:
            found = await self._database.fetch_credentials(email)
            async with self._turns:
                matches = await asyncio.to_thread(self._matches, found[2] if found else self._nobody, password)
        finally:
            self._queued -= 1
        return (found[1], found[0]) if found and matches else None

    async def hash(self, password: str) -> str:
        """Return what is kept of a new password.

        Raises:
            TooManyAtOnce: nothing was hashed.
        """
        if self._queued >= QUEUE:
            raise TooManyAtOnce
        self._queued += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(self._hasher.hash, password)
        finally:
            self._queued -= 1

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerificationError:
            return False

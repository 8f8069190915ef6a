"""Whether somebody knows a password."""

import asyncio
from typing import Final
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from leads.store.database import Database

PARALLEL: Final = 2  # verifications at a time: each takes 64 MiB and a core for some 50 ms
QUEUE: Final = 40  # log-ins at a time, for some second of verifications; more are told to come back


class TooManyAtOnce(Exception):
    """So many log in that another would wait for long."""


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

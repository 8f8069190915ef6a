"""Whether somebody knows a password."""

import asyncio
from typing import Final
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from leads.store.database import Database

ACCOUNTS: Final = 3
"""Accounts of one e-mail address that a log-in without a company tries; each log-in verifies so many passwords."""
PARALLEL: Final = 2  # log-ins at a time: each verification takes 64 MiB and a core for some 50 ms
QUEUE: Final = 40  # log-ins at a time, for some second of verifications; more are told to come back


class TooManyAtOnce(Exception):
    """So many log in that another would wait for long."""


class Passwords:
    """Verifies passwords. Every log-in costs the same work, whether the address has no account, one or several."""

    def __init__(self, database: Database, hasher: PasswordHasher) -> None:
        self._database = database
        self._hasher = hasher
        self._nobody = hasher.hash("nobody has this password")
        self._turns = asyncio.Semaphore(PARALLEL)
        self._queued = 0

    async def verify(self, email: str, password: str, company_id: UUID | None = None) -> list[tuple[UUID, UUID]]:
        """Return company and user id of the accounts that have this address and this password.

        Args:
            email: the address, in lower case.
            password: the password.
            company_id: whose account is meant; None for any of the first `ACCOUNTS` by company id.

        Raises:
            TooManyAtOnce: nothing was verified.
            DatabaseAway: see `Database`.
        """
        if self._queued >= QUEUE:
            raise TooManyAtOnce
        self._queued += 1
        try:
            found = await self._database.fetch_credentials(email, company_id, at_most=ACCOUNTS)
            hashes = [password_hash for _company, _user, password_hash in found]
            hashes += [self._nobody] * (ACCOUNTS - len(hashes))
            async with self._turns:
                matches = await asyncio.to_thread(lambda: [self._matches(known, password) for known in hashes])
        finally:
            self._queued -= 1
        return [(company, user) for (company, user, _hash), fits in zip(found, matches, strict=False) if fits]

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

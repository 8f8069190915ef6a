"""How often somebody may try to log in: for each account, known device and client network.

Failures of an account make the next try wait, longer each time. So that nobody can keep a user out by guessing, a
device on which the user has logged in before has a count of its own (OWASP's "device cookies"). Everything is in the
memory of one process: with N processes there are N times as many tries.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import jwt

from runtime.server.rates import Rate

FREE_TRIES: Final = 5
"""Failures of an account before the first pause."""
DEVICE_TRIES: Final = 10
"""Likewise of a known device."""
LONGEST_PAUSE: Final = 900.0
"""Seconds; the pauses are 1, 2, 4 … until then."""
DEVICE_PAUSE: Final = 10.0
"""The longest on a known device: its user, who mistypes, is not kept out for long."""
DECAY: Final = 1800.0
"""Seconds without a try after which one failure is forgotten."""
NETWORK: Final = Rate(per_second=50 / 60, burst=50)
"""Tries of one client network, whatever the accounts."""
REMEMBERED: Final = 10_000
"""Accounts, devices and networks each; those not heard of for longest are forgotten first."""
DEVICE_LIFETIME: Final = timedelta(days=180)

_ALGORITHM: Final = "HS256"
_AUDIENCE: Final = "leadwire/device"


class TooManyAttempts(Exception):
    """Somebody guesses."""

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after = retry_after
        """Seconds until the next try is welcome."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device on which a user has logged in."""

    id: str
    user_id: UUID


class DeviceTokens:
    """Signs and reads what a device keeps after a log-in. It opens nothing: it says which count a try belongs to."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, device: Device, now: datetime) -> str:
        """Return the token of a device."""
        claims = {
            "aud": _AUDIENCE,
            "sub": str(device.user_id),
            "jti": device.id,
            "exp": int((now + DEVICE_LIFETIME).timestamp()),
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def read(self, token: str | None, now: datetime) -> Device | None:
        """Return the device of a token; None when it is not ours, or has expired."""
        try:
            options = {"verify_exp": False, "require": ["sub", "jti", "exp"]}
            claims = jwt.decode(token or "", self._key, [_ALGORITHM], audience=_AUDIENCE, options=options)  # type: ignore[arg-type]
            known = Device(str(claims["jti"]), UUID(claims["sub"]))
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError):
            return None
        return known if claims["exp"] > now.timestamp() else None


@dataclass(slots=True)
class _Failures:
    number: int = 0
    at: float = 0.0


class _Counts:
    """Failures by key, each further one with a longer pause."""

    def __init__(self, free: int, longest: float) -> None:
        self._free = free
        self._longest = longest
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def add(self, key: str, now: float) -> None:
        """Count a try as failed until `forget` or `take_back` is called.

        Raises:
            TooManyAttempts: it came too early, and does not count.
        """
        known = self._failures.get(key)
        if known is None:
            known = self._failures[key] = _Failures(at=now)
        number = max(0, known.number - int((now - known.at) / DECAY))
        over = number - self._free
        pause = min(self._longest, 2.0 ** min(over, 30)) if over >= 0 else 0.0
        if now < known.at + pause:
            raise TooManyAttempts(known.at + pause - now)
        known.number, known.at = number + 1, now
        self._failures.move_to_end(key)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def forget(self, key: str) -> None:
        self._failures.pop(key, None)

    def take_back(self, key: str) -> None:
        if (known := self._failures.get(key)) is not None:
            known.number = max(0, known.number - 1)


class LoginLimiter:
    """Decides whether a try is served. Every try counts as failed until it is said to have succeeded."""

    def __init__(self) -> None:
        self._accounts = _Counts(FREE_TRIES, LONGEST_PAUSE)
        self._devices = _Counts(DEVICE_TRIES, DEVICE_PAUSE)
        self._networks: OrderedDict[str, float] = OrderedDict()

    def try_device(self, device: Device, now: float) -> None:
        """Count a try on a known device, which neither its account nor its network can keep out.

        Args:
            device: on which its user has logged in before.
            now: seconds of any monotonic clock.

        Raises:
            TooManyAttempts: it does not count, and must not be served.
        """
        self._devices.add(device.id, now)

    def try_account(self, email: str, network: str, now: float) -> None:
        """Count a try on a device that nobody knows, whether there is such an account or not.

        Args:
            email: in small letters.
            network: see `runtime.server.addresses.client_network`.
            now: seconds of any monotonic clock.

        Raises:
            TooManyAttempts: it does not count, and must not be served.
        """
        full_at = NETWORK.take(self._networks.get(network, 0.0), now)
        if full_at is None:
            raise TooManyAttempts(1 / NETWORK.per_second)
        self._accounts.add(email, now)
        self._networks[network] = full_at
        self._networks.move_to_end(network)
        while len(self._networks) > REMEMBERED:
            self._networks.popitem(last=False)

    def device_succeeded(self, device: Device) -> None:
        """Forget a device's failures: its user knows the password. What others do to the account still counts."""
        self._devices.forget(device.id)

    def account_succeeded(self, email: str, network: str) -> None:
        """Take this try back. Earlier failures still count: an address may have accounts in several companies, and
        whoever has one of them must not excuse guesses at the others.
        """
        self._accounts.take_back(email)
        self._give_back(network)

    def device_unanswered(self, device: Device) -> None:
        """Forget a device's last try: nothing was verified."""
        self._devices.take_back(device.id)

    def account_unanswered(self, email: str, network: str) -> None:
        """Forget an account's last try: nothing was verified."""
        self._accounts.take_back(email)
        self._give_back(network)

    def _give_back(self, network: str) -> None:
        if network in self._networks:
            self._networks[network] -= 1 / NETWORK.per_second

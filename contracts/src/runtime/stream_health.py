"""Whether NATS, and the streams and consumers that a process needs, are there and answer: for readiness and metrics.

A connection that is open says little. Its server may be frozen, cut off from the others, or unable to write; a stream
or consumer may have been deleted. So they are asked all the time, and a process is ready only while they answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NoReturn, TypeAlias

import structlog
from nats.aio.client import Client
from nats.errors import Error
from nats.js.api import ConsumerInfo
from nats.js.errors import APIError, NotFoundError
from prometheus_client import Gauge

from runtime.broker import without_quorum
from runtime.doctor.findings import MIGRATE
from runtime.server.admin import Check

INTERVAL: Final = 1.5  # seconds between two looks
TIMEOUT: Final = 1.5  # seconds for each answer
EXPIRES: Final = 5.0  # seconds after which an answer says nothing about the present
NATS: Final = "nats"
"""The name under which the server itself is looked at."""
STORAGE: Final = "storage"
"""The name of whether a stream takes messages."""
NOT_CONNECTED: Final = "not connected"
MISSING: Final = "does not exist"
_TROUBLE: Final = (Error, APIError, OSError, TimeoutError)
_log = structlog.stdlib.get_logger("runtime.stream_health")
_up = Gauge(
    "nats_dependency_up",
    "1 while NATS, or a stream or consumer that this process needs, exists and answers; `storage`: takes messages",
    ["dependency"],
)

OnConsumer: TypeAlias = Callable[[ConsumerInfo | None], None]
"""Is given a consumer's state after each look; None when the consumer does not exist or nobody answers."""


def ignore(_info: ConsumerInfo | None) -> None:
    """Do nothing with a consumer's state."""


class StreamHealth:
    """Looks at what a process needs of NATS every `INTERVAL` seconds while `run` runs."""

    def __init__(
        self,
        *,
        streams: Sequence[str] = (),
        consumers: Mapping[tuple[str, str], OnConsumer] | None = None,
        clock: Callable[[], float],
    ) -> None:
        """Prepare; nothing is asked before `run`.

        Args:
            streams: names of the streams that the process publishes to or reads.
            consumers: (stream, durable consumer) → what is told of it after each look.
            clock: monotonic seconds.
        """
        self._clock = clock
        self._looks: dict[str, Callable[[Client], Awaitable[None]]] = {NATS: _answers}
        self._looks |= {f"stream {name}": _stream(name) for name in streams}
        for (stream, name), on_info in (consumers or {}).items():
            self._looks[f"consumer {name} of {stream}"] = _consumer(stream, name, on_info)
        self._problems: dict[str, str | None] = dict.fromkeys(self._looks, NOT_CONNECTED)
        self._looked_at: dict[str, float] = {}

    def checks(self) -> dict[str, Check]:
        """Return the readiness checks: `nats`, `stream <name>` and `consumer <name> of <stream>`."""
        return {name: self._check(name) for name in self._looks}

    def problem(self, name: str) -> str | None:
        """Return what is wrong with one of these, None when all is well."""
        age = self._clock() - self._looked_at.get(name, self._clock())
        return self._problems[name] if age < EXPIRES else f"not asked for {age:.0f} s"

    def answers(self, name: str) -> bool:
        """Whether NATS was heard of lately about one of these, be it that there is no such stream or consumer."""
        problem = self.problem(name)
        return problem is None or problem.startswith(MISSING)

    async def run(self, client: Client) -> NoReturn:
        """Look until cancelled.

        Args:
            client: of a user who may ask for the state of these streams and consumers.
        """
        while True:
            await asyncio.gather(*(self._look(name, client) for name in self._looks))
            await asyncio.sleep(INTERVAL)

    def _check(self, name: str) -> Check:
        async def check() -> str | None:
            return self.problem(name)

        return check

    async def _look(self, name: str, client: Client) -> None:
        problem = None
        try:
            if client.is_connected:
                await asyncio.wait_for(self._looks[name](client), TIMEOUT)
            else:
                problem = NOT_CONNECTED
        except NotFoundError:
            problem = f"{MISSING}: {MIGRATE}"
        except _TROUBLE as error:
            problem = f"no answer ({type(error).__name__})"
        if problem != self._problems[name]:
            level = _log.info if problem is None else _log.warning
            level("nats dependency", dependency=name, problem=problem or "none")
        self._problems[name] = problem
        self._looked_at[name] = self._clock()
        _up.labels(name).set(problem is None)


async def _answers(client: Client) -> None:
    await client.flush(TIMEOUT)  # type: ignore[arg-type]  # declared int, given to asyncio.wait_for


def _stream(name: str) -> Callable[[Client], Awaitable[None]]:
    async def look(client: Client) -> None:
        info = await client.jetstream(timeout=TIMEOUT).stream_info(name)
        if without_quorum(info.cluster) is not None:
            raise NoLeader

    return look


def _consumer(stream: str, name: str, on_info: OnConsumer) -> Callable[[Client], Awaitable[None]]:
    async def look(client: Client) -> None:
        info = None
        try:
            info = await client.jetstream(timeout=TIMEOUT).consumer_info(stream, name)
        finally:
            on_info(info)

    return look


class NoLeader(Error):
    """A stream has no leader, or one without a majority: nothing can be stored in it."""


class StoreHealth:
    """Whether a stream takes messages. After a failed publish a probe is stored, again and again until one succeeds.

    A disk that is full, or a server that keeps its write error after there is room again, shows in nothing else:
    the stream exists, and its state can be asked for.
    """

    def __init__(self, subject: str) -> None:
        """Believe that it does.

        Args:
            subject: of the stream, on which nobody listens; probes are empty.
        """
        self._subject = subject
        _up.labels(STORAGE).set(1)
        self._problem: str | None = None
        self._doubt = asyncio.Event()

    def failed(self) -> None:
        """Say that a publish was not acknowledged, for whatever reason."""
        self._doubt.set()

    async def check(self) -> str | None:
        """Answer readiness."""
        return self._problem

    async def run(self, client: Client) -> NoReturn:
        """Probe whenever there is doubt, until cancelled."""
        while True:
            await self._doubt.wait()
            try:
                await client.jetstream().publish(self._subject, b"", timeout=TIMEOUT)
            except _TROUBLE as error:
                if self._problem is None:
                    _log.warning("nothing can be stored", subject=self._subject, reason=str(error))
                self._problem = f"nothing can be stored: {str(error) or type(error).__name__}"
                _up.labels(STORAGE).set(0)
                await asyncio.sleep(INTERVAL)
            else:
                if self._problem is not None:
                    _log.info("messages are stored again", subject=self._subject)
                self._problem = None
                self._doubt.clear()
                _up.labels(STORAGE).set(1)

"""What the HTTP API may ask: all gateways about their listeners, and the stream for a channel's last event.

Nothing is published when somebody subscribes: whoever wants to know, asks. The connection to NATS is a separate one, so
that no long answer holds up what goes to sockets.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Final, Protocol

import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.errors import NotFoundError

from contracts import streams, subjects
from gateway.memory import Memory
from gateway.pusher.census import Audience, Poll, Question, Row, parts
from gateway.pusher.refusals import Unavailable
from runtime import broker

PATIENCE: Final = 0.5  # seconds without any part of an answer
LONGEST: Final = 5.0  # seconds for all answers
STORED_AT: Final = "Nats-Time-Stamp"

_log = structlog.stdlib.get_logger("gateway.reads")


class Cluster(Protocol):
    """Which gateways there are."""

    @property
    def node(self) -> str:
        """The name of this one."""

    @property
    def living(self) -> Collection[str]:
        """The names of all."""


@dataclass(slots=True)
class _Asking:
    poll: Poll = field(default_factory=Poll)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Stored:
    """The last event of a channel."""

    data: str
    at: float
    """When it was stored, in Unix time."""


class Reads:
    """Asks and answers. One task, `run`, keeps the connection."""

    def __init__(
        self, url: str, cluster: Cluster, rows: Callable[[str, Question], Iterable[Row]], memory: Memory
    ) -> None:
        """Prepare.

        Args:
            url: of NATS, with user and password.
            cluster: whose answers to wait for.
            rows: (app id, question) → what this gateway knows.
            memory: what it did last.
        """
        self._url = url
        self._cluster = cluster
        self._rows = rows
        self._memory = memory
        self._nats: Client | None = None
        self._inbox = ""
        self._askings: dict[str, _Asking] = {}
        self._tokens = count()

    async def run(self) -> None:
        """Answer the other gateways until cancelled."""
        nats = await broker.connect(self._url, "gateway reads")
        try:
            self._inbox = nats.new_inbox()
            await nats.subscribe(subjects.ask("*"), cb=self._answer)
            await nats.subscribe(f"{self._inbox}.*", cb=self._take)
            await nats.subscribe(subjects.WHERE_DELIVERED, cb=self._tell)
            self._nats = nats
            await broker.tend(nats, streams.PUSH)
        finally:
            await broker.close(nats)

    async def ask(self, app_id: str, question: Question) -> Mapping[str, Audience]:
        """Return the channels of an app that have listeners, on whatever gateway.

        A gateway from which nothing comes in time is left out.

        Raises:
            Unavailable: NATS is away.
        """
        nats, end = self._connected(), asyncio.get_running_loop().time() + LONGEST
        token, asking = str(next(self._tokens)), _Asking()
        self._askings[token] = asking
        try:
            async with asyncio.timeout(PATIENCE) as limit:
                await nats.publish(subjects.ask(app_id), question.encode(), reply=f"{self._inbox}.{token}")
                while not asking.poll.answered.issuperset({*self._cluster.living, self._cluster.node}):
                    asking.changed.clear()
                    await asking.changed.wait()
                    limit.reschedule(min(asyncio.get_running_loop().time() + PATIENCE, end))
        except TimeoutError:
            missing = sorted({*self._cluster.living, self._cluster.node} - asking.poll.answered)
            _log.warning("gateways did not answer", app=app_id, nodes=missing)
            if self._cluster.node in missing:  # our own question did not come back
                raise Unavailable("The message broker did not answer; try again") from None
        except (Error, OSError) as error:
            raise Unavailable("The message broker is not reachable; try again") from error
        finally:
            del self._askings[token]
        return asking.poll.audiences

    async def last(self, app_id: str, channel: str) -> Stored | None:
        """Return the last event stored for a channel, if there is one.

        Raises:
            Unavailable: NATS is away.
        """
        nats = self._connected()
        try:
            found = await nats.jetstream().get_msg(streams.PUSH, subject=subjects.push(app_id, channel), direct=True)
        except NotFoundError:
            return None
        except (Error, OSError, TimeoutError) as error:
            raise Unavailable("The message broker did not answer; try again") from error
        at = datetime.fromisoformat((found.headers or {})[STORED_AT]).timestamp()
        return Stored(orjson.loads(found.data or b"")["data"], at)

    def _connected(self) -> Client:
        if self._nats is None or not self._nats.is_connected:
            raise Unavailable("The message broker is not reachable; try again")
        return self._nats

    async def _answer(self, message: Msg) -> None:
        app_id = subjects.asked(message.subject)
        rows = self._rows(app_id, Question.decode(message.data))
        for part in parts(self._cluster.node, rows):
            await message.respond(part)
            await asyncio.sleep(0)  # a long answer is made between other things

    async def _tell(self, message: Msg) -> None:
        living = tuple({*self._cluster.living, self._cluster.node})
        await message.respond(self._memory.answer(message.data, self._cluster.node, living))

    async def _take(self, message: Msg) -> None:
        asking = self._askings.get(message.subject.rpartition(".")[2])
        if asking is not None:
            asking.poll.take(message.data)
            asking.changed.set()

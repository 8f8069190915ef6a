"""What a notifier lives among: the leads service, played by the test, and the real servers."""

import asyncio
import contextlib
import json
import random
import re
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from contracts import envelope, streams, subjects, tokens
from contracts.channels import CompanyChannel, StatsChannel, UserChannel
from contracts.envelope import Envelope
from contracts.events import Fact, ImportSummary, LeadCreated, LeadSummary, Message, UserSummary
from leadwire.ports import LOOPBACK, reserve
from leadwire.processes import Process
from runtime.broker import Outgoing, PublishFailed, barrier, publish_window
from support.databases import Database
from support.servers import NatsServer, OwnProcess
from support.waiting import until

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
APP_ID = "4242"
ACME = "aaaaaaaa-0000-4000-8000-000000000001"
GLOBEX = "bbbbbbbb-0000-4000-8000-000000000002"
ANA = "11111111-0000-4000-8000-00000000000a"
BEN = "22222222-0000-4000-8000-00000000000b"
EVA = "33333333-0000-4000-8000-00000000000e"
"""Users."""


def summary(number: int = 1, **changes: Any) -> LeadSummary:
    fields = {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"Ada {number}",
        "email": f"ada{number}@example.org",
        "source": "web",
        "status": "new",
        "created_at": NOW,
        "updated_at": NOW,
        "version": 1,
    }
    return LeadSummary(**{**fields, **changes})


def message(**changes: Any) -> Message:
    return Message(**{"id": "m1", "author": ANA, "body": "Hello", "posted_at": NOW, **changes})


def user(user_id: str, **changes: Any) -> UserSummary:
    fields = {"id": user_id, "name": "Ana", "email": "ana@example.org", "role": "agent", "version": 1}
    return UserSummary(**{**fields, **changes})


def imported(**changes: Any) -> ImportSummary:
    return ImportSummary(**{"id": "i1", "name": "leads.csv", "author": ANA, "rows": 10, "version": 2, **changes})


def wrapped(fact: Fact, **attributes: Any) -> Envelope:
    """Return any fact as the relay publishes it, at the first position of Acme's feed where nothing else is said."""
    attributes = {"time": NOW, "id": "e1", "companyid": ACME, "feedposition": 1, "streamversion": 1, **attributes}
    return envelope.wrap(fact, **attributes)


def created(company_id: str, position: int, **attributes: Any) -> Envelope:
    """Return the fact at a position: each creates a lead of its own."""
    attributes = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{company_id}:{position}")),
        "companyid": company_id,
        "feedposition": position,
        "streamversion": 1,
        "correlationid": f"request-{position}",
        **attributes,
    }
    return envelope.wrap(LeadCreated(lead=summary(position)), time=NOW, **attributes)


@dataclass
class Leads:
    """The leads service as the notifier sees it: publishes facts, answers requests."""

    relay: Client
    api: Client
    feeds: dict[str, list[Envelope]] = field(default_factory=dict)
    stats_requests: list[str] = field(default_factory=list)
    changes_requests: list[dict[str, Any]] = field(default_factory=list)
    epoch: str = "epoch-1"
    unknown: set[str] = field(default_factory=set)
    """Companies that the log does not have."""
    shared: dict[str, int | None] = field(default_factory=dict)
    """Earlier epoch → the last position that feeds share with it."""
    withholds_facts: bool = False
    """Whether answers say how far the log goes, and hold no facts."""

    def append(self, company_id: str, count: int = 1, **attributes: Any) -> list[Envelope]:
        """Commit facts, and publish nothing."""
        feed = self.feeds.setdefault(company_id, [])
        attributes = {"feedepoch": self.epoch, **attributes}
        facts = [created(company_id, len(feed) + number, **attributes) for number in range(1, count + 1)]
        feed.extend(facts)
        return facts

    def add(self, fact: Fact, company_id: str = ACME, **attributes: Any) -> Envelope:
        """Commit any fact, and do not publish it."""
        feed = self.feeds.setdefault(company_id, [])
        position = len(feed) + 1
        identity = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{company_id}:{position}"))
        place = {"companyid": company_id, "feedposition": position, "feedepoch": self.epoch, "id": identity}
        attributes = {**place, **attributes}
        feed.append(wrapped(fact, **attributes))
        return feed[-1]

    async def tell(self, fact: Fact, company_id: str = ACME, **attributes: Any) -> Envelope:
        """Commit any fact and publish it."""
        told = self.add(fact, company_id, **attributes)
        await self.publish(told)
        return told

    async def publish(self, *facts: Envelope) -> None:
        """Publish facts as the relay does."""
        window = [
            Outgoing(
                subjects.fact(fact.companyid, fact.subject, fact.type),
                fact.to_json(),
                {"Nats-Msg-Id": f"{fact.id}:{random.random()}"},  # a repeat is a repeat to the notifier, not to NATS
            )
            for fact in facts
        ]
        while window:
            try:
                await publish_window(self.relay.jetstream(), window[:500])
                del window[:500]
            except PublishFailed as failure:
                del window[: failure.acknowledged]

    def set_back(self, company_id: str, position: int, *, epoch: str | None = None) -> None:
        """Lose all facts beyond a position, and begin another epoch if one is given."""
        del self.feeds[company_id][position:]
        if epoch is not None:
            self.shared |= {self.epoch: position}
            self.epoch = epoch

    async def commit(self, company_id: str, count: int = 1, **attributes: Any) -> list[Envelope]:
        facts = self.append(company_id, count, **attributes)
        await self.publish(*facts)
        return facts

    @contextlib.asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answer requests for the time being."""
        subscriptions = [
            await self.api.subscribe("rpc.leads.stats.*", cb=self._stats),
            await self.api.subscribe("rpc.leads.changes.*", cb=self._changes),
        ]
        await barrier(self.api)
        try:
            yield
        finally:
            for subscription in subscriptions:
                await subscription.unsubscribe()
            await barrier(self.api)

    async def _stats(self, request: Msg) -> None:
        company_id = subjects.name_of(request.subject.split(".")[3])
        self.stats_requests.append(company_id)
        total = len(self.feeds.get(company_id, []))
        stats = {
            "total": total,
            "new_this_month": total,
            "by_status": {"new": total},
            "by_source": {"web": total},
            "by_assignee": {},
            "conversion": 0.0,
        }
        await request.respond(json.dumps({"data": stats, "position": total, "epoch": self.epoch}).encode())

    async def _changes(self, request: Msg) -> None:
        company_id = subjects.name_of(request.subject.split(".")[3])
        wanted = json.loads(request.data)
        self.changes_requests.append(wanted)
        if company_id in self.unknown:
            await request.respond(json.dumps({"error": "unknown_company"}).encode())
            return
        feed = self.feeds.get(company_id, [])
        facts = [] if self.withholds_facts else feed[wanted["after"] :][: wanted["limit"]]
        answer = {
            "data": [json.loads(fact.to_json()) for fact in facts],
            "position": len(feed),
            "epoch": self.epoch,
            "shared": {**self.shared, self.epoch: None},
            "shared_with_others": None,
        }
        await request.respond(json.dumps(answer).encode())


@dataclass(frozen=True)
class Stored:
    """A message in a stream."""

    sequence: int
    time: datetime
    subject: str
    headers: dict[str, str]
    body: bytes

    @property
    def frame(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self.body)
        return frame

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.frame["data"])
        return data


class NotifierProcess(OwnProcess):
    """`python -m notifier serve` on a port of its own, or the same with one thing altered: see `support.altered`."""

    def __init__(
        self, nats: NatsServer, database: Database, log: Path, alteration: Sequence[str] = (), **environment: str
    ) -> None:
        self._reservation, self._admin_reservation = reserve(), reserve()
        self.url = f"http://{LOOPBACK}:{self._reservation.port}"
        self.admin_url = f"http://{LOOPBACK}:{self._admin_reservation.port}"
        settings = {
            "NOTIFIER_DATABASE_URL": database.url("notifier_app"),
            "NOTIFIER_WRITER_DATABASE_URL": database.url("notifier_writer"),
            "NOTIFIER_NATS_URL": nats.url("notifier"),
            "NOTIFIER_HOST": LOOPBACK,
            "NOTIFIER_PORT": str(self._reservation.port),
            "NOTIFIER_ADMIN_PORT": str(self._admin_reservation.port),
            "NOTIFIER_PUSHER_APP_ID": APP_ID,
            "NOTIFIER_JWT_PUBLIC_KEY": database.server.credentials.jwt_public_key,
            **environment,
        }
        altered = (str(Path(__file__).with_name("altered.py")), *alteration)
        command = (sys.executable, "-P", *(altered if alteration else ("-m", "notifier", "serve")))
        super().__init__(Process(name="notifier", command=command, environment=settings), log)

    async def readiness(self) -> dict[str, Any]:
        """Return what /readyz says: empty while nobody answers."""
        async with httpx.AsyncClient(base_url=self.admin_url) as http:
            try:
                answer = await http.get("/readyz")
            except httpx.TransportError:
                assert self.exit_code is None, self.log.read_text()
                return {}
        return {**answer.json(), "code": answer.status_code}

    async def ready(self, within: float = 20) -> None:
        async def is_ready() -> bool:
            return (await self.readiness()).get("code") == 200

        await until(is_ready, within=within, why="the notifier is ready")

    async def metric(self, name: str) -> float:
        """Return a metric's value, summed over its labels."""
        async with httpx.AsyncClient(base_url=self.admin_url) as http:
            text = (await http.get("/metrics")).text
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE))

    async def died(self) -> None:
        """Wait until it was killed."""
        await until(lambda: self.exit_code is not None, within=60, why="the notifier is killed")
        assert self.exit_code == -signal.SIGKILL, self.log.read_text()
        self.kill()  # so that it can be started again

    def lines(self) -> list[dict[str, Any]]:
        """Return what it logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def forget(self) -> None:
        super().forget()
        self._reservation.release()
        self._admin_reservation.release()


@dataclass
class World:
    """Everything around the notifier, and a way to start it."""

    nats: NatsServer
    database: Database
    leads: Leads
    operator: Client
    directory: Path
    processes: list[NotifierProcess] = field(default_factory=list)

    def notifier(self, *alteration: str, **environment: str) -> NotifierProcess:
        """Return a notifier that is not started."""
        log = self.directory / f"notifier-{len(self.processes)}.log"
        process = NotifierProcess(self.nats, self.database, log, alteration, **environment)
        self.processes.append(process)
        return process

    async def running_notifier(self, *alteration: str, **environment: str) -> NotifierProcess:
        """Start a notifier, and return it when it is ready."""
        process = self.notifier(*alteration, **environment)
        process.start()
        await process.ready()
        return process

    async def stored(self, stream: str, subject: str = ">") -> list[Stored]:
        """Return what a stream holds on a subject, in order."""
        js = self.operator.jetstream()
        found: list[Stored] = []
        sequence = 0
        with contextlib.suppress(NotFoundError):
            while True:
                message = await js.get_msg(stream, sequence + 1, subject, direct=True, next=True)
                assert message.seq is not None
                assert message.time is not None
                assert message.subject is not None
                sequence = message.seq
                found.append(
                    Stored(sequence, message.time, message.subject, dict(message.headers or {}), message.data or b"")
                )
        return found

    async def company_pushes(self, company_id: str) -> list[Stored]:
        return await self.stored(streams.PUSH, subjects.push(APP_ID, str(CompanyChannel(company_id))))

    async def positions(self, company_id: str) -> list[int]:
        """Return the positions pushed to a company's channel, in the order of the stream."""
        return [push.data["position"] for push in await self.company_pushes(company_id)]

    async def stats_pushes(self, company_id: str) -> list[Stored]:
        return await self.stored(streams.PUSH, subjects.push(APP_ID, str(StatsChannel(company_id))))

    async def user_pushes(self, user_id: str) -> list[Stored]:
        return await self.stored(streams.PUSH, subjects.push(APP_ID, str(UserChannel(user_id))))

    def client(self, process: NotifierProcess, user_id: str, company_id: str = ACME) -> httpx.AsyncClient:
        """Return an HTTP client of a notifier, logged in as a user."""
        claims = tokens.Claims(user_id=user_id, company_id=company_id, role="agent")
        key = tokens.PrivateKey.of(self.database.server.credentials.jwt_private_key)
        token = tokens.issue(claims, key, now=datetime.now(UTC), lifetime=timedelta(hours=1))
        return httpx.AsyncClient(base_url=process.url, headers={"Authorization": f"Bearer {token}"})

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return what the database answers to a superuser."""
        with psycopg.connect(self.database.url("postgres"), autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    async def reaches(self, company_id: str, position: int, within: float = 30) -> None:
        """Wait until the push of a position is stored, and the cursor is there."""

        async def there() -> bool:
            return await asyncio.to_thread(self.cursor, company_id) >= position

        await until(there, within=within, why=f"{company_id} reaches {position}")

    def cursor(self, company_id: str) -> int:
        with psycopg.connect(self.database.url("postgres")) as connection:
            row = connection.execute("SELECT position FROM cursors WHERE company_id = %s", (company_id,)).fetchone()
        return 0 if row is None else row[0]


@contextlib.asynccontextmanager
async def surroundings(nats: NatsServer, database: Database) -> AsyncIterator[World]:
    directory = Path(tempfile.mkdtemp(prefix="leadwire-notifier-"))
    async with nats.client("leads-relay") as relay, nats.client("leads-api") as api, nats.client() as operator:
        built = World(nats, database, Leads(relay, api), operator, directory)
        try:
            yield built
        finally:
            for process in built.processes:
                process.forget()
            shutil.rmtree(directory)

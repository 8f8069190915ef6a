"""A leads service in this process, on a real database: two companies with a user of each role."""

import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from contracts import tokens
from leads.api.app import build
from leads.api.context import Services
from leads.desk import Desk
from leads.login_limits import DeviceTokens, LoginLimiter
from leads.passwords import Passwords
from leads.provision import CompanySpec, Spec, UserSpec, provision
from leads.store.database import Database
from leads.store.directory import Directory
from leads.store.jobs import Jobs
from leads.store.log import PostgresEventStore
from leads.store.settings import Settings
from leads.views import Views
from leads.watch import FeedWatch
from leadwire.ports import reserve
from leadwire.processes import Process
from support.databases import Database as TestDatabase
from support.servers import NatsServer, OwnProcess
from support.waiting import until

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
SIGNING_KEY = tokens.PrivateKey.generate()
FAST_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ROLES = ("viewer", "agent", "manager", "admin")
NOBODY = "00000000-0000-4000-8000-000000000000"
"""An id that nothing has."""


@dataclass(frozen=True)
class Company:
    """A provisioned company; user ids by role."""

    id: UUID
    name: str
    users: dict[str, UUID]

    def token(self, role: str = "agent", *, now: datetime = NOW) -> str:
        claims = tokens.Claims(user_id=str(self.users[role]), company_id=str(self.id), role=role)
        return tokens.issue(claims, SIGNING_KEY, now=now, lifetime=timedelta(days=100))


def etag(answer: httpx.Response, version: int) -> str:
    """Return the ETag that a thing at a version has to have, in the epoch that the answer is of."""
    return f'"{version}.{answer.json()["meta"]["epoch"]}"'


def provisioned(database: TestDatabase, name: str) -> Company:
    users = [
        UserSpec(email=f"{role}@{name.lower()}.example", name=f"{name} {role}", role=role, password=PASSWORD)
        for role in ROLES
    ]
    spec = Spec(company=CompanySpec(id=uuid4(), name=name), users=users)
    made = provision(database.url("leads_owner"), spec, FAST_HASHER)
    return Company(spec.company.id, name, {user.role: user.id for user in made.users})


@pytest.fixture
def acme(leads_database: TestDatabase) -> Company:
    return provisioned(leads_database, "Acme")


@pytest.fixture
def globex(leads_database: TestDatabase) -> Company:
    return provisioned(leads_database, "Globex")


@pytest.fixture
async def database(leads_database: TestDatabase) -> AsyncIterator[Database]:
    database = Database.connect(leads_database.url("leads_app"), pool_size=10)
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> PostgresEventStore:
    return PostgresEventStore(database, Directory(database))


@pytest.fixture
def views(database: Database) -> Views:
    return Views(database)


@pytest.fixture
def directory(database: Database) -> Directory:
    return Directory(database)


@pytest.fixture
def superuser(leads_database: TestDatabase) -> Iterator[psycopg.Connection]:
    """Sees everything, row-level security or not."""
    with psycopg.connect(leads_database.url(), autocommit=True) as connection:
        yield connection


TEST_CLOCK = """
CREATE SCHEMA testing;
CREATE TABLE testing.clock (now timestamptz NOT NULL);
GRANT USAGE ON SCHEMA testing TO PUBLIC;
GRANT SELECT ON testing.clock TO PUBLIC;
CREATE OR REPLACE FUNCTION feed_clock(last timestamptz) RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE
    RETURN (SELECT greatest(last, now) + interval '1 millisecond' FROM testing.clock);
"""


class Clock:
    """A clock that the test sets, for this process and for the database; facts of a company are a millisecond apart."""

    def __init__(self, database: psycopg.Connection, now: datetime) -> None:
        self._database = database
        self._now = now
        database.execute(TEST_CLOCK)
        database.execute("INSERT INTO testing.clock VALUES (%s)", [now])

    @property
    def now(self) -> datetime:
        return self._now

    @now.setter
    def now(self, now: datetime) -> None:
        self._now = now
        self._database.execute("UPDATE testing.clock SET now = %s", [now])

    def __call__(self) -> datetime:
        return self._now


class RealClock:
    """The clock of the machine."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


OTHERS = {"nats", "processes"}
"""Fixtures of what goes by the clock of the machine."""


@pytest.fixture
def clock(superuser: psycopg.Connection, request: pytest.FixtureRequest) -> Clock | RealClock:
    """A clock of the test's own, unless something in it goes by the machine's: two clocks would drift apart."""
    return RealClock() if OTHERS & set(request.fixturenames) else Clock(superuser, NOW)


@pytest.fixture
def services(database: Database, directory: Directory, clock: Clock | RealClock) -> Services:
    return Services(
        store=PostgresEventStore(database, directory),
        views=Views(database),
        directory=directory,
        settings=Settings(database),
        jobs=Jobs(database),
        desk=Desk(database, directory),
        watch=FeedWatch(directory),
        passwords=Passwords(database, FAST_HASHER),
        limiter=LoginLimiter(),
        device_tokens=DeviceTokens(b"a key of at least thirty-two bytes"),
        clock=clock,
        new_id=uuid4,
        signing_key=SIGNING_KEY,
        verifier=tokens.Verifier(SIGNING_KEY.public),
        token_lifetime=timedelta(hours=12),
        pusher_key="app-key",
        pusher_secret="app-secret",
    )


@pytest.fixture
def app(services: Services) -> FastAPI:
    return build(services, cors_origins=["https://crm.example"])


class Processes:
    """Starts processes of this service."""

    def __init__(self, database: TestDatabase, nats: NatsServer, directory: Path) -> None:
        self._database = database
        self._nats = nats
        self._directory = directory
        self._running: dict[str, OwnProcess] = {}
        self._admin_urls: dict[str, str] = {}

    async def start(self, command: str, *, role: str, user: str, more: Mapping[str, str] = MappingProxyType({})) -> str:
        """Start one on ports of its own, and return its address once it is ready: the admin port's but for the api."""
        number = len(self._running)
        reservation = reserve()
        admin_reservation = reserve()
        port, admin_port = reservation.port, admin_reservation.port
        reservation.release()
        admin_reservation.release()
        admin_url = f"http://127.0.0.1:{admin_port}"
        url = f"http://127.0.0.1:{port}" if command == "api" else admin_url
        environment = {
            "LEADS_DATABASE_URL": self._database.url(role),
            "LEADS_NATS_URL": self._nats.url(user),
            "LEADS_PORT": str(port),
            "LEADS_ADMIN_PORT": str(admin_port),
            "LEADS_JWT_PRIVATE_KEY": SIGNING_KEY.pem,
            "LEADS_PUSHER_APP_KEY": "app-key",
            "LEADS_PUSHER_APP_SECRET": "app-secret",
            **more,
        }
        process = Process(name=command, command=(sys.executable, "-m", "leads", command), environment=environment)
        self._running[url] = OwnProcess(process, self._directory / f"{command}-{number}.log")
        self._running[url].start()
        self._admin_urls[url] = admin_url
        await until(lambda: is_ready(admin_url), why=f"{command} ready")
        return url

    def admin_url(self, url: str) -> str:
        """Return where a process answers probes and metrics."""
        return self._admin_urls[url]

    def kill(self, url: str) -> None:
        self._running[url].kill()

    def stop(self, url: str) -> int:
        """Ask it to stop, and return its exit code."""
        return self._running[url].stop()

    def log(self, url: str) -> str:
        return self._running[url].log.read_text()

    def close(self) -> None:
        for process in self._running.values():
            process.forget()


async def is_ready(url: str) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(f"{url}/readyz")).is_success
        except httpx.TransportError:
            return False


@pytest.fixture
def processes(leads_database: TestDatabase, nats: NatsServer, tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(leads_database, nats, tmp_path)
    yield processes
    processes.close()


Connect = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def connect(app: FastAPI, acme: Company, clock: Clock | RealClock) -> AsyncIterator[Connect]:
    """A factory of HTTP clients, logged in with a role of a company: Acme's agent by default."""
    async with contextlib.AsyncExitStack() as clients:

        def connected(role: str = "agent", company: Company = acme, **headers: str) -> httpx.AsyncClient:
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app, raise_app_exceptions=True),
                base_url="http://leads",
                headers={"Authorization": f"Bearer {company.token(role, now=clock.now)}", **headers},
            )
            clients.push_async_callback(client.aclose)
            return client

        yield connected


@pytest.fixture
def api(connect: Connect) -> httpx.AsyncClient:
    return connect()

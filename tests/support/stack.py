"""A whole Leadwire for one test: its services, each a process of its own, on ports of its own."""

import asyncio
import contextlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher

from contracts import tokens
from leads.provision import Spec
from leads.provision import provision as create
from leadwire import paths
from leadwire.ports import LOOPBACK, reserve
from leadwire.processes import Process
from leadwire.topology import WORKER, Endpoint, Topology
from support import privacy
from support.databases import Database, run
from support.servers import NatsServer, OwnProcess, PostgresServer
from support.waiting import until, until_sync

NATS = "nats"
SERVICES = 5
_PASSWORD = "correct horse battery staple"
_ROLES = ("admin", "manager", "agent", "viewer")


@dataclass(frozen=True)
class User:
    """Somebody who can log in."""

    id: str
    email: str
    password: str
    name: str
    role: str
    token: str


@dataclass(frozen=True)
class Company:
    """A company with one user of each role."""

    id: str
    name: str
    users: Mapping[str, User]


def specification(name: str, company_id: str, *, domain: str | None = None) -> dict[str, Any]:
    """Return what `leads provision` reads."""
    users = [
        {
            "email": f"{role}@{domain or f'{name.lower()}.example'}",
            "name": f"{name} {role.title()}",
            "role": role,
            "password": _PASSWORD,
        }
        for role in _ROLES
    ]
    return {"company": {"id": company_id, "name": name}, "users": users}


def provision(topology: Topology, name: str, company_id: str) -> Company:
    """Create a company through the service's own command."""
    wanted = specification(name, company_id)
    return _company(topology, wanted, json.loads(run(topology.provision(), stdin=json.dumps(wanted))))


def provision_here(topology: Topology, database: Database, name: str) -> Company:
    """Create a company without a process for it; nobody else has its users' addresses."""
    company_id = str(uuid.uuid4())
    wanted = specification(name, company_id, domain=f"{name.lower()}-{company_id[:8]}.example")
    spec = Spec.model_validate(wanted)
    provisioned = create(database.url("leads_owner"), spec, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return _company(topology, wanted, provisioned.model_dump(mode="json"))


def _company(topology: Topology, wanted: dict[str, Any], printed: dict[str, Any]) -> Company:
    """Return what was created, with a token for each user."""
    company_id, name = wanted["company"]["id"], wanted["company"]["name"]
    ids = {user["email"]: user["id"] for user in printed["users"]}
    users = {
        user["role"]: User(
            **user,
            id=ids[user["email"]],
            token=_token(
                ids[user["email"]], company_id, user["role"], tokens.PrivateKey.of(topology.credentials.jwt_private_key)
            ),
        )
        for user in wanted["users"]
    }
    return Company(company_id, name, users)


def _token(user_id: str, company_id: str, role: str, key: tokens.PrivateKey) -> str:
    claims = tokens.Claims(user_id=user_id, company_id=company_id, role=role)
    return tokens.issue(claims, key, now=datetime.now(UTC), lifetime=timedelta(hours=1))


class Stack:
    """Running services. See the package's docstring for the usual calls."""

    def __init__(
        self, topologies: Sequence[Topology], nats: NatsServer, companies: tuple[Company, Company], logs: Path
    ) -> None:
        self.topology = topologies[0]
        self.nats = nats
        self._people: set[str] = set()
        self.adopt(*companies)
        self._processes = {
            process.name: OwnProcess(process, logs / f"{process.name}.log")
            for number, topology in enumerate(topologies, start=1)
            for process in _numbered(topology, number)
        }

    def adopt(self, acme: Company, globex: Company) -> None:
        """Have these companies from now on."""
        self.acme, self.globex = acme, globex
        self._people |= {user.name for company in (acme, globex) for user in company.users.values()}

    @property
    def instances(self) -> dict[str, int | None]:
        """A number for each service and for NATS, which is another one after a restart; None for what does not run."""
        return {name: service.pid for name, service in self._processes.items()} | {NATS: self.nats.starts}

    @property
    def names(self) -> tuple[str, ...]:
        """The services: api, relay, notifier, gateway; of replicas also api-2 and so on.

        The worker, which few tests need, is started by those.
        """
        return tuple(name for name in self._processes if not name.startswith(WORKER))

    def urls(self, name: str) -> list[str]:
        """Return the address of each replica of a service."""
        own = [service.process for key, service in self._processes.items() if key.partition("-")[0] == name]
        return [Endpoint(process.host, process.port).url for process in own]

    def client(self, role: str = "agent", company: Company | None = None, **options: Any) -> httpx.AsyncClient:
        """Return an HTTP client of the leads API, logged in as the user of this role (of Acme)."""
        return self._http(self.topology.leads.url, (company or self.acme).users[role], options)

    @staticmethod
    def _http(url: str, user: User, options: dict[str, Any]) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {user.token}"}
        return httpx.AsyncClient(base_url=url, headers=headers, **{"timeout": 30, **options})

    def pid(self, name: str) -> int | None:
        return self._processes[name].pid

    def health(self, name: str) -> str:
        """Return the address of a process's `/readyz`."""
        return self._processes[name].process.health

    def log(self, name: str) -> Path:
        return self._processes[name].log

    def start(self, *names: str) -> None:
        """Start processes and return at once; see `ready`."""
        for name in names:
            (self.nats if name == NATS else self._processes[name]).start()

    def stop(self, *names: str) -> None:
        """Stop processes in an orderly way, and wait for their end."""
        for name in names:
            if name == NATS:
                self.nats.stop()
            else:
                code = self._processes[name].stop()
                assert code == 0, f"{name} stopped with exit code {code}"

    def kill(self, *names: str) -> None:
        """Kill processes as `kill -9` does."""
        for name in names:
            (self.nats if name == NATS else self._processes[name]).kill()

    def restart(self, *names: str) -> None:
        """Kill processes and start them again."""
        self.kill(*names)
        self.start(*names)

    async def ready(self, *names: str, within: float = 60) -> None:
        """Wait until the named services, or all, say they are ready."""
        for name in names or self.names:
            is_ready = partial(asyncio.to_thread, self._is_ready, name)
            await until(is_ready, within=within, why=f"{name} ready")

    def wait_until_ready(self, *names: str) -> None:
        """The same where no event loop runs."""
        for name in names or self.names:
            until_sync(partial(self._is_ready, name), within=60, why=f"{name} ready")

    def _is_ready(self, name: str) -> bool:
        service = self._processes[name]
        assert service.exit_code is None, f"{name} ended with exit code {service.exit_code}"
        try:
            return httpx.get(service.process.health, timeout=5).is_success
        except httpx.TransportError:
            return False

    def ended(self) -> dict[str, int]:
        """Return the services that ended by themselves, with their exit codes."""
        codes = {name: service.exit_code for name, service in self._processes.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def personal_data(self) -> list[str]:
        """Return the lines of all logs, those of NATS among them, that hold an address or a name of a user."""
        logs = [log for log in (*map(self.log, self._processes), *self.nats.logs) if log.exists()]
        return privacy.findings(logs, sorted(self._people))

    def close(self) -> None:
        for service in self._processes.values():
            service.forget()


def _numbered(topology: Topology, number: int) -> Iterator[Process]:
    """Name the processes of a second stack api-2, relay-2 and so on."""
    for process in topology.services():
        yield process if number == 1 else replace(process, name=f"{process.name}-{number}")


@contextlib.contextmanager
def running(
    nats: NatsServer, leads: Database, notifier: Database, companies: tuple[Company, Company], *, replicas: int = 1
) -> Iterator[Stack]:
    """Run the services on these databases (of one server), each as often as wanted."""
    ports = [reserve() for _ in range(2 * SERVICES * replicas)]
    directory = Path(tempfile.mkdtemp(prefix="leadwire-stack-"))
    endpoints = [Endpoint(LOOPBACK, port.port, admin.port) for port, admin in zip(*[iter(ports)] * 2, strict=True)]
    apps_file, databases = directory / "apps.json", (leads.name, notifier.name)
    topologies = [
        plan(leads.server, nats, endpoints[start : start + SERVICES], apps_file, databases)
        for start in range(0, len(endpoints), SERVICES)
    ]
    apps_file.write_text(topologies[0].apps())
    stack = Stack(topologies, nats, companies, directory)
    try:
        stack.start(*stack.names)
        stack.wait_until_ready()
        yield stack
        assert not stack.personal_data()
        assert not stack.ended(), f"Ended by themselves, with exit codes: {stack.ended()}"
    finally:
        stack.close()
        shutil.rmtree(directory)
        for port in ports:
            port.release()


def plan(
    server: PostgresServer, nats: NatsServer, services: list[Endpoint], apps_file: Path, databases: tuple[str, str]
) -> Topology:
    """Return the topology of a stack on these servers."""
    leads, relay, worker, notifier, gateway = services
    screen = paths.WEB / "dist"
    return Topology(
        credentials=server.credentials,
        postgres=Endpoint(server.host, server.port),
        nats=Endpoint(nats.host, nats.port),
        leads=leads,
        relay=replace(relay, admin_port=0),
        worker=replace(worker, admin_port=0),
        notifier=notifier,
        gateway=gateway,
        apps_file=apps_file,
        web_dir=screen if (screen / "index.html").exists() else None,
        leads_database=databases[0],
        notifier_database=databases[1],
    )

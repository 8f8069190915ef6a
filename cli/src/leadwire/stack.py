"""One embedded stack: the topology on this machine, started step by step."""

import asyncio
import json
import shutil
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path

import httpx

from leadwire import backup, demo, nats_server, postgres, storage, summary, web
from leadwire.credentials import SUPERUSER
from leadwire.files import write_private
from leadwire.health import is_healthy
from leadwire.postgres import Cluster
from leadwire.processes import Process
from leadwire.progress import say, step
from leadwire.state import Running, Snapshot, StateDirectory
from leadwire.supervisor import Supervisor, run
from leadwire.topology import Topology


class Stack:
    """The embedded stack of one state directory."""

    def __init__(self, state: StateDirectory, topology: Topology, cluster: Cluster, *, with_demo: bool) -> None:
        self._state = state
        self._with_demo = with_demo
        self._topology = topology
        self._cluster = cluster
        self._supervisor = Supervisor(state.logs, self._changed)
        self._processes: tuple[Running, ...] = ()
        self._is_ready = False
        self._keeping = [asyncio.create_task(self._supervisor.bound_logs())]

    async def start(self) -> None:
        """Start everything, what can go at the same time at the same time.

        Raises:
            ProcessFailed, PostgresFailed, httpx.HTTPError: a step failed.
        """
        self._changed([])
        write_private(self._topology.apps_file, self._topology.apps())
        try:
            async with asyncio.TaskGroup() as tasks:
                screen = tasks.create_task(self._build_screen())
                await _together(self._start_postgres(), self._start_nats())
                await self._migrate()
                api, relay, worker, notifier, gateway = self._topology.services()
                tasks.create_task(self._start_service(relay))
                tasks.create_task(self._start_service(worker))
                tasks.create_task(self._start_service(notifier))
                await _together(self._start_service(api), self._create_companies())
                tasks.create_task(self._seed())
                await screen
                await self._start_service(gateway)
        except BaseExceptionGroup as group:
            raise _first(group) from None
        self._state.write_environment(summary.variables(self._topology))
        self._is_ready = True
        self._changed(list(self._processes))
        self._keeping.append(asyncio.create_task(self._keep_storing()))

    async def restore(self, directory: Path, *, over_data: bool) -> int:
        """Start what it needs, restore the databases, migrate them and fill the streams from the log.

        Returns:
            The exit code: not 0 when the backup, or what is here, forbids it; then nothing has changed.

        Raises:
            ProcessFailed, PostgresFailed: a step failed.
        """
        self._changed([])
        await self._start_postgres()
        options = ["--replace"] if over_data else []
        if code := await backup.run("restore.sh", self._root, directory, *options):
            return code
        # What the streams hold is of another history: consumers would take its positions for this one's.
        shutil.rmtree(self._state.nats, ignore_errors=True)
        self._state.seeded.touch()  # the demo is not wanted besides
        await self._start_nats()
        await self._migrate()
        await self._start_service(self._topology.relay_service())
        async with step("Streams filled from the log"):
            await self._run(self._topology.leads_command("reseed"))
        async with step("Log, read models and stream agree"):
            await self._run(self._topology.leads_command("verify"))
        return 0

    async def _keep_storing(self) -> None:
        healths = [self._topology.notifier_service().health, self._topology.gateway_service().health]
        await storage.keep_storing(healths, self._state.nats, lambda: self._supervisor.restart(nats_server.NAME))

    @property
    def _root(self) -> str:
        """The server as the superuser sees it, also before there is a database of ours."""
        return replace(self._topology, leads_database="postgres").superuser_url

    async def stop(self) -> None:
        """Stop everything."""
        for task in self._keeping:
            task.cancel()
        await self._supervisor.stop()
        self._state.forget_snapshot()

    async def _build_screen(self) -> None:
        if self._topology.web_dir is not None:
            await web.build(self._state.logs)

    async def _start_postgres(self) -> None:
        root = self._root
        if self._cluster.place.data != self._state.postgres:
            say(f"  PostgreSQL's data is in {self._cluster.place.data}: its account cannot reach {self._state.path}")
        if not self._cluster.is_initialised:
            async with step("Database created"):
                password = self._topology.credentials.postgres[SUPERUSER]
                await asyncio.to_thread(self._cluster.initialise, password)
        self._cluster.forget_dead_server()
        async with step("PostgreSQL started"):
            await self._supervisor.start(self._cluster.process(), lambda: asyncio.to_thread(postgres.is_ready, root))
            passwords = self._topology.credentials.postgres
            roles = {role: password for role, password in passwords.items() if role != SUPERUSER}
            await asyncio.to_thread(postgres.apply_roles, root, roles)

    async def _start_nats(self) -> None:
        host, port = self._topology.nats.host, self._topology.nats.port
        passwords = self._topology.credentials.nats_environment
        process = nats_server.process(port=port, store=self._state.nats, passwords=passwords)
        async with step("NATS started"):
            await self._supervisor.start(process, lambda: asyncio.to_thread(nats_server.is_ready, host, port))

    async def _migrate(self) -> None:
        async with step("Databases and streams migrated"):
            await _together(self._run(self._topology.migrate_leads()), self._run(self._topology.migrate_notifier()))

    async def _create_companies(self) -> None:
        if not self._with_demo or self._state.seeded.exists():
            return
        keys = self._topology.credentials
        async with step("Demo companies created"):
            await _together(
                self._provision(demo.COMPANY, keys.demo_company_id, demo.USERS),
                self._provision(demo.OTHER_COMPANY, keys.other_company_id, demo.OTHER_USERS),
            )

    async def _provision(self, company: str, company_id: str, users: tuple[demo.User, ...]) -> None:
        wanted = demo.specification(company, company_id, users, self._topology.credentials.demo_password)
        process = replace(self._topology.provision(), name=f"provision {company}")
        await self._run(process, stdin=json.dumps(wanted))

    async def _run(self, process: Process, *, stdin: str = "") -> None:
        await run(process, self._state.logs / f"{process.name.replace(' ', '-')}.log", stdin=stdin)

    async def _start_service(self, process: Process) -> None:
        async with step(f"{process.name} ready"), httpx.AsyncClient(timeout=5) as http:
            await self._supervisor.start(process, lambda: is_healthy(http, process.health))

    async def _seed(self) -> None:
        if not self._with_demo or self._state.seeded.exists():
            return
        async with step(f"{demo.LEADS} demo leads created"):
            await demo.seed(self._topology.leads.url, demo.USERS[0][1], self._topology.credentials.demo_password)
        self._state.seeded.touch()

    def _changed(self, processes: list[Running]) -> None:
        self._processes = tuple(processes)
        self._state.write_snapshot(
            Snapshot(
                ready=self._is_ready,
                addresses=summary.addresses(self._topology, self._state.environment, with_demo=self._with_demo),
                processes=self._processes,
            )
        )


async def _together(*steps: Coroutine[None, None, None]) -> None:
    """Run steps at the same time; when one fails, the others are stopped."""
    async with asyncio.TaskGroup() as tasks:
        for each in steps:
            tasks.create_task(each)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what failed first: the others failed because of it."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first

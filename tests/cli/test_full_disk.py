"""A disk that was full, as `up` meets it: NATS keeps its write error, and bookkeeping fails."""

import asyncio
import errno
import json
import shutil
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from contracts import streams
from leadwire import nats_server, storage
from leadwire.credentials import Credentials
from leadwire.ports import LOOPBACK, reserve
from leadwire.processes import Process
from leadwire.supervisor import Supervisor
from runtime import broker
from support.gateways import APPS
from support.waiting import until

pytestmark = pytest.mark.faults


def pid_of(supervisor: Supervisor, name: str) -> int | None:
    return next(keeper.show().pid for keeper in supervisor._keepers if keeper.process.name == name)


async def checks(health: str) -> dict[str, str]:
    async with httpx.AsyncClient() as http:
        found: dict[str, str] = (await http.get(health)).json()["checks"]
    return found


async def started_nats(supervisor: Supervisor, store: Path, credentials: Credentials, port: int) -> None:
    nats = nats_server.process(port=port, store=store, passwords=credentials.nats_environment)
    await supervisor.start(nats, lambda: asyncio.to_thread(nats_server.is_ready, LOOPBACK, port))
    client = await broker.connect(f"nats://migrate:{credentials.nats['migrate']}@{LOOPBACK}:{port}", "test")
    await streams.ensure(client.jetstream())
    await broker.close(client)


async def started_gateway(supervisor: Supervisor, directory: Path, credentials: Credentials, nats_port: int) -> str:
    """Start a gateway; return the address of its `/readyz`."""
    apps = directory / "apps.json"
    apps.write_text(json.dumps(APPS))
    port, admin = reserve(), reserve()
    gateway = Process(
        name="gateway",
        command=(sys.executable, "-P", "-m", "gateway", "serve"),
        environment={
            "GATEWAY_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port.port),
            "GATEWAY_ADMIN_HOST": LOOPBACK,
            "GATEWAY_ADMIN_PORT": str(admin.port),
            "GATEWAY_NATS_URL": f"nats://gateway:{credentials.nats['gateway']}@{LOOPBACK}:{nats_port}",
            "GATEWAY_APPS_FILE": str(apps),
        },
        health=f"http://{LOOPBACK}:{admin.port}/readyz",
    )
    await supervisor.start(gateway, lambda: is_ready(gateway.health))
    port.release()
    admin.release()
    return gateway.health


async def is_ready(health: str) -> bool:
    try:
        async with httpx.AsyncClient() as http:
            return (await http.get(health)).is_success
    except httpx.TransportError:
        return False


async def test_nats_that_stores_nothing_is_said_to_and_restarted_once_there_is_room(
    tmp_path: Path, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "LOOK", 0.2)
    monkeypatch.setattr(storage, "ROOM", shutil.disk_usage(tmp_path).total + 1)
    supervisor = Supervisor(tmp_path, lambda _: None)
    reservation = reserve()
    try:
        await started_nats(supervisor, tmp_path / "nats", credentials, reservation.port)
        health = await started_gateway(supervisor, tmp_path, credentials, reservation.port)
        first = pid_of(supervisor, "nats")
        # To the server it is the same as a full disk: no write to a file succeeds.
        psutil.Process(first).rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
        watching = asyncio.create_task(
            storage.keep_storing([health], tmp_path, lambda: supervisor.restart(nats_server.NAME))
        )

        await until(lambda: _stores_nothing(health))
        psutil.Process(first).rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
        assert await _stores_nothing(health)  # it keeps its error
        assert pid_of(supervisor, "nats") == first  # no room, no restart

        monkeypatch.setattr(storage, "ROOM", 0)
        await until(lambda: pid_of(supervisor, "nats") not in {first, None})
        await until(lambda: is_ready(health))
        watching.cancel()
    finally:
        await supervisor.stop()
        reservation.release()


async def _stores_nothing(health: str) -> bool:
    found = await checks(health)
    return "nothing can be stored" in found["storage"] and found["nats"] == "ok"


async def test_a_process_is_started_again_though_nothing_can_be_written_down(tmp_path: Path) -> None:
    told: list[int | None] = []
    is_full = False

    def write_down(running: list[object]) -> None:
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        told.append(running[0].pid)  # type: ignore[attr-defined]

    supervisor = Supervisor(tmp_path, write_down)  # type: ignore[arg-type]
    sleeper = Process(name="nats", command=("sleep", "600"))
    bounding = asyncio.create_task(supervisor.bound_logs())
    try:
        await supervisor.start(sleeper, _at_once)
        first = pid_of(supervisor, "nats")
        assert first is not None
        is_full = True
        psutil.Process(first).kill()

        await until(lambda: pid_of(supervisor, "nats") not in {first, None})
        is_full = False
        await until(lambda: told[-1] == pid_of(supervisor, "nats"), why="it is written down when there is room")
    finally:
        bounding.cancel()
        await supervisor.stop()


async def _at_once() -> bool:
    return True

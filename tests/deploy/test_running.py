"""The compose file as it runs: built, started in order, used through its one port, killed, scaled and upgraded."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from support.deployed import Deployment, deployed, run
from support.deploying import PROCESSES, SERVICES
from support.waiting import until
from support.watchers import Watcher, create_until, watching

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]

WATCHERS = 10
TOOLS = """
import importlib.util, shutil
modules = [name for name in ("pip", "ensurepip", "hatchling") if importlib.util.find_spec(name)]
print(modules, [name for name in ("pip", "gcc", "node") if shutil.which(name)])
"""
FIGURES = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:6101/metrics').read().decode())"
LONG_RUNNING = ("leads-api", "leads-relay", "leads-worker", "notifier", "gateway")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(tmp_path_factory.mktemp("deployment")) as running:
        yield running


@dataclass
class Everybody:
    """Somebody who writes, and those who listen."""

    api: httpx.AsyncClient
    watchers: list[Watcher]
    record: Callable[[str, object], None]
    """Notes a figure for `--junit-xml`."""

    async def while_doing(self, disturb: Callable[[], None]) -> list[int]:
        """Write while something is done to the deployment; return every position once all have heard the last."""
        disturbing = asyncio.create_task(asyncio.to_thread(disturb))
        positions = await create_until(self.api, disturbing.done)
        await disturbing
        for watcher in self.watchers:
            await until(lambda watcher=watcher: watcher.heard[-1:] == positions[-1:], within=90, why="all was heard")
        self.record("leads", len(positions))
        self.record("reconnections", sum(watcher.connections - 1 for watcher in self.watchers))
        return positions


@pytest.fixture
async def everybody(deployment: Deployment, record_property: Callable[[str, object], None]) -> AsyncIterator[Everybody]:
    name = f"Acme{len(_names)}"
    _names.append(name)
    company = deployment.provision(name)
    async with deployment.client(name) as api, deployment.client(name, "manager") as other:
        watchers = [deployment.watcher(other, company) for _ in range(WATCHERS)]
        async with watching(watchers):
            await until(lambda: all(watcher.connections for watcher in watchers), why="all listen")
            yield Everybody(api, watchers, record_property)


_names: list[str] = []


async def test_a_lead_travels_through_the_one_port_to_both_gateways(
    deployment: Deployment, everybody: Everybody
) -> None:
    positions = await everybody.while_doing(lambda: None)

    assert all(watcher.heard == positions for watcher in everybody.watchers)
    assert len(deployment.containers("gateway")) == 2
    held = [connections(container) for container in deployment.containers("gateway")]
    assert sum(held) == WATCHERS
    assert all(held)


async def test_the_screen_is_served_and_figures_are_not(deployment: Deployment) -> None:
    async with httpx.AsyncClient(base_url=deployment.url) as browser:
        page = await browser.get("/")
        statuses = {path: (await browser.get(path)).status_code for path in ("/api/docs", "/metrics", "/api/metrics")}
        inbox = await browser.get("/api/notifier/notifications")

    assert "<title>" in page.text
    assert statuses == {"/api/docs": 200, "/metrics": 404, "/api/metrics": 404}
    assert inbox.status_code == 401


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_a_process_runs_as_nobody_on_a_root_that_it_cannot_write(deployment: Deployment, service: str) -> None:
    for container in deployment.inspect(service):
        assert container["Config"]["User"] == "10001:10001"
        assert container["HostConfig"]["ReadonlyRootfs"] is True
        refusal = run("docker", "exec", container["Id"], "sh", "-c", "touch /opt/leadwire/x 2>&1 || true")
        assert "Read-only" in refusal
        shown = {variable.partition("=")[0] for variable in container["Config"]["Env"]}
        told_openly = {"GATEWAY_WEB_API_URL", "GATEWAY_WEB_NOTIFIER_URL"}
        assert not {name for name in shown if name.endswith(("_SECRET", "_URL"))} - told_openly


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_no_pip_and_no_compiler(deployment: Deployment, service: str) -> None:
    found = run(
        "docker", "run", "--rm", "--entrypoint", "python", f"leadwire/{service}:{deployment.version}", "-c", TOOLS
    )

    assert found.strip() == "[] []"


@pytest.mark.parametrize("victim", ["gateway", "leads-api", "leads-relay", "notifier", "nats", "postgres"])
async def test_who_is_killed_comes_back_and_nobody_misses_anything(
    deployment: Deployment, everybody: Everybody, victim: str
) -> None:
    def kill() -> None:
        run("docker", "kill", deployment.containers(victim)[0])
        deployment.up()

    positions = await everybody.while_doing(kill)

    assert positions == list(range(positions[0], positions[0] + len(positions)))
    assert all(watcher.heard == positions for watcher in everybody.watchers)


async def test_gateways_come_and_go(deployment: Deployment, everybody: Everybody) -> None:
    counts = []

    def scale() -> None:
        for number in (3, 1, 2):
            deployment.up("--scale", f"gateway={number}")
            counts.append(len(deployment.containers("gateway")))

    positions = await everybody.while_doing(scale)

    assert counts == [3, 1, 2]
    assert all(watcher.heard == positions for watcher in everybody.watchers)


async def test_a_release_follows_another_in_place(deployment: Deployment, everybody: Everybody) -> None:
    def upgrade() -> None:
        deployment.version = "next"
        deployment.compose("build", "--quiet")
        deployment.up()

    positions = await everybody.while_doing(upgrade)

    assert all(watcher.heard == positions for watcher in everybody.watchers)
    for name in PROCESSES.keys() - {"provision"}:
        assert {container["Config"]["Image"].rpartition(":")[2] for container in deployment.inspect(name)} == {"next"}


def connections(container: str) -> int:
    figures = run("docker", "exec", container, "python", "-c", FIGURES).splitlines()
    return sum(int(float(line.rpartition(" ")[2])) for line in figures if line.startswith("gateway_connections{"))

"""Every listening port as an attacker meets it: sockets that take their time, heads without end, forged addresses."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from leadwire.credentials import Credentials
from leadwire.topology import WORKER
from support.choice import choose
from support.databases import Database, cloned
from support.stack import Company, Stack, running
from support.waiting import until

pytestmark = pytest.mark.system

PUBLIC = ("api", "notifier", "gateway")
ADMIN = ("api", "relay", "worker", "notifier", "gateway")
PATIENCE = 40
SHORT = {"HEAD_SECONDS": "1.5", "BODY_SECONDS": "1.5", "DRAIN_SECONDS": "20"}
LOG_IN = b"POST /auth/login HTTP/1.1\r\nHost: t\r\n"
GET = b"GET /nothing HTTP/1.1\r\nHost: test\r\n"


@pytest.fixture(scope="module")
def stack(
    credentials: Credentials, _notifier_template: Database, _companies: tuple[Database, tuple[Company, Company]]
) -> Iterator[Stack]:
    template, companies = _companies
    nats, environment = choose().nats(credentials), pytest.MonkeyPatch()
    try:
        nats.start()
        nats.ensure_streams()
        for prefix in ("LEADS", "NOTIFIER", "GATEWAY"):
            for name, value in SHORT.items():
                environment.setenv(f"{prefix}_{name}", value)
        with (
            cloned(template) as leads_database,
            cloned(_notifier_template) as notifier_database,
            running(nats, leads_database, notifier_database, companies) as stack,
        ):
            stack.start(WORKER)
            stack.wait_until_ready(WORKER)
            yield stack
    finally:
        environment.undo()
        nats.close()


def port_of(stack: Stack, name: str) -> int:
    return next(process.port for process in stack.topology.services() if process.name == name)


def admin_port_of(stack: Stack, name: str) -> int:
    health = next(process.health for process in stack.topology.services() if process.name == name)
    return httpx.URL(health).port or 0


def ports(stack: Stack) -> dict[str, int]:
    """Return every listening port of ours."""
    public = {name: port_of(stack, name) for name in PUBLIC}
    return public | {f"{name} admin": admin_port_of(stack, name) for name in ADMIN}


class Socket:
    """A connection made by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        """Read the head of an answer and throw its body away; return the head in small letters."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)).lower()
        if b"content-length: " in head:
            await self.reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        return head

    async def ended(self) -> bytes:
        """Wait until the server has ended the connection, and return what it had said."""
        said = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await asyncio.wait_for(self.reader.read(65536), PATIENCE):
                said += chunk
        return said

    @property
    def is_open(self) -> bool:
        return not self.reader.at_eof()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Socket]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Socket(reader, writer)
    finally:
        writer.close()


async def everywhere(stack: Stack, *sent: bytes) -> dict[str, bytes]:
    """Send the same to every port at once; return what each said before it ended the connection."""

    async def attack(port: int) -> bytes:
        async with connected(port) as socket:
            with contextlib.suppress(ConnectionError):
                for data in sent:
                    socket.send(data)
                    await socket.writer.drain()
            return await socket.ended()

    answers = await asyncio.gather(*map(attack, ports(stack).values()))
    return dict(zip(ports(stack), answers, strict=True))


async def serves(stack: Stack) -> None:
    """See that every port still answers others at once."""
    for name, port in ports(stack).items():
        async with connected(port) as socket:
            socket.send(GET + b"\r\n")
            assert (await socket.head()).startswith(b"http/1.1 404 "), name


BEGINNINGS = {
    "nothing": b"",
    "empty lines": b"\r\n\r\n",
    "a part of the line": b"GET /live",
    "half a head": GET,
    "half a header": b"POST /auth/login HTTP/1.1\r\nHost: t\r\nContent-Le",
}
TRICKLES = {
    "head": (GET + b"X-A: ", b"a"),
    "body": (LOG_IN + b"Content-Length: 60000\r\n\r\n", b" "),
    "chunks": (LOG_IN + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


async def test_a_head_that_never_ends_is_cut_on_every_port(stack: Stack) -> None:
    said = await asyncio.gather(*(everywhere(stack, begun) for begun in BEGINNINGS.values()))

    nothing = dict.fromkeys(ports(stack), b"")
    assert dict(zip(BEGINNINGS, said, strict=True)) == dict.fromkeys(BEGINNINGS, nothing)


async def test_a_trickle_of_bytes_does_not_prolong_the_deadline(stack: Stack) -> None:
    async def attack(port: int, first: bytes, drop: bytes) -> None:
        async with connected(port) as socket:
            socket.send(first)
            ending = asyncio.create_task(socket.ended())
            while not ending.done():
                socket.send(drop)
                await asyncio.wait([ending], timeout=0.05)

    await asyncio.gather(*(attack(port, *trickle) for port in ports(stack).values() for trickle in TRICKLES.values()))


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        pytest.param(431, (GET + b"Cookie: ", b"b" * (1 << 20)), id="one-header"),
        pytest.param(431, (GET, b"X-A: b\r\n" * 4000), id="headers"),
        pytest.param(431, (GET, b"A:b\r\n" * 200 + b"\r\n"), id="many-headers"),
        pytest.param(414, (b"GET /", b"b" * 10_000, b" HTTP/1.1\r\n"), id="path"),
        pytest.param(400, (b"nonsense\r\n\r\n",), id="no-http"),
        pytest.param(400, (LOG_IN + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",), id="smuggled"),
        pytest.param(400, (LOG_IN + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",), id="two-lengths"),
    ],
)  # fmt: skip
async def test_what_is_too_long_or_malformed_is_refused_with_a_code(
    stack: Stack, status: int, sent: tuple[bytes, ...]
) -> None:
    for name, said in (await everywhere(stack, *sent)).items():
        head, _, body = said.partition(b"\r\n\r\n")
        if not said:  # the rest of what was sent made the kernel drop the answer
            assert len(b"".join(sent)) > 1 << 16, name
            continue
        assert head.startswith(b"HTTP/1.1 %d " % status), (name, said)
        assert b"connection: close" in head
        assert json.loads(body)["code"], name
    await serves(stack)


async def test_64_mib_of_headers_are_not_taken(stack: Stack) -> None:
    async def attack(port: int) -> int:
        taken = 0
        async with connected(port) as socket:
            socket.send(GET)
            with contextlib.suppress(ConnectionError):
                while taken < 64 << 20 and socket.is_open:
                    socket.send(b"X-Filler: " + b"f" * 65_000 + b"\r\n")
                    await socket.writer.drain()
                    taken += 65_000
        return taken

    async def resident(name: str) -> int:
        text = (await figures(stack, name)).splitlines()
        line = next(line for line in text if line.startswith("process_resident_memory_bytes "))
        return int(float(line.rpartition(" ")[2]))

    before = {name: await resident(name) for name in ADMIN}
    await asyncio.gather(*(attack(port) for port in ports(stack).values() for _ in range(3)))

    for name in ADMIN:
        assert await resident(name) < before[name] + (32 << 20), name
    await serves(stack)


async def test_trailers_without_end_are_refused(stack: Stack) -> None:
    head = LOG_IN + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"
    trailers = [b"X-Trailer: " + b"t" * 4000 + b"\r\n"] * 2000

    await everywhere(stack, head, *trailers)  # each connection ends

    await serves(stack)


async def test_requests_that_are_not_waited_for_are_bounded(stack: Stack) -> None:
    said = await everywhere(stack, (GET + b"\r\n") * 500)

    for name, answers in said.items():
        assert answers.count(b"HTTP/1.1 404 ") < 100, name
    await serves(stack)


async def figures(stack: Stack, name: str) -> str:
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        return (await http.get(f"http://127.0.0.1:{admin_port_of(stack, name)}/metrics")).text


# Probes and metrics.

SPELLINGS = (
    "/metrics", "/livez", "/readyz", "/%6detrics", "/%6D%65trics", "//metrics", "/./metrics", "/x/../metrics",
    "/x/..;/metrics", "/METRICS", "/Metrics", "/metrics/", "/metrics%2f", "/%2fmetrics", "/metrics;a=b", "/metrics?a",
    "/api/metrics", "/api/notifier/metrics", "/%61pi/metrics", "/api/%6detrics", "/api//metrics", "/api/x/..;/metrics",
    "/apps/../metrics", "/app/../metrics", "/apps/..%2fmetrics", "/metrics%00", "/metrics%20", "/%252e%252e/metrics",
    "/apps/%2e%2e/readyz", "/api/readyz%23", "/api/notifier/..%2f..%2freadyz", "/readyz/.", "http://x/metrics",
)  # fmt: skip
MARKS = (b"# HELP", b'"checks"', b'"alive"', b"process_cpu_seconds")


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_public_port_answers_probes_or_metrics_however_they_are_spelled(stack: Stack, spelling: str) -> None:
    for name in PUBLIC:
        for accept in ("*/*", "text/html"):
            async with connected(port_of(stack, name)) as socket:
                head = f"GET {spelling} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nAccept: {accept}\r\n\r\n"
                socket.send(head.encode())
                said = await socket.ended()

            assert said[:13] in (b"HTTP/1.1 404 ", b"HTTP/1.1 400 "), (name, said[:200])
            assert not any(mark in said for mark in MARKS), name


async def test_an_admin_port_answers_nothing_else(stack: Stack) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        for name in ADMIN:
            for path in ("/", "/leads", "/auth/login", "/docs", "/notifications", "/apps/1/events", "/config.json"):
                answer = await http.get(f"http://127.0.0.1:{admin_port_of(stack, name)}{path}")
                assert answer.status_code == 404, (name, path)


async def test_the_metrics_are_few(stack: Stack) -> None:
    """It was 2,595 buckets; routes grow, so the bound is one of buckets for each observed combination."""
    async with stack.client() as api:
        await api.get("/leads")
    for name in PUBLIC:
        text = await figures(stack, name)
        counts = text.count("http_request_duration_seconds_count{")
        assert text.count("http_request_duration_seconds_bucket{") <= 7 * counts, name


# Keep-alive.


async def test_an_idle_connection_is_kept_for_longer_than_proxies_keep_it(stack: Stack) -> None:
    async def stays_open(name: str) -> None:
        async with connected(port_of(stack, name)) as socket:
            socket.send(GET + b"\r\n")
            assert b"keep-alive: timeout=75" in await socket.head()
            with pytest.raises(TimeoutError):  # uvicorn's own default closed it after 5 s
                await asyncio.wait_for(socket.reader.read(1), 6)
            socket.send(GET + b"\r\n")
            assert (await socket.head()).startswith(b"http/1.1 404 ")

    await asyncio.gather(*map(stays_open, PUBLIC))


@pytest.mark.parametrize("name", PUBLIC)
async def test_while_it_drains_each_answer_is_the_last_one_of_its_connection(stack: Stack, name: str) -> None:
    port = port_of(stack, name)
    async with connected(port) as idle, connected(port) as other:
        for socket in (idle, other):
            socket.send(GET + b"\r\n")
            assert b"connection: close" not in await socket.head()
        pid = stack.pid(name)
        assert pid is not None
        os.kill(pid, 15)

        async def is_draining() -> bool:
            async with httpx.AsyncClient(timeout=PATIENCE) as http:
                answer = await http.get(f"http://127.0.0.1:{admin_port_of(stack, name)}/readyz")
                return answer.status_code == 503 and answer.json()["checks"]["accepting"] == "draining"

        await until(is_draining, why="the process says that it drains")
        for socket in (idle, other):  # requests that a proxy sent on connections which it had kept
            socket.send(GET + b"\r\n")
            assert b"connection: close" in await socket.head(), name
            assert await socket.ended() == b""
    await until(lambda: stack._processes[name].exit_code is not None, why="the process has ended")
    assert stack._processes[name].exit_code == 0
    stack.restart(name)
    await stack.ready(name)

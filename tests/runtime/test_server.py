"""The server itself, on real sockets: whom the application sees, and what one client may have at the same time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.server import listening
from runtime.server.limits import HttpLimiter, HttpLimits
from runtime.server.proxies import TrustedProxies
from runtime.server.server import Port, Server
from support.waiting import until

LOOPBACK = [ip_network("127.0.0.0/8")]


class Echo:
    """Says whom it sees; `/wait` answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.waiting = 0
        self.app = Starlette(routes=[Route("/", self.see), Route("/wait", self.wait)])

    async def see(self, request: Request) -> Response:
        assert request.client is not None
        return JSONResponse([request.client.host, request.url.scheme])

    async def wait(self, request: Request) -> Response:
        self.waiting += 1
        await self.go.wait()
        return await self.see(request)


@asynccontextmanager
async def serving(echo: Echo, limits: HttpLimits, proxies: TrustedProxies) -> AsyncIterator[httpx.AsyncClient]:
    listener = listening.listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = Server(Port(app=echo.app, limiter=HttpLimiter(limits, proxies), sockets=[listener]))
    await server.begin()
    try:
        async with httpx.AsyncClient(base_url=address, timeout=30) as http:
            yield http
    finally:
        await server.end()


@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        ([], {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, ["127.0.0.1", "http"]),
        (LOOPBACK, {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, ["203.0.113.9", "https"]),
        (LOOPBACK, {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}, ["203.0.113.9", "http"]),
        (LOOPBACK, {"X-Forwarded-For": "198.51.100.1, unknown"}, ["127.0.0.1", "http"]),
        (LOOPBACK, {}, ["127.0.0.1", "http"]),
        ([ip_network("10.0.0.0/8")], {"X-Forwarded-For": "203.0.113.9"}, ["127.0.0.1", "http"]),
    ],
)
async def test_only_trusted_proxies_say_whose_request_it_is(trusted, forwarded, seen) -> None:
    async with serving(Echo(), HttpLimits(), TrustedProxies(trusted)) as http:
        assert (await http.get("/", headers=forwarded)).json() == seen


async def test_a_client_behind_a_proxy_has_so_many_requests_at_once_and_others_have_theirs() -> None:
    echo = Echo()
    limits = HttpLimits(connections_per_client=2)
    ada, same, bob = ({"X-Forwarded-For": it} for it in ("2001:db8:1:2::1", "2001:db8:1:2::ffff", "203.0.113.9"))
    async with serving(echo, limits, TrustedProxies(LOOPBACK)) as http:
        waiting = [asyncio.create_task(http.get("/wait", headers=ada)) for _ in range(2)]
        await until(lambda: echo.waiting == 2, why="both are being answered")
        refused = await http.get("/", headers=same)  # of the same /64
        other = await http.get("/", headers=bob)
        echo.go.set()
        answers = await asyncio.gather(*waiting)
        again = await http.get("/", headers=same)

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_connections")
    assert [answer.status_code for answer in (other, *answers, again)] == [200] * 4


async def test_a_client_without_a_proxy_has_so_many_connections() -> None:
    async with serving(Echo(), HttpLimits(connections_per_client=3), TrustedProxies()) as http:
        port = http.base_url.port
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            assert await asyncio.wait_for(reader.read(), 30) == b""
        except ConnectionResetError:
            pass
        finally:
            for _, each in (*opened, (reader, writer)):
                each.close()

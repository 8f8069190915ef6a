"""What every process answers alike."""

import asyncio
import re
import threading
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from runtime.http import CorrelationMiddleware
from runtime.server import admin
from runtime.server.admin import Check, admin_app
from support.waiting import until


async def echo(_request: Request) -> Response:
    return PlainTextResponse(get_contextvars()["correlation_id"])


async def fail(_request: Request) -> Response:
    raise RuntimeError("our bug")


def client() -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/echo/{id}", echo), Route("/fail", fail)])
    app.add_middleware(CorrelationMiddleware, new_id=lambda: "made-here")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://x")


def admin_client(**checks: Check) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(admin_app(checks)), base_url="http://x")


@pytest.mark.parametrize("offered", ["a", "A-z_0.9:-", "x" * 128, "3f2c7a52-9d11-4c7e-8a55-0a4f4f0f0a01"])
async def test_a_well_formed_id_is_kept(offered: str) -> None:
    async with client() as http_client:
        answer = await http_client.get("/echo/1", headers={"X-Correlation-ID": offered})

    assert (answer.text, answer.headers["X-Correlation-ID"]) == (offered, offered)


@pytest.mark.parametrize("offered", [None, "", "a b", "x" * 129, "a\tb", "{}", "ada@example.org", "é".encode()])
async def test_any_other_is_replaced(offered: str | bytes | None) -> None:
    headers = {} if offered is None else {"X-Correlation-ID": offered}
    async with client() as http_client:
        answer = await http_client.get("/echo/1", headers=headers)

    assert (answer.text, answer.headers["X-Correlation-ID"]) == ("made-here", "made-here")


async def test_requests_at_once_keep_their_own_ids() -> None:
    names = [f"request-{number}" for number in range(50)]
    async with client() as http_client:
        answers = await asyncio.gather(
            *(http_client.get("/echo/1", headers={"X-Correlation-ID": name}) for name in names)
        )

    assert [answer.text for answer in answers] == names
    assert get_contextvars() == {}


async def test_a_request_is_logged_once_without_its_query() -> None:
    async with client() as http_client:
        with capture_logs() as lines:
            await http_client.get("/echo/1?email=ada@example.org")
            await http_client.get("/fail")

    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/echo/1", 200),
        ("GET", "/fail", 500),
    ]
    assert "ada" not in str(lines)


async def test_a_path_is_logged_with_its_ids_and_without_what_people_type_into_it() -> None:
    async with client() as http_client:
        with capture_logs() as lines:
            for path in (
                "/echo/3f2c7a52-9d11-4c7e-8a55-0a4f4f0f0a01",
                "/echo/ada@example.org",
                "/Ada",
                "/echo/Ada%20L",
            ):
                await http_client.get(path)

    paths = [line["path"] for line in lines]
    assert paths == ["/echo/3f2c7a52-9d11-4c7e-8a55-0a4f4f0f0a01", "/echo/{id}", "unmatched", "/echo/{id}"]


async def test_durations_are_counted_by_route_and_not_by_address() -> None:
    async with client() as http_client:
        for path in ("/echo/secret-1", "/echo/secret-2", "/nowhere/secret-3"):
            await http_client.get(path)
        await http_client.request("BREW", "/echo/secret-4")
    async with admin_client() as http_client:
        metrics = (await http_client.get("/metrics")).text

    counted = re.findall(r"http_request_duration_seconds_count(\{.*\})", metrics)
    assert '{method="GET",route="/echo/{id}",status_class="2xx"}' in counted
    assert '{method="GET",route="unmatched",status_class="4xx"}' in counted
    assert '{method="OTHER",route="/echo/{id}",status_class="4xx"}' in counted
    assert "secret" not in metrics


async def test_alive_whatever_the_checks_say() -> None:
    async with admin_client(database=raises) as http_client:
        answer = await http_client.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def well() -> str | None:
    return None


async def unwell() -> str | None:
    return "lost"


async def raises() -> str | None:
    raise ConnectionRefusedError("postgresql://user:secret@host")


async def hangs() -> str | None:
    await asyncio.Event().wait()
    return None


async def test_ready_when_every_check_is() -> None:
    async with admin_client(database=well, nats=well) as http_client:
        answer = await http_client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {"database": "ok", "nats": "ok"}}


async def test_a_check_that_cannot_be_cancelled_keeps_nobody_waiting_and_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that answers nothing cannot be closed quickly, either."""
    asked, released = 0, asyncio.Event()

    async def stubborn() -> str | None:
        nonlocal asked
        asked += 1
        try:
            await released.wait()
        finally:
            await released.wait()
        return None

    monkeypatch.setattr(admin, "CHECK_TIMEOUT", 0.05)
    async with admin_client(database=stubborn) as http_client:
        answers = [await http_client.get("/readyz") for _ in range(3)]
        assert asked == 1
        released.set()
        await until(lambda: _is_ready(http_client))

    assert {answer.json()["checks"]["database"] for answer in answers} == {"no answer within 0.05 s"}


async def _is_ready(http_client: httpx.AsyncClient) -> bool:
    return (await http_client.get("/readyz")).is_success


async def test_not_ready_says_why_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "CHECK_TIMEOUT", 0.05)
    async with admin_client(a=well, b=unwell, c=raises, d=hangs) as http_client:
        answer = await http_client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "checks": {"a": "ok", "b": "lost", "c": "ConnectionRefusedError", "d": "no answer within 0.05 s"},
    }


async def test_a_thousand_who_ask_at_once_cost_two_examinations() -> None:
    examined = []

    async def check() -> str | None:
        examined.append(1)
        await asyncio.sleep(0.01)
        return None

    async with admin_client(database=check) as http_client:
        answers = await asyncio.gather(*(http_client.get("/readyz") for _ in range(1000)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(examined) <= 3


async def test_metrics_are_written_in_another_thread_and_never_older_than_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[int] = []

    def slowly() -> bytes:
        time.sleep(0.05)  # so that 200 requests come while one is at work: what is tested is that they share it
        written.append(threading.get_ident())
        return str(len(written)).encode()

    monkeypatch.setattr(admin, "generate_latest", slowly)
    async with admin_client() as http_client:
        asking = [asyncio.create_task(http_client.get("/metrics")) for _ in range(200)]
        answers = await asyncio.gather(*asking)
        later = await http_client.get("/metrics")

    assert threading.get_ident() not in written
    assert len(written) <= 4
    assert max(int(answer.text) for answer in answers) < int(later.text)

"""`/readyz` says within seconds what a process has lost: a stream, a consumer, NATS, a database."""

from contextlib import asynccontextmanager

import httpx
import pytest

from contracts import streams
from support.fixtures import BehindProxies
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.faults

NEEDED = {
    streams.CRM: {"relay", "notifier"},
    streams.PUSH: {"notifier", "gateway"},
    streams.DEAD: {"notifier"},
    streams.STATE: {"gateway"},
    streams.WEBHOOKS: {"gateway"},
}
CONSUMERS = {(streams.CRM, streams.NOTIFIER): "notifier", (streams.WEBHOOKS, streams.SENDER): "gateway"}
USES_NATS = {"relay", "notifier", "gateway"}
USES_POSTGRES = {"api", "relay", "notifier"}


async def reasons(stack: Stack, name: str) -> dict[str, str]:
    """Return what a process says is wrong; {} when it is ready."""
    async with httpx.AsyncClient(timeout=10) as http:
        answer = await http.get(stack.health(name))
    found = {check: reason for check, reason in answer.json()["checks"].items() if reason != "ok"}
    assert answer.is_success == (not found)
    return found


async def unready(stack: Stack) -> set[str]:
    return {name for name in stack.names if await reasons(stack, name)}


@asynccontextmanager
async def migrating(stack: Stack):
    """Yield JetStream as an operator sees it; what was deleted is made again at the end."""
    async with stack.nats.client() as client:
        js = client.jetstream()
        try:
            yield js
        finally:
            await streams.ensure(js)
    await stack.ready()


@pytest.mark.parametrize("stream", NEEDED)
async def test_a_deleted_stream_is_missed_by_all_who_need_it_and_by_nobody_else(stack: Stack, stream: str) -> None:
    async with migrating(stack) as js:
        await js.delete_stream(stream)

        await until(lambda: _are(stack, NEEDED[stream]))
        for name in NEEDED[stream]:
            assert any("does not exist" in reason for reason in (await reasons(stack, name)).values())


@pytest.mark.parametrize(("stream", "consumer"), CONSUMERS)
async def test_a_deleted_consumer_is_missed_and_the_figures_do_not_pretend(
    stack: Stack, stream: str, consumer: str
) -> None:
    name = CONSUMERS[stream, consumer]
    check = f"consumer {consumer} of {stream}"
    async with migrating(stack) as js:
        await js.delete_consumer(stream, consumer)

        await until(lambda: _are(stack, {name}))
        assert "the-migrate-step" in (await reasons(stack, name))[check]
        async with httpx.AsyncClient() as http:
            metrics = (await http.get(stack.health(name).replace("/readyz", "/metrics"))).text.splitlines()
        assert f'nats_dependency_up{{dependency="{check}"}} 0.0' in metrics
        waiting = {"notifier": "notifier_lag_messages", "gateway": "gateway_webhook_requests_waiting"}[name]
        await until(lambda: _shows(stack, name, f"{waiting} NaN"))


async def test_a_nats_that_answers_nothing_is_missed_by_all_who_need_it(behind_proxies: BehindProxies) -> None:
    stack = behind_proxies.stack
    behind_proxies.nats.stall()

    await until(lambda: _are(stack, USES_NATS))
    async with httpx.AsyncClient() as http:  # REST goes on
        answer = (await http.get(stack.health("api"))).json()
    assert answer["status"] == "ready"
    assert answer["nats"] != "connected"

    behind_proxies.nats.heal()
    await stack.ready()


async def test_a_database_that_answers_nothing_is_missed_by_all_who_need_it(behind_proxies: BehindProxies) -> None:
    behind_proxies.postgres.stall()

    await until(lambda: _are(behind_proxies.stack, USES_POSTGRES, among=USES_POSTGRES))

    behind_proxies.postgres.heal()
    await behind_proxies.stack.ready()


async def _are(stack: Stack, names: set[str], among: set[str] | None = None) -> bool:
    return await unready(stack) & (among or set(stack.names)) == names


async def _shows(stack: Stack, name: str, line: str) -> bool:
    async with httpx.AsyncClient() as http:
        answer = await http.get(stack.health(name).replace("/readyz", "/metrics"))
    return line in answer.text.splitlines()

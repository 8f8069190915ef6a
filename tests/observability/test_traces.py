"""Traces through every process, as a collector gets them."""

import asyncio
import socket
import subprocess
import sys
import uuid

import psycopg
import pusher
import pytest
from pydantic import SecretStr

from contracts import streams, subjects
from contracts.channels import UserChannel
from leadwire.ports import LOOPBACK
from runtime import tracing
from runtime.otel import OtelRecorder
from runtime.tracing import TracingSettings, understood
from support.collector import Collector, Received, collecting
from support.screens import screen
from support.stack import Stack
from support.waiting import until

SERVER, PRODUCER, CONSUMER = 2, 4, 5
SECRETS = ("Dorothy Vaughan", "dorothy@nasa.example", "+1 555 0188")


async def complete(collector: Collector, trace: str, count: int) -> dict[tuple[str, str], Received]:
    """Wait until so many spans of a trace came, and return them by service and name."""
    await until(lambda: len(collector.spans(trace)) >= count, why=f"{count} spans of {trace}")
    spans = collector.spans(trace)
    assert len(spans) == count, spans
    return {(span.service, span.name): span for span in spans}


@pytest.mark.system
async def test_a_command_is_one_trace_from_the_request_to_the_frame(watched: Stack, collector: Collector) -> None:
    acme, trace, caller = watched.acme, uuid.uuid4().hex, "00f067aa0ba902b7"
    agent, manager = acme.users["agent"], acme.users["manager"]
    async with (
        screen("echo", watched, agent, acme) as first,
        screen("pusher", watched, manager, acme) as second,
        watched.client("manager") as api,
        watched.nats.client("operator") as nats,
    ):
        for client in (first, second):
            await client.hears("subscribed")
        name, email, phone = SECRETS
        answer = await api.post(
            "/leads",
            json={"name": name, "email": email, "phone": phone, "assigned_to": agent.id},
            headers={"traceparent": f"00-{trace}-{caller}-01"},
        )
        for client in (first, second):
            await client.hears("lead.created")
        spans = await complete(collector, trace, 4)
        told = subjects.push(watched.topology.credentials.pusher_app_id, str(UserChannel(agent.id)))
        notification = await nats.jetstream().get_last_msg(streams.PUSH, told)

    request = spans["leads-api", "POST /leads"]
    published = spans["leads-relay", "CRM publish"]
    applied = spans["notifier", "CRM process"]
    delivered = spans["gateway", "PUSH deliver"]
    assert [request.parent, published.parent, applied.parent, delivered.parent] == [
        caller, request.id, published.id, applied.id,
    ]  # fmt: skip
    kinds = [span.kind for span in (request, published, applied, delivered)]
    assert kinds == [SERVER, PRODUCER, CONSUMER, CONSUMER]
    assert request.attributes["http.response.status_code"] == 201
    assert request.attributes["leadwire.correlation_id"] == answer.headers["X-Correlation-ID"]
    # One span, whatever the number of sockets.
    assert delivered.attributes["leadwire.sockets"] == 2
    assert delivered.attributes["leadwire.channel"] == f"private-company.{acme.id}"
    with psycopg.connect(watched.topology.superuser_url) as log:
        row = log.execute(
            "SELECT metadata->>'traceparent' FROM events WHERE stream_id = %s", [answer.json()["data"]["id"]]
        ).fetchone()
    assert row == (request.traceparent,)
    assert notification.headers is not None
    assert notification.headers["traceparent"] == applied.traceparent
    assert all(headers["x-tenant"] == "leadwire" for headers in collector.headers)
    assert not [secret for secret in SECRETS for body in collector.bodies if secret.encode() in body]


@pytest.mark.system
async def test_a_request_that_is_refused_ends_its_trace(watched: Stack, collector: Collector) -> None:
    trace = uuid.uuid4().hex
    async with watched.client("agent") as api:
        await api.patch(
            f"/leads/{uuid.uuid4()}", json={"name": "x"}, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        )
    spans = await complete(collector, trace, 1)

    assert spans["leads-api", "PATCH /leads/{lead_id}"].attributes["http.response.status_code"] == 404


@pytest.mark.system
async def test_what_a_backend_triggers_is_a_trace_too(watched: Stack, collector: Collector) -> None:
    credentials, gateway = watched.topology.credentials, watched.topology.gateway
    channel = f"private-company.{watched.acme.id}"
    sdk = pusher.Pusher(
        app_id=credentials.pusher_app_id, key=credentials.pusher_app_key, secret=credentials.pusher_app_secret,
        host=gateway.host, port=gateway.port, ssl=False,
    )  # fmt: skip

    def delivered() -> list[Received]:
        spans = collector.spans()
        requests = {span.id for span in spans if span.service == "gateway" and span.kind == SERVER}
        return [span for span in spans if span.service == "gateway" and span.parent in requests]

    async with screen("echo", watched, watched.acme.users["agent"], watched.acme) as client:
        await client.hears("subscribed")
        await asyncio.to_thread(sdk.trigger, channel, "lead.created", {"name": "From the SDK"})
        await client.hears("lead.created")
        await until(delivered)

    (span,) = delivered()
    assert (span.name, span.attributes["leadwire.channel"]) == ("PUSH deliver", channel)


async def test_who_is_not_sampled_is_not_recorded_and_the_word_is_passed_on() -> None:
    with collecting() as collector:
        recorder = OtelRecorder("test", TracingSettings(otel_exporter_otlp_endpoint=collector.url))
        parent = f"00-{uuid.uuid4().hex}-00f067aa0ba902b7-00"
        span = recorder.begin("quiet", "server", parent)
        span.end(error="nobody hears it")
        loud = recorder.begin("loud", "server", None)
        loud.end(error="a reason")
        await asyncio.to_thread(recorder.close)

    assert span.traceparent[:36] == parent[:36]
    assert span.traceparent.endswith("-00")
    (received,) = collector.spans()
    assert (received.name, received.parent, received.has_failed) == ("loud", "", True)


async def test_a_collector_that_hangs_does_not_keep_a_process_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.otel.CLOSING", 0.2)
    with socket.create_server((LOOPBACK, 0)) as silent:
        url = f"http://{LOOPBACK}:{silent.getsockname()[1]}"
        recorder = OtelRecorder("test", TracingSettings(otel_exporter_otlp_endpoint=url))
        recorder.begin("unheard", "server", None).end()
        await asyncio.wait_for(asyncio.to_thread(recorder.close), 20)


@pytest.mark.parametrize("module", ["leads.main.api", "leads.main.relay", "notifier.main.serve", "gateway.main.serve"])
def test_a_process_that_is_not_told_to_trace_does_not_even_load_it(module: str) -> None:
    check = f"import sys, {module}; from runtime import tracing; tracing.configure('x', tracing.TracingSettings())"
    check += "; sys.exit('opentelemetry.sdk' in sys.modules or tracing.is_on())"

    assert subprocess.run([sys.executable, "-P", "-c", check], env={}, check=False).returncode == 0


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_decide(
    variables: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert TracingSettings().are_wanted is wanted


def test_a_protocol_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TracingSettings(otel_exporter_otlp_endpoint="http://c:4317", otel_exporter_otlp_protocol="grpc")
    tracing.configure("test", settings)

    assert not tracing.is_on()


def test_headers_may_stand_in_a_file(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "headers").write_text("Authorization=Bearer t0ken\n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS_FILE", str(tmp_path / "headers"))

    assert TracingSettings().otel_exporter_otlp_headers == SecretStr("Authorization=Bearer t0ken")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
        f"ff-{'a' * 32}-{'b' * 16}-01",
        None,
    ],
)
def test_what_is_no_traceparent_is_left_out(text: str | None) -> None:
    assert understood(text) is None

"""`doctor`: each thing that can be wrong is made wrong, for real, and found with its fix."""

import asyncio
import datetime as dt
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import gateway.doctor
import leads.doctor
import notifier.doctor
from contracts import streams
from contracts.tokens import PrivateKey
from leadwire import doctor, paths, running
from leadwire.credentials import Credentials
from leadwire.running import Member
from leadwire.topology import Endpoint, Topology
from runtime.doctor import bounded, broker, secrecy
from runtime.doctor.clocks import Reading
from runtime.doctor.findings import MIGRATE, Finding, Report, disagreements, exit_code, summary, text
from support.databases import Database
from support.fixtures import BehindProxies
from support.servers import NatsServer
from support.stack import Stack

pytestmark = pytest.mark.clock

GIB = 1 << 30


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def wrong(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity != "ok"]


def one(report: Report) -> Finding:
    found = wrong(report)
    assert len(found) == 1, text(report)
    assert found[0].fix
    return found[0]


# The database


def look_at(database: Database, role: str = "leads_owner", clock: Callable[[], dt.datetime] = now) -> Report:
    report = Report("test")
    service = leads if role.startswith("leads") else notifier
    service.doctor.examine_database(report, database.url(role), role, clock)
    # Nobody runs here.
    report.findings = [finding for finding in report.findings if finding.check != "active"]
    return report


def execute(database: Database, *statements: str) -> None:
    with psycopg.connect(database.url(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("role", ["leads_owner", "leads_app", "leads_relay"])
def test_a_migrated_database_of_leads_is_as_it_should_be(leads_database: Database, role: str) -> None:
    """When a migration grants something: services/leads/src/leads/grants.py says it, too."""
    report = look_at(leads_database, role)

    assert wrong(report) == []
    assert exit_code([report]) == 0


@pytest.mark.parametrize("role", ["notifier_owner", "notifier_app", "notifier_writer"])
def test_a_migrated_database_of_the_notifier_is_as_it_should_be(notifier_database: Database, role: str) -> None:
    """When a migration grants something: services/notifier/src/notifier/grants.py says it, too."""
    assert wrong(look_at(notifier_database, role)) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("REVOKE UPDATE ON leads FROM leads_app", ["missing: leads_app leads DELETE, INSERT, SELECT, UPDATE"]),
        ("GRANT UPDATE ON events TO leads_app", ["too much: leads_app events INSERT, SELECT, UPDATE"]),
        ("GRANT UPDATE (data) ON events TO leads_relay", ["too much: leads_relay events UPDATE(data)"]),
        ("GRANT SELECT ON users TO PUBLIC", ["too much: - users SELECT"]),
        ("GRANT EXECUTE ON FUNCTION credentials TO PUBLIC", ["too much: - credentials() EXECUTE"]),
        ("ALTER TABLE leads NO FORCE ROW LEVEL SECURITY", ["leads shows every company's rows"]),
    ],
)
def test_wrong_grants_are_named(leads_database: Database, statement: str, said: list[str]) -> None:
    execute(leads_database, statement)

    found = [finding.what for finding in wrong(look_at(leads_database))]
    assert set(said) <= set(found)
    assert len(found) <= 2  # what is there instead of what should be


def test_a_role_that_may_do_more_than_it_should_is_named(leads_database: Database) -> None:
    report = Report("test")
    leads.doctor.examine_database(report, leads_database.url("postgres"), "leads_app", now)

    assert "connected as postgres, not as leads_app" in [finding.what for finding in wrong(report)]


def test_a_missing_migration_is_found(leads_database: Database, empty_database: Database) -> None:
    execute(leads_database, "UPDATE alembic_version SET version_num = '0001'")

    earlier, never = one(look_at(leads_database)), one(look_at(empty_database))
    assert earlier.what.startswith("at 0001, this release needs 00")
    assert never.what == "the database was never migrated"
    assert earlier.fix == never.fix == MIGRATE


def test_a_database_of_a_newer_release_is_a_warning(notifier_database: Database) -> None:
    execute(notifier_database, "UPDATE alembic_version SET version_num = '9999'")

    found = one(look_at(notifier_database, "notifier_app"))
    assert (found.severity, found.what) == ("warning", "at 9999, which a newer release made")


@pytest.mark.parametrize(("seconds", "severity"), [(5, "warning"), (-5, "warning"), (-300, "error")])
def test_another_clock_is_found(notifier_database: Database, seconds: int, severity: str) -> None:
    ours = dt.timedelta(seconds=seconds)

    found = one(look_at(notifier_database, "notifier_app", lambda: now() + ours))
    assert (found.check, found.severity) == ("clock", severity)
    assert ("behind" if seconds > 0 else "ahead") in found.what


def test_a_slow_answer_is_no_other_clock() -> None:
    asked = now()
    answered = asked + dt.timedelta(seconds=10)

    assert Reading(asked, asked, answered).skew == 0
    assert Reading(asked, answered, answered).skew == 0
    assert Reading(asked, asked + dt.timedelta(seconds=12), answered).skew == pytest.approx(2)


def test_a_database_that_is_away_is_one_finding() -> None:
    report = Report("test")
    leads.doctor.examine_database(report, "postgresql://leads_app:hidden@127.0.0.1:1/leads", "leads_app", now)

    assert one(report).check == "database"
    assert "hidden" not in report.to_json()


# NATS


async def look_at_streams(nats: NatsServer) -> list[str]:
    report = Report("test")
    await leads.doctor.examine_streams(report, nats.url("migrate"), replicas=1, listeners={}, clock=now)
    return [f"{finding.what} -> {finding.fix}" for finding in wrong(report)]


NOBODY = "nobody reads notifier -> start the process that does: docs/operations/incidents.md"
NO_SENDER = NOBODY.replace("notifier", "sender")
TO_MIGRATE = f" -> {MIGRATE}"


async def test_what_drifted_is_named_and_what_is_gone(nats: NatsServer) -> None:
    declared = {stream.name: stream for stream in streams.STREAMS}
    assert await look_at_streams(nats) == [NOBODY, NO_SENDER]  # no service runs here
    async with nats.client("operator") as operator:
        js = operator.jetstream()
        await js.update_stream(replace(declared["CRM"], max_age=3600.0, num_replicas=1))
        await js.update_stream(replace(declared["PUSH"], republish=None, num_replicas=1))
        await js.delete_stream("DEAD")
        consumer = dict(streams.CONSUMERS)["CRM"]
        await js.add_consumer("CRM", replace(consumer, ack_wait=60))
        await js.delete_consumer("WEBHOOKS", streams.SENDER)

        assert await look_at_streams(nats) == [
            "CRM: max_age is 3600.0, not 604800.0" + TO_MIGRATE,
            "PUSH: republish is None, not push.> → live.>" + TO_MIGRATE,
            "DEAD does not exist" + TO_MIGRATE,
            "notifier: ack_wait is 60.0, not 5" + TO_MIGRATE,
            NOBODY,
            "sender of WEBHOOKS does not exist" + TO_MIGRATE,
        ]


async def test_a_stopped_consumer_a_full_stream_and_dead_letters_are_found(nats: NatsServer) -> None:
    async with nats.client("operator") as operator:
        js = operator.jetstream()
        reading = await js.pull_subscribe_bind(streams.NOTIFIER, streams.CRM)
        pull = await operator.request("$JS.API.CONSUMER.PAUSE.CRM.notifier", b'{"pause_until":"2999-01-01T00:00:00Z"}')
        assert json.loads(pull.data)["paused"]
        await js.publish("dead.notifier", b"x")
        state = next(stream for stream in streams.STREAMS if stream.name == streams.STATE)
        await js.update_stream(replace(state, max_bytes=1000, num_replicas=1))
        await js.publish("state.a", b"x" * 850)
        report = Report("test")
        await gateway.doctor.examine_nats(report, nats.url("gateway"), now)

        streams_found = await look_at_streams(nats)
        assert any("notifier is paused for" in found for found in streams_found)
        assert "1 dead letters wait for somebody -> ./leadwire dead list" in streams_found
        assert any(found.what.startswith("STATE: max_bytes is 1000") for found in wrong(report))
        await reading.unsubscribe()


@pytest.mark.parametrize(
    ("user", "rights", "said"),
    [
        ("leads-api", leads.doctor.RELAY, {"may not publish to crm.doctor.probe", "may hear crm.>"}),
        ("gateway", leads.doctor.RELAY, None),
        ("operator", notifier.doctor.RIGHTS, None),
        ("leads-relay", leads.doctor.RELAY, set()),
        ("migrate", leads.doctor.MIGRATE, set()),
    ],
)
async def test_a_user_that_may_do_less_or_more_is_found(
    nats: NatsServer, user: str, rights: broker.Rights, said: set[str] | None
) -> None:
    report = Report("test")
    await leads.doctor.examine_nats(report, nats.url(user), rights)

    found = {finding.what.removeprefix("the NATS user ") for finding in wrong(report)}
    assert found == said if said is not None else found
    async with nats.client("operator") as operator:
        js = operator.jetstream()
        stored = [(await js.stream_info(str(stream.name))).state.messages for stream in streams.STREAMS]
    assert sum(stored) == 0  # looking leaves nothing behind


async def test_a_stream_that_an_account_does_not_import_is_found(
    new_nats: Callable[..., NatsServer], tmp_path: Path
) -> None:
    imported = '{ service: { account: LEADWIRE, subject: "crm.>" } }'
    text = paths.NATS_CONFIG.read_text()
    assert imported in text
    (tmp_path / "nats.conf").write_text(text.replace(imported, ""))
    nats = new_nats(tmp_path / "nats.conf")
    nats.ensure_streams()
    report = Report("test")
    await leads.doctor.examine_nats(report, nats.url("leads-relay"), leads.doctor.RELAY)

    assert one(report).what.startswith("no stream answers on crm.doctor.probe")


async def test_nats_that_is_away_or_refuses_us_is_one_finding(nats: NatsServer) -> None:
    refused = Report("test")
    await leads.doctor.examine_nats(
        refused, f"nats://leads-api:stolen-and-wrong@{nats.host}:{nats.port}", leads.doctor.API
    )
    nats.stop()
    away = Report("test")
    await leads.doctor.examine_nats(away, nats.url("leads-api"), leads.doctor.API)

    assert "authorization violation" in one(refused).what.lower()
    assert one(away).check == "nats"
    assert "stolen" not in refused.to_json()


# Secrets, certificates, disk


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("short", "has 5 characters, fewer than 16"),
        ("abababababababababab", "repeats a few characters"),
        ("please-changeme-0123456", "contains a word of every example"),
        ("p5f0c1a9e77b2d4c8", None),
    ],
)
def test_a_weak_secret_is_found(secret: str, why: str | None) -> None:
    report = Report("test")
    secrecy.examine(report, {"LEADS_PUSHER_APP_SECRET": (secret, 16)})

    assert [finding.what for finding in wrong(report)] == ([] if why is None else [f"LEADS_PUSHER_APP_SECRET {why}"])
    assert secret not in report.to_json()


def certify(directory: Path, days: float) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "crm.example")])
    end = now() + dt.timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - dt.timedelta(days=90))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "cert.pem", directory / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return paths


@pytest.mark.parametrize(
    ("days", "severity", "said"),
    [(-1, "error", "expired at"), (10.5, "warning", "in 10 days"), (60, "ok", "until"), (40 * 365, "ok", "until 20")],
)
def test_a_certificate_that_ends_is_found(tmp_path: Path, days: float, severity: str, said: str) -> None:
    report = Report("test")
    gateway.doctor.examine_certificate(report, *certify(tmp_path, days), now=now())

    (found,) = report.findings
    assert found.severity == severity
    assert said in found.what
    assert (now() + dt.timedelta(days=days)).strftime("%Y-%m-%d") in found.what


def test_a_certificate_with_another_key_is_found(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, _key = certify(tmp_path, 60)
    report = Report("test")
    gateway.doctor.examine_certificate(report, certificate, certify(tmp_path / "other", 60)[1], now=now())

    assert one(report).check == "certificate"


async def test_a_port_shows_its_certificate_whoever_signed_it(tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certify(tmp_path, 10.5))
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        endpoint = Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
        report = await asyncio.to_thread(doctor._certificate, endpoint)

    ending, untrusted = report.findings
    assert "expires in 10 days" in ending.what
    assert "does not trust it: self-signed certificate" in untrusted.what


@pytest.mark.parametrize(("free", "severity"), [(10 * GIB, "ok"), (GIB // 2, "warning"), (GIB // 10, "error")])
def test_a_full_disk_is_found(free: int, severity: str) -> None:
    report = Report("test")
    doctor.examine_disk(report, Path("/data"), lambda _place: (100 * GIB, free))

    assert report.findings[0].severity == severity


# All of it


async def ask(member: Member, **environment: str) -> Report:
    asked = replace(member, environment=member.environment | environment)
    _code, answer = await asked.ask("doctor", within=60)
    return Report.from_json(answer)


async def test_every_process_of_a_running_stack_is_well_until_something_is_broken(stack: Stack) -> None:
    members = {member.name: member for member in running.planned(stack.topology)}
    reports = [await ask(member) for member in members.values()]

    assert "\n".join(map(summary, reports)).count("✓") == len(members), "\n".join(map(text, reports))
    assert disagreements(reports) == []

    stack.stop("relay")
    async with stack.client() as api:
        (await api.post("/leads", json={"name": "Waits"})).raise_for_status()
    relay = await ask(members["leads relay"])
    assert [finding.what for finding in wrong(relay)] == ["no relay is active"]
    with psycopg.connect(stack.topology.database_url("leads_relay"), autocommit=True) as connection:
        late = Report("test")
        leads.doctor.examine_outbox(late, connection, limit=0)
    assert one(late).what.startswith("1 facts are not published, the oldest has waited for")
    stack.start("relay")
    await stack.ready()

    api_report = await ask(
        members["leads api"], LEADS_JWT_PRIVATE_KEY=PrivateKey.generate().pem, LEADS_PUSHER_APP_SECRET="short"
    )
    together = [*disagreements([api_report, *reports[1:]])]
    assert [finding.what for finding in wrong(api_report)] == [
        "LEADS_PUSHER_APP_SECRET has 5 characters, fewer than 16"
    ]
    assert {finding.what.split(" differs")[0] for finding in together} == {
        "key of access tokens",
        f"app key {stack.topology.credentials.pusher_app_key}",
    }

    nobody = await ask(members["notifier serve"], NOTIFIER_PUSHER_APP_ID="1", NOTIFIER_JWT_PUBLIC_KEY="short")
    assert [finding.what for finding in wrong(nobody)] == [
        "NOTIFIER_JWT_PUBLIC_KEY: Value error, is not a public key in PEM"
    ]
    unknown = await ask(members["notifier serve"], NOTIFIER_PUSHER_APP_ID="1")
    assert "app id 1 of notifier serve is in no gateway's apps file" in [
        finding.what for finding in disagreements([*reports, unknown])
    ]


def test_what_does_not_answer_is_a_finding_and_keeps_nothing_else_waiting() -> None:
    never = threading.Event()
    report = Report("test")

    def stuck(part: Report) -> None:
        part.fine("connections", "3 of 100 are used")
        never.wait()

    parts = {
        "database": stuck,
        "nats": lambda part: part.fine("nats", "fine"),
        "odd": lambda _part: (_ for _ in ()).throw(ValueError("secret")),
    }
    bounded.examine(report, parts, within=0.2)
    never.set()

    assert [(finding.severity, finding.check, finding.what) for finding in report.findings] == [
        ("ok", "connections", "3 of 100 are used"),
        ("error", "database", "no answer within 0 s"),
        ("ok", "nats", "fine"),
        ("error", "odd", "could not be looked at: ValueError"),
    ]


async def test_every_doctor_ends_while_its_servers_answer_nothing(behind_proxies: BehindProxies) -> None:
    members = running.planned(behind_proxies.stack.topology)
    behind_proxies.nats.stall()
    behind_proxies.postgres.stall()

    reports = await asyncio.gather(*map(ask, members))

    for member, report in zip(members, reports, strict=True):
        found = {finding.check for finding in wrong(report)}
        assert found & {"database", "nats"}, (member.name, text(report))
    behind_proxies.nats.heal()
    behind_proxies.postgres.heal()


async def test_what_is_printed_of_the_configuration_has_no_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret in a file that is long enough\n")
    nowhere, keys = Endpoint("127.0.0.1", 1), Credentials()
    topology = Topology(
        credentials=keys,
        postgres=nowhere,
        nats=nowhere,
        leads=nowhere,
        relay=nowhere,
        worker=nowhere,
        notifier=nowhere,
        gateway=nowhere,
        apps_file=tmp_path,
    )
    printed: dict[str, Any] = {}
    for member in running.planned(topology)[:5]:
        told = {name: value for name, value in member.environment.items() if name != "LEADS_JWT_PRIVATE_KEY"}
        if member.name == "leads api":
            told["LEADS_JWT_PRIVATE_KEY_FILE"] = str(secret)
        code, answer = await replace(member, environment=told).ask("config")
        assert code == 0
        printed[member.name] = {it["variable"]: it for it in json.loads(answer)["settings"]}
    everything = json.dumps(printed)
    secrets = [*keys.postgres.values(), *keys.nats.values(), keys.jwt_private_key, keys.pusher_app_secret]

    assert [name for name in secrets if name in everything] == []
    assert "long enough" not in everything
    assert printed["leads api"]["LEADS_JWT_PRIVATE_KEY"] == {
        "variable": "LEADS_JWT_PRIVATE_KEY",
        "value": "********",
        "source": str(secret),
    }
    nats = printed["gateway serve"]["GATEWAY_NATS_URL"]
    assert (nats["value"], nats["source"]) == ("nats://gateway:********@127.0.0.1:1", "environment")
    assert printed["leads relay"]["LEADS_LOG_LEVEL"]["source"] == "default"

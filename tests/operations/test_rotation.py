"""A secret is replaced while everybody works: at no step does anybody refuse what another has signed."""

import base64
import contextlib
import hmac
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jwt
import psycopg
import pytest
from pydantic import ValidationError
from websockets.asyncio.client import connect

from contracts import signing
from contracts.tokens import PrivateKey, PublicKey
from gateway import apps
from gateway.pusher.refusals import Unauthorised
from gateway.pusher.signature import SignedRequest, verify
from leads.settings import ApiSettings
from leadwire import credentials, secret_files
from leadwire.credentials import Credentials
from leadwire.topology import Endpoint
from support.databases import Database
from support.servers import OwnProcess
from support.stack import Stack, User
from support.waiting import until

pytestmark = pytest.mark.clock

OLD, NEW = PrivateKey.generate(), PrivateKey.generate()


def steps(what: str) -> list[Credentials]:
    """Return the credentials before, and after each step."""
    found = [Credentials()]
    for _ in range(3):
        found.append(credentials.rotate(found[-1], what)[0])
    return found


@pytest.mark.parametrize(
    ("what", "signs", "accepts"),
    [
        ("jwt", lambda it: it.jwt_public_key, lambda it: {it.jwt_public_key, it.jwt_other_public_key}),
        ("app", lambda it: it.pusher_app_secret, lambda it: {it.pusher_app_secret, it.pusher_app_other_secret}),
    ],
)
def test_what_one_step_signs_the_next_and_the_one_before_accept(
    what: str, signs: Callable[[Credentials], str], accepts: Callable[[Credentials], set[str]]
) -> None:
    before, *_, after = every = steps(what)

    for earlier, later in itertools.pairwise(every):
        assert signs(earlier) in accepts(later)
        assert signs(later) in accepts(earlier)
    assert signs(before) not in accepts(after)
    assert after.rotating == {}
    assert replace(after, jwt_private_key="", pusher_app_secret="") == replace(
        before, jwt_private_key="", pusher_app_secret=""
    )


@pytest.mark.parametrize("what", ["postgres", "nats"])
def test_passwords_are_all_new_but_the_superusers(what: str) -> None:
    before = Credentials()
    after, _said = credentials.rotate(before, what)

    kept = {name for name, password in before.postgres.items() if after.postgres[name] == password}
    assert kept == ({"postgres"} if what == "postgres" else set(before.postgres))
    assert (after.nats != before.nats) == (what == "nats")


def written(folder: Path) -> dict[str, str]:
    """Write a deployment's files; return them by reader and name."""
    secret_files.write(folder, postgres=Endpoint("postgres", 5432), nats=Endpoint("nats", 4222))
    return {f"{path.parent.name}/{path.name}": path.read_text() for path in folder.glob("*/*")}


def test_the_files_follow_each_step(tmp_path: Path) -> None:
    def keys() -> tuple[str, str, str, str]:
        files = written(tmp_path)
        signs = PrivateKey.of(files["leads-api/LEADS_JWT_PRIVATE_KEY"]).public.pem
        return (
            signs,
            files["leads-api/LEADS_JWT_OTHER_PUBLIC_KEY"],
            files["notifier/NOTIFIER_JWT_PUBLIC_KEY"],
            files["notifier/NOTIFIER_JWT_OTHER_PUBLIC_KEY"],
        )

    old = keys()[0]
    assert keys() == (old, "", old, "")
    assert secret_files.rotate(tmp_path, "jwt").startswith("1 of 3")
    new = keys()[1]
    assert keys() == (old, new, old, new)
    assert secret_files.rotate(tmp_path, "jwt").startswith("2 of 3")
    assert keys() == (new, old, new, old)
    assert secret_files.rotate(tmp_path, "jwt").startswith("3 of 3")
    assert keys() == (new, "", new, "")


def test_one_reader_alone_can_make_tokens(tmp_path: Path) -> None:
    secret_files.write(tmp_path, postgres=Endpoint("postgres", 5432), nats=Endpoint("nats", 4222))
    for step in range(3):
        files = written(tmp_path)
        holders = {name for name, text in files.items() if "PRIVATE KEY" in text}
        assert holders == {"leads-api/LEADS_JWT_PRIVATE_KEY"}, step
        secret_files.rotate(tmp_path, "jwt")


@pytest.mark.parametrize("rotating", [{}, {"jwt": "is accepted"}, {"jwt": "signs", "app": "is accepted"}])
def test_files_with_a_shared_secret_are_upgraded(tmp_path: Path, rotating: dict[str, str]) -> None:
    before = written(tmp_path)
    file = tmp_path / secret_files.CREDENTIALS
    known = json.loads(file.read_text())
    del known["jwt_private_key"], known["jwt_other_private_key"]
    file.write_text(json.dumps({**known, "jwt_secret": "a" * 64, "jwt_other_secret": "b" * 64, "rotating": rotating}))
    for retired in ("leads-api/LEADS_JWT_SECRET", "notifier/NOTIFIER_JWT_SECRET"):
        (tmp_path / retired).write_text("a" * 64)

    after = written(tmp_path)

    assert after.keys() == before.keys()
    assert not any("a" * 64 in text for text in (*after.values(), file.read_text()))
    assert (
        PrivateKey.of(after["leads-api/LEADS_JWT_PRIVATE_KEY"]).public.pem == after["notifier/NOTIFIER_JWT_PUBLIC_KEY"]
    )
    assert after["leads-api/LEADS_DATABASE_URL"] == before["leads-api/LEADS_DATABASE_URL"]
    assert "jwt" not in json.loads(file.read_text())["rotating"]
    assert secret_files.rotate(tmp_path, "jwt").startswith("1 of 3")


@pytest.mark.parametrize(("other", "is_fine"), [("", True), (NEW.public.pem, True), ("short", False), (NEW.pem, False)])
def test_the_other_key_is_none_or_a_public_one(other: str, is_fine: bool) -> None:
    told = {
        "database_url": "x",
        "nats_url": "y",
        "jwt_private_key": OLD.pem,
        "pusher_app_key": "k",
        "pusher_app_secret": "s",
        "jwt_other_public_key": other,
    }
    if is_fine:
        assert ApiSettings.model_validate(told).jwt_other_public_key == other
    else:
        with pytest.raises(ValidationError):
            ApiSettings.model_validate(told)


async def test_nobody_is_refused_while_the_secrets_are_replaced(stack: Stack) -> None:
    """Who has to know a step is restarted in turn; tokens of before go on, and so do new log-ins and subscriptions."""
    user = stack.acme.users["agent"]
    known = [user.token]
    topology = stack.topology
    # The gateway reads its apps without a restart; what it accepts besides concerns nobody else.
    for what, restarted in (("jwt", ("notifier", "api")), ("jwt", ("notifier", "api")), ("app", ()), ("app", ("api",))):
        topology = replace(topology, credentials=credentials.rotate(topology.credentials, what)[0])
        if what == "app":
            loaded = stack.log("gateway").read_text().count("apps file loaded")
            topology.apps_file.write_text(topology.apps())
            await until(lambda n=loaded: stack.log("gateway").read_text().count("apps file loaded") > n)
            await log_in_and_subscribe(stack, user)  # the api signs as before
        for name in restarted:
            process = next(process for process in topology.services() if process.name == name)
            stack.stop(name)
            stack._processes[name] = OwnProcess(process, stack.log(name))
            stack.start(name)
            await stack.ready(name)
            for token in known:
                await is_accepted(stack, token)
        known.append(await log_in_and_subscribe(stack, user))
    assert topology.credentials.jwt_public_key != stack.topology.credentials.jwt_public_key
    async with httpx.AsyncClient(base_url=stack.topology.leads.url) as client:
        published = (await client.get("/.well-known/jwks.json")).json()["keys"]
    pair = topology.credentials.jwt_public_key, topology.credentials.jwt_other_public_key
    assert [key["kid"] for key in published] == [PublicKey.of(pem).kid for pem in pair]


async def test_the_notifiers_key_makes_no_tokens(stack: Stack) -> None:
    """Whoever has read everything that the notifier knows asks the API as an admin of its own making."""
    notifier = next(process for process in stack.topology.services() if process.name == "notifier")
    admin = stack.acme.users["admin"]
    payload = jwt.decode(admin.token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(admin.token)["kid"]
    texts = [text for value in notifier.environment.values() for text in (value, value.strip())]
    assert not any("PRIVATE KEY" in text for text in texts)
    async with httpx.AsyncClient() as client:
        for text in texts:
            token = _hs256({"alg": "HS256", "typ": "JWT", "kid": kid}, payload, text.encode())
            headers = {"Authorization": f"Bearer {token}"}
            for url in (f"{stack.topology.leads.url}/leads", f"{stack.topology.notifier.url}/notifications"):
                assert (await client.get(url, headers=headers)).status_code == 401


def _hs256(header: dict[str, str], payload: dict[str, Any], secret: bytes) -> str:
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, payload)
    )
    mac = base64.urlsafe_b64encode(hmac.digest(secret, f"{head}.{body}".encode(), "sha256")).rstrip(b"=").decode()
    return f"{head}.{body}.{mac}"


async def is_accepted(stack: Stack, token: str) -> None:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
        for url in (f"{stack.topology.leads.url}/leads", f"{stack.topology.notifier.url}/notifications"):
            assert (await client.get(url)).status_code == 200, url


async def log_in_and_subscribe(stack: Stack, user: User) -> str:
    """Log in and join a private channel, as a browser does; return the token."""
    key = stack.topology.credentials.pusher_app_key
    url = stack.topology.gateway.url.replace("http", "ws", 1)
    channel = f"private-company.{stack.acme.id}"
    async with (
        httpx.AsyncClient(base_url=stack.topology.leads.url, timeout=30) as api,
        connect(f"{url}/app/{key}?protocol=7&client=js&version=8.6.0&flash=false") as socket,
    ):
        login = await api.post("/auth/login", json={"email": user.email, "password": user.password})
        token: str = login.raise_for_status().json()["access_token"]
        socket_id = json.loads(json.loads(await socket.recv())["data"])["socket_id"]
        wanted = {"socket_id": socket_id, "channel_name": channel}
        signed = await api.post("/broadcasting/auth", data=wanted, headers={"Authorization": f"Bearer {token}"})
        data = {"channel": channel, **signed.raise_for_status().json()}
        await socket.send(json.dumps({"event": "pusher:subscribe", "data": data}))
        assert json.loads(await socket.recv())["event"] == "pusher_internal:subscription_succeeded"
    return token


def test_an_apps_file_may_name_another_secret(tmp_path: Path) -> None:
    file = tmp_path / "apps.json"
    file.write_text(json.dumps([{"id": "1", "key": "k", "secret": "new", "otherSecret": "old"}]))
    (app,) = apps.load(file)

    assert app.secrets == ("new", "old")
    assert "old" not in repr(app)
    for secret, is_accepted in (("new", True), ("old", True), ("older", False), ("", False)):
        query = "auth_key=k&auth_timestamp=1000&auth_version=1.0"
        pairs = [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&"))]
        signed = signing.sign(secret, signing.request_text("GET", "/apps/1/channels", pairs))
        request = SignedRequest("GET", "/apps/1/channels", f"{query}&auth_signature={signed}")
        with contextlib.nullcontext() if is_accepted else pytest.raises(Unauthorised):
            verify(request, app, now=1000)


def test_a_second_role_takes_a_roles_place(leads_database: Database) -> None:
    """What docs/operations/secrets.md says of PostgreSQL's passwords: a login that is the role from the beginning."""
    with psycopg.connect(leads_database.url(), autocommit=True) as superuser:
        superuser.execute("CREATE ROLE leads_app_2 LOGIN PASSWORD 'another' IN ROLE leads_app")
        superuser.execute("ALTER ROLE leads_app_2 SET role = 'leads_app'")
    try:
        url = leads_database.url("leads_app").split("@")[1]
        with psycopg.connect(f"postgresql://leads_app_2:another@{url}") as connection:
            assert connection.execute("SELECT session_user, current_user").fetchone() == ("leads_app_2", "leads_app")
            assert connection.execute("SELECT count(*) FROM leads").fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("UPDATE events SET data = '{}'")
    finally:
        with psycopg.connect(leads_database.url(), autocommit=True) as superuser:
            superuser.execute("DROP ROLE leads_app_2")

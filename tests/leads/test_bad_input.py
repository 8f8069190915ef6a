"""Bad input: each with its documented error, logged once without personal data, and nothing else changes."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from structlog.testing import capture_logs

from leads.api.app import build
from leads.api.context import Services
from runtime.body import MAX_BODY
from support.databases import Database

from .conftest import NOBODY, NOW, Company, Connect

SECRETS = ("Mallory", "mallory@example.com", "a password of somebody")


@pytest.fixture
def log() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
async def unchanged(api: httpx.AsyncClient, superuser: psycopg.Connection, acme: Company) -> AsyncIterator[str]:
    """One lead's address; in the end, nothing but it is there."""
    created = await api.post("/leads", json={"name": "Ada"})

    yield created.headers["Location"]

    assert superuser.execute("SELECT count(*) FROM events").fetchone() == (1,)
    assert superuser.execute("SELECT count(*) FROM idempotency").fetchone() == (0,)


def assert_problem(answer: httpx.Response, status: int, code: str, log: list[Any]) -> dict[str, Any]:
    """Check the answer, and that the log has one line about it which tells nothing about anybody."""
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (problem["type"], problem["status"]) == (f"urn:leadwire:problem:{code}", status)
    assert problem["correlation_id"] == answer.headers["X-Correlation-ID"]
    assert [line["status"] for line in log if line["event"] == "request"] == [status]
    for text in (*SECRETS, "Bearer "):
        assert text not in json.dumps(log, default=str)
        assert text not in answer.text
    return problem


@pytest.mark.parametrize("body", ["", "{", '{"name": Mallory}', "[" * 30_000, "\xff", '{"name": "Mallory"', '"' * 9])
async def test_malformed_json(api: httpx.AsyncClient, unchanged: str, log: list[Any], body: str) -> None:
    answer = await api.post("/leads", content=body.encode("latin-1"), headers={"Content-Type": "application/json"})

    if body:
        assert_problem(answer, 400, "malformed_json", log)
    else:
        assert_problem(answer, 422, "invalid_request", log)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("surname", "Mallory"),
        ("name", None),
        ("name", ""),
        ("name", "   "),
        ("name", 7),
        ("name", ["Mallory"]),
        ("name", "x" * 201),
        ("name", "Mal\x00lory"),
        ("name", "Mal\nlory"),
        ("name", "\ud800"),
        ("email", "mallory"),
        ("email", "mallory@example.com " * 2),
        ("email", f"{'x' * 251}@y.z"),
        ("phone", "1" * 51),
        ("organisation", "x" * 201),
        ("source", "x" * 101),
        ("status", ""),
        ("status", "x" * 65),
        ("status", None),
        ("value", -1),
        ("value", "0.001"),
        ("value", "much"),
        ("currency", "EURO"),
        ("score", 101),
        ("score", "7"),
        ("tags", ["x" * 51]),
        ("tags", ["x"] * 51),
        ("lost_reason", "x" * 501),
        ("custom", []),
        ("allow_duplicate", 7),
        ("assigned_to", "Mallory"),
        ("assigned_to", 12),
        ("version", 1),
        ("id", NOBODY),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_fields_that_are_wrong(
    api: httpx.AsyncClient, unchanged: str, log: list[Any], method: str, field: str, value: Any
) -> None:
    if (method, field, value) == ("POST", "status", None):
        value = 5
    body = json.dumps({**({"name": "Mallory"} if method == "POST" else {}), field: value})
    url = "/leads" if method == "POST" else unchanged

    answer = await api.request(method, url, content=body, headers={"Content-Type": "application/json"})

    problem = assert_problem(answer, 422, "invalid_request", log)
    assert {error["pointer"].split("/")[1] for error in problem["errors"]} == {field}


@pytest.mark.parametrize("body", ["[]", "7", '"Mallory"', "null", "{}"])
async def test_bodies_that_are_no_lead(api: httpx.AsyncClient, unchanged: str, log: list[Any], body: str) -> None:
    answer = await api.post("/leads", content=body, headers={"Content-Type": "application/json"})

    assert_problem(answer, 422, "invalid_request", log)


async def test_an_assignee_nobody_knows(api: httpx.AsyncClient, unchanged: str, log: list[Any]) -> None:
    answer = await api.patch(unchanged, json={"assigned_to": NOBODY})

    assert assert_problem(answer, 422, "unknown_user", log)["errors"][0]["pointer"] == "/assigned_to"


async def stream(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 4096):
        yield body[start : start + 4096]


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("path", ["/leads", "/auth/login", "/broadcasting/auth"])
async def test_a_body_that_is_too_large(
    api: httpx.AsyncClient, unchanged: str, log: list[Any], path: str, is_streamed: bool
) -> None:
    body = json.dumps({"name": "x" * MAX_BODY}).encode()
    content: Any = stream(body) if is_streamed else body

    answer = await api.post(path, content=content, headers={"Content-Type": "application/json"})

    assert_problem(answer, 413, "body_too_large", log)


ROUTES = [
    ("POST", "/leads"),
    ("GET", "/leads"),
    ("GET", "/leads/{id}"),
    ("PATCH", "/leads/{id}"),
    ("DELETE", "/leads/{id}"),
    ("GET", "/leads/{id}/history"),
    ("GET", "/changes"),
    ("GET", "/stats"),
    ("GET", "/users"),
    ("GET", "/auth/me"),
    ("POST", "/broadcasting/auth"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_gets_in_without_a_token(
    connect: Connect, unchanged: str, log: list[Any], method: str, path: str, acme: Company
) -> None:
    url = path.replace("/leads/{id}", unchanged)
    valid = acme.token()
    expired = acme.token(now=NOW.replace(year=2020))
    forged = valid[:-4] + ("aaaa" if valid[-4:] != "aaaa" else "bbbb")
    for authorization in ("", "Bearer", "Basic Mallory", "Bearer Mallory", f"Bearer {expired}", f"Bearer {forged}"):
        log.clear()
        api = connect()
        api.headers["Authorization"] = authorization

        answer = await api.request(method, url, json={"name": "Mallory"} if method in {"POST", "PATCH"} else None)

        assert_problem(answer, 401, "unauthenticated", log)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), [("POST", "/leads"), ("PATCH", "/leads/{id}"), ("DELETE", "/leads/{id}")])
async def test_viewers_only_look(connect: Connect, unchanged: str, log: list[Any], method: str, path: str) -> None:
    url = path.replace("/leads/{id}", unchanged)

    answer = await connect("viewer").request(method, url, json=None if method == "DELETE" else {"name": "Mallory"})

    assert_problem(answer, 403, "forbidden", log)


async def test_wrong_credentials(api: httpx.AsyncClient, unchanged: str, log: list[Any]) -> None:
    for email in ("agent@acme.example", "mallory@example.com"):
        log.clear()

        answer = await api.post("/auth/login", json={"email": email, "password": "a password of somebody"})

        assert_problem(answer, 401, "wrong_credentials", log)


@pytest.mark.parametrize("path", ["/leads/Mallory", f"/leads/{NOBODY}", f"/leads/{NOBODY}/history", "/Mallory"])
async def test_what_does_not_exist(api: httpx.AsyncClient, unchanged: str, log: list[Any], path: str) -> None:
    answer = await api.get(path)

    problem = answer.json()
    assert answer.status_code == 404
    assert problem["code"] in {"not_found", "lead_not_found"}
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_method_that_does_not_exist(api: httpx.AsyncClient, unchanged: str, log: list[Any]) -> None:
    assert_problem(await api.put(unchanged, json={}), 405, "method_not_allowed", log)


async def test_a_lead_of_another_company(connect: Connect, globex: Company, unchanged: str, log: list[Any]) -> None:
    assert_problem(await connect("admin", globex).get(unchanged), 404, "lead_not_found", log)


async def test_a_stale_if_match(api: httpx.AsyncClient, unchanged: str, log: list[Any]) -> None:
    answer = await api.patch(unchanged, json={"name": "Mallory"}, headers={"If-Match": '"7"'})

    assert_problem(answer, 412, "stale_version", log)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("If-Match", "1"),
        ("If-Match", 'W/"1"'),
        ("If-Match", '"1", "2"'),
        ("If-Match", f'"{"9" * 30}"'),
        ("Idempotency-Key", "x" * 256),
        ("Idempotency-Key", ""),
        ("Idempotency-Key", b"\xe9"),
        ("X-Socket-ID", "Mallory"),
        ("X-Socket-ID", "1"),
        ("X-Socket-ID", "1.2."),
        ("X-Socket-ID", "-1.2"),
        ("X-Socket-ID", "\u0661.2".encode()),
    ],
)
async def test_headers_that_are_wrong(
    api: httpx.AsyncClient, unchanged: str, log: list[Any], name: str, value: Any
) -> None:
    answer = await api.patch(unchanged, json={"name": "Mallory"}, headers={name: value})

    assert assert_problem(answer, 400, "malformed_header", log)["errors"][0]["field"] == name


@pytest.mark.parametrize("cursor", ["Mallory", "%00", "", "MjAyNg", "MjAyNi0xMS0yMyBub25l", "é"])
async def test_cursors_that_are_not_ours(api: httpx.AsyncClient, unchanged: str, log: list[Any], cursor: str) -> None:
    assert_problem(await api.get(f"/leads?cursor={cursor}"), 400, "malformed_cursor", log)


@pytest.mark.parametrize(
    "query",
    [
        "/leads?limit=0",
        "/leads?limit=501",
        "/leads?limit=Mallory",
        "/leads?status=Mallory",
        f"/leads?cursor={'x' * 1001}",
        "/changes?after=-1",
        f"/changes?after={2**63}",
        "/changes?after=Mallory",
    ],
)
async def test_queries_that_are_wrong(api: httpx.AsyncClient, unchanged: str, log: list[Any], query: str) -> None:
    problem = assert_problem(await api.get(query), 422, "invalid_request", log)

    assert problem["errors"][0]["field"] == query.partition("?")[2].partition("=")[0]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"socket_id": "1.2"}, 422),
        ({"channel_name": "private-user.x"}, 422),
        ({"socket_id": "Mallory", "channel_name": "private-user.x"}, 422),
        ({"socket_id": "1.2:private-user.x", "channel_name": "private-user.x"}, 422),
        ({"socket_id": "1.2\n", "channel_name": "private-user.x"}, 422),
        ({"socket_id": "1.2", "channel_name": "x" * 201}, 422),
        ({"socket_id": "1.2", "channel_name": "private-user.x"}, 403),
    ],
)
@pytest.mark.parametrize("encoding", ["data", "json"])
async def test_channel_requests_that_are_wrong(
    api: httpx.AsyncClient, unchanged: str, log: list[Any], values: dict[str, str], status: int, encoding: str
) -> None:
    answer = await api.post("/broadcasting/auth", **{encoding: values})  # type: ignore[arg-type]

    assert_problem(answer, status, "invalid_request" if status == 422 else "channel_forbidden", log)


@pytest.mark.parametrize("body", [b"\xff", b"{", b"[" * 30_000, b"", b"&" * 50])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
async def test_channel_requests_that_are_nothing(
    api: httpx.AsyncClient, unchanged: str, log: list[Any], body: bytes, content_type: str
) -> None:
    answer = await api.post("/broadcasting/auth", content=body, headers={"Content-Type": content_type})

    assert answer.status_code in {400, 422}
    assert_problem(answer, answer.status_code, answer.json()["code"], log)


async def test_a_database_that_is_away(api: httpx.AsyncClient, leads_database: Database, log: list[Any]) -> None:
    with psycopg.connect(leads_database.server.url(), autocommit=True) as elsewhere:
        elsewhere.execute(f"ALTER DATABASE {leads_database.name} WITH ALLOW_CONNECTIONS false")

    answer = await api.post("/leads", json={"name": "Mallory"})

    assert_problem(answer, 503, "unavailable", log)
    assert answer.headers["Retry-After"] == "1"


async def test_what_nobody_foresaw_is_logged_once_and_tells_nothing(services: Services, acme: Company) -> None:
    app = build(services)

    @app.get("/fails")
    async def fails() -> int:
        try:
            return int("mallory@example.com")
        except ValueError as error:
            raise KeyError("Mallory") from error

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://leads") as client:
        with capture_logs() as log:
            answer = await client.get("/fails")

    assert_problem(answer, 500, "internal_error", log)
    (line,) = (line for line in log if line["event"] == "unexpected error")
    assert line["error"] == "KeyError"
    assert any("fails" in frame for frame in line["traceback"])

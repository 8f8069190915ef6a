"""The OpenAPI of the running service: no answer is a 5xx, and each is one that is documented."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contracts.events import Role
from leads import access
from leads.domain.company import SettingsRefusal
from leads.domain.refusals import LeadRefusal

from .attempts import EVERY_LEAD, new_user
from .conftest import Company, Processes

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = {"viewer": 2, "agent": 4, "manager": 2, "admin": 8}
"""Requests for each operation; a role that may little meets little code."""
OF_THE_SERVER = {414, 431}
"""The HTTP server may answer any request so, before an operation is looked for; the API's description says it."""
WAITING = ("min_position", "wait")
LAST = ("log_out",)
"""Ends the token that everything else is tried with."""


@dataclass(frozen=True)
class Service:
    """A running api, and things to ask it about."""

    url: str
    company: Company
    ids: dict[str, str]
    """Path parameter → something that exists."""


@pytest.fixture
async def service(acme: Company, processes: Processes) -> Service:
    url = await processes.start("api", role="leads_app", user="leads-api")
    token = acme.token("admin", now=datetime.now(UTC))
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as admin:

        async def made(path: str, body: Any) -> str:
            data = (await admin.post(path, json=body)).raise_for_status().json()["data"]
            return str(data.get("id") or data["key"])

        lead_id = await made("/leads", {"name": "Ada", "email": "ada@example.com", "source": "web"})
        ids = {
            "lead_id": lead_id,
            "message_id": await made(f"/leads/{lead_id}/messages", {"body": "Call her"}),
            "user_id": await made("/users", new_user()),
            "view_id": await made("/views", {"name": "All", "query": {}, "shared": True}),
            "import_id": str(
                (await admin.post("/imports?name=x.csv", content="name\nAda\n")).raise_for_status().json()["data"]["id"]
            ),
            "job_id": await made("/leads/bulk", {"leads": EVERY_LEAD, "change": {"action": "delete"}}),
        }
        field = {"key": "plan", "label": "Plan", "kind": "choice", "choices": ["basic", "pro"]}
        await made("/custom-fields", field)
    return Service(url, acme, ids)


class Trial:
    """Sends requests to operations, and keeps what came of them."""

    def __init__(self, service: Service, session: requests.Session, examples: int) -> None:
        self.wrong: list[str] = []
        self.successful: set[str] = set()
        """Operations that were carried out at least once."""
        self._service = service
        self._session = session
        self._settings = settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )

    def run(self, operation: APIOperation) -> None:
        valid, invalid = map(operation.as_strategy, (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))

        @given(case=valid | valid | invalid, is_real=st.booleans())
        @self._settings
        def answers_as_documented(case: Case, is_real: bool) -> None:
            if is_real and case.path_parameters:
                ids = self._service.ids
                case.path_parameters = {name: ids.get(name, value) for name, value in case.path_parameters.items()}
            # What waits for something that never comes is known to end in time; here that is no use.
            short = {name: 0 for name in WAITING if isinstance((case.query or {}).get(name), int)}
            case.query = {**(case.query or {}), **short}
            response = case.call(session=self._session, timeout=60)
            if response.status_code in OF_THE_SERVER:
                assert "application/problem+json" in response.headers["content-type"]
                return
            case.validate_response(response, checks=CHECKS)
            if response.status_code < 300:
                self.successful.add(operation.definition.raw["operationId"])

        try:
            answers_as_documented()
        except FailureGroup as failures:
            self.wrong += [f"{operation.label}: {failure}" for failure in failures.exceptions]


@pytest.mark.parametrize("role", EXAMPLES)
def test_every_answer_is_one_that_is_documented(service: Service, role: Role) -> None:
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert all(f"`{status}`" in schema.raw_schema["info"]["description"] for status in OF_THE_SERVER)
    assert len(operations) == sum(map(len, schema.raw_schema["paths"].values())), "some operations cannot be read"
    token = service.company.token(role, now=datetime.now(UTC))

    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        trial = Trial(service, session, EXAMPLES[role])
        for operation in sorted(operations, key=lambda each: each.definition.raw["operationId"] in LAST):
            trial.run(operation)

    assert trial.wrong == []
    assert trial.successful <= {name for name in access.OPERATIONS if access.may(role, name)} | access.PUBLIC


def test_every_operation_shows_examples(app: FastAPI) -> None:
    document = app.openapi()
    schemas = document["components"]["schemas"]

    def shows(content: dict[str, Any]) -> bool:
        options = [content["schema"], *content["schema"].get("anyOf", [])]
        named = [schemas.get(option.get("$ref", "").rpartition("/")[2], option) for option in options]
        return any({"example", "examples"} & shown.keys() for shown in (content, *named))

    bare = [
        f"{operation['operationId']} {place} {media_type}"
        for operation in chain.from_iterable(map(dict.values, document["paths"].values()))
        for place, part in parts_of(operation)
        for media_type, content in part.get("content", {}).items()
        if not shows(content)
    ]

    assert bare == []


def test_every_error_of_every_operation_is_shown(app: FastAPI) -> None:
    document = app.openapi()
    shown: set[str] = set()
    bare = []
    for operation in chain.from_iterable(map(dict.values, document["paths"].values())):
        for status, answer in operation["responses"].items():
            if status >= "400":
                examples = answer["content"]["application/problem+json"].get("examples", {})
                shown |= examples.keys()
                bare += [] if examples else [f"{operation['operationId']} {status}"]
                assert {str(example["value"]["status"]) for example in examples.values()} <= {status}

    refusals = {kind.code for parent in (LeadRefusal, SettingsRefusal) for kind in leaves(parent)}
    assert bare == []
    assert refusals - shown == set()


def leaves(kind: type[Any]) -> Iterator[type[Any]]:
    if not kind.__subclasses__():
        yield kind
    for below in kind.__subclasses__():
        yield from leaves(below)


def parts_of(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from operation["responses"].items()
    if "requestBody" in operation:
        yield "request", operation["requestBody"]

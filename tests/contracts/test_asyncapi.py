"""The AsyncAPI document is that of the code, valid to AsyncAPI's own tools, and true of what is sent."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft7Validator, FormatChecker

from contracts import asyncapi, envelope, subjects
from contracts.asyncapi import samples
from contracts.asyncapi.document import QUEUE, generated
from contracts.events import NAMES, TYPES, Fact
from contracts.heard import HEARD, Heard
from contracts.push import Push
from leads import rpc
from leadwire import node as nodes
from leadwire import paths, web
from notifier.rules import react
from support.facts import facts
from support.node_clients import SCRIPTS, answer

REGENERATE = "run `python -m contracts.asyncapi` and commit what it wrote"
FILE = paths.CHECKOUT / "contracts/src/contracts/asyncapi/asyncapi.json"
DOCUMENT: dict[str, Any] = json.loads(asyncapi.committed())


def validator(message: str, part: str = "payload") -> Draft7Validator:
    schema = DOCUMENT["components"]["messages"][message][part]
    return Draft7Validator({**schema, "components": DOCUMENT["components"]}, format_checker=FormatChecker())


def wrapped(fact: Fact) -> envelope.Envelope:
    place = {"id": samples.EVENT, "feedposition": 1, "streamversion": 1}
    return envelope.wrap(fact, time=samples.sample("crm.lead.created.v1").time, companyid=samples.COMPANY, **place)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> str:
    logs = tmp_path_factory.mktemp("npm")

    async def prepare() -> str:
        await web.install(SCRIPTS, logs)
        return (await nodes.ensure_node(logs)).program

    with ThreadPoolExecutor(1) as elsewhere:  # here an event loop may be set up
        return elsewhere.submit(asyncio.run, prepare()).result()


def test_the_committed_document_is_that_of_the_code() -> None:
    assert asyncapi.committed() == generated(), REGENERATE


def test_the_document_is_valid_to_the_official_schema(node: str) -> None:
    schema = json.loads((SCRIPTS / "node_modules/@asyncapi/specs/schemas/3.0.0.json").read_text())

    Draft7Validator(schema).validate(DOCUMENT)


async def test_the_official_parser_finds_nothing_wrong(node: str) -> None:
    said = await answer(node, "asyncapi.mjs", {"path": str(FILE)})

    assert said == {"operations": len(DOCUMENT["operations"]), "problems": []}


def test_nothing_is_defined_in_vain_and_nothing_missing() -> None:
    used = set(references(DOCUMENT))
    components = DOCUMENT["components"]

    assert {f"#/components/{kind}/{name}" for kind, found in components.items() for name in found} <= used


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_fact_is_published_where_the_document_says(name: str) -> None:
    channel = DOCUMENT["channels"][name]
    values = {parameter: content["examples"][0] for parameter, content in channel["parameters"].items()}

    assert channel["address"].format(**values) == subjects.fact(samples.COMPANY, samples.sample(name).subject, name)
    assert channel["messages"] == {name: {"$ref": f"#/components/messages/{name}"}}


@given(facts)
def test_every_fact_fits_its_message(fact: Fact) -> None:
    validator(NAMES[type(fact)]).validate(json.loads(wrapped(fact).to_json()))


def test_another_fact_does_not() -> None:
    body = json.loads(samples.sample("crm.lead.deleted.v1").to_json())

    assert not validator("crm.lead.created.v1").is_valid(body)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_what_browsers_hear_of_a_fact_is_in_the_table_and_fits(name: str) -> None:
    channels = {channel: kind.__name__ for kind, channel in samples.CHANNELS.items()}
    pushes = [push for push in react(samples.sample(name), samples.APP).pushes if isinstance(push, Push)]

    for push in pushes:
        message = f"{channels[push.channel]}.{push.event}"
        assert message in DOCUMENT["components"]["messages"], "add it to contracts/heard.py and to the samples"
        validator(message).validate(json.loads(push.data))
        validator("frame").validate(json.loads(push.body))


def test_each_event_of_a_browser_is_shown_by_an_example() -> None:
    assert {heard.event for heard in HEARD} == samples.HEARD.keys()


@pytest.mark.parametrize("heard", HEARD, ids=lambda heard: f"{heard.channel.__name__}.{heard.event}")
def test_the_examples_of_what_browsers_hear_fit(heard: Heard) -> None:
    validator(f"{heard.channel.__name__}.{heard.event}").validate(json.loads(samples.HEARD[heard.event]))


def test_questions_are_answered_in_the_group_that_the_document_names() -> None:
    assert rpc.QUEUE == QUEUE

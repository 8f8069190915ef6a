"""The committed schemas are those of the code, and only compatible changes replace them."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator, FormatChecker

from contracts import envelope
from contracts.events import NAMES, Fact
from contracts.schemas import committed, generated
from contracts.schemas.compatibility import incompatibilities
from support.facts import facts

Change = Callable[[dict[str, Any]], None]

REGENERATE = "run `python -m contracts.schemas` and commit what it wrote"


def test_no_change_breaks_those_who_read_the_committed_facts() -> None:
    now = generated()

    problems = {name: incompatibilities(schema, now.get(name, {})) for name, schema in committed().items()}

    assert not any(problems.values()), problems


def test_the_committed_schemas_are_those_of_the_code() -> None:
    assert committed() == generated(), REGENERATE


@pytest.mark.parametrize("name", sorted(NAMES.values()))
def test_schemas_are_valid_and_called_what_envelopes_say(name: str) -> None:
    schema = committed()[name]

    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == envelope.schema_uri(name)


@given(facts)
def test_every_fact_fits_its_schema(fact: Fact) -> None:
    validator = Draft202012Validator(committed()[NAMES[type(fact)]], format_checker=FormatChecker())

    validator.validate(json.loads(json.dumps(envelope.encode(fact))))


BEFORE: dict[str, Any] = {
    "type": "object",
    "$defs": {
        "Lead": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "email": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["name"],
        },
        "Change": {"type": "object", "properties": {"old": {"type": "string"}}, "required": ["old"]},
    },
    "properties": {
        "lead": {"$ref": "#/$defs/Lead"},
        "changes": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Change"}},
    },
    "required": ["lead"],
}


def lead(schema: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = schema["$defs"]["Lead"]
    return fields


def changed(change: Change) -> dict[str, Any]:
    schema = copy.deepcopy(BEFORE)
    change(schema)
    return schema


COMPATIBLE: dict[str, Change] = {
    "nothing": lambda schema: None,
    "an optional field": lambda schema: lead(schema)["properties"].update(phone={"type": "string"}),
    "an optional field at the top": lambda schema: schema["properties"].update(note={"type": "string"}),
    "an optional object": lambda schema: schema["properties"].update(
        score={"type": "object", "properties": {"points": {"type": "integer"}}, "required": ["points"]}
    ),
    "other words": lambda schema: lead(schema)["properties"]["name"].update(description="What they are called."),
    "another class name": lambda schema: (
        schema["$defs"].update(Prospect=schema["$defs"].pop("Lead")),
        schema["properties"].update(lead={"$ref": "#/$defs/Prospect"}),
    )[0],
}

INCOMPATIBLE: dict[str, tuple[Change, str]] = {
    "removed": (lambda schema: lead(schema)["properties"].pop("email"), "data.lead.email is gone"),
    "renamed": (
        lambda schema: lead(schema)["properties"].update(mail=lead(schema)["properties"].pop("email")),
        "data.lead.email is gone",
    ),
    "retyped": (
        lambda schema: lead(schema)["properties"]["name"].update(type="integer"),
        "data.lead.name was {'type': 'string'} and is {'type': 'integer'}",
    ),
    "newly required": (lambda schema: lead(schema)["required"].append("email"), "data.lead.email is newly required"),
    "added and required": (
        lambda schema: (lead(schema)["properties"].update(age={}), lead(schema)["required"].append("age"))[0],
        "data.lead.age is newly required",
    ),
    "no longer required": (lambda schema: lead(schema)["required"].remove("name"), "data.lead.name may be missing now"),
    "no longer null": (
        lambda schema: lead(schema)["properties"]["email"]["anyOf"].pop(),
        "data.lead.email has other anyOf",
    ),
    "another alternative": (
        lambda schema: lead(schema)["properties"]["email"]["anyOf"].append({"type": "integer"}),
        "data.lead.email has other anyOf",
    ),
    "another default": (
        lambda schema: lead(schema)["properties"]["email"].update(default=""),
        "data.lead.email was {'default': None} and is {'default': ''}",
    ),
    "narrowed": (
        lambda schema: lead(schema)["properties"]["name"].update(maxLength=10),
        "data.lead.name was {'type': 'string'} and is {'type': 'string', 'maxLength': 10}",
    ),
    "closed": (
        lambda schema: lead(schema).update(additionalProperties=False),
        "data.lead was {'type': 'object'} and is {'type': 'object', 'additionalProperties': False}",
    ),
    "retyped inside a list": (
        lambda schema: lead(schema)["properties"]["tags"]["items"].update(type="integer"),
        "data.lead.tags.items was {'type': 'string'} and is {'type': 'integer'}",
    ),
    "removed inside a mapping": (
        lambda schema: schema["$defs"]["Change"].update(properties={}, required=[]),
        "data.changes.additionalProperties.old is gone",
    ),
    "an object made a text": (
        lambda schema: schema["properties"].update(changes={"type": "string"}),
        "data.changes has other additionalProperties",
    ),
    "everything gone": (lambda schema: schema.clear(), "data.lead is gone"),
}


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_what_old_readers_may_ignore_is_compatible(change: Change) -> None:
    assert incompatibilities(BEFORE, changed(change)) == []


@pytest.mark.parametrize(("change", "problem"), INCOMPATIBLE.values(), ids=INCOMPATIBLE)
def test_what_old_readers_would_miss_or_misread_is_not(change: Change, problem: str) -> None:
    assert problem in incompatibilities(BEFORE, changed(change))

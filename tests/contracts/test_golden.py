"""What was ever written to a log is read as it always was: stored facts of every version, never edited."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from contracts import envelope
from contracts.events import NAMES, TYPES, LeadTagged
from contracts.schemas import committed
from contracts.upcasters import UPCASTERS

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


def is_within(expected: Any, found: Any) -> bool:
    """Whether all that is expected is found; a later release may have added fields."""
    match expected:
        case dict():
            return isinstance(found, dict) and all(
                key in found and is_within(value, found[key]) for key, value in expected.items()
            )
        case list():
            return isinstance(found, list) and len(expected) == len(found) and all(map(is_within, expected, found))
    return bool(expected == found)


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_a_stored_fact_is_read_as_it_always_was(file: Path) -> None:
    golden = json.loads(file.read_text())
    name, data = golden["stored"]["type"], golden["stored"]["data"]
    Draft202012Validator(committed()[name], format_checker=FormatChecker()).validate(data)

    fact = envelope.decode(name, data)

    assert file.name.startswith(name)
    assert NAMES[type(fact)] == golden["read_as"]["type"]
    assert is_within(golden["read_as"]["data"], envelope.encode(fact))
    assert envelope.decode_json(name, json.dumps(data)) == fact


def test_every_version_of_every_fact_is_in_the_corpus() -> None:
    stored = {json.loads(file.read_text())["stored"]["type"] for file in GOLDEN}

    assert stored == TYPES.keys() | UPCASTERS.keys() == committed().keys()


def test_every_old_version_leads_to_a_present_one() -> None:
    for old, (new, _convert) in UPCASTERS.items():
        assert old not in TYPES
        assert new in TYPES.keys() | UPCASTERS.keys()
        assert old.rpartition(".")[0] == new.rpartition(".")[0]


def test_tags_that_came_and_went_say_the_same_as_all_before_and_after() -> None:
    (old,) = [file for file in GOLDEN if file.stem == "crm.lead.tagged.v1"]
    data = json.loads(old.read_text())["stored"]["data"]

    fact = envelope.decode("crm.lead.tagged.v1", data)

    assert isinstance(fact, LeadTagged)
    assert (fact.added, fact.removed) == (("hot",), ("cold",))
    assert {name: [list(change.old), list(change.new)] for name, change in fact.changes.items()} == {  # type: ignore[arg-type]
        "tags": [data["changes"]["tags"]["old"], data["changes"]["tags"]["new"]]
    }

"""The JSON Schemas of the facts, committed beside this file. `python -m contracts.schemas` writes them anew."""

import json
from dataclasses import is_dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from contracts import events
from contracts.documented import describe
from contracts.envelope import json_schema
from contracts.events import TYPES
from contracts.upcasters import UPCASTERS

CLASSES: Final = tuple(each for each in vars(events).values() if isinstance(each, type) and is_dataclass(each))
"""All that facts are made of."""


def generated() -> dict[str, dict[str, Any]]:
    """Return the schemas of the code: fact's name → JSON Schema. Those of old versions stay as they were."""
    return {name: _generated(name) for name in TYPES} | {name: _of_file(_file(name)) for name in UPCASTERS}


def committed() -> dict[str, dict[str, Any]]:
    """Return the schemas of the last release: fact's name → JSON Schema."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".json")]
    return {file.name.removesuffix(".json"): _of_file(file) for file in files}


def _file(name: str) -> Traversable:
    return resources.files(__name__) / f"{name}.json"


def _of_file(file: Traversable) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(file.read_text())
    return schema


def _generated(name: str) -> dict[str, Any]:
    schema = json_schema(name)
    described: dict[str, Any]
    (described,) = describe({TYPES[name].__name__: schema}, CLASSES).values()
    return described | {"$defs": describe(schema.get("$defs", {}), CLASSES)}

"""The JSON Schemas of the facts, committed beside this file. `python -m contracts.schemas` writes them anew."""

import json
from importlib import resources
from typing import Any

from contracts.envelope import json_schema
from contracts.events import TYPES


def generated() -> dict[str, dict[str, Any]]:
    """Return the schemas of the code: fact's name → JSON Schema."""
    return {name: json_schema(name) for name in TYPES}


def committed() -> dict[str, dict[str, Any]]:
    """Return the schemas of the last release: fact's name → JSON Schema."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".json")]
    return {file.name.removesuffix(".json"): json.loads(file.read_text()) for file in files}

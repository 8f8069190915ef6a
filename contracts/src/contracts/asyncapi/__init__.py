"""The AsyncAPI 3 document of everything that is published. `python -m contracts.asyncapi` writes it anew."""

import json
from importlib import resources
from typing import Final

from contracts.asyncapi.document import document

FILE: Final = "asyncapi.json"


def generated() -> str:
    """Return the document of the code."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def committed() -> str:
    """Return the document of the last release."""
    return resources.files(__name__).joinpath(FILE).read_text()

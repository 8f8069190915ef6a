"""The AsyncAPI 3 document of everything that is published. `python -m contracts.asyncapi` writes it anew."""

from importlib import resources
from typing import Final

FILE: Final = "asyncapi.json"


def committed() -> str:
    """Return the document of the last release."""
    return resources.files(__name__).joinpath(FILE).read_text()

"""`python -m leads openapi`."""

import json

from leads.api.app import openapi


def run() -> None:
    print(json.dumps(openapi(), indent=1))  # noqa: T201 - this is its answer

"""`python -m notifier openapi`."""

import json

from notifier.api.app import openapi
from notifier.main import read


def run() -> int:
    """Print what `/openapi.json` answers, and return the exit code."""
    read.write(json.dumps(openapi(), indent=1))
    return 0

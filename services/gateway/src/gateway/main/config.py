"""`python -m gateway config`."""

from gateway.settings import Settings
from runtime.doctor import configuration


def run(*, as_json: bool) -> int:
    """Print the settings and where each comes from; return the exit code."""
    show = configuration.as_json if as_json else configuration.text
    print(show("gateway serve", configuration.effective(Settings)))  # noqa: T201 - this is its answer
    return 0

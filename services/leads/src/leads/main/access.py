"""`python -m leads access`."""

from leads.api.access_page import table


def run() -> None:
    print(table(), end="")  # noqa: T201 - this is its answer

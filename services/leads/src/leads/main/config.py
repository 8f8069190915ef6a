"""`python -m leads config`."""

from collections.abc import Mapping
from typing import Final

from leads.settings import ApiSettings, MigrateSettings, RelaySettings, WorkerSettings
from runtime.doctor import configuration
from runtime.settings import FileSettings

SETTINGS: Final[Mapping[str, type[FileSettings]]] = {
    "api": ApiSettings,
    "relay": RelaySettings,
    "worker": WorkerSettings,
    "migrate": MigrateSettings,
}
"""Each process that has an environment of its own."""


def run(process: str, *, as_json: bool) -> None:
    show = configuration.as_json if as_json else configuration.text
    print(show(f"leads {process}", configuration.effective(SETTINGS[process])))  # noqa: T201 - this is its answer

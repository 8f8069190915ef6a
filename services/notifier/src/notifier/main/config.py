"""`python -m notifier config`."""

from notifier.main import read
from notifier.settings import DatabaseSettings, Settings
from runtime.doctor import configuration


def run(process: str, *, as_json: bool) -> int:
    """Print the settings of a process and where each comes from; return the exit code."""
    effective = configuration.effective(Settings if process == "serve" else DatabaseSettings)
    show = configuration.as_json if as_json else configuration.text
    read.write(show(f"notifier {process}", effective))
    return 0

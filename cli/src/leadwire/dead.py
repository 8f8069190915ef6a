"""`leadwire dead …`: the notifier's own command, told where NATS is."""

import os
import subprocess
import sys

from leadwire.progress import complain
from leadwire.state import StateDirectory

_NATS_URL = "NATS_URL"


def dead(state: StateDirectory, *arguments: str) -> int:
    """Run `python -m notifier dead` with these arguments; return its exit code.

    It uses `NATS_URL` when that is set, else the operator's address of the stack in the state directory.
    """
    url = os.environ.get(_NATS_URL) or state.read_environment().get(_NATS_URL)
    if url is None:
        complain(f"Nothing was ever started here: say where NATS is in {_NATS_URL}, as its user `operator`.")
        return 1
    command = [sys.executable, "-P", "-m", "notifier", "dead", *arguments]
    return subprocess.run(command, env={**os.environ, _NATS_URL: url}, check=False).returncode

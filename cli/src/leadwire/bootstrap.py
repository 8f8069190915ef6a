"""Makes .venv and keeps it as the requirements say, then becomes the command line. Standard library only.

Run by the `leadwire` script with whatever Python the machine has; so nothing of the package is imported here.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
VENV = CHECKOUT / ".venv"
PYTHON = VENV / "bin/python"
STATE = VENV / "leadwire.json"
LOG = VENV / "install.log"
PACKAGES = ("contracts", "services/leads", "services/notifier", "services/gateway", "cli")
NEED_EVERYTHING = {"test", "check"}
UNFINISHED = {"unfinished": ""}


class SetupFailed(Exception):
    """The environment could not be made; the message says what to do."""


def main() -> None:
    """Bring .venv up to date if it is not, and replace this process by the command line."""
    requirements = "dev" if NEED_EVERYTHING & set(sys.argv[1:2]) else "run"
    try:
        if installed().get(requirements) != wanted(requirements):
            with exclusive():
                install(requirements)
    except SetupFailed as failure:
        sys.exit(f"{failure}")
    except PermissionError as error:
        sys.exit(f"{error.filename} belongs to another user: run as that user, or in a checkout of your own.")
    os.execv(PYTHON, [str(PYTHON), "-P", "-m", "leadwire", *sys.argv[1:]])  # noqa: S606 - no shell is the point


def wanted(requirements: str) -> str:
    """Return a checksum of everything that decides what is installed, and where."""
    digest = hashlib.sha256(f"{CHECKOUT} {sys.version_info[:2]}".encode())
    for path in (requirements_file(requirements), *(CHECKOUT / package / "pyproject.toml" for package in PACKAGES)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def requirements_file(requirements: str) -> Path:
    """Return the pins of a set."""
    return CHECKOUT / "requirements" / f"{requirements}.txt"


def installed() -> dict[str, str]:
    """Return set → checksum of what is installed."""
    try:
        state: dict[str, str] = json.loads(STATE.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return state if PYTHON.exists() else {}


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Let one process at a time install. The system gives the lock back when its holder dies."""
    directory = os.open(CHECKOUT / "requirements", os.O_RDONLY)
    try:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another ./leadwire that is installing …")
            fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def install(requirements: str) -> None:
    """Install a set, unless somebody did while we waited."""
    checksum = wanted(requirements)
    before = installed()
    if before.get(requirements) == checksum:
        return
    if before == UNFINISHED or not works():
        make_venv()
    STATE.write_text(json.dumps(UNFINISHED))
    started = time.monotonic()
    pins = requirements_file(requirements)
    pip(["--require-hashes", "--requirement", str(pins)], total=pins.read_text().count("=="))
    editable = [argument for package in PACKAGES for argument in ("--editable", str(CHECKOUT / package))]
    pip(["--no-deps", "--no-build-isolation", *editable], total=0)
    done = {requirements: checksum}
    if requirements == "dev":  # holds everything that `run` does
        done["run"] = wanted("run")
    STATE.write_text(json.dumps(done))
    say(f"Python packages installed in {time.monotonic() - started:.1f} s")


def works() -> bool:
    """Whether .venv is there, is of this Python's version, and has pip."""
    script = f"import pip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    with contextlib.suppress(OSError):
        return subprocess.run([PYTHON, "-c", script], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return False


def make_venv() -> None:
    """Create .venv anew."""
    say(f"Making {VENV.name} with Python {sys.version.split()[0]}")
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if not (shutil.which("apt-get") and os.geteuid() == 0):
        raise SetupFailed(
            f"{done.stdout}{done.stderr}\nInstall Python's venv module (Debian: apt install python3-venv)."
        )
    say("This Python cannot make virtual environments: apt-get install python3-venv …")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)  # some other source may be broken
    for command in (
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "python3-venv"],
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
    ):
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            raise SetupFailed(f"{' '.join(command)} failed")


def pip(arguments: list[str], *, total: int) -> None:
    """Run `pip install`, telling how far it is.

    Raises:
        SetupFailed: with the end of what pip said.
    """
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    with (
        LOG.open("w") as log,
        subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running,
    ):
        assert running.stdout is not None
        report = Report(total)
        for line in running.stdout:
            log.write(line)
            report.hear(line)
        report.end()
    if running.returncode != 0:
        end = "".join(LOG.read_text().splitlines(keepends=True)[-25:])
        raise SetupFailed(f"{end}\npip failed; all it said is in {LOG}. Run the same command again to repeat.")


class Report:
    """One line that is rewritten on a terminal; elsewhere a line every few seconds."""

    _EVERY = 5.0  # seconds

    def __init__(self, total: int) -> None:
        self._total = total
        self._seen = 0
        self._last = time.monotonic()

    def hear(self, line: str) -> None:
        """Take note of a line of pip's."""
        word, _, rest = line.strip().partition(" ")
        if word in {"Collecting", "Requirement"}:
            self._seen += 1
        elif word not in {"Installing", "Building"}:
            return
        count = f"{self._seen}/{self._total} " if self._total else ""  # our own packages need no counting
        progress = f"Python packages: {count}{word.lower()} {rest.split(' (')[0]}"
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns - 1
            say(f"\r{progress[:width]:<{width}}", end="")
        elif time.monotonic() - self._last > self._EVERY or word == "Installing":
            self._last = time.monotonic()
            say(progress[:100])

    def end(self) -> None:
        """Leave the line clean."""
        if sys.stdout.isatty():
            say(f"\r{'':<{shutil.get_terminal_size().columns - 1}}\r", end="")


def say(text: str, end: str = "\n") -> None:
    """Print at once."""
    print(text, end=end, flush=True)


if __name__ == "__main__":
    main()

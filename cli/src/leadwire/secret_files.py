"""`leadwire secrets`: every secret of a deployment as a file, a folder for each reader, none with a default.

Compose mounts the files; `kubectl create secret generic NAME --from-file=FOLDER` makes a Secret of each folder. All
follow from credentials.json beside them: the same command after an upgrade adds what is new and keeps what is there.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from leadwire import credentials
from leadwire.credentials import SUPERUSER, Credentials
from leadwire.processes import Process
from leadwire.topology import Endpoint, Topology

CREDENTIALS: Final = "credentials.json"
APPS: Final = "apps.json"
_SECRET: Final = re.compile(r"_(DATABASE_URL|NATS_URL|SECRET|(PRIVATE|PUBLIC)_KEY|PUSHER_APP_(ID|KEY))$")
_RETIRED: Final = (
    "leads-api/LEADS_JWT_SECRET",
    "leads-api/LEADS_JWT_OTHER_SECRET",
    "notifier/NOTIFIER_JWT_SECRET",
    "notifier/NOTIFIER_JWT_OTHER_SECRET",
)
"""Files of earlier releases, which nobody reads any more."""
_NOWHERE: Final = Endpoint("0.0.0.0", 0)  # noqa: S104 - what is not secret is not written


def write(directory: Path, *, postgres: Endpoint, nats: Endpoint) -> int:
    """Make or complete the files, and remove those of earlier releases; return how many changed.

    Args:
        directory: made if it is missing, closed to everybody else.
        postgres: as the processes reach it.
        nats: likewise.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    changed = 0
    for name, text in _files(credentials.load(directory / CREDENTIALS), postgres, nats):
        changed += _write(directory / name, text)
    for name in _RETIRED:
        (directory / name).unlink(missing_ok=True)
    return changed


def rotate(directory: Path, what: str) -> str:
    """Take the next step of replacing a secret, and return what it was; `write` has to follow."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made, step = credentials.rotate(credentials.load(directory / CREDENTIALS), what)
    credentials.save(directory / CREDENTIALS, made)
    return step


def _files(made: Credentials, postgres: Endpoint, nats: Endpoint) -> Iterator[tuple[str, str]]:
    topology = Topology(
        credentials=made,
        postgres=postgres,
        nats=nats,
        leads=_NOWHERE,
        relay=_NOWHERE,
        worker=_NOWHERE,
        notifier=_NOWHERE,
        gateway=_NOWHERE,
        apps_file=Path(APPS),
    )
    readers: dict[str, tuple[Process, ...]] = {
        "leads-api": (topology.api_service(),),
        "leads-relay": (topology.relay_service(),),
        "leads-worker": (topology.worker_service(),),
        "notifier": (topology.notifier_service(),),
        "gateway": (topology.gateway_service(),),
        "migrate": (topology.migrate_leads(), topology.migrate_notifier()),
    }
    for reader, processes in readers.items():
        for process in processes:
            for variable, value in process.environment.items():
                if _SECRET.search(variable):
                    yield f"{reader}/{variable}", value
    yield f"gateway/{APPS}", topology.apps()
    yield "operator/NATS_URL", topology.nats_url("operator")
    for role, password in made.postgres.items():
        yield f"postgres/{role}", password
    yield "postgres-superuser/username", SUPERUSER
    yield "postgres-superuser/password", made.postgres[SUPERUSER]
    passwords = {**made.nats_environment, "NATS_ROUTE_PASSWORD": made.nats_route}
    yield "nats/NATS_PASSWORDS", "".join(f"{name}={password}\n" for name, password in passwords.items())
    yield "grafana/GRAFANA_PASSWORD", made.grafana


def _write(path: Path, text: str) -> bool:
    """Write a file that a container's user may read, too: it is mounted with this mode. The folder above is closed."""
    path.parent.mkdir(mode=0o755, exist_ok=True)
    if path.exists() and path.read_text() == text:
        return False
    path.touch()
    path.chmod(0o644)
    path.write_text(text)  # not replaced: a mounted file would stay the old one
    path.chmod(0o444)
    return True

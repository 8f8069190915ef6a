"""Every secret of one embedded stack: generated once, kept in one file that only its owner reads."""

import json
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from leadwire.files import write_private

SUPERUSER: Final = "postgres"
ROLES: Final = ("leads_owner", "leads_app", "leads_relay", "notifier_owner", "notifier_app", "notifier_writer")
EXAMPLES: Final = ("example-faststream", "example-node", "example-replay")
"""The NATS users of the services under examples/."""
NATS_USERS: Final = ("migrate", "leads-api", "leads-relay", "notifier", "gateway", "operator", *EXAMPLES)


def _password() -> str:
    """Return letters and digits beginning with a letter: nats.conf reads anything else as a number."""
    return f"p{secrets.token_hex(16)}"


def _passwords(names: Iterable[str]) -> dict[str, str]:
    return {name: _password() for name in names}


@dataclass(frozen=True, kw_only=True, repr=False)
class Credentials:
    """Passwords, keys and the ids of the demo companies."""

    postgres: dict[str, str] = field(default_factory=lambda: _passwords((SUPERUSER, *ROLES)))
    nats: dict[str, str] = field(default_factory=lambda: _passwords(NATS_USERS))
    nats_route: str = field(default_factory=_password)
    """Of the NATS servers of a cluster among each other."""
    jwt_secret: str = field(default_factory=lambda: secrets.token_hex(32))
    pusher_app_id: str = field(default_factory=lambda: str(secrets.randbelow(900_000) + 100_000))
    pusher_app_key: str = field(default_factory=lambda: secrets.token_hex(10))
    pusher_app_secret: str = field(default_factory=lambda: secrets.token_hex(20))
    grafana: str = field(default_factory=_password)
    demo_password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    demo_company_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    other_company_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def nats_environment(self) -> dict[str, str]:
        """The passwords as nats.conf names them."""
        return {f"NATS_{user.upper().replace('-', '_')}_PASSWORD": password for user, password in self.nats.items()}


def load(path: Path) -> Credentials:
    """Return the credentials of a stack, made up at the first time. A new release's new users get one, too."""
    known = json.loads(path.read_text()) if path.exists() else {}
    fresh = asdict(Credentials())
    passwords = {server: {**fresh[server], **known.get(server, {})} for server in ("postgres", "nats")}
    credentials = Credentials(**{**fresh, **known, **passwords})
    if asdict(credentials) != known:
        write_private(path, json.dumps(asdict(credentials), indent=2))
    return credentials

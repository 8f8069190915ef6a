"""Every secret of one embedded stack: generated once, kept in one file that only its owner reads."""

import json
import secrets
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from contracts.tokens import PrivateKey
from leadwire.files import write_private

SUPERUSER: Final = "postgres"
ROLES: Final = ("leads_owner", "leads_app", "leads_relay", "notifier_owner", "notifier_app", "notifier_writer")
EXAMPLES: Final = ("example-faststream", "example-node", "example-replay")
"""The NATS users of the services under examples/."""
NATS_USERS: Final = ("migrate", "leads-api", "leads-relay", "notifier", "gateway", "operator", *EXAMPLES)


def _password() -> str:
    """Return letters and digits beginning with a letter: nats.conf reads anything else as a number."""
    return f"p{secrets.token_hex(16)}"


def _jwt_key() -> str:
    return PrivateKey.generate().pem


def _app_secret() -> str:
    return secrets.token_hex(20)


def _passwords(names: Iterable[str]) -> dict[str, str]:
    return {name: _password() for name in names}


@dataclass(frozen=True, kw_only=True, repr=False)
class Credentials:
    """Passwords, keys and the ids of the demo companies."""

    postgres: dict[str, str] = field(default_factory=lambda: _passwords((SUPERUSER, *ROLES)))
    nats: dict[str, str] = field(default_factory=lambda: _passwords(NATS_USERS))
    nats_route: str = field(default_factory=_password)
    """Of the NATS servers of a cluster among each other."""
    jwt_private_key: str = field(default_factory=_jwt_key)
    """Signs access tokens; PEM."""
    jwt_other_private_key: str = ""
    """Its tokens are accepted as well, while one key follows the other; likewise below."""
    pusher_app_id: str = field(default_factory=lambda: str(secrets.randbelow(900_000) + 100_000))
    pusher_app_key: str = field(default_factory=lambda: secrets.token_hex(10))
    pusher_app_secret: str = field(default_factory=_app_secret)
    pusher_app_other_secret: str = ""
    rotating: dict[str, str] = field(default_factory=dict)
    """Which secrets are being replaced → whether the new one `is accepted` everywhere, or `signs`."""
    grafana: str = field(default_factory=_password)
    demo_password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    demo_company_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    other_company_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def jwt_public_key(self) -> str:
        """What verifies access tokens; PEM."""
        return PrivateKey.of(self.jwt_private_key).public.pem

    @property
    def jwt_other_public_key(self) -> str:
        """Likewise, or empty."""
        return PrivateKey.of(self.jwt_other_private_key).public.pem if self.jwt_other_private_key else ""

    @property
    def nats_environment(self) -> dict[str, str]:
        """The passwords as nats.conf names them."""
        return {f"NATS_{user.upper().replace('-', '_')}_PASSWORD": password for user, password in self.nats.items()}


def load(path: Path) -> Credentials:
    """Return the credentials of a stack, made up at the first time.

    A new release's new users get one, too; what it does not know any more is left out.
    """
    known = json.loads(path.read_text()) if path.exists() else {}
    fresh = asdict(Credentials())
    kept = {name: value for name, value in known.items() if name in fresh}
    if kept.get("rotating", {}).get("jwt") and not kept.get("jwt_other_private_key"):  # of a kind that is no more
        kept["rotating"] = {what: step for what, step in kept["rotating"].items() if what != "jwt"}
    passwords = {server: {**fresh[server], **known.get(server, {})} for server in ("postgres", "nats")}
    credentials = Credentials(**{**fresh, **kept, **passwords})
    if asdict(credentials) != known:
        save(path, credentials)
    return credentials


_ROTATED: Final[dict[str, tuple[str, str, Callable[[], str]]]] = {
    "jwt": ("jwt_private_key", "jwt_other_private_key", _jwt_key),
    "app": ("pusher_app_secret", "pusher_app_other_secret", _app_secret),
}
"""What can be replaced without a pause → its field, that of the other one, and what makes a new one."""
ROTATABLE: Final = (*_ROTATED, "postgres", "nats")


def rotate(made: Credentials, what: str) -> tuple[Credentials, str]:
    """Take the next step of replacing a secret; return what there is then, and what the step was.

    A secret that signs is replaced in three steps, so that at no moment somebody refuses what another has signed. A
    password is replaced in one.
    """
    if what == "postgres":
        return replace(made, postgres={**made.postgres, **_passwords(ROLES)}), "the roles have new passwords"
    if what == "nats":
        return replace(made, nats=_passwords(made.nats)), "NATS' users have new passwords"
    current, other, new = _ROTATED[what]
    rotating = {name: step for name, step in made.rotating.items() if name != what}
    match made.rotating.get(what):
        case None:
            changes: dict[str, Any]
            changes, step = {other: new()}, "is accepted"
            said = "1 of 3: a new secret is accepted besides; nobody signs with it yet"
        case "is accepted":
            changes, step = {current: getattr(made, other), other: getattr(made, current)}, "signs"
            said = "2 of 3: the new secret signs; the old one is still accepted"
        case _:
            changes, step = {other: ""}, ""
            said = "3 of 3: the old secret is accepted no more"
    return replace(made, **changes, rotating=rotating | ({what: step} if step else {})), said


def save(path: Path, made: Credentials) -> None:
    """Keep credentials."""
    write_private(path, json.dumps(asdict(made), indent=2))

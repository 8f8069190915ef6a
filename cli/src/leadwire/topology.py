"""The whole topology: which processes make up a Leadwire, and what each is told. Nothing here starts anything."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts import channels
from leadwire import nats_server, postgres
from leadwire.credentials import EXAMPLES, SUPERUSER, Credentials
from leadwire.ports import LOOPBACK
from leadwire.processes import Process

API: Final = "api"
RELAY: Final = "relay"
WORKER: Final = "worker"
NOTIFIER: Final = "notifier"
GATEWAY: Final = "gateway"
ORDER: Final = (postgres.NAME, nats_server.NAME, API, RELAY, WORKER, NOTIFIER, GATEWAY)
"""Each needs those before it; they stop in the opposite order."""

ADMIN_PORTS: Final = {name: f"{name} admin" for name in (API, NOTIFIER, GATEWAY)}
"""Process → the name under which its admin port is remembered; the others have no other port."""

LISTENERS: Final = dict.fromkeys(EXAMPLES, "crm.>")
"""The durable consumers of services that are not ours: name → the subjects it hears."""

_COMMANDS: Final = {
    **dict.fromkeys(("reseed", "where", "tail"), ("leads_relay", "leads-relay")),
    "rebuild": ("leads_owner", "migrate"),
    "verify": ("leads_owner", "migrate"),
}
"""Command of the leads service → the PostgreSQL role and the NATS user as which it runs."""

EVERYWHERE: Final = frozenset({"0.0.0.0"})  # noqa: S104 - compared, not bound
"""Hosts that mean every address of the machine."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens."""

    host: str
    port: int
    admin_port: int = 0
    """On the loopback interface; 0: `port` is for probes and metrics alone."""

    @property
    def admin_url(self) -> str:
        """Where it answers probes and metrics."""
        return Endpoint(LOOPBACK, self.admin_port or self.port).url

    @property
    def url(self) -> str:
        """Its address over HTTP as this machine reaches it."""
        return f"http://{LOOPBACK if self.host in EVERYWHERE else self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Topology:
    """One Leadwire: where its parts listen and how they find each other."""

    credentials: Credentials
    postgres: Endpoint
    nats: Endpoint
    leads: Endpoint
    relay: Endpoint
    worker: Endpoint
    notifier: Endpoint
    gateway: Endpoint
    public_host: str = LOOPBACK
    """The host name by which browsers reach the leads API and the gateway."""
    apps_file: Path
    web_dir: Path | None = None
    leads_database: str = "leads"
    notifier_database: str = "notifier"

    def services(self) -> tuple[Process, ...]:
        """Return the five processes."""
        return (
            self.api_service(),
            self.relay_service(),
            self.worker_service(),
            self.notifier_service(),
            self.gateway_service(),
        )

    def api_service(self) -> Process:
        """Decides about leads, answers REST."""
        return self._service(
            API,
            self.leads,
            ("leads", "api"),
            {
                "LEADS_DATABASE_URL": self.database_url("leads_app"),
                "LEADS_NATS_URL": self.nats_url("leads-api"),
                "LEADS_HOST": self.leads.host,
                "LEADS_PORT": str(self.leads.port),
                "LEADS_ADMIN_PORT": str(self.leads.admin_port),
                "LEADS_JWT_PRIVATE_KEY": self.credentials.jwt_private_key,
                "LEADS_JWT_OTHER_PUBLIC_KEY": self.credentials.jwt_other_public_key,
                "LEADS_PUSHER_APP_KEY": self.credentials.pusher_app_key,
                "LEADS_PUSHER_APP_SECRET": self.credentials.pusher_app_secret,
                "LEADS_CORS_ORIGINS": json.dumps(self._origins()),
            },
        )

    def relay_service(self) -> Process:
        """Publishes what the outbox holds."""
        return self._service(
            RELAY,
            self.relay,
            ("leads", "relay"),
            {
                "LEADS_DATABASE_URL": self.database_url("leads_relay"),
                "LEADS_NATS_URL": self.nats_url("leads-relay"),
                "LEADS_ADMIN_PORT": str(self.relay.port),
            },
        )

    def worker_service(self) -> Process:
        """Works off bulk changes and imports."""
        return self._service(
            WORKER,
            self.worker,
            ("leads", "worker"),
            {
                "LEADS_DATABASE_URL": self.database_url("leads_app"),
                "LEADS_ADMIN_PORT": str(self.worker.port),
            },
        )

    def notifier_service(self) -> Process:
        """Turns facts into pushes and notifications, answers for the inboxes."""
        return self._service(
            NOTIFIER,
            self.notifier,
            ("notifier", "serve"),
            {
                "NOTIFIER_DATABASE_URL": self.database_url("notifier_app"),
                "NOTIFIER_WRITER_DATABASE_URL": self.database_url("notifier_writer"),
                "NOTIFIER_NATS_URL": self.nats_url("notifier"),
                "NOTIFIER_HOST": self.notifier.host,
                "NOTIFIER_PORT": str(self.notifier.port),
                "NOTIFIER_ADMIN_PORT": str(self.notifier.admin_port),
                "NOTIFIER_PUSHER_APP_ID": self.credentials.pusher_app_id,
                "NOTIFIER_JWT_PUBLIC_KEY": self.credentials.jwt_public_key,
                "NOTIFIER_JWT_OTHER_PUBLIC_KEY": self.credentials.jwt_other_public_key,
                "NOTIFIER_CORS_ORIGINS": json.dumps(self._origins()),
            },
        )

    def gateway_service(self) -> Process:
        """Holds the browsers' sockets, serves the web screen."""
        web = {
            "GATEWAY_WEB_DIR": str(self.web_dir),
            "GATEWAY_WEB_API_URL": self.public_leads_url,
            "GATEWAY_WEB_NOTIFIER_URL": self.public_notifier_url,
        }
        return self._service(
            GATEWAY,
            self.gateway,
            ("gateway", "serve", "--workers", "1"),
            {
                "GATEWAY_HOST": self.gateway.host,
                "GATEWAY_PORT": str(self.gateway.port),
                "GATEWAY_ADMIN_PORT": str(self.gateway.admin_port),
                "GATEWAY_NATS_URL": self.nats_url("gateway"),
                "GATEWAY_APPS_FILE": str(self.apps_file),
                **({} if self.web_dir is None else web),
            },
            port_option="--fd",
        )

    def migrate_leads(self) -> Process:
        """Brings the database of leads and the streams to the code's state; ends by itself."""
        environment = {
            "LEADS_DATABASE_URL": self.database_url("leads_owner"),
            "LEADS_NATS_URL": self.nats_url("migrate"),
            "LEADS_LISTENERS": json.dumps(LISTENERS),
        }
        return _once("migrate leads", ("leads", "migrate"), environment)

    def migrate_notifier(self) -> Process:
        """Brings the notifier's database to the code's state; ends by itself."""
        environment = {"NOTIFIER_DATABASE_URL": self.database_url("notifier_owner")}
        return _once("migrate notifier", ("notifier", "migrate"), environment)

    def provision(self) -> Process:
        """Creates the company and users it reads from its input; ends by itself."""
        environment = {"LEADS_DATABASE_URL": self.database_url("leads_owner")}
        return _once("provision", ("leads", "provision"), environment)

    def leads_command(self, name: str, *arguments: str) -> Process:
        """Repairs or looks at what the leads service keeps, `reseed` and its like; ends by itself."""
        role, user = _COMMANDS[name]
        environment = {"LEADS_DATABASE_URL": self.database_url(role), "LEADS_NATS_URL": self.nats_url(user)}
        return _once(name, ("leads", name, *arguments), environment)

    def database_url(self, role: str) -> str:
        """Return the address of a role's database; the superuser's is that of leads."""
        return postgres.url(
            role,
            self.credentials.postgres[role],
            host=self.postgres.host,
            port=self.postgres.port,
            database=self.notifier_database if role.startswith("notifier_") else self.leads_database,
        )

    @property
    def superuser_url(self) -> str:
        """The address of the leads database as the superuser sees it."""
        return self.database_url(SUPERUSER)

    def nats_url(self, user: str) -> str:
        """Return the address of NATS as one of its users sees it."""
        return f"nats://{user}:{self.credentials.nats[user]}@{self.nats.host}:{self.nats.port}"

    @property
    def public_leads_url(self) -> str:
        """The leads API as browsers reach it."""
        return Endpoint(self.public_host, self.leads.port).url

    @property
    def public_gateway_url(self) -> str:
        """The gateway and its web screen as browsers reach them."""
        return Endpoint(self.public_host, self.gateway.port).url

    @property
    def public_notifier_url(self) -> str:
        """The notifier as other machines reach it."""
        return Endpoint(self.public_host, self.notifier.port).url

    def apps(self) -> str:
        """Return the text of the gateway's apps file."""
        app = {
            "id": self.credentials.pusher_app_id,
            "key": self.credentials.pusher_app_key,
            "secret": self.credentials.pusher_app_secret,
            "otherSecret": self.credentials.pusher_app_other_secret,
            "enabled": True,
            "enableClientMessages": True,
            "requireAuthorization": True,
            "boundChannels": channels.PATTERNS,
        }
        return json.dumps([app])

    def _origins(self) -> list[str]:
        """Pages that may call the API: the served screen, and Vite's development server."""
        hosts = sorted({self.public_host, LOOPBACK, "localhost"})
        return [f"http://{host}:{port}" for port in (self.gateway.port, 5173) for host in hosts]

    def _service(
        self,
        name: str,
        endpoint: Endpoint,
        arguments: tuple[str, ...],
        environment: dict[str, str],
        *,
        port_option: str = "",
    ) -> Process:
        return Process(
            name=name,
            command=python(*arguments),
            environment=environment,
            health=f"{endpoint.admin_url}/readyz",
            host=endpoint.host,
            port=endpoint.port,
            port_option=port_option,
        )


def _once(name: str, arguments: tuple[str, ...], environment: dict[str, str]) -> Process:
    return Process(name=name, command=python(*arguments), environment=environment)


def python(*arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of ours."""
    # -P: a file called leads.py in the working directory must not be taken for the service.
    return sys.executable, "-P", "-m", *arguments

"""The compose files: valid, closed, and telling each process what it reads."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from leadwire import paths, secret_files
from leadwire.topology import Endpoint
from support.deploying import PROCESSES, SUFFIX, compose, told, variables

FILES = ("compose.yaml", "compose.cluster.yaml", "compose.override.example.yaml")
OURS = re.compile(r"leadwire/")


@pytest.fixture
def made(tmp_path: Path) -> dict[str, str]:
    """The secret files that the command makes: path → content."""
    secret_files.write(tmp_path, postgres=Endpoint("postgres", 5432), nats=Endpoint("nats", 4222))
    return {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.glob("*/*")}


def services() -> dict[str, Any]:
    return dict(compose()["services"])


@pytest.mark.parametrize("name", FILES)
def test_a_compose_file_follows_the_specification(name: str) -> None:
    schema = json.loads((Path(__file__).parent / "schemas/compose-spec.json").read_text())

    jsonschema.Draft7Validator(schema).validate(compose(name))


def test_every_process_of_ours_is_there() -> None:
    assert {name for name, service in services().items() if OURS.match(service["image"])} == PROCESSES.keys()


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_told_what_it_needs_and_nothing_that_it_does_not_read(name: str) -> None:
    given, unknown = told(services()[name]["environment"], PROCESSES[name])

    needed = {variable for variable, is_needed in variables(PROCESSES[name]).items() if is_needed}
    assert unknown == set()
    assert needed <= given


@pytest.mark.parametrize("name", PROCESSES)
def test_every_secret_is_a_file_that_is_mounted_where_it_is_looked_for(name: str, made: dict[str, str]) -> None:
    service, files = services()[name], compose()["secrets"]

    looked_for = {value for key, value in service["environment"].items() if key.endswith(SUFFIX)}
    mounted = {f"/run/secrets/{secret['target']}" for secret in service["secrets"]}
    sources = {
        files[secret["source"]]["file"].removeprefix("${LEADWIRE_SECRETS:-./secrets}/") for secret in service["secrets"]
    }
    assert looked_for == mounted
    assert sources <= made.keys()
    assert {source.partition("/")[0] for source in sources} == {re.sub("^(migrate-.*|provision)$", "migrate", name)}
    assert all(secret["target"] == files[secret["source"]]["file"].rpartition("/")[2] for secret in service["secrets"])


def test_every_secret_setting_of_a_process_is_made(made: dict[str, str]) -> None:
    for name, kind in PROCESSES.items():
        reader = re.sub("^(migrate-.*|provision)$", "migrate", name)
        prefix = kind.model_config["env_prefix"]
        fields = {name for name, field in kind.model_fields.items() if "Secret" in str(field.annotation)}
        assert {f"{reader}/{prefix}{field.upper()}" for field in fields} <= made.keys()


def test_no_secret_is_made_twice_alike_nor_changed_by_a_second_run(tmp_path: Path) -> None:
    for _ in range(2):
        changed = secret_files.write(tmp_path, postgres=Endpoint("postgres", 5432), nats=Endpoint("nats", 4222))
    others = tmp_path / "others"
    secret_files.write(others, postgres=Endpoint("postgres", 5432), nats=Endpoint("nats", 4222))

    assert changed == 0
    assert (others / "leads-api/LEADS_JWT_PRIVATE_KEY").read_text() != (
        tmp_path / "leads-api/LEADS_JWT_PRIVATE_KEY"
    ).read_text()
    assert tmp_path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "credentials.json").stat().st_mode & 0o077 == 0


def test_a_moved_server_changes_addresses_and_no_password(tmp_path: Path, made: dict[str, str]) -> None:
    secret_files.write(tmp_path, postgres=Endpoint("postgres-rw", 5432), nats=Endpoint("nats", 4222))
    now = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.glob("*/*")}

    assert {name for name in now if now[name] != made[name]} == {name for name in now if name.endswith("DATABASE_URL")}
    assert all(now[name] == text.replace("@postgres:", "@postgres-rw:") for name, text in made.items())


def test_nats_is_told_every_password_that_its_configuration_names(made: dict[str, str]) -> None:
    named = set(re.findall(r"\$(NATS_\w+)", (paths.CHECKOUT / "deploy/nats/nats.conf").read_text()))

    lines = made["nats/NATS_PASSWORDS"].splitlines()
    assert {line.partition("=")[0] for line in lines} == named | {"NATS_ROUTE_PASSWORD"}
    assert all(re.fullmatch(r"[A-Z_]+=[a-z][a-z0-9]+", line) for line in lines)


def test_every_role_that_logs_in_gets_its_password(made: dict[str, str]) -> None:
    folder = paths.CHECKOUT / "deploy/postgres"
    roles = set(re.findall(r"ALTER ROLE (\w+) LOGIN", (folder / "roles.sql").read_text()))
    set_by = (folder / "passwords.sql").read_text()

    assert set(re.findall(r"^ALTER ROLE (\w+) PASSWORD :'\1'", set_by, re.MULTILINE)) == roles
    assert set(re.findall(r'^\\set (\w+) `cat "\$SECRETS/\1"`', set_by, re.MULTILINE)) == roles
    assert {secret["target"] for secret in services()["roles"]["secrets"]} == roles | {"postgres"}
    assert {f"postgres/{role}" for role in roles | {"postgres"}} <= made.keys()


@pytest.mark.parametrize("name", services())
def test_a_container_can_change_nothing_and_gain_nothing(name: str) -> None:
    service = services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert all(port.startswith(("127.0.0.1:", "${LEADWIRE_BIND:-127.0.0.1}:")) for port in service.get("ports", []))


@pytest.mark.parametrize("name", services())
def test_an_image_has_a_version(name: str) -> None:
    image = services()[name]["image"]

    assert re.search(r":(\d[\w.]*(-alpine)?|v\d[\w.]*|\$\{LEADWIRE_VERSION:-dev\})$", image), image


def test_the_start_is_ordered_by_health() -> None:
    waits = {
        name: {other: condition["condition"] for other, condition in service["depends_on"].items()}
        for name, service in services().items()
        if not service.get("profiles") and "depends_on" in service
    }

    ended, healthy = "service_completed_successfully", "service_healthy"
    assert waits == {
        "roles": {"postgres": healthy},
        "migrate-leads": {"roles": ended, "nats": healthy},
        "migrate-notifier": {"roles": ended},
        "leads-api": {"migrate-leads": ended},
        "leads-relay": {"migrate-leads": ended},
        "leads-worker": {"migrate-leads": ended},
        "notifier": {"migrate-leads": ended, "migrate-notifier": ended},
        "gateway": {"migrate-leads": ended},
        "proxy": {"gateway": healthy, "leads-api": healthy, "notifier": healthy},
    }


def test_only_the_proxy_is_reached_from_outside() -> None:
    published = {name for name, service in services().items() if service.get("ports") and not service.get("profiles")}

    assert published == {"proxy"}
    assert compose()["networks"]["inside"] == {"internal": True}


def test_the_proxy_leads_to_servers_that_are_there() -> None:
    sections = re.split(r"^(?=\w)", (paths.CHECKOUT / "deploy/compose/haproxy.cfg").read_text(), flags=re.MULTILINE)
    frontend = next(section for section in sections if section.startswith("frontend"))
    backends = {section.split()[1]: section for section in sections if section.startswith("backend")}
    aliases = services()["gateway"]["networks"]["inside"]["aliases"]

    assert set(re.findall(r"(?:use|default)_backend (\w+)", frontend)) == backends.keys()
    assert all("option httpchk GET /readyz" in backend for backend in backends.values())
    found = (
        re.findall(r"server-template \w+ \d+ ([\w-]+:\d+) port (\d+)", backend)[0] for backend in backends.values()
    )
    servers = dict(found)
    assert servers == {"leads-api:8000": "8100", "notifier:8001": "8101", f"{aliases[0]}:6001": "6101"}


def test_a_process_is_given_longer_than_it_takes_to_drain() -> None:
    gateway = services()["gateway"]

    drain = float(gateway["environment"]["GATEWAY_DRAIN_SECONDS"])
    close = variables_default("gateway", "close_seconds")
    assert float(gateway["stop_grace_period"].removesuffix("s")) >= drain + close + 5


def variables_default(process: str, field: str) -> float:
    return float(PROCESSES[process].model_fields[field].default)

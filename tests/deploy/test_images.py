"""The images, without building one: their rules, and the exact steps that install what is in them."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from leadwire import paths
from support.deploying import SCRIPTS, SERVICES, dockerfile, stages

TITLES = ("title", "description", "licenses", "version", "revision")
COMMANDS = {
    "leads": ("api", "relay", "worker", "migrate", "wait", "provision"),
    "notifier": ("serve", "migrate", "wait"),
    "gateway": ("serve",),
}
EVERY_MODULE = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith(("__main__", "runtime.postgres")) and "migrations" not in module.name:
        importlib.import_module(module.name)
"""


@pytest.mark.parametrize("service", SERVICES)
def test_hadolint_has_nothing_to_say(service: str) -> None:
    done = subprocess.run([SCRIPTS / "hadolint", dockerfile(service)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_what_it_is_and_runs_as_nobody(service: str) -> None:
    final = stages(service)[-1]

    labels = " ".join(final.all("LABEL"))
    assert all(f"org.opencontainers.image.{title}=" in labels for title in TITLES)
    assert final.all("USER") == ["10001:10001"]
    assert len(final.all("HEALTHCHECK")) == 1
    assert final.all("ENTRYPOINT") == [f'["python", "-P", "-m", "{service}"]']


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_installed_in_the_final_stage_and_pip_is_taken_out(service: str) -> None:
    (run,) = stages(service)[-1].all("RUN")

    assert "pip uninstall" in run
    assert not re.search(r"\b(apt|apt-get|pip install|npm|curl|wget)\b", run)


@pytest.mark.parametrize("service", SERVICES)
def test_bases_have_a_version(service: str) -> None:
    assert all(re.fullmatch(r"[a-z]+:\d[\w.]*-slim", stage.base) for stage in stages(service))


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_service_and_the_contracts_are_copied(service: str) -> None:
    copied = {source for step in stages(service)[0].all("COPY") for source in step.split()[:-1]}

    assert copied == {"requirements/build.txt", f"requirements/{service}.txt", "contracts", f"services/{service}"}


def test_what_is_not_named_stays_out_of_the_build() -> None:
    rules = [line for line in (paths.CHECKOUT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]

    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == {"contracts", "requirements", "services", "web"}


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Path]]:
    """Each service's own environment, made by the steps of its Dockerfile."""
    with ThreadPoolExecutor(2) as at_once:
        return {service: at_once.submit(install, service, tmp_path_factory.mktemp(service)) for service in SERVICES}


def install(service: str, place: Path) -> Path:
    """Do what the building stage does, at another place; return the environment's Python."""
    build, target = place / "build", place / "opt"
    build.mkdir()
    (place / "bin").mkdir()
    (place / "bin/python").symlink_to(sys.executable)
    # Not the virtual environment of the tests: its interpreter, as in the image.
    interpreter = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (place / "bin/python").unlink()
    (place / "bin/python").symlink_to(interpreter)
    environment = {**os.environ, "PATH": f"{place / 'bin'}:{os.environ['PATH']}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for word, arguments in stages(service)[0].steps:
        if word == "COPY":
            *sources, destination = arguments.split()
            for source in sources:
                copy(paths.CHECKOUT / source, build / destination)
        elif word == "RUN":
            command = arguments.replace("/opt/leadwire", str(target)).replace("/build/", f"{build}/")
            done = subprocess.run(
                ["sh", "-euc", command], cwd=build, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return target / "bin/python"


def copy(source: Path, destination: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        destination.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, destination)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_needs_nothing_that_it_does_not_list(
    service: str, environments: dict[str, Future[Path]], tmp_path: Path
) -> None:
    python = environments[service].result()

    for command in (["-c", EVERY_MODULE, service], ["-c", EVERY_MODULE, "runtime"], ["-c", EVERY_MODULE, "contracts"]):
        done = subprocess.run(
            [python, "-P", *command], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    names = {path.name.partition("-")[0].lower() for path in python.parents[1].glob("lib/*/site-packages/*.dist-info")}
    assert not names & {"pip", "hatchling", "setuptools", "pytest"}
    assert {name for name in names if name.startswith("leadwire")} == {"leadwire_contracts", f"leadwire_{service}"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("service", "command"),
    [*((name, command) for name, commands in COMMANDS.items() for command in commands)],
)
def test_a_process_of_an_image_starts_and_says_what_it_lacks(
    service: str, command: str, environments: dict[str, Future[Path]], tmp_path: Path
) -> None:
    python = environments[service].result()

    done = subprocess.run(
        [python, "-P", "-m", service, command], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"{service.upper()}_" in done.stderr

"""What checkov finds unsafe; deploy/checkov.yaml says what is left, and why."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from leadwire import paths
from support.deploying import SERVICES, dockerfile
from support.manifests import OVERLAYS, rendered_text

PINS = paths.CHECKOUT / "requirements/checkov.txt"
CONFIGURATION = paths.CHECKOUT / "deploy/checkov.yaml"


@pytest.fixture(scope="module")
def checkov() -> Path:
    """The program, in an environment of its own that is kept: its pins contradict ours."""
    digest = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = paths.CHECKOUT / ".leadwire/checkov" / digest
    if not (home / "bin/checkov").exists():
        shutil.rmtree(home.parent, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [home / "bin/pip", "install", "--quiet", "--no-compile", "--require-hashes", "--requirement", PINS]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(home)
        assert done.returncode == 0, done.stderr
    return home / "bin/checkov"


@pytest.mark.timeout(600)
def test_checkov_finds_nothing_but_what_is_justified(checkov: Path, tmp_path: Path) -> None:
    files = [dockerfile(service) for service in SERVICES]
    for overlay in OVERLAYS:
        files.append(tmp_path / f"{overlay}.yaml")
        files[-1].write_text(rendered_text(overlay))
    arguments = [argument for file in files for argument in ("--file", str(file))]

    environment = {**os.environ, "LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [checkov, "--config-file", CONFIGURATION, "--output", "json", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    results = {report["check_type"]: report["results"]["failed_checks"] for report in yaml.safe_load(done.stdout)}
    assert results.keys() >= {"kubernetes", "dockerfile"}, done.stderr
    failed = [(check["check_id"], check["resource"]) for checks in results.values() for check in checks]
    assert failed == []
    assert done.returncode == 0


def test_every_exception_has_its_reason() -> None:
    lines = CONFIGURATION.read_text().splitlines()
    exceptions = [number for number, line in enumerate(lines) if re.match(r"\s+- CKV", line)]

    assert all(lines[number - 1].lstrip().startswith("# ") for number in exceptions)
    assert all(
        re.search(r"CKV\w+=\w.{20}", line) for line in rendered_text("dev").splitlines() if "checkov.io/" in line
    )

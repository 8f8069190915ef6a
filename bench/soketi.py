"""soketi from npm, in a temporary folder outside of the repository; kept there for the next benchmark.

Its uWebSockets.js comes from a git address; the same library built for npm takes its place.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

VERSION = "1.6.1"
WEBSOCKETS = "npm:uwebsockets@3.0.6"


def installed() -> list[str]:
    """Return the command that starts it, after installing it if need be."""
    directory = Path(tempfile.gettempdir()) / f"leadwire-bench-soketi-{VERSION}-{os.getuid()}"
    server = directory / "node_modules/@soketi/soketi/bin/server.js"
    if not server.exists():
        directory.mkdir(mode=0o700, exist_ok=True)
        package = {
            "private": True,
            "dependencies": {"@soketi/soketi": VERSION},
            "overrides": {"uWebSockets.js": WEBSOCKETS},
        }
        (directory / "package.json").write_text(json.dumps(package))
        options = ("--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error")
        subprocess.run([shutil.which("npm"), "install", *options], cwd=directory, check=True, stdout=subprocess.DEVNULL)
    return [shutil.which("node"), str(server), "start"]

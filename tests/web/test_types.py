"""The screen's types are those of what travels now."""

import os
import subprocess
import sys
from pathlib import Path

from leadwire import paths
from leadwire.node import find_node

_WRITTEN = paths.WEB / "src" / "api"


def test_the_committed_types_are_those_of_the_services(tmp_path: Path) -> None:
    node = find_node()
    assert node is not None
    path = f"{Path(node.program).parent}{os.pathsep}{os.environ['PATH']}"

    subprocess.run(
        [paths.WEB / "types", tmp_path], env=os.environ | {"PATH": path, "PYTHON": sys.executable}, check=True
    )

    written = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert written == {file.name: file.read_text() for file in _WRITTEN.iterdir()}, "run web/types"

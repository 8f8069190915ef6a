"""The web screen's own tests, run as its developers run them."""

import subprocess

from leadwire import paths
from leadwire.node import find_node


def test_the_units_of_the_web_screen_keep_their_promises() -> None:
    node = find_node()
    assert node is not None
    vitest = node.npm("vitest", "test")

    done = subprocess.run(
        vitest.command, **vitest.options(), cwd=paths.WEB, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr

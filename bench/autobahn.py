"""RFC 6455 conformance: the Autobahn test suite's cases against the gateway's own transport class, as an echo.

`gateway.websocket.Connection` is served by uvicorn as in production; only what a message means is exchanged: it comes
back, and compression is on: the server takes compressed messages and answers with plain ones, as it may. The cases are
driven by kosoku, which is installed into a virtual environment in the temporary directory at first use and stays there.

usage: .venv/bin/python bench/autobahn.py [--cases '*'] [--serve PORT]
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import uvicorn
import uvloop
from websockets.frames import Frame, Opcode
from websockets.http11 import Request

import report
from children import Child
from gateway.connections import Connections
from gateway.pusher.liveness import Patience
from gateway.websocket import Connection, Limits
from leadwire.ports import reserve
from servers import answers, until

RUNNER = "kosoku==0.1.0"
BROKEN = "def onMessage(self, msg, binary):\n"
# Sections 12 and 13 hash what came as if this were Python 2, where every string was of bytes.
MEND = "   msg = msg.encode('latin-1' if binary else 'utf-8') if isinstance(msg, str) else msg\n"
LARGEST = 64 * 1024 * 1024  # bytes of a message: the cases send up to 16 MiB
KNOWN = {"7.1.5"}  # of the library underneath, and the performance cases below
KNOWN_SLOW = ("9.3.", "9.4.")
SECTIONS = {
    "1": "1 framing",
    "2": "2 pings and pongs",
    "3": "3 reserved bits",
    "4": "4 opcodes",
    "5": "5 fragmentation",
    "6": "6 UTF-8",
    "7": "7 closing",
    "9": "9 limits and performance",
    "10": "10 auto-fragmentation",
    "12": "12 compression",
    "13": "13 compression, parameters",
}
FINE = {"OK", "NON-STRICT", "INFORMATIONAL"}


class Echo(Connection):
    """The transport with an echo instead of a session."""

    takes_binary = True

    def _admit(self, request: Request, accepted: bytes) -> None:
        """Let everybody in."""
        del request
        self._outlet.write(accepted)

    def _on_message(self, opcode: Opcode, message: bytes) -> None:
        if opcode is Opcode.TEXT:
            super()._on_message(opcode, message)
        else:
            self._echo(opcode, message)

    def _receive(self, text: str) -> None:
        self._echo(Opcode.TEXT, text.encode())

    def _echo(self, opcode: Opcode, message: bytes) -> None:
        self._outlet.write(Frame(opcode, message).serialize(mask=False))


async def serve(port: int) -> None:
    """Serve the echo until killed."""
    connections = Connections(tick=1.0)
    limits = Limits(message_bytes=LARGEST, buffer_bytes=2 * LARGEST, compression=True)
    shared = SimpleNamespace(limits=limits, patience=Patience(3600, 3600), connections=connections)

    def connection(*, server_state: object, **_uvicorn: object) -> Echo:
        return Echo(shared, server_state)

    async def nothing(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(nothing, port=port, ws=connection, lifespan="off", log_level="warning")
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(connections.run())
        await uvicorn.Server(config).serve()
        watch.cancel()


def runner() -> str:
    """Return the command line program that drives the cases, after installing it if need be."""
    directory = Path(tempfile.gettempdir()) / f"leadwire-bench-{RUNNER}-{os.getuid()}"
    program = directory / "bin/kosoku"
    if not program.exists():
        venv.create(directory, with_pip=True)
        subprocess.run([directory / "bin/pip", "install", "--quiet", RUNNER], check=True)
    (compression,) = directory.glob("lib/*/site-packages/kosoku/cases/case12_x_x.py")
    cases = compression.read_text()
    if MEND not in cases:
        compression.write_text(cases.replace(BROKEN, BROKEN + MEND))
    return str(program)


async def run(cases: str) -> dict[str, dict]:
    """Return case → what its report says."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as children:
        directory, port = Path(name), reserve().port
        command = (sys.executable, __file__, "--serve", str(port))
        server = Child(*command, log=directory / "echo.log")
        children.callback(server.kill)
        await until(lambda: answers(port))
        reports = directory / "reports"
        process = await asyncio.create_subprocess_exec(
            runner(), f"127.0.0.1:{port}", "--include", cases, "--outdir", reports, stderr=asyncio.subprocess.DEVNULL
        )
        await process.wait()
        (agent,) = json.loads((reports / "index.json").read_text()).values()
        return agent


def known(case: str) -> bool:
    return case in KNOWN or case.startswith(KNOWN_SLOW)


def order(case: str) -> tuple[int, ...]:
    return tuple(map(int, case.split(".")))


def text(results: dict[str, dict]) -> str:
    sections: dict[str, Counter[str]] = {}
    for case in sorted(results, key=order):
        counter = sections.setdefault(SECTIONS[case.split(".")[0]], Counter())
        counter[results[case]["behavior"]] += 1
        counter[f"close: {results[case]['behaviorClose']}"] += 1
    columns = sorted({column for counter in sections.values() for column in counter})
    rows = [[section, *(str(counter[column] or "") for column in columns)] for section, counter in sections.items()]
    total = sum(sections.values(), Counter())
    rows.append(["all", *(str(total[column]) for column in columns)])
    failed = [case for case in sorted(results, key=order) if not passed(results[case])]
    lines = [f"- {case}: {results[case]['behavior']}, close {results[case]['behaviorClose']}" for case in failed]
    return "\n\n".join(
        [
            f"{len(results)} cases of the Autobahn test suite against `gateway.websocket.Connection` as an echo",
            report.table(["section", *columns], rows),
            "Neither passed nor unimplemented:" if failed else "None failed.",
            *(["\n".join(lines)] if failed else []),
        ]
    )


def passed(result: dict) -> bool:
    return result["behavior"] in {*FINE, "UNIMPLEMENTED"} and result["behaviorClose"] in {*FINE, "UNIMPLEMENTED"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="*", help="such as 9.*; only all of them are written down")
    parser.add_argument("--serve", type=int, metavar="PORT", help="only serve the echo")
    options = parser.parse_args()
    if options.serve:
        uvloop.run(serve(options.serve))
        return 0
    results = asyncio.run(run(options.cases))
    if options.cases == "*":
        outcome = {
            case: [results[case][key] for key in ("behavior", "behaviorClose")] for case in sorted(results, key=order)
        }
        report.write("autobahn", text(results), {"cases": outcome})
    else:
        print(text(results))
    return int(any(not passed(result) and not known(case) for case, result in results.items()))


if __name__ == "__main__":
    sys.exit(main())

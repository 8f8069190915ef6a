"""The command line: `python -m gateway serve|doctor|config`."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from gateway import apps, supervisor
from gateway.apps import AppsFileError
from gateway.main import serve
from gateway.settings import Settings
from gateway.tls import Tls
from runtime import logs
from runtime.server import listening
from runtime.tracing import TracingSettings

WRONG = 2  # exit code: nothing started, the configuration is wrong


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code.

    Raises:
        SystemExit: with code 2 when the arguments make no sense, with 0 for `--help`.
    """
    options = _parse(arguments)
    if options.command == "serve":
        return _serve(options)
    # A process imports no more than it runs.
    code: int = import_module(f"gateway.main.{options.command}").run(as_json=options.json)
    return code


def _serve(options: argparse.Namespace) -> int:
    given: dict[str, Any] = {} if options.drain_seconds is None else {"drain_seconds": options.drain_seconds}
    try:
        settings = Settings(**given)
        traces = TracingSettings()
        logs.configure("gateway", settings.log_level)
        tenants = apps.load(settings.apps_file)
        tls = None if settings.tls_cert is None else Tls(settings.tls_cert, settings.tls_key)
    except ValidationError as error:
        return _complain("; ".join(f"{_name(error, e)}: {e['msg']}" for e in _errors(error)))
    except AppsFileError as error:
        return _complain(f"GATEWAY_APPS_FILE: {error}")
    except OSError as error:  # ssl's own too
        return _complain(f"GATEWAY_TLS_CERT, GATEWAY_TLS_KEY: {error.strerror or error}")
    listening.allow_many()
    workers = options.workers or 1
    try:
        is_inherited = options.fd is not None
        shared = listening.inherited(options.fd) if is_inherited else listening.listen(settings.host, settings.port)
        own = [listening.listen(settings.admin_host, settings.admin_port + n) for n in range(workers)]
    except OSError as error:
        return _complain(f"GATEWAY_PORT, GATEWAY_ADMIN_PORT: cannot listen: {error.strerror or error}")
    work = partial(serve.work, settings, serve.Worker(tenants, shared, own, tls, traces, outlives=is_inherited))
    return work(1, 1) if options.workers is None else supervisor.supervise(workers, work)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gateway", description="Pusher-compatible WebSocket gateway.")
    commands = parser.add_subparsers(title="commands", required=True, dest="command")
    serve = commands.add_parser("serve", help="serve until SIGTERM; everything else is told by GATEWAY_* variables")
    serve.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        help="processes on the one port, kept alive by this one (default: this process serves itself)",
    )
    serve.add_argument(
        "--fd",
        type=int,
        metavar="N",
        help="descriptor of a listening socket that the parent process holds: instead of GATEWAY_HOST and GATEWAY_PORT",
    )
    serve.add_argument("--drain-seconds", type=float, metavar="S", help="over which clients are sent away at the end")
    for name, purpose in {
        "doctor": "say whether the gateway has what it needs, and what to do about what is wrong",
        "config": "print the settings and where each comes from, secrets masked",
    }.items():
        command = commands.add_parser(name, help=purpose)
        command.add_argument("process", choices=("serve",), help="in whose environment we are")
        command.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _name(error: ValidationError, item: Any) -> str:  # noqa: ANN401 - pydantic's
    prefix = "" if error.title == TracingSettings.__name__ else "GATEWAY_"
    return f"{prefix}{str(item['loc'][0]).upper()}"


def _errors(error: ValidationError) -> list[Any]:
    return error.errors(include_input=False)


def _complain(message: str) -> int:
    print(f"gateway: {message}", file=sys.stderr)  # noqa: T201 - the answer to a person at a terminal
    return WRONG


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))

"""`python -m leads api|relay|worker|migrate|wait|provision|reseed|doctor|config|access|openapi`."""

import argparse
from datetime import datetime, timedelta
from importlib import import_module
from typing import Final
from uuid import UUID

from contracts import streams

_HELP: Final = {
    "api": "answer REST requests, and questions over NATS",
    "relay": "publish facts to the stream",
    "worker": "work off bulk changes and imports",
    "migrate": "bring database and streams to this release, then end",
    "wait": "end when the database is migrated for this release",
    "provision": "create the company and users described by JSON on standard input, then end",
    "reseed": "have the relay publish facts once more, for a stream that was purged or lost; end when it has",
    "doctor": "say whether a process has what it needs, and what to do about what is wrong",
    "config": "print a process' settings and where each comes from, secrets masked",
    "access": "print the table of docs/access.md: who may do what",
    "openapi": "print what /openapi.json answers",
}


def run() -> None:
    parser = argparse.ArgumentParser(prog="python -m leads", description="The leads service of Leadwire.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join(_HELP))
    parsers = {
        name: commands.add_parser(name, help=purpose, description=f"{purpose.capitalize()}. Configured by LEADS_*.")
        for name, purpose in _HELP.items()
    }
    _add_reseed_options(parsers["reseed"])
    _add_looking_options(parsers["doctor"])
    _add_looking_options(parsers["config"])
    arguments = vars(parser.parse_args())
    # A process imports no more than it runs.
    import_module(f"leads.main.{arguments.pop('command')}").run(**arguments)


def _add_looking_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("process", choices=("api", "relay", "migrate"), help="in whose environment we are")
    parser.add_argument("--json", action="store_true", dest="as_json", help="for programs")


def _add_reseed_options(parser: argparse.ArgumentParser) -> None:
    since = parser.add_mutually_exclusive_group()
    since.add_argument(
        "--since",
        type=_past,
        default=timedelta(seconds=streams.FACTS_KEPT),
        metavar="AGE|TIME",
        help="facts recorded since then: 36h, 7d or 2026-03-01T12:00:00Z; by default what the stream keeps",
    )
    since.add_argument("--all", dest="since", action="store_const", const=None, help="all facts from the first one on")
    parser.add_argument("--company", type=UUID, dest="company_id", metavar="ID", help="only of this company")
    parser.add_argument("--again", action="store_true", dest="anew", help="begin anew, should a reseed be under way")


def _past(text: str) -> timedelta | datetime:
    if text[:-1].isdecimal() and (unit := {"m": "minutes", "h": "hours", "d": "days"}.get(text[-1])):
        return timedelta(**{unit: int(text[:-1])})
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("without a time zone")
    return time


if __name__ == "__main__":
    run()

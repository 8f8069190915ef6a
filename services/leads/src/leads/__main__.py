"""`python -m leads api|relay|worker|migrate|…`: every process of the service, and what ends by itself."""

import argparse
import os
from datetime import datetime, timedelta
from importlib import import_module
from typing import Final
from uuid import UUID

from contracts import streams

MOST_PROCESSES: Final = 64

_HELP: Final = {
    "api": "answer REST requests, and questions over NATS",
    "relay": "publish facts to the stream",
    "worker": "work off bulk changes and imports",
    "migrate": "bring database and streams to this release, then end",
    "wait": "end when the database is migrated for this release",
    "provision": "create the company and users described by JSON on standard input, then end",
    "reseed": "have the relay publish facts once more, for a stream that was purged or lost; end when it has",
    "rebuild": "make the read models anew from the log while everything goes on, then end",
    "verify": "compare log, read models and stream, and name the first difference of each kind; exit code 1 if any",
    "where": "print the way of one fact, or of the last facts of a lead, from the log to the sockets",
    "tail": "print facts as they come onto the stream, until it is interrupted",
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
    _add_rebuild_options(parsers["rebuild"])
    _add_verify_options(parsers["verify"])
    _add_where_options(parsers["where"])
    _add_tail_options(parsers["tail"])
    _add_looking_options(parsers["doctor"])
    _add_looking_options(parsers["config"])
    arguments = vars(parser.parse_args())
    # A process imports no more than it runs.
    import_module(f"leads.main.{arguments.pop('command')}").run(**arguments)


def _add_looking_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("process", choices=("api", "relay", "worker", "migrate"), help="in whose environment we are")
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
    parser.add_argument("--company", dest="company_id", type=UUID, metavar="ID", help="only of this company")
    parser.add_argument("--again", dest="anew", action="store_true", help="begin anew, should a reseed be under way")


def _add_rebuild_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--processes", type=_count, default=os.cpu_count() or 1, metavar="N", help="that derive; by default one a core"
    )
    parser.add_argument(
        "--again", dest="anew", action="store_true", help="begin anew, should an interrupted one be there"
    )


def _add_verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--company", dest="company_id", type=UUID, metavar="ID", help="only this company")
    parser.add_argument("--no-stream", dest="with_stream", action="store_false", help="only what PostgreSQL holds")
    parser.add_argument(
        "--again", dest="anew", action="store_true", help="also the companies that an interrupted one was done with"
    )


def _count(text: str) -> int:
    if not 1 <= int(text) <= MOST_PROCESSES:
        raise ValueError("too few or too many")
    return int(text)


def _past(text: str) -> timedelta | datetime:
    if text[:-1].isdecimal() and (unit := {"m": "minutes", "h": "hours", "d": "days"}.get(text[-1])):
        return timedelta(**{unit: int(text[:-1])})
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("without a time zone")
    return time


def _add_where_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sought", metavar="ID", type=UUID, help="of a fact; or of a lead, a user, an import")
    parser.add_argument("--last", type=int, default=5, metavar="N", help="so many facts of a lead (default 5)")
    parser.add_argument("--json", action="store_true", dest="as_json", help="one object a line, for programs")


def _add_tail_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--company", type=UUID, metavar="ID", help="facts of this company alone")
    parser.add_argument("--lead", type=UUID, metavar="ID", help="facts of this lead (or user, or import) alone")
    parser.add_argument("--type", metavar="NAME", help="such as created, or crm.lead.created.v1")
    parser.add_argument("--since", type=float, default=0, metavar="S", help="begin so many seconds ago")
    parser.add_argument("--count", type=int, metavar="N", help="end after so many facts")
    parser.add_argument("--json", action="store_true", dest="as_json", help="one object a line, for programs")
    parser.add_argument("--data", action="store_true", dest="with_data", help="show what the facts say: personal data")


if __name__ == "__main__":
    run()

"""`python -m leads api|relay|migrate|wait|provision|access|openapi`."""

import argparse
from typing import Final

_HELP: Final = {
    "api": "answer REST requests, and questions over NATS",
    "relay": "publish facts to the stream",
    "migrate": "bring database and streams to this release, then end",
    "wait": "end when the database is migrated for this release",
    "provision": "create the company and users described by JSON on standard input, then end",
    "access": "print the table of docs/access.md: who may do what",
    "openapi": "print what /openapi.json answers",
}


def run() -> None:
    parser = argparse.ArgumentParser(prog="python -m leads", description="The leads service of Leadwire.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join(_HELP))
    for name, purpose in _HELP.items():
        commands.add_parser(name, help=purpose, description=f"{purpose.capitalize()}. Configured by LEADS_*.")
    # ruff: noqa: PLC0415 - a process imports no more than it runs
    match parser.parse_args().command:
        case "api":
            from leads.main import api

            api.run()
        case "relay":
            from leads.main import relay

            relay.run()
        case "migrate":
            from leads.main import migrate

            migrate.run()
        case "wait":
            from leads.main import wait

            wait.run()
        case "provision":
            from leads.main import provision

            provision.run()
        case "access":
            from leads.main import access

            access.run()
        case "openapi":
            from leads.main import openapi

            openapi.run()


if __name__ == "__main__":
    run()

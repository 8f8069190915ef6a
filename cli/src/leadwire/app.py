"""The commands. Each is short; what it does is in the module of its name."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import httpx
import typer

from leadwire import (
    backup,
    checks,
    config_print,
    dead,
    doctor,
    down,
    logs,
    maintenance,
    paths,
    restore,
    secret_files,
    status,
)
from leadwire.clocks import CLOCKS, EACH
from leadwire.detach import detached
from leadwire.moved_clock import NoMovedClock
from leadwire.postgres import PostgresFailed
from leadwire.progress import complain, say
from leadwire.state import AlreadyRunning, StateDirectory
from leadwire.supervisor import ProcessFailed
from leadwire.topology import Endpoint
from leadwire.up import CannotStart, Options, up

app = typer.Typer(
    help="Runs, tests and looks into a whole Leadwire on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they hold passwords
)

State = Annotated[
    Path,
    typer.Option("--state-dir", envvar="LEADWIRE_HOME", help="Where data, logs and secrets are.", show_default=False),
]
GatewayPort = Annotated[int, typer.Option(envvar="LEADWIRE_GATEWAY_PORT", help="WebSocket, Pusher API and the screen.")]
LeadsPort = Annotated[int, typer.Option(envvar="LEADWIRE_LEADS_PORT", help="REST API.")]
NotifierPort = Annotated[int, typer.Option(envvar="LEADWIRE_NOTIFIER_PORT")]
_INTERRUPTED = 130  # as a shell reports a program that Ctrl-C ended
_STATE = paths.CHECKOUT / ".leadwire"


@app.command("up")
def up_command(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    state_dir: State = _STATE,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is ready.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every one.")] = "127.0.0.1",
    gateway_port: Annotated[
        int, typer.Option(envvar="LEADWIRE_GATEWAY_PORT", help="WebSocket, Pusher API and the screen.")
    ] = 6001,
    leads_port: Annotated[int, typer.Option(envvar="LEADWIRE_LEADS_PORT", help="REST API.")] = 8000,
    notifier_port: Annotated[int, typer.Option(envvar="LEADWIRE_NOTIFIER_PORT")] = 8001,
    web: Annotated[bool, typer.Option(help="Build and serve the screen.")] = True,
    demo: Annotated[bool, typer.Option(help="Create demo companies and leads at the first start.")] = True,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete all data first.")] = False,
) -> None:
    """Start everything: PostgreSQL, NATS, leads, relay, worker, notifier, gateway and the screen. Ctrl-C stops it."""
    options = Options(
        host=host,
        gateway_port=gateway_port,
        leads_port=leads_port,
        notifier_port=notifier_port,
        web=web,
        demo=demo,
        fresh=fresh,
    )
    state = StateDirectory(state_dir.resolve())
    state.create()
    if detach:
        raise typer.Exit(detached(lambda ready: _up(state, options, ready), log=state.logs / "supervisor.log"))
    raise typer.Exit(_up(state, options, ready=lambda: None))


def _up(state: StateDirectory, options: Options, ready: Callable[[], None]) -> int:
    started = time.monotonic()

    def announce() -> None:
        say(f"\nLeadwire is up after {time.monotonic() - started:.1f} s.\n")
        status.print_addresses(state)
        say("\n./leadwire down stops it; ./leadwire status and ./leadwire logs look at it.")
        ready()

    try:
        with state.locked():
            say("Starting Leadwire")
            was_ready = asyncio.run(up(state, options, announce))
    except AlreadyRunning:
        return status.report_running(state)
    except (CannotStart, ProcessFailed, PostgresFailed, httpx.HTTPError) as failure:
        complain(f"\n{failure}")
        return 1
    say("Stopped.")
    return 0 if was_ready else _INTERRUPTED


@app.command("down")
def down_command(state_dir: State = _STATE) -> None:
    """Stop everything."""
    raise typer.Exit(asyncio.run(down.down(StateDirectory(state_dir.resolve()))))


@app.command("status")
def status_command(state_dir: State = _STATE) -> None:
    """Show the processes. Exit code 0: all are ready; 1: some are not; 3: nothing runs."""
    raise typer.Exit(status.status(StateDirectory(state_dir.resolve())))


@app.command("logs")
def logs_command(
    name: Annotated[str | None, typer.Argument(help="One process, such as relay; all by default.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("-n", help="How many of the last lines.")] = 20,
    state_dir: State = _STATE,
) -> None:
    """Show what the processes say."""
    raise typer.Exit(logs.show(StateDirectory(state_dir.resolve()), name, lines, follow=follow))


Reports = Annotated[list[Path] | None, typer.Option(help="Look at what `doctor --json` of processes elsewhere wrote.")]
Addresses = Annotated[list[str] | None, typer.Option(help="HOST:PORT whose certificate is looked at, too.")]


@app.command("doctor")
def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also what is as it should be.")] = False,
    report: Reports = None,
    tls: Addresses = None,
    state_dir: State = _STATE,
) -> None:
    """Say whether all is as it should be, and what to do about what is not. Exit code 1: something does not work."""
    state = StateDirectory(state_dir.resolve())
    style: doctor.Style = "json" if as_json else "everything" if verbose else "summary"
    ports = [_endpoint(address) for address in tls or []]
    raise typer.Exit(doctor.doctor(state, reports=report or [], tls=ports, style=style))


Backup = Annotated[Path, typer.Argument(help="A folder.")]


@app.command("backup")
def backup_command(folder: Backup, state_dir: State = _STATE) -> None:
    """Write both databases into a new folder, while everything goes on."""
    raise typer.Exit(asyncio.run(backup.backup(StateDirectory(state_dir.resolve()), folder.absolute())))


@app.command("restore")
def restore_command(
    folder: Backup,
    replace: Annotated[bool, typer.Option("--replace", help="Also where there is data: it is dropped.")] = False,
    state_dir: State = _STATE,
) -> None:
    """Bring a stopped stack to what a backup holds: databases, migrations, streams."""
    state = StateDirectory(state_dir.resolve())
    try:
        raise typer.Exit(asyncio.run(restore.restore(state, folder.absolute(), replace=replace)))
    except (ProcessFailed, PostgresFailed) as failure:
        complain(f"\n{failure}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None


config_app = typer.Typer(help="What each process was told.")
app.add_typer(config_app, name="config", no_args_is_help=True)


@config_app.command("print")
def config_print_command(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False, state_dir: State = _STATE
) -> None:
    """Print every setting of every process and where it comes from, secrets masked."""
    raise typer.Exit(config_print.print_configuration(StateDirectory(state_dir.resolve()), as_json=as_json))


@app.command("where")
def where_command(
    sought: Annotated[str, typer.Argument(metavar="ID", help="Of a fact; or of a lead, a user, an import.")],
    last: Annotated[int, typer.Option(help="So many facts of a lead.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One object a line, for programs.")] = False,
    state_dir: State = _STATE,
) -> None:
    """Show the way of a fact: stored, relayed, applied, pushed, given to so many sockets, or dropped and why."""
    options = ["--last", str(last), *(["--json"] if as_json else [])]
    maintenance.become(StateDirectory(state_dir.resolve()), "where", *options, "--", sought)


@app.command("tail")
def tail_command(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    company: Annotated[str | None, typer.Option(metavar="ID", help="Facts of this company alone.")] = None,
    lead: Annotated[str | None, typer.Option(metavar="ID", help="Facts of this lead (or user, or import).")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Such as created, or crm.lead.created.v1.")] = None,
    since: Annotated[float, typer.Option(help="Begin so many seconds ago.")] = 0,
    count: Annotated[int | None, typer.Option(help="End after so many facts.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object a line, for programs.")] = False,
    data: Annotated[bool, typer.Option("--data", help="Show what the facts say: personal data.")] = False,
    state_dir: State = _STATE,
) -> None:
    """Show facts as they come onto the stream CRM, without what they say. Ctrl-C ends it."""
    given = {"--company": company, "--lead": lead, "--type": type_, "--since": str(since), "--count": count}
    options = [text for name, value in given.items() if value is not None for text in (name, str(value))]
    flags = [name for name, is_set in (("--json", as_json), ("--data", data)) if is_set]
    maintenance.become(StateDirectory(state_dir.resolve()), "tail", *options, *flags)


dead_app = typer.Typer(help="Look at what the notifier could not process, apply it after all, or throw it away.")
app.add_typer(dead_app, name="dead", no_args_is_help=True)
Sequences = Annotated[list[int], typer.Argument(help="Numbers of `dead list`.", min=1)]


@dead_app.command("list")
def dead_list_command(
    as_json: Annotated[bool, typer.Option("--json", help="Everything but the bodies, for programs.")] = False,
    state_dir: State = _STATE,
) -> None:
    """List dead letters, oldest first, each with its cause."""
    raise typer.Exit(dead.dead(StateDirectory(state_dir.resolve()), "list", *(["--json"] if as_json else [])))


@dead_app.command("show")
def dead_show_command(sequences: Sequences, state_dir: State = _STATE) -> None:
    """Show dead letters with headers, stack and body. A body may hold personal data."""
    raise typer.Exit(dead.dead(StateDirectory(state_dir.resolve()), "show", *map(str, sequences)))


@dead_app.command("retry")
def dead_retry_command(sequences: Sequences, state_dir: State = _STATE) -> None:
    """Have dead letters applied, each once; those that had their effect are taken away."""
    raise typer.Exit(dead.dead(StateDirectory(state_dir.resolve()), "retry", *map(str, sequences)))


@dead_app.command("drop")
def dead_drop_command(sequences: Sequences, state_dir: State = _STATE) -> None:
    """Throw dead letters away."""
    raise typer.Exit(dead.dead(StateDirectory(state_dir.resolve()), "drop", *map(str, sequences)))


@app.command("migrate")
def migrate_command(state_dir: State = _STATE) -> None:
    """Create what is missing of tables, streams and consumers, while everything goes on. Repeatable."""
    raise typer.Exit(maintenance.migrate(StateDirectory(state_dir.resolve())))


@app.command("reseed")
def reseed_command(
    since: Annotated[
        str | None, typer.Option(help="Facts recorded since then: 36h, 7d or a time; by default what the stream keeps.")
    ] = None,
    all_facts: Annotated[bool, typer.Option("--all", help="All facts from the first one on.")] = False,
    company: Annotated[str | None, typer.Option(help="Only of the company of this id.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Begin anew, should a reseed be under way.")] = False,
    state_dir: State = _STATE,
) -> None:
    """Publish facts once more, for a stream that was purged or lost. The relay does it, and goes on by itself."""
    options = [
        *(["--since", since] if since else []),
        *(["--all"] if all_facts else []),
        *(["--company", company] if company else []),
        *(["--again"] if again else []),
    ]
    maintenance.become(StateDirectory(state_dir.resolve()), "reseed", *options)


@app.command("rebuild")
def rebuild_command(
    processes: Annotated[int | None, typer.Option(help="That derive; by default one a core.", min=1, max=64)] = None,
    again: Annotated[bool, typer.Option("--again", help="Begin anew, should an interrupted one be there.")] = False,
    state_dir: State = _STATE,
) -> None:
    """Make the read models anew from the log, while everything goes on. An interrupted one goes on where it was."""
    options = [*(["--processes", str(processes)] if processes else []), *(["--again"] if again else [])]
    maintenance.become(StateDirectory(state_dir.resolve()), "rebuild", *options)


@app.command("verify")
def verify_command(
    company: Annotated[str | None, typer.Option(help="Only the company of this id.")] = None,
    stream: Annotated[bool, typer.Option("--stream/--no-stream", help="Also what is on the stream.")] = True,
    again: Annotated[bool, typer.Option("--again", help="Also what an interrupted one was done with.")] = False,
    state_dir: State = _STATE,
) -> None:
    """Compare log, read models and stream. Exit code 1 and the first difference of each kind, if there is any."""
    options = [
        *(["--company", company] if company else []),
        *([] if stream else ["--no-stream"]),
        *(["--again"] if again else []),
    ]
    maintenance.become(StateDirectory(state_dir.resolve()), "verify", *options)


Rotatable = Literal["jwt", "app", "postgres", "nats"]


@app.command("secrets")
def secrets_command(
    directory: Annotated[Path, typer.Argument(help="Where to; everybody else is kept out of it.")],
    postgres: Annotated[str, typer.Option(help="HOST:PORT, as the services reach it.")] = "postgres:5432",
    nats: Annotated[str, typer.Option(help="HOST:PORT, as the services reach it.")] = "nats:4222",
    rotate: Annotated[Rotatable | None, typer.Option(help="Take the next step of replacing it first.")] = None,
) -> None:
    """Make the secrets of a deployment with Docker or Kubernetes, one file each; what exists is kept."""
    if rotate is not None:
        say(secret_files.rotate(directory, rotate))
    changed = secret_files.write(directory, postgres=_endpoint(postgres), nats=_endpoint(nats))
    say(f"{changed} files written below {directory}; keep {directory / secret_files.CREDENTIALS}, all follow from it.")


def _endpoint(address: str) -> Endpoint:
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()):
        raise typer.BadParameter(f"{address} is not HOST:PORT")
    return Endpoint(host, int(port))


@app.command("check")
def check_command() -> None:
    """Run every static check: ruff, mypy, import-linter."""
    raise typer.Exit(checks.check())


_CLOCK = typer.Option(help=f"Move the clock of all processes: {', '.join(CLOCKS)}, or `{EACH}`, one after another.")


@app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run_tests(context: typer.Context, clock: Annotated[str | None, _CLOCK] = None) -> None:
    """Get what the tests need, then run pytest with the given arguments."""
    if clock not in {None, EACH, *CLOCKS}:
        raise typer.BadParameter(f"{clock} is none of {', '.join(CLOCKS)}, {EACH}")
    asyncio.run(checks.prepare_tests())
    try:
        if clock == EACH:
            raise typer.Exit(checks.pytest_by_each_clock(context.args))
        checks.become_pytest(context.args, clock)
    except NoMovedClock as problem:
        complain(str(problem))
        raise typer.Exit(1) from None


def main() -> None:
    """Run the command line."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app(prog_name="./leadwire")
    except PermissionError as error:
        complain(f"{error.filename} belongs to another user: run as that user, or with another --state-dir.")
        sys.exit(1)

"""Looking at dead letters, applying one after all, and throwing one away: what `leadwire dead` does.

Works with NATS alone, as its user `operator`; applying is the active notifier's business, which is asked for it.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from nats.aio.client import Client
from nats.errors import Error, NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from contracts import streams, subjects
from contracts.dead import (
    CAUSE_HEADER,
    COMPANY_HEADER,
    EVENT_HEADER,
    POSITION_HEADER,
    STACK_HEADER,
    SUBJECT_HEADER,
)
from contracts.push import compact_json
from notifier.retries import APPLIED, REPEATED
from runtime import broker

PATIENCE: Final = 20.0  # seconds

Action: TypeAlias = Literal["list", "show", "retry", "drop"]
Write: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Command:
    """What the operator wants."""

    action: Action
    sequences: tuple[int, ...] = ()
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """One message of the stream `DEAD`."""

    sequence: int
    time: str
    headers: Mapping[str, str]
    body: bytes


def parse(arguments: Sequence[str]) -> Command | None:
    """Return the command, or None when there is none such."""
    match arguments:
        case ["list"]:
            return Command("list")
        case ["list", "--json"]:
            return Command("list", as_json=True)
        case ["show" | "retry" | "drop" as action, *rest] if rest and all(text.isdecimal() for text in rest):
            return Command(action, tuple(map(int, rest)))
    return None


async def run(command: Command, nats_url: str, *, write: Write) -> int:
    """Do it, and return the exit code: 1 when something did not go as wanted.

    Args:
        command: what to do.
        nats_url: the address as `operator`.
        write: takes the lines of the answer.
    """
    async with _connected(nats_url) as client:
        js = client.jetstream()
        match command:
            case Command("list", as_json=as_json):
                write(_listing([letter async for letter in letters(js)], as_json=as_json))
                return 0
            case Command("show"):
                outcomes = [await _show(js, sequence, write) for sequence in command.sequences]
            case Command("retry"):
                outcomes = [await _retry(client, sequence, write) for sequence in command.sequences]
            case _:
                outcomes = [await _drop(js, sequence, write) for sequence in command.sequences]
    return 0 if all(outcomes) else 1


async def letters(js: JetStreamContext) -> AsyncIterator[Kept]:
    """Yield the notifier's dead letters, oldest first."""
    sequence = 0
    while (letter := await _get(js, sequence + 1, following=True)) is not None:
        sequence = letter.sequence
        yield letter


async def retry(client: Client, sequence: int) -> tuple[str, str]:
    """Ask the active notifier to apply a dead letter; return the outcome and, if it fails, the cause."""
    request = compact_json({"sequence": sequence}).encode()
    try:
        answer = json.loads((await client.request(subjects.RETRY, request, timeout=PATIENCE)).data)
    except NoRespondersError:
        return "no notifier is active: try again", ""
    except (Error, TimeoutError) as error:
        return "no answer: it may have been applied; try again", type(error).__name__
    return answer["outcome"], answer["cause"]


async def drop(js: JetStreamContext, sequence: int) -> bool:
    """Throw a dead letter away, and return whether there was one."""
    if await _get(js, sequence) is None:
        return False
    return await js.delete_msg(streams.DEAD, sequence)


async def _get(js: JetStreamContext, sequence: int, *, following: bool = False) -> Kept | None:
    try:
        subject = subjects.dead(streams.NOTIFIER)
        message = await js.get_msg(streams.DEAD, sequence, subject if following else None, direct=True, next=following)
    except NotFoundError:
        return None
    assert message.seq is not None
    assert message.time is not None
    if message.subject != subjects.dead(streams.NOTIFIER):
        return None
    return Kept(message.seq, message.time.isoformat(timespec="seconds"), message.headers or {}, message.data or b"")


def _listing(found: Sequence[Kept], *, as_json: bool) -> str:
    if as_json:
        return json.dumps([_fields(letter) for letter in found], indent=2)
    if not found:
        return "There are no dead letters."
    rows = [("SEQUENCE", "TIME", "EVENT", "COMPANY", "POSITION", "CAUSE"), *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows)


def _row(letter: Kept) -> tuple[str, ...]:
    header = letter.headers.get
    place = (header(COMPANY_HEADER, "-"), header(POSITION_HEADER, "-"))
    return (str(letter.sequence), letter.time, header(EVENT_HEADER, "-"), *place, header(CAUSE_HEADER, ""))


def _fields(letter: Kept) -> dict[str, Any]:
    return {"sequence": letter.sequence, "time": letter.time, "headers": dict(letter.headers)}


async def _show(js: JetStreamContext, sequence: int, write: Write) -> bool:
    letter = await _get(js, sequence)
    if letter is None:
        write(f"{sequence}: is not there")
        return False
    stack = letter.headers.get(STACK_HEADER, "")
    write(f"{letter.sequence}  {letter.time}  {letter.headers.get(SUBJECT_HEADER, '')}")
    write("\n".join(f"  {name}: {value}" for name, value in letter.headers.items() if name != STACK_HEADER))
    if stack:
        write("  " + STACK_HEADER + ":\n" + "\n".join(f"    {frame}" for frame in stack.split(" | ")))
    write(f"\n{letter.body.decode(errors='backslashreplace')}")
    return True


async def _retry(client: Client, sequence: int, write: Write) -> bool:
    outcome, cause = await retry(client, sequence)
    write(f"{sequence}: {outcome}" + (f" ({cause})" if cause else ""))
    return outcome in {APPLIED, REPEATED}


async def _drop(js: JetStreamContext, sequence: int, write: Write) -> bool:
    dropped = await drop(js, sequence)
    write(f"{sequence}: {'dropped' if dropped else 'is not there'}")
    return dropped


@asynccontextmanager
async def _connected(nats_url: str) -> AsyncIterator[Client]:
    client = await broker.connect(nats_url, "leadwire dead")
    try:
        yield client
    finally:
        await broker.close(client)

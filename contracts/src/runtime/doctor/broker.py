"""What a NATS user can see of the streams, and whether it may do what it needs and nothing else."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum
from typing import Final

from nats.aio.client import Client
from nats.errors import Error, NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, ConsumerInfo, DiscardPolicy, RePublish, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError

from contracts import streams
from runtime import broker
from runtime.doctor import clocks
from runtime.doctor.findings import MIGRATE, Report, Severity

Problem = tuple[Severity, str, str]
Look = Callable[[JetStreamContext, str, str], Awaitable[ConsumerInfo]]
"""(JetStream, stream, consumer) → how the consumer is."""

_RUNBOOK: Final = "docs/operations/failures.md#nats"
_OLDEST: Final = (2, 11)  # of nats-server: messages of STATE end by themselves
_PATIENCE: Final = 3  # seconds for each answer
_LOOKS: Final = 3
_BETWEEN: Final = 0.1  # seconds
_FULL: Final = 0.9
_LAG: Final = 1000  # messages; what a burst leaves behind for a moment
_EXPECTED_STREAM: Final = "Nats-Expected-Stream"
_NOWHERE: Final = {_EXPECTED_STREAM: "doctor"}
"""Headers with which no stream stores a message: there is none of this name."""


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What to try as a user. Nothing tried here is stored, heard by anybody or changes anything."""

    store: tuple[str, ...] = ()
    """Subjects of streams. The user must be allowed to publish there, and the stream must answer."""
    publish: tuple[str, ...] = ()
    hear: tuple[str, ...] = ()
    never_publish: tuple[str, ...] = ()
    never_hear: tuple[str, ...] = ()


@dataclass(slots=True)
class Session:
    """A connection, and what the server has refused on it."""

    client: Client
    refusals: list[str] = field(default_factory=list)

    async def refused(self, subject: str) -> bool:
        """Whether the server refused what was last done with a subject."""
        await broker.barrier(self.client, timeout=_PATIENCE)
        return any(f'"{subject.lower()}"' in refusal for refusal in self.refusals)


@contextlib.asynccontextmanager
async def connected(report: Report, url: str, process: str) -> AsyncIterator[Session | None]:
    """Connect once, and report when that fails: then it is None."""
    refusals: list[str] = []

    async def on_error(error: Exception) -> None:
        refusals.append(str(error).lower())

    options = broker.connection_options(url, f"{process} doctor")
    options |= {"inbox_prefix": options["inbox_prefix"].encode(), "connect_timeout": _PATIENCE}
    options |= {"allow_reconnect": False, "max_reconnect_attempts": 1}  # below 0 it would try for ever
    client = Client()
    try:
        await asyncio.wait_for(client.connect(**options, error_cb=on_error), 3 * _PATIENCE)
    except (Error, OSError, TimeoutError) as error:
        reason = str(error).removeprefix("nats: ").strip("'") or type(error).__name__
        report.fail("nats", f"cannot connect: {reason}", _RUNBOOK)
        await _close(client)
        yield None
        return
    try:
        server = client.connected_server_version
        version = f"{server.major}.{server.minor}.{server.patch}"
        is_old = (server.major, server.minor) < _OLDEST
        report.settle(
            "versions",
            [("error", f"nats-server {version} is too old", "upgrade NATS")] if is_old else [],
            f"nats-server {version}",
        )
        yield Session(client, refusals)
    finally:
        await _close(client)


async def _close(client: Client) -> None:
    with contextlib.suppress(Error, OSError):
        await client.close()


async def examine_clock(report: Report, session: Session, question: str, clock: Callable[[], datetime]) -> None:
    """Report whether NATS' clock is ours; `question` is a request of the JetStream API that this user may make."""
    before = clock()
    try:
        answer = json.loads((await session.client.request(question, b"", timeout=_PATIENCE)).data)
        theirs = datetime.fromisoformat(_microseconds(answer["ts"]))
    except (Error, TimeoutError, KeyError, ValueError):
        return  # whoever asks for the stream or consumer itself says what is wrong
    clocks.examine(report, "NATS", clocks.Reading(before, theirs, clock()))


async def examine_streams(
    report: Report, session: Session, names: Sequence[str], *, replicas: int | None = None
) -> None:
    """Report whether streams are as declared, how full they are, and how their servers are.

    Args:
        report: where to.
        session: of a user who may ask for them.
        names: which.
        replicas: how many each has; None: this process does not know.
    """
    js = session.client.jetstream(timeout=_PATIENCE)
    for declared in streams.STREAMS:
        name = declared.name or ""
        if name not in names:
            continue
        try:
            info = await js.stream_info(name)
        except NotFoundError:
            report.fail("streams", f"{name} does not exist", MIGRATE)
            continue
        except (Error, APIError, TimeoutError) as error:
            report.fail("streams", f"{name}: no answer ({type(error).__name__})", _RUNBOOK)
            continue
        filled = info.state.bytes / (declared.max_bytes or 1)
        problems = [*_drift(name, declared, info.config), *_fill(name, info, filled), *_servers(name, info)]
        if replicas is not None and info.config.num_replicas != replicas:
            problems.append(("error", f"{name} is on {info.config.num_replicas} servers, not on {replicas}", MIGRATE))
        if name == streams.DEAD and info.state.messages:
            dead = f"{info.state.messages} dead letters wait for somebody"
            problems.append(("warning", dead, "./leadwire dead list"))
        report.settle("streams", problems, f"{name}: {info.state.messages} messages, {filled:.0%} full")


async def asking(js: JetStreamContext, stream: str, name: str) -> ConsumerInfo:
    """Return how a consumer is, by asking for it."""
    info: ConsumerInfo = await js.consumer_info(stream, name)
    return info


async def listing(js: JetStreamContext, stream: str, name: str) -> ConsumerInfo:
    """Return how a consumer is, from the list of all consumers of its stream.

    Raises:
        nats.js.errors.NotFoundError: the stream or the consumer does not exist.
    """
    seen = 0
    while page := await js.consumers_info(stream, seen):
        for info in page:
            if info.name == name:
                return info
        seen += len(page)
    raise NotFoundError


async def examine_consumers(
    report: Report,
    session: Session,
    consumers: Sequence[tuple[str, ConsumerConfig]],
    *,
    ours: bool = True,
    look: Look = asking,
) -> None:
    """Report whether durable consumers are as declared, and whether somebody reads.

    Args:
        report: where to.
        session: of a user who may ask for them.
        consumers: (stream, consumer).
        ours: of another service's it is not our business whether it runs.
        look: `asking` for one that reads the consumer, `listing` for one that may list all of a stream.
    """
    js = session.client.jetstream(timeout=_PATIENCE)
    for stream, declared in consumers:
        name = declared.durable_name or ""
        try:
            info = await _consumer(look, js, stream, name)
        except NotFoundError:
            report.fail("consumers", f"{name} of {stream} does not exist", MIGRATE)
            continue
        except (Error, APIError, TimeoutError) as error:
            report.fail("consumers", f"{name} of {stream}: no answer ({type(error).__name__})", _RUNBOOK)
            continue
        waiting = (info.num_pending or 0) + (info.num_ack_pending or 0)
        problems = [*_drift(name, declared, info.config), *_reading(name, info, waiting, ours=ours)]
        report.settle("consumers", problems, f"{name}: {waiting} messages wait")


async def _consumer(look: Look, js: JetStreamContext, stream: str, name: str) -> ConsumerInfo:
    """Return how a consumer is; between two of its requests nobody seems to read it, so that it is asked again."""
    info = await look(js, stream, name)
    for _ in range(_LOOKS):
        if info.num_waiting or info.num_ack_pending:
            break
        await asyncio.sleep(_BETWEEN)
        info = await look(js, stream, name)
    return info


async def examine_rights(report: Report, session: Session, rights: Rights) -> None:
    """Report what the user may not do though it must, and what it may though it must not."""
    problems: list[Problem] = []
    for subject in rights.store:
        problems += await _storing(session, subject)
    for subject in (*rights.publish, *rights.never_publish):
        await session.client.publish(subject, b"", headers=dict(_NOWHERE))
        problems += _judged(
            "publish to", subject, is_refused=await session.refused(subject), is_needed=subject in rights.publish
        )
    for subject in (*rights.hear, *rights.never_hear):
        subscription = await session.client.subscribe(subject)
        is_refused = await session.refused(subject)
        with contextlib.suppress(Error):
            await subscription.unsubscribe()
        problems += _judged("hear", subject, is_refused=is_refused, is_needed=subject in rights.hear)
    report.settle("permissions", problems, "the NATS user may do what it must, and nothing of what was tried besides")


async def _storing(session: Session, subject: str) -> list[Problem]:
    """Return why a stream cannot be reached on a subject; it answers, and stores nothing."""
    try:
        await session.client.request(subject, b"", timeout=_PATIENCE, headers=dict(_NOWHERE))
    except NoRespondersError:
        fix = f"{MIGRATE}; deploy/nats/nats.conf, then reload NATS"
        return [("error", f"no stream answers on {subject}: it does not exist, or the account does not import it", fix)]
    except (Error, TimeoutError):
        if await session.refused(subject):
            return _judged("publish to", subject, is_refused=True, is_needed=True)
        return [("error", f"no answer on {subject}", _RUNBOOK)]
    return []


def _judged(deed: str, subject: str, *, is_refused: bool, is_needed: bool) -> list[Problem]:
    if is_refused != is_needed:
        return []
    verb = "may not" if is_refused else "may"
    return [("error", f"the NATS user {verb} {deed} {subject}", "deploy/nats/nats.conf, then reload NATS")]


def _drift(name: str, declared: StreamConfig | ConsumerConfig, found: StreamConfig | ConsumerConfig) -> list[Problem]:
    """Return where the server's configuration is not what is declared; what is not declared is the server's choice."""
    different = [
        f"{it.name} is {_word(getattr(found, it.name))}, not {_word(getattr(declared, it.name))}"
        for it in fields(declared)
        if getattr(declared, it.name) is not None and it.name != "num_replicas"
        if _plain(getattr(found, it.name)) != _plain(getattr(declared, it.name))
    ]
    return [("error", f"{name}: {', '.join(different)}", MIGRATE)] if different else []


def _plain(value: object) -> object:
    """Return a value so that what the server leaves out is equal to its zero."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value) or None
    if isinstance(value, RePublish):
        return value.src, value.dest, bool(value.headers_only)
    return value or None


def _word(value: object) -> str:
    plain = _plain(value)
    return " → ".join(map(str, plain[:2])) if isinstance(plain, tuple) else str(plain)


def _fill(name: str, info: StreamInfo, filled: float) -> list[Problem]:
    if filled < _FULL:
        return []
    if info.config.discard == DiscardPolicy.NEW:
        return [("error", f"{name} is {filled:.0%} full: it will take nothing more", "docs/capacity.md#disk")]
    what = f"{name} is {filled:.0%} full: what is older than its bytes hold goes before its time"
    return [("warning", what, "docs/capacity.md#disk")]


def _servers(name: str, info: StreamInfo) -> list[Problem]:
    if info.cluster is None:
        return []
    found: list[Problem] = []
    if not info.cluster.leader:
        found.append(("error", f"{name} has no leader", _RUNBOOK))
    for replica in info.cluster.replicas or []:
        if replica.offline:
            found.append(("error", f"{name}: the server {replica.name} is away", _RUNBOOK))
        elif not replica.current:
            found.append(("warning", f"{name}: the server {replica.name} is behind by {replica.lag}", _RUNBOOK))
    return found


def _reading(name: str, info: ConsumerInfo, waiting: int, *, ours: bool) -> list[Problem]:
    found: list[Problem] = []
    if info.paused:
        found.append(("error", f"{name} is paused for {info.pause_remaining}", f"nats consumer resume … {name}"))
    if not ours:
        return found
    if not info.num_waiting and not info.num_ack_pending:
        found.append(("error", f"nobody reads {name}", "start the process that does: docs/operations/incidents.md"))
    if waiting > _LAG:
        found.append(
            ("warning", f"{name} is {waiting} messages behind", "docs/operations/incidents.md#screens-are-late")
        )
    return found


def _microseconds(text: str) -> str:
    """Return a time that Python 3.11 reads: Go writes as many digits as it needs."""
    seconds, _, rest = text.rstrip("Z").partition(".")
    return f"{seconds}.{rest[:6]:0<6}+00:00"

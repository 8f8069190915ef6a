"""Ties the rooms to NATS by interest: one subscription for each channel that has listeners here, and no other.

While NATS is away, sockets stay open and subscriptions wait: they are answered as soon as it is back. What the stream
stored meanwhile is fetched from it, and given to the listeners before anything newer.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error
from nats.js.api import StreamInfo
from nats.js.errors import NotFoundError

from contracts import streams, subjects
from contracts.push import (
    CONTROL_HEADER,
    CORRELATION_HEADER,
    EXCEPT_SOCKET_HEADER,
    MESSAGE_ID_HEADER,
    PREDECESSOR_HEADER,
    SEND_BACK,
    SEQUENCE_HEADER,
    TERMINATE,
    TRACE_HEADER,
    Push,
    Termination,
)
from gateway import epoch, metrics, wire
from gateway.cache import Cache
from gateway.checkup import PERIOD, Checkup
from gateway.followers import Followers
from gateway.hub import Hub, Room, counts
from gateway.memory import Memory
from gateway.pusher.effects import Relay
from gateway.pusher.refusals import Unavailable
from gateway.replays import Replays
from gateway.tail import Tail, Verdict
from gateway.wards import Moment, Wards
from gateway.window import Bounds
from runtime import broker, direct, tracing
from runtime.broker import Outgoing, PublishFailed
from runtime.live import LiveClient
from runtime.server.admin import Check
from runtime.stream_health import STORAGE, StoreHealth, StreamHealth, ignore
from runtime.tasks import together
from runtime.tracing import Span

LINGER: Final = 5.0  # seconds a channel without listeners stays subscribed: a page reload costs NATS nothing
AWAY: Final = 0.05  # seconds between looks whether NATS is back
FILLERS: Final = 16  # channels that fetch at once what they missed, or their last event
STORED_AT: Final = "Nats-Time-Stamp"  # of a message from a stream, RFC 3339
NO_HEADERS: Final[Mapping[str, str]] = {}
_ORDERS: Final = frozenset({TERMINATE, SEND_BACK})
NO_BOUNDS: Final = Bounds()

_log = structlog.stdlib.get_logger("gateway.bus")
_level = logging.getLogger("gateway.bus")  # asked for each push: structlog's own answer costs twenty times as much


class Closing(Protocol):
    """Closes connections, named by their socket ids."""

    def send_away(self, socket_ids: Sequence[str], returns: bool) -> None:
        """Because an application wants it; `returns` says whether their clients come back at once."""

    def send_back(self, socket_ids: Sequence[str]) -> None:
        """Because nobody knows whether an application wants it; their clients are authorised afresh."""


class Bus:
    """The gateway's side of NATS. All subscribing and unsubscribing is done by one task, `run`."""

    def __init__(
        self,
        url: str,
        *,
        connections: Closing,
        memory: Memory,
        linger: float = LINGER,
        check: float = PERIOD,
        bounds: Bounds = NO_BOUNDS,
    ) -> None:
        """Prepare; `run` connects.

        Args:
            url: of NATS, with user and password.
            connections: closes those that nobody may have any more.
            memory: is told of each push that is given to listeners.
            linger: seconds a channel without listeners stays subscribed.
            check: seconds between two looks whether a channel misses its end.
            bounds: of a replay.
        """
        self._url = url
        self._connections = connections
        self._memory = memory
        self._linger = linger
        self._bounds = bounds
        self._nats: Client | None = None
        self._rooms: dict[str, Room] = {}
        self._subscriptions: dict[Room, Subscription] = {}
        self._wanted: dict[Room, None] = {}  # in order; nobody twice
        self._expired: dict[Room, None] = {}  # likewise
        self._lingering: dict[Room, asyncio.TimerHandle] = {}
        self._changed = asyncio.Event()
        self._tails: dict[Room, Tail[Msg]] = {}
        self._fillers: dict[Room, asyncio.Task[None]] = {}
        self._searches: dict[Room, asyncio.Task[None]] = {}
        self._filler_turn = asyncio.Semaphore(FILLERS)
        self._replays = Replays(self, bounds)
        clock = asyncio.get_running_loop().time
        self._health = StreamHealth(
            streams=(streams.PUSH, streams.STATE, streams.WEBHOOKS),
            consumers={(streams.WEBHOOKS, streams.SENDER): ignore},
            clock=clock,
        )
        self._storage = StoreHealth(subjects.PUSH_PROBE)
        self._checkup = Checkup(self._tails, self._begin_fill, self._doubt, self._replays.sweep, period=check)

    @property
    def connected(self) -> bool:
        """Whether NATS answers."""
        return self._nats is not None and self._nats.is_connected

    @property
    def epoch(self) -> str:
        """Which stream the offsets are of."""
        return self._checkup.epoch.value

    def moment(self, at: float) -> Moment:
        """Return when a connection is established: now, and the stream's last number that is known.

        Args:
            at: seconds since 1970.
        """
        return Moment(at, self.epoch, self._checkup.last)

    def checks(self) -> dict[str, Check]:
        """Return what readiness asks of NATS."""
        return {**self._health.checks(), STORAGE: self._storage.check}

    def doubt_storage(self) -> None:
        """Find out whether anything can be stored: something else could not be."""
        self._storage.failed()

    def acquire(self, room: Room) -> None:
        self._expired.pop(room, None)
        lingering = self._lingering.pop(room, None)
        if lingering is not None:
            lingering.cancel()
        elif room not in self._subscriptions:
            self._wanted[room] = None
            self._changed.set()

    def release(self, room: Room) -> None:
        self._lingering[room] = asyncio.get_running_loop().call_later(self._linger, self._expire, room)

    def guard(self, room: Room) -> None:
        tail, under_way, wards = self._tails.get(room), self._searches.get(room), room.wards
        assert wards is not None
        if tail is None or not (under_way is None or under_way.done()):
            return  # as soon as the room opens; soon
        if wards.unread(self.epoch) is None:
            self._settle(room, wards)
        else:
            search = self._searches[room] = asyncio.create_task(self._search(room, tail))
            search.add_done_callback(lambda done: self._searches.get(room) is done and self._searches.pop(room))

    def follow(self, room: Room) -> Followers:
        return Followers(
            room,
            heard=self._tails[room],
            epoch=self._checkup.epoch,
            bounds=self._bounds,
            replay=lambda: self._replays.request(room),
        )

    async def store(self, pushes: Sequence[Push | Termination]) -> None:
        """Store pushes in order; the stream hands them to every gateway with listeners.

        Raises:
            Unavailable: not all were stored.
        """
        if self._nats is None or not self.connected:
            raise Unavailable("The message broker is not reachable; try again")
        window = [Outgoing(push.subject, push.body, push.headers) for push in pushes]
        try:
            await broker.publish_window(self._nats.jetstream(), window)
        except PublishFailed as error:
            _log.warning("push not stored", reason=str(error))
            self._storage.failed()
            raise Unavailable("The message broker did not confirm the event; try again") from error

    async def relay(self, event: Relay) -> None:
        """Publish a client's event to every gateway with listeners; nothing stores it.

        Raises:
            Unavailable: it is lost.
        """
        if self._nats is None or not self.connected:
            raise Unavailable("The message broker is not reachable")
        subject = subjects.live(event.app_id, event.channel)
        try:
            await self._nats.publish(subject, event.frame, headers={EXCEPT_SOCKET_HEADER: event.sender})
        except (Error, OSError) as error:
            raise Unavailable(f"The message broker did not take it: {type(error).__name__}") from error

    async def run(self, hub: Hub) -> None:
        """Connect, then keep NATS's subscriptions equal to the rooms with listeners, until cancelled."""
        self._nats = nats = await broker.connect(self._url, "gateway", on_return=self._checkup.came_back)
        try:
            await together(self._work(nats, hub), broker.tend(nats, streams.PUSH))
        finally:
            self._replays.close()
            for task in (*self._fillers.values(), *self._searches.values()):
                task.cancel()
            await broker.close(nats)

    async def _work(self, nats: LiveClient, hub: Hub) -> None:
        await nats.subscribe(epoch.LIVE, cb=self._checkup.on_epoch)
        await self._checkup.confirm(nats)
        await self._checkup.agree(nats)
        await together(
            self._keep_subscribed(nats, hub),
            self._checkup.run(nats),
            self._health.run(nats),
            self._storage.run(nats),
        )

    async def _keep_subscribed(self, nats: LiveClient, hub: Hub) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._unsubscribe(hub)
            await self._subscribe(nats)

    async def _unsubscribe(self, hub: Hub) -> None:
        expired, self._expired = self._expired, {}
        for room in expired:
            if not hub.forget(room):
                continue
            if room in self._wanted:  # NATS was away for as long as anybody listened
                del self._wanted[room]
            else:
                del self._rooms[subjects.live(room.app_id, room.channel)]
                del self._tails[room]
                await self._subscriptions.pop(room).unsubscribe()

    async def _subscribe(self, nats: LiveClient) -> None:
        wanted, self._wanted = self._wanted, {}
        if not wanted:
            return
        for room in wanted:
            subject = subjects.live(room.app_id, room.channel)
            self._rooms[subject] = room
            self._subscriptions[room] = await nats.listen(subject, self._deliver)
        last = await self._checkup.confirm(nats)
        for room in wanted:
            tail: Tail[Msg] = Tail(last)  # what is newer comes to us; what is older belongs to nobody here
            self._tails[room] = tail
            if room.cache is None:
                tail.fill(last)
                room.open()
            else:
                tail.filling = True
                self._fetch(room, self._recall(room, tail, room.cache))
            if room.wards is not None:
                self.guard(room)

    # For replays.

    def history(self, app_id: str, channel: str, *, after: int, until: int | None = None) -> AsyncIterator[Msg]:
        assert self._nats is not None
        return direct.read(self._nats, streams.PUSH, subjects.push(app_id, channel), after=after, until=until)

    async def look(self) -> StreamInfo:
        assert self._nats is not None
        return await self._checkup.look(self._nats)

    async def reach(self, room: Room, last: int) -> None:
        tail, epoch = self._tails.get(room), self.epoch
        if tail is None:
            return
        if tail.filling:
            await asyncio.wait([self._begin_fill(room, tail)])  # it may have begun too early
        await asyncio.wait([self._begin_fill(room, tail)])
        if self.epoch == epoch:
            tail.reach(last)

    # What is missing.

    def _begin_fill(self, room: Room, tail: Tail[Msg]) -> asyncio.Task[None]:
        if not tail.filling:
            tail.filling = True
            self._fetch(room, self._fill(room, tail))
        return self._fillers[room]

    def _fetch(self, room: Room, work: Coroutine[None, None, None]) -> None:
        filler = self._fillers[room] = asyncio.create_task(work)
        filler.add_done_callback(lambda done: self._fillers.get(room) is done and self._fillers.pop(room))

    async def _recall(self, room: Room, tail: Tail[Msg], cache: Cache) -> None:
        """Open a cache channel's room at its last stored event; what comes live meanwhile is held and follows it."""
        assert self._nats is not None
        subject = subjects.push(room.app_id, room.channel)
        heard = tail.sequence
        async with self._filler_turn:
            while self._tails.get(room) is tail:
                try:
                    found = await self._nats.jetstream().get_msg(streams.PUSH, subject=subject, direct=True)
                except NotFoundError:
                    break
                except (Error, OSError, TimeoutError):  # away again: as long as it takes
                    await asyncio.sleep(AWAY)
                    continue
                assert found.seq is not None
                tail.fill(found.seq)
                tail.reach(heard)
                _keep(cache, wire.text(found.data or b""), found.headers or NO_HEADERS)
                break
        if self._tails.get(room) is tail:
            room.open()
            self._release(room, tail)

    async def _fill(self, room: Room, tail: Tail[Msg]) -> None:
        """Give the listeners what the stream has after the last message they heard, then what was held."""
        assert self._nats is not None
        started_at = tail.sequence
        async with self._filler_turn:
            while self._tails.get(room) is tail:
                try:
                    found = await self._nats.jetstream().get_msg(
                        streams.PUSH,
                        tail.sequence + 1,
                        subjects.push(room.app_id, room.channel),
                        direct=True,
                        next=True,
                    )
                except NotFoundError:
                    break
                except (Error, OSError, TimeoutError):  # away again: as long as it takes
                    await asyncio.sleep(AWAY)
                    continue
                assert found.seq is not None
                tail.fill(found.seq)
                metrics.FILLED.inc()
                self._give(room, found.data or b"", found.headers or NO_HEADERS)
        if not counts(room.channel):
            await self._doubt_after(room, tail, started_at)
        _log.info("caught up", app=room.app_id, channel=room.channel, after=started_at, until=tail.sequence)
        self._release(room, tail)

    async def _doubt_after(self, room: Room, tail: Tail[Msg], started_at: int) -> None:
        """Find out whether the stream still had everything that a user's channel missed after a number."""
        assert self._nats is not None
        while self._tails.get(room) is tail:
            try:
                await self._checkup.look(self._nats)
            except (Error, OSError, TimeoutError):
                await asyncio.sleep(AWAY)
                continue
            if started_at < self._checkup.whole_after:
                self._doubt(room)
            return

    async def _search(self, room: Room, tail: Tail[Msg]) -> None:
        """Find the orders from before the room opened: let those in whom none concerns, and close the others."""
        wards = room.wards
        assert wards is not None
        while self._tails.get(room) is tail and wards.waiting:
            epoch = self.epoch
            after = wards.unread(epoch)
            if after is not None:
                try:
                    async with self._filler_turn:
                        await self._read_orders(room, wards, after)
                except (Error, OSError, TimeoutError):  # away again: as long as it takes
                    await asyncio.sleep(AWAY)
                    continue
                if self.epoch != epoch:
                    continue
                wards.know(epoch, max(after, self._checkup.whole_after))
            self._settle(room, wards)

    async def _read_orders(self, room: Room, wards: Wards, after: int) -> None:
        """Take note of the orders that the stream has after a number.

        The leader of the stream says whether there are any messages at all; those are read from any replica, which may
        lag behind.

        Raises:
            nats.errors.Error, OSError: no answer, or not from a replica that has everything.
        """
        assert self._nats is not None
        subject = subjects.push(room.app_id, room.channel)
        state = (await self._checkup.look(self._nats, subject)).state
        if not (state.subjects or {}).get(subject):
            return
        last = 0
        async for message in direct.snapshot(
            self._nats, streams.PUSH, subject, witness=subject, at_least=state.last_seq
        ):
            last = direct.sequence(message)
        if last <= after:
            return
        read = 0
        async for message in direct.read(self._nats, streams.PUSH, subject, after=after):
            read = direct.sequence(message)
            headers = message.headers or NO_HEADERS
            if (order := headers.get(CONTROL_HEADER)) in _ORDERS:
                wards.order(_time(headers[STORED_AT]), returns=order == SEND_BACK)
        if read < last:
            raise direct.Behind(f"{streams.PUSH}: {read} of {last}")

    def _settle(self, room: Room, wards: Wards) -> None:
        """Let those in whom no order concerns, and close the others: nobody listens before that is known."""
        self._send_away(room, wards.overdue(), returns=wards.returns)
        for admit in wards.settled():
            admit()
        self._return(room, wards.undecidable())

    def _doubt(self, room: Room) -> None:
        """Close everybody whose connection a lost order may have concerned."""
        if room.wards is not None:
            room.wards.forget()
        self._return(room, room.sockets())

    def _return(self, room: Room, sockets: Sequence[str]) -> None:
        if sockets:
            self._connections.send_back(sockets)
            _log.warning("authorization cannot be verified", app=room.app_id, connections=len(sockets))

    def _release(self, room: Room, tail: Tail[Msg]) -> None:
        for message in tail.release():
            self._take(room, tail, message)

    def _deliver(self, message: Msg) -> None:
        room = self._rooms.get(message.subject)
        tail = self._tails.get(room) if room is not None else None
        if room is not None and tail is not None:
            self._take(room, tail, message)

    def _take(self, room: Room, tail: Tail[Msg], message: Msg) -> None:
        headers = message.headers or NO_HEADERS
        stored = headers.get(SEQUENCE_HEADER)
        verdict = Verdict.GIVE if stored is None else tail.judge(int(stored), int(headers[PREDECESSOR_HEADER]))
        if verdict is Verdict.GIVE:
            self._give(room, message.data, headers)
        elif verdict is Verdict.HOLD:
            tail.held.append(message)
            self._begin_fill(room, tail)

    def _give(self, room: Room, frame: bytes, headers: Mapping[str, str]) -> None:
        if CONTROL_HEADER in headers:
            self._obey(room, headers)
            return
        span = self._span(headers) if tracing.is_on() else None
        encoded = wire.text(frame)
        if room.cache is not None:
            _keep(room.cache, encoded, headers)
        listeners = room.publish(encoded, headers.get(EXCEPT_SOCKET_HEADER), stored=SEQUENCE_HEADER in headers)
        if span is not None:
            span.end(
                messaging__system="nats",
                messaging__message__id=headers.get(MESSAGE_ID_HEADER),
                leadwire__channel=room.channel,
                leadwire__sockets=listeners,
                leadwire__frame_bytes=len(encoded),
            )
        metrics.PUSHES.inc()
        metrics.DELIVERIES.inc(listeners)
        message_id = headers.get(MESSAGE_ID_HEADER)
        if message_id is not None:  # clients' own events have none
            self._memory.note(message_id, headers, listeners)
        if _level.isEnabledFor(logging.INFO):
            _log.info(
                "delivered",
                app=room.app_id,
                channel=room.channel,
                event_name=_event(frame),
                listeners=listeners,
                correlation_id=headers.get(CORRELATION_HEADER),
            )

    @staticmethod
    def _span(headers: Mapping[str, str]) -> Span | None:
        """Begin the one span of a push, whatever the number of sockets; what is part of no trace begins none."""
        parent = headers.get(TRACE_HEADER)
        return None if parent is None else tracing.begin(f"{streams.PUSH} deliver", "consumer", parent)

    def _obey(self, room: Room, headers: Mapping[str, str]) -> None:
        """Carry out an order; one of a newer version means nothing here."""
        order = headers[CONTROL_HEADER]
        if order in _ORDERS:
            returns = order == SEND_BACK
            if room.wards is not None and STORED_AT in headers:
                room.wards.order(_time(headers[STORED_AT]), returns=returns)
            self._send_away(room, room.sockets(), returns=returns)

    def _send_away(self, room: Room, sockets: Sequence[str], *, returns: bool) -> None:
        if sockets:
            self._connections.send_away(sockets, returns)
            _log.info("terminated", app=room.app_id, connections=len(sockets))

    def _expire(self, room: Room) -> None:
        del self._lingering[room]
        self._expired[room] = None
        self._changed.set()


def _keep(cache: Cache, encoded: bytes, headers: Mapping[str, str]) -> None:
    """Remember a message if it is stored; clients' own events are not."""
    stored_at = headers.get(STORED_AT)
    if stored_at is not None:
        cache.keep(encoded, _time(stored_at))


def _time(stored_at: str) -> float:
    return datetime.fromisoformat(stored_at).timestamp()


def _event(frame: bytes) -> str | None:
    """Return the event's name, for the log."""
    try:
        return str(orjson.loads(frame)["event"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None

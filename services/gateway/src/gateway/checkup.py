"""Regular looks at the stream, whether it is still the same, and whether every channel has heard its end.

A message that is lost on its way shows with the next one on its channel; the last one of a channel does not. So each
channel's last message is compared with what was heard: from time to time, and whenever NATS was away.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import StreamInfo, StreamState
from nats.js.errors import NotFoundError

from contracts import streams, subjects
from gateway import epoch
from gateway.epoch import Change, Epoch
from gateway.hub import Room, counts
from gateway.tail import Tail
from runtime import direct
from runtime.broker import barrier

PERIOD: Final = 5.0  # seconds between two looks
CONFIRM: Final = 1.0  # seconds to wait for an answer of NATS before asking again
AWAY: Final = 0.05  # seconds between looks whether NATS is back
TELLINGS: Final = 4  # of a position, in the time that the stream keeps a message
_TROUBLE: Final = (Error, OSError, TimeoutError)

Tails = Mapping[Room, Tail[Msg]]
_log = structlog.stdlib.get_logger("gateway.checkup")


class Checkup:
    """The looks of one gateway."""

    def __init__(
        self,
        tails: Tails,
        fill: Callable[[Room, Tail[Msg]], object],
        doubt: Callable[[Room], None],
        sweep: Callable[[], None],
        *,
        period: float,
    ) -> None:
        """Prepare; `run` looks.

        Args:
            tails: of all channels that are listened to.
            fill: fetches what a channel misses, and gives it to the listeners.
            doubt: is told of a user's channel that may have missed an order, which the stream does not have any more.
            sweep: clears up, with each look.
            period: seconds between two looks.
        """
        self.epoch = Epoch()
        self.last = 0
        """The stream's last number when it was last looked at."""
        self.whole_after = 0
        """The stream has everything that it ever stored after this number."""
        self._doubt = doubt
        self._was_away = False
        self._deleted = 0
        self._tails = tails
        self._fill = fill
        self._sweep = sweep
        self._period = period
        self._alarm = asyncio.Event()
        self._seen = (0, 0)  # the stream's last number at the last two looks
        self._told_at = -inf

    def came_back(self) -> None:
        """Compare everything now: messages may have been missed, because the connection was lost."""
        self._was_away = True
        self._alarm.set()

    async def run(self, nats: Client) -> None:
        """Look until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._alarm.wait(), self._period)
            everything = self._alarm.is_set()
            self._alarm.clear()
            if not nats.is_connected:
                continue  # coming back raises the alarm
            try:
                if everything:
                    await self.confirm(nats)
                    await self.agree(nats)
                await self._compare(nats, everything=everything)
            except _TROUBLE as error:
                _log.info("channels not compared", reason=type(error).__name__)
                if everything:
                    self._alarm.set()
                    await asyncio.sleep(AWAY)

    async def confirm(self, nats: Client) -> int:
        """Return when NATS has surely processed everything sent before: the last number of the stream by then."""
        while True:
            if nats.is_connected:
                try:
                    await barrier(nats, timeout=CONFIRM)
                    return (await self.look(nats)).state.last_seq
                except NotFoundError:
                    return 0
                except _TROUBLE as error:
                    _log.warning("nats did not confirm subscriptions", reason=type(error).__name__)
            else:
                await asyncio.sleep(AWAY)

    async def look(self, nats: Client, subject: str | None = None) -> StreamInfo:
        """Return the stream's state; when it is another stream than before, everybody is told.

        Args:
            nats: a client.
            subject: whose messages are to be counted, in `state.subjects`; none are otherwise.

        Raises:
            nats.errors.Error, OSError: no answer.
        """
        before = self.epoch.value
        floor = self.epoch.floor(max((tail.sequence for tail in self._tails.values()), default=0))
        info = await nats.jetstream(timeout=CONFIRM).stream_info(streams.PUSH, subject)
        if self.epoch.value == before:  # otherwise another look was faster
            change = self.epoch.observe(info, floor)
            if change is not None:
                _log.warning("the stream is another one", change=change.name.lower(), epoch=self.epoch.value)
                self._begin_anew(change, info.state.last_seq)
            self._measure(info.state)
        return info

    async def agree(self, nats: Client) -> None:
        """Agree with the other gateways on the epoch, as long as it takes."""
        while True:
            try:
                newer = await epoch.settle(nats, self.epoch)
            except _TROUBLE as error:
                _log.info("epoch not settled", reason=type(error).__name__)
                await asyncio.sleep(AWAY)
                continue
            if newer and self.epoch.value:
                self._alarm.set()
            return

    async def on_epoch(self, message: Msg) -> None:
        """Hear of the epoch from another gateway."""
        if self.epoch.hear(epoch.generation(message.data)):
            self._alarm.set()

    async def _compare(self, nats: Client, *, everything: bool) -> None:
        info = await self.look(nats)
        self._doubt_those_with_a_gap()
        value, last, (before, long_before) = self.epoch.value, info.state.last_seq, self._seen
        if everything or not last == before == long_before:
            rooms = {subjects.push(room.app_id, room.channel): (room, tail) for room, tail in self._tails.items()}
            async for message in direct.last(nats, streams.PUSH, list(rooms)):
                room, tail = rooms[(message.headers or {})[direct.STREAM_SUBJECT]]
                if self._tails.get(room) is tail and direct.sequence(message) > tail.sequence:
                    self._fill(room, tail)
            if self.epoch.value != value:
                return
            for room, tail in rooms.values():
                # Up to the look before this one: the answer may have come from a replica that lags.
                if self._tails.get(room) is tail and not tail.filling:
                    tail.reach(0 if everything else before)
        self._seen = (last, 0 if everything else before)
        self._sweep()
        self._tell_positions(info.config.max_age or 0)

    def _measure(self, state: StreamState) -> None:
        """Take note of what the stream still has. Age and size delete at its beginning, and only people in between."""
        self.last, deleted = state.last_seq, state.num_deleted or 0
        self.whole_after = max(self.whole_after, state.first_seq - 1, state.last_seq if deleted > self._deleted else 0)
        self._deleted = deleted

    def _doubt_those_with_a_gap(self) -> None:
        """After the connection was lost: find the users' channels that cannot be given what they missed."""
        if not self._was_away:
            return
        self._was_away = False
        for room, tail in self._tails.items():
            if not counts(room.channel) and tail.sequence < self.whole_after:
                self._doubt(room)

    def _tell_positions(self, max_age: float) -> None:
        """Tell positions to those who heard none for long, so that they stay within what the stream keeps (seconds)."""
        now = asyncio.get_running_loop().time()
        if not max_age or now < self._told_at + max_age / TELLINGS / 2:  # as of now: an operator may shorten it
            return
        self._told_at = now
        for room in self._tails:
            if room.followers is not None:
                if not room.followers.spoke:
                    room.flush()
                    room.followers.announce()
                room.followers.spoke = False

    def _begin_anew(self, change: Change, last: int) -> None:
        """Offsets of before mean nothing any more."""
        self._seen = (0, 0)
        self.whole_after = self._deleted = 0
        for room, tail in self._tails.items():
            room.flush()
            if room.wards is not None:
                room.wards.forget()
            if self._was_away and not counts(room.channel):
                self._doubt(room)
            if change is Change.ANOTHER:
                tail.restart()
            else:
                tail.rewind(last)
            if room.followers is not None:
                room.followers.restart()
        self._alarm.set()

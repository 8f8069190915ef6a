"""Announcements made so that a killed leader's successor can finish them: written down, then stored as requests, then
noted as told. Each step may be repeated, and none is possible for a process that leads no more.
"""

from collections.abc import Callable, Sequence
from typing import Final

import structlog
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from contracts import streams, subjects
from contracts.push import MESSAGE_ID_HEADER
from gateway import metrics
from gateway.cluster.records import EXPIRY_HEADER
from gateway.pusher.app import App
from gateway.webhooks import announced, lease
from gateway.webhooks.announced import ANNOUNCING, Announcement, Story
from gateway.webhooks.request import finish, kinds_of
from runtime import direct
from runtime.broker import Outgoing, publish_window

PORTION: Final = 256  # messages stored at once
OVER_EXPIRES: Final = "60s"
FENCE_HEADER: Final = "Nats-Expected-Last-Subject-Sequence-Subject"
"""The subject that the expected sequence number is about, when it is another than the message's."""

_log = structlog.stdlib.get_logger("gateway.webhooks.journal")


class Journal:
    """One leader's turn. Everything raises `Taken` or an error of NATS; then begin anew, with another journal."""

    def __init__(
        self, nats: Client, app: Callable[[str], App | None], *, now: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        """Write nothing yet.

        Args:
            nats: a connected client.
            app: id → app.
            now: Unix time in seconds.
            new_id: makes unique text.
        """
        self._nats = nats
        self._app = app
        self._now = now
        self._new_id = new_id
        self._sequence = 0

    async def open(self, window: float) -> list[announced.Record]:
        """Shut out who wrote before, finish what it began, and return everything that was told.

        Args:
            window: seconds after which what was begun is forgotten; it will be found to be told again.
        """
        body = await self._take_over()
        standing = {
            (message.headers or {})[direct.STREAM_SUBJECT]: message.data
            async for message in direct.read(self._nats, streams.STATE, announced.PATTERN)
        }
        begun = announced.load(body) if body else None
        if begun is not None:
            missing = any(standing.get(subject, b"") != record for subject, record in begun.records.items())
            if missing and self._now() - begun.time_ms / 1000 < window:
                _log.info("finishing an announcement", stories=len(begun.stories))
                await self._finish(begun)
                standing |= begun.records
        found = (announced.parse(subject, record) for subject, record in standing.items())
        return [record for record in found if record is not None]

    async def announce(self, stories: Sequence[Story]) -> None:
        """Tell stories, in order."""
        announcement = Announcement(self._new_id(), round(self._now() * 1000), stories)
        await self._write(announcement.dump())
        await self._finish(announcement)

    async def _take_over(self) -> bytes:
        """Write the last announcement once more, so that nobody else can write after it; return it."""
        try:
            last = await self._nats.jetstream().get_msg(streams.STATE, subject=ANNOUNCING, direct=True)
        except NotFoundError:
            await self._write(b"")
            return b""
        assert last.seq is not None
        self._sequence = last.seq
        await self._write(last.data or b"")
        return last.data or b""

    async def _write(self, body: bytes) -> None:
        self._sequence = await lease.put(self._nats, ANNOUNCING, body, expected=self._sequence)

    async def _finish(self, announcement: Announcement) -> None:
        for app_id in dict.fromkeys(story.app_id for story in announcement.stories):
            await self._tell(announcement, app_id)
        fence = {streams.EXPECTED_LAST_HEADER: str(self._sequence), FENCE_HEADER: ANNOUNCING}
        over = {EXPIRY_HEADER: OVER_EXPIRES}
        await self._publish(
            [Outgoing(subject, body, fence if body else fence | over) for subject, body in announcement.records.items()]
        )

    async def _tell(self, announcement: Announcement, app_id: str) -> None:
        app = self._app(app_id)
        if app is None:
            return
        told = [story.event for story in announcement.stories if story.app_id == app_id]
        requests = finish(app, told, announcement.time_ms)
        await self._publish(
            [
                Outgoing(
                    subjects.webhook(app_id),
                    request.body,
                    {MESSAGE_ID_HEADER: f"{announcement.id}:{app_id}:{number}", **request.stored_headers},
                )
                for number, request in enumerate(requests)
            ]
        )
        for request in requests:
            metrics.count(metrics.WEBHOOKS_STORED, app_id, kinds_of(request))

    async def _publish(self, messages: Sequence[Outgoing]) -> None:
        for start in range(0, len(messages), PORTION):
            await publish_window(self._nats.jetstream(), messages[start : start + PORTION])

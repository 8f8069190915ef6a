"""A fence before the stream: what a relay sends late, after another one has gone on, is refused by the stream itself.

A relay that was frozen, or whose connection or server was, may have messages under way when another one has its lock.
The stream knows their ids for two minutes only. So each message says which sequence the stream must have reached
(header `Nats-Expected-Last-Sequence`): the relay is the only one who publishes facts, and knows.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from nats.errors import Error
from nats.js.errors import APIError

from contracts import streams
from runtime.broker import Outgoing, PublishFailed
from runtime.windows import WindowPublisher

LOOK_TIMEOUT: Final = 2.0  # seconds for the stream's last sequence


class FencedPublisher:
    """Publishes windows to `CRM` as `WindowPublisher` does, as long as nobody else publishes there."""

    def __init__(self, publisher: WindowPublisher) -> None:
        self._publisher = publisher
        self._last: int | None = None

    async def publish(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publish messages in order, and return their sequences.

        Raises:
            PublishFailed: see `WindowPublisher.publish`; `is_overtaken` says whether the stream was elsewhere.
        """
        if self._last is None:
            self._last = await self._look()
        last = self._last
        window = [
            replace(message, headers={**message.headers, streams.EXPECTED_STREAM_LAST_HEADER: str(last + place)})
            for place, message in enumerate(messages)
        ]
        self._last = None  # until we know
        sequences = await self._publisher.publish(window)
        self._last = max(last, *sequences)
        return sequences

    async def _look(self) -> int:
        try:
            js = self._publisher.client.jetstream(timeout=LOOK_TIMEOUT)
            return int((await js.stream_info(streams.CRM)).state.last_seq)
        except (Error, OSError, TimeoutError) as error:
            raise PublishFailed(0, error) from error


def is_overtaken(failure: PublishFailed) -> bool:
    """Whether a window failed because the stream has another last sequence than we thought: look, and go on."""
    cause = failure.__cause__
    return isinstance(cause, APIError) and cause.err_code == streams.WRONG_LAST_SEQUENCE

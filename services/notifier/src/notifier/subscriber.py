"""FastStream on the durable consumer of the facts, with what it does by default and we must not have switched off."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog
from faststream import AckPolicy
from faststream.message import StreamMessage
from faststream.nats import JStream, NatsBroker, PullSub
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.errors import TimeoutError as NothingArrived
from nats.js import JetStreamContext

from contracts import streams, subjects
from runtime.broker import connect

BATCH: Final = 500
WAIT: Final = 1.0  # seconds a pull request waits for a first message; longer would stall after a broker restart
RETRY: Final = 1.0  # seconds until the next pull request when the consumer does not answer

Handler = Callable[[Sequence[Msg]], Awaitable[None]]

_log = structlog.stdlib.get_logger("notifier.subscriber")


class SteadyBroker(NatsBroker):
    """FastStream on a client of ours, which never gives up; FastStream's own dies of a refused password (0.7.8)."""

    def __init__(self, url: str, **options: Any) -> None:  # noqa: ANN401 - NatsBroker's
        """Connect nowhere yet.

        Args:
            url: see `runtime.broker.connection_options`.
            options: of `NatsBroker`, other than those of its connection.
        """
        super().__init__(**options)
        self._url = url

    async def _connect(self) -> Client:
        client = await connect(self._url, "notifier", wait_if_refused=False)
        self.config.connect(client)
        return client


class FactSubscriber:
    """Hands batches of raw messages to a handler, one batch at a time, in the stream's order."""

    def __init__(self, broker: NatsBroker, *, inbox_prefix: str) -> None:
        self._handler: Handler | None = None
        self._subscriber = broker.subscriber(
            subjects.FACTS,
            durable=streams.NOTIFIER,
            # Declaring it would overwrite the configuration that the migrate step gave it.
            stream=JStream(streams.CRM, declare=False),
            # Without `batch` the messages of one request are handled concurrently.
            pull_sub=PullSub(batch_size=BATCH, timeout=WAIT, batch=True),
            # Any other policy acknowledges or terminates what fails before it reaches us.
            ack_policy=AckPolicy.MANUAL,
            decoder=_leave_encoded,
            # FastStream's own default is below no prefix that our user may subscribe to.
            inbox_prefix=f"{inbox_prefix}.".encode(),
        )
        self._subscriber(self._on_batch)

    async def start(self, handler: Handler) -> None:
        """Begin to consume.

        Raises:
            nats.errors.Error, TimeoutError: no answer from the server.
        """
        self._handler = handler
        await self._subscriber.start()
        pull = self._subscriber.subscription
        assert isinstance(pull, JetStreamContext.PullSubscription)
        self._subscriber.subscription = PromptPull(pull)  # type: ignore[assignment]  # it does what FastStream calls

    async def stop(self) -> None:
        """Wait for the batch in hand, then consume no more. Messages not handed out come again."""
        await self._subscriber.stop()

    async def _on_batch(self, messages: list[Msg]) -> None:
        assert self._handler is not None
        await self._handler(messages)


class PromptPull:
    """A pull subscription that gives what has arrived, where FastStream asks again until a batch is full.

    That asking would keep a lone fact waiting for a whole second.
    """

    def __init__(self, pull: JetStreamContext.PullSubscription) -> None:
        self._pull = pull

    async def fetch(self, batch: int, timeout: float) -> list[Msg]:  # noqa: ASYNC109 - FastStream's call
        """Return one message or more, up to a batch.

        Raises:
            nats.errors.TimeoutError: nothing came, or FastStream only wants to fill up a batch.
        """
        if batch < BATCH:
            raise NothingArrived
        try:
            return await self._pull.fetch(batch, timeout)
        except NothingArrived:
            raise
        except TimeoutError as error:  # asyncio's own: nats-py lets it escape when a busy loop is late
            raise NothingArrived from error
        except Error as error:  # the consumer is deleted, or the stream, or the connection lost
            _log.warning("nothing to consume", error=str(error) or type(error).__name__)
            await asyncio.sleep(RETRY)
            raise NothingArrived from error

    async def unsubscribe(self) -> None:
        """Receive no more."""
        await self._pull.unsubscribe()


async def _leave_encoded(message: StreamMessage[Any]) -> Any:  # noqa: ANN401 - FastStream's signature
    """Return the raw messages: what cannot be decoded must reach us, not FastStream's error handling."""
    return message.raw_message

"""How requests become messages of the stream: once, however often they are repeated."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from fastapi import Request
from structlog.contextvars import get_contextvars

from contracts.push import Push, Termination
from gateway.pusher.app import App
from gateway.pusher.refusals import Invalid
from gateway.pusher.trigger import Trigger
from runtime import tracing
from runtime.logs import CORRELATION_ID

_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class Store(Protocol):
    """Where events and orders go."""

    async def store(self, pushes: Sequence[Push | Termination]) -> None:
        """Store in order.

        Raises:
            Unavailable: not all were stored.
        """


def message_key(app: App, request: Request, new_id: Callable[[], str]) -> str:
    """Return what makes the request's events unique: repeating it with the same Idempotency-Key stores nothing twice.

    The app is part of the key, so that nobody can use up the keys of others.

    Raises:
        Invalid: the key is malformed.
    """
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return new_id()
    if not _IDEMPOTENCY_KEY.fullmatch(given):
        raise Invalid("Idempotency-Key must be 1 to 255 printable ASCII characters")
    return f"http:{app.id}:{given}"


def pushes(app: App, event: Trigger, key: str) -> list[Push]:
    """Return an event as one push for each of its channels."""
    correlation_id = get_contextvars().get(CORRELATION_ID)
    return [
        Push(
            app_id=app.id,
            channel=channel,
            event=event.name,
            data=event.data,
            key=key,
            except_socket=event.except_socket,
            correlation_id=correlation_id,
            traceparent=tracing.current(),
        )
        for channel in event.channels
    ]

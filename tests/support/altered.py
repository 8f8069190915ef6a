"""`python altered.py <alteration> …`: the real notifier with one thing altered, as a process of its own.

`kill <step> <n>`   dies, as by kill -9, the n-th time it comes to a boundary of its sequence of effects: see STEPS
`refuse <position>` has a rule that fails on the fact at this position of each feed
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from nats.js import JetStreamContext

from notifier import batches, effects, feed
from notifier.main import serve
from notifier.published import PushStream
from notifier.store import Store
from runtime.windows import WindowPublisher

Step = tuple[Any, str, bool]
"""(whose method, its name, whether the end of a call is meant rather than its beginning)"""

STEPS: dict[str, Step] = {
    "before pushes are stored": (PushStream, "publish", False),
    "in the middle of storing pushes": (WindowPublisher, "publish", False),
    "when pushes are stored": (PushStream, "publish", True),
    "before the commit": (Store, "commit", False),
    "after the commit": (Store, "commit", True),
    "when the outbox is read": (Store, "waiting", True),
    "before the outbox is emptied": (Store, "sent", False),
    "after the outbox is emptied": (Store, "sent", True),
    "before the acknowledgement": (batches, "acknowledge", False),
    "after the acknowledgement": (batches, "acknowledge", True),
    "before dead letters are stored": (effects, "publish_window", False),
    "after dead letters are stored": (effects, "publish_window", True),
    "before a job is told": (Store, "job_was_signalled", False),
    "before a dead letter is taken away": (JetStreamContext, "delete_msg", False),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(step: str, number: int) -> None:
    owner, name, at_end = STEPS[step]
    call: Callable[..., Awaitable[Any]] = getattr(owner, name)
    left = number

    def counts(arguments: tuple[Any, ...], result: Any) -> bool:
        """What does nothing is no step."""
        if name in {"publish", "publish_window"}:
            return bool(arguments[1])
        return bool(result) if name == "waiting" else True

    async def altered(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        if not at_end and counts(arguments, None):
            left -= 1
            if left == 0 and step.startswith("in the middle"):
                js, window = arguments
                await call(js, window[: (len(window) + 1) // 2])
            if left == 0:
                die()
        result = await call(*arguments, **named)
        if at_end and counts(arguments, result):
            left -= 1
            if left == 0:
                await asyncio.sleep(0)
                die()
        return result

    setattr(owner, name, altered)


def refuse(position: int) -> None:
    react = vars(feed)["react"]

    def altered(envelope: Any, app_id: str) -> Any:
        if envelope.feedposition == position:
            raise RuntimeError("a rule with a mistake")
        return react(envelope, app_id)

    setattr(feed, "react", altered)  # noqa: B010 - it is not exported


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["kill", step, number]:
            kill_at(step, int(number))
        case ["refuse", position]:
            refuse(int(position))
    sys.exit(serve.run())

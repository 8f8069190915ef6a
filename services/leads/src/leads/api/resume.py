"""What a client says it has heard of its channels, for the gateway to go on from there.

The client sends it with each authorisation, because it cannot know which channel is asked for; only the entry of that
channel is signed. Nothing of it is trusted: the gateway replays nothing but the channel that the signature is for.
"""

import json
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from leads.api.context import SOCKET_ID

MEMBER: Final = "leadwire"
"""The name of the request's field, and of what is signed into `channel_data`."""
MAX_CHANNELS: Final = 100
MAX_EXCEPT: Final = 10

ChannelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
SocketId = Annotated[str, StringConstraints(pattern=rf"^{SOCKET_ID.pattern}\z")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Position(_Strict):
    """Up to where a channel was heard."""

    epoch: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    offset: Annotated[int, Field(ge=0, lt=1 << 63)]


class Heard(_Strict):
    """All that a client remembers."""

    positions: Annotated[dict[ChannelName, Position], Field(max_length=MAX_CHANNELS)] = {}
    except_: Annotated[list[SocketId], Field(alias="except", max_length=MAX_EXCEPT)] = []
    """Socket ids it had: what excluded one of them was its own doing."""

    def of(self, channel: str) -> dict[str, Any]:
        """Return what is signed for one channel."""
        position = self.positions.get(channel)
        entry: dict[str, Any] = {} if position is None else position.model_dump()
        return entry | {"except": self.except_} if self.except_ else entry


def _decoded(value: object) -> object:
    """Return the object of a form's field, which is JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("Should be JSON") from None


HeardField = Annotated[Heard, BeforeValidator(_decoded)]

"""A WebSocket text frame from the server: never masked, never fragmented (RFC 6455 §5.2)."""

from struct import Struct
from typing import Final

_FIN_TEXT: Final = 0x81
_SHORT = Struct("!BB")
_MEDIUM = Struct("!BBH")
_LONG = Struct("!BBQ")


def text(payload: bytes) -> bytes:
    """Return the frame as it stands on the wire: the same bytes object can be written to any number of sockets."""
    size = len(payload)
    if size < 126:  # noqa: PLR2004 - the three forms of the payload length
        return _SHORT.pack(_FIN_TEXT, size) + payload
    if size < 1 << 16:
        return _MEDIUM.pack(_FIN_TEXT, 126, size) + payload
    return _LONG.pack(_FIN_TEXT, 127, size) + payload

"""A WebSocket text frame from the server: never masked, never fragmented (RFC 6455 §5.2)."""

from struct import Struct
from typing import Final

_FIN_TEXT: Final = 0x81
_COMPRESSED: Final = 0x40  # RSV1 (RFC 7692 §6)
_SHORT = Struct("!BB")
_MEDIUM = Struct("!BBH")
_LONG = Struct("!BBQ")


def text(payload: bytes, *, compressed: bool = False) -> bytes:
    """Return the frame as it stands on the wire: the same bytes object can be written to any number of sockets."""
    first = _FIN_TEXT | _COMPRESSED if compressed else _FIN_TEXT
    size = len(payload)
    if size < 126:  # noqa: PLR2004 - the three forms of the payload length
        return _SHORT.pack(first, size) + payload
    if size < 1 << 16:
        return _MEDIUM.pack(first, 126, size) + payload
    return _LONG.pack(first, 127, size) + payload


def extent(frames: bytes, at: int) -> tuple[int, int]:
    """Return where the payload of the frame at a position begins and ends."""
    size, start = frames[at + 1], at + _SHORT.size
    if size == 126:  # noqa: PLR2004
        size, start = _MEDIUM.unpack_from(frames, at)[2], at + _MEDIUM.size
    elif size == 127:  # noqa: PLR2004
        size, start = _LONG.unpack_from(frames, at)[2], at + _LONG.size
    return start, start + size

"""permessage-deflate (RFC 7692) without memory between messages: what is compressed once can be sent to any number.

A compressor for each connection would cost tens of kilobytes each and all the time of a fan-out. Here a message depends
on nothing before it, and stays as it is when compressing it would not pay.
"""

import zlib
from typing import Final

from websockets.extensions import ServerExtensionFactory
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.server import ServerProtocol

from gateway import wire

WINDOW_BITS: Final = 12  # 4 KiB of history: events are hardly longer, and a small window is quickly set up
MEMORY_LEVEL: Final = 7
LEVEL: Final = 6
WORTH_IT: Final = 256  # bytes of payload; shorter ones gain nothing
_TAIL: Final = 4  # bytes at the end of every flush, which are not sent (RFC 7692 §7.2.1)


def extensions() -> list[ServerExtensionFactory]:
    """Return what a server offers: neither side remembers anything between messages."""
    return [
        ServerPerMessageDeflateFactory(
            server_no_context_takeover=True, client_no_context_takeover=True, server_max_window_bits=WINDOW_BITS
        )
    ]


def agreed(server: ServerProtocol) -> bool:
    """Whether the client understands what `packed` returns."""
    return any(
        isinstance(extension, PerMessageDeflate) and extension.local_max_window_bits >= WINDOW_BITS
        for extension in server.extensions
    )


def packed(frames: bytes) -> bytes:
    """Return text frames as they are sent to clients that agreed; `frames` are whole, as `wire.text` makes them."""
    result = []
    at = 0
    while at < len(frames):
        start, end = wire.extent(frames, at)
        result.append(_shorter(frames[at:end], frames[start:end]))
        at = end
    return b"".join(result)


def _shorter(frame: bytes, payload: bytes) -> bytes:
    if len(payload) < WORTH_IT:
        return frame
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS, MEMORY_LEVEL)
    compressed = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    deflated = wire.text(compressed[:-_TAIL], compressed=True)
    return deflated if len(deflated) < len(frame) else frame

"""The ways out: straight to the sockets while they take everything, through a transport's buffer otherwise.

A transport's own `write` costs half a microsecond of bookkeeping for each of thousands of listeners, and merely looking
at an object of each costs a third of one, because by the next push the caches have forgotten it. The descriptors of
all listeners in one array cost next to nothing; what is left is the system call.
"""

import asyncio
import os
from array import array
from collections.abc import Collection
from typing import Final

from gateway import deflate

CLOGGED: Final[set[int]] = set()
"""Descriptors whose transport must be asked first: it may hold bytes that go before ours, or encrypts them."""


class Outlet:
    """Writes to one transport. Everything that is sent on it must go through here, or the order would be lost."""

    __slots__ = ("_encrypted", "_transport", "deflates", "descriptor")

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._encrypted = transport.get_extra_info("sslcontext") is not None
        self.deflates = False
        """Whether the client takes shared compressed frames; set before it joins anything."""
        self.descriptor: int = transport.get_extra_info("socket").fileno()
        CLOGGED.add(self.descriptor)

    @property
    def backlog(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Send bytes, or keep them until the client reads on."""
        if self._encrypted or self._transport.get_write_buffer_size():
            self._transport.write(data)
            return
        CLOGGED.discard(self.descriptor)
        try:
            sent = os.write(self.descriptor, data)
        except OSError:
            sent = 0
        if sent != len(data):
            self.clog(data[sent:])

    def clog(self, rest: bytes) -> None:
        """Let the transport send what the socket did not take; it also finds out when the socket is broken."""
        CLOGGED.add(self.descriptor)
        self._transport.write(rest)

    def forget(self) -> None:
        """Never write again: the transport is lost, and soon the descriptor is somebody else's."""
        CLOGGED.discard(self.descriptor)


class Fanout:
    """The same bytes to a fixed set of outlets; to those that agreed to it compressed, once for all of them."""

    __slots__ = ("_deflating", "_descriptors", "_outlets")

    def __init__(self, outlets: Collection[Outlet]) -> None:
        self._outlets = {outlet.descriptor: outlet for outlet in outlets}
        self._descriptors = array("i", [outlet.descriptor for outlet in outlets if not outlet.deflates])
        self._deflating = array("i", [outlet.descriptor for outlet in outlets if outlet.deflates])

    def write(self, data: bytes, skip: int | None = None) -> None:
        """Write whole frames to all but one descriptor."""
        self._write(self._descriptors, data, skip)
        if self._deflating:
            self._write(self._deflating, deflate.packed(data), skip)

    def _write(self, descriptors: "array[int]", data: bytes, skip: int | None) -> None:
        """Write to each. Nearly all of a gateway's time is spent in this loop."""
        write, size = os.write, len(data)
        aside = CLOGGED if skip is None else CLOGGED | {skip}
        for descriptor in descriptors:
            if descriptor in aside:
                if descriptor != skip:
                    self._outlets[descriptor].write(data)
                continue
            try:
                sent = write(descriptor, data)
            except OSError:  # the socket is full, or broken
                sent = 0
            if sent != size:
                self._outlets[descriptor].clog(data[sent:])

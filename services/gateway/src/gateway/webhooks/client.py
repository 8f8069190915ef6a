"""The HTTP side of webhooks: one POST, one answer. No redirect is followed and no proxy asked; of the answer only the
status matters.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

import httpcore
from httpcore import SOCKET_OPTION, AsyncNetworkBackend, AsyncNetworkStream

from gateway.webhooks.request import Request

MAX_ANSWER: Final = 16 * 1024  # bytes read of an answer, so that its connection can be used again; a longer one is cut
KEEP_ALIVE: Final = 15.0  # seconds an idle connection stays open
AGENT: Final = "leadwire-webhooks"
_TRANSLATED: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("2002::/16"))
"""Whose addresses hold an IPv4 address that a router goes to instead."""
_FAILURES: Final = (
    OSError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)


class Unanswered(Exception):
    """No answer came; the message says why, in a word."""


class Poster:
    """Connections to all endpoints."""

    def __init__(self, *, timeout: float, private: bool) -> None:
        """Open nothing yet.

        Args:
            timeout: seconds from the beginning of an attempt to the status of its answer.
            private: whether addresses that are not public on the internet may be reached.
        """
        self._timeout = timeout
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=None,  # the lanes bound them
            keepalive_expiry=KEEP_ALIVE,
            network_backend=httpcore.AnyIOBackend() if private else _PublicOnly(),
        )

    async def post(self, request: Request) -> int:
        """Return the status that a request is answered with.

        Raises:
            Unanswered: nobody did, or not in time.
        """
        headers = [("User-Agent", AGENT), ("Accept", "*/*"), *request.headers.items()]
        status: int | None = None
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._pool.stream("POST", request.url, headers=headers, content=request.body) as response,
            ):
                status = response.status
                await _drain(response)
        except _FAILURES as error:
            if status is None:
                raise Unanswered(type(error).__name__) from error
        return status

    async def close(self) -> None:
        await self._pool.aclose()


async def _drain(response: httpcore.Response) -> None:
    size = 0
    async for chunk in response.aiter_stream():
        size += len(chunk)
        if size > MAX_ANSWER:
            return


def is_public(text: str) -> bool:
    """Whether an address is one of the internet's, and does not hide another one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    hiding = isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _TRANSLATED)
    return address.is_global and not address.is_multicast and not hiding


class _PublicOnly(AsyncNetworkBackend):
    """Connects only to public addresses: those that a name has at this moment, not when it was checked before."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's interface
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        public = [address for address in (str(place[0]) for *_, place in found) if is_public(address)]
        if not public:
            raise httpcore.ConnectError("no public address")
        return await self._inner.connect_tcp(public[0], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

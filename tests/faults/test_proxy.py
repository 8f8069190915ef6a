"""The proxy that the other tests of this folder break connections with does to bytes what it says."""

import socket
import threading
from collections.abc import Iterator

import pytest

from leadwire.ports import LOOPBACK
from support.faults import Direction, FaultProxy, fault_proxy
from support.waiting import until_sync

SILENCE = 0.3  # seconds without an answer that count as none


class Echo(threading.Thread):
    """Answers what it hears, and remembers it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listening = socket.create_server((LOOPBACK, 0))
        self.port = self.listening.getsockname()[1]
        self.heard = b""

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(1 << 16):
                    self.heard += data
                    connection.sendall(data)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    running = Echo()
    running.start()
    yield running
    running.listening.shutdown(socket.SHUT_RDWR)
    running.listening.close()
    running.join(5)


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with fault_proxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection((LOOPBACK, proxy.port), timeout=10) as client:
        client.sendall(b"first")
        assert client.recv(100) == b"first"
        yield client


def is_silent(client: socket.socket) -> bool:
    client.settimeout(SILENCE)
    try:
        return not client.recv(100)
    except TimeoutError:
        return True
    finally:
        client.settimeout(10)


def test_what_is_stalled_arrives_when_it_heals(proxy: FaultProxy, client: socket.socket, echo: Echo) -> None:
    proxy.stall()
    client.sendall(b"late")
    assert is_silent(client)

    proxy.heal()

    assert client.recv(100) == b"late"


def test_what_is_dropped_never_arrives_and_its_connection_ends_when_it_heals(
    proxy: FaultProxy, client: socket.socket, echo: Echo
) -> None:
    proxy.drop(Direction.TO_CLIENT)
    client.sendall(b"heard")
    until_sync(lambda: echo.heard == b"firstheard")
    assert is_silent(client)

    proxy.heal()

    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_a_silent_door_lets_present_connections_go_on(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.answer_nothing()

    with socket.create_connection((LOOPBACK, proxy.port), timeout=10) as other:
        other.sendall(b"hello?")
        assert is_silent(other)
    client.sendall(b"still here")
    assert client.recv(100) == b"still here"


def test_what_is_cut_is_reset_and_refused_until_it_heals(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.cut()

    with pytest.raises(ConnectionResetError):
        client.recv(100)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, proxy.port), timeout=10)
    proxy.heal()
    with socket.create_connection((LOOPBACK, proxy.port), timeout=10) as other:
        other.sendall(b"back")
        assert other.recv(100) == b"back"


def test_half_a_connection_is_closed(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.half_close(Direction.TO_CLIENT)

    assert client.recv(100) == b""

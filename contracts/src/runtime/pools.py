"""What a process tells of its pool of database connections. Each process has one at most."""

from typing import Final, Protocol

from prometheus_client import Gauge, Histogram

ACQUIRE_SECONDS: Final = Histogram("database_pool_acquire_seconds", "Time until the pool gave a connection")
_size: Final = Gauge("database_pool_size", "Connections that the pool may open")
_in_use: Final = Gauge("database_pool_in_use", "Connections that work for somebody now")
_waiting: Final = Gauge("database_pool_waiting", "Requests that wait for a connection, or for their company's turn")


class Pool(Protocol):
    """What can be told of a pool."""

    @property
    def size(self) -> int: ...

    @property
    def in_use(self) -> int: ...

    @property
    def waiting(self) -> int: ...


def tell(pool: Pool) -> None:
    """Let `/metrics` tell how a pool is whenever it is asked."""
    _size.set_function(lambda: pool.size)
    _in_use.set_function(lambda: pool.in_use)
    _waiting.set_function(lambda: pool.waiting)

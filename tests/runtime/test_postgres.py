"""Every session of PostgreSQL is one that ends by itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from runtime import postgres
from support.servers import PostgresServer

ROOT = Path(__file__).parents[2]
SOURCES = [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("contracts/src/**/*.py")]
MECHANISM = ROOT / "contracts/src/runtime/postgres.py"
ENGINES = {"create_engine": "creator", "create_async_engine": "async_creator"}


def unbounded(module: Path) -> Iterator[str]:
    """Find connections of psycopg and SQLAlchemy that `runtime.postgres` does not make."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("psycopg"):
            if {name.name for name in node.names} & {"connect", "psycopg_pool"}:
                yield f"{module}:{node.lineno}"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            owner, _, name = called.rpartition(".")
            is_driver = name == "connect" and (owner == "psycopg" or owner.endswith("Connection"))
            creator = ENGINES.get(name)
            if is_driver or (creator and creator not in {keyword.arg for keyword in node.keywords}):
                yield f"{module}:{node.lineno}: {called}"


def test_nobody_connects_in_another_way() -> None:
    assert list(unbounded(MECHANISM))  # it is found where it is
    assert not [found for module in SOURCES if module != MECHANISM for found in unbounded(module)]


async def test_a_statement_without_an_answer_fails_when_patience_ends(postgres_server: PostgresServer) -> None:
    settings = {"application_name": "test", "options": postgres.server_options(), "patience": 0.2}

    async with postgres.closing(await postgres.connect(postgres_server.url(), **settings)) as connection:
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("SELECT pg_sleep(60)")
    with postgres.connect_blocking(postgres_server.url(), **settings) as blocking:
        with pytest.raises(psycopg.OperationalError):
            blocking.execute("SELECT pg_sleep(60)")
        assert blocking.closed

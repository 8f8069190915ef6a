"""A file on its way into the database: read piece by piece, whatever its size."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final
from uuid import UUID

from leads.command import Feed, Origin
from leads.desk import Desk
from leads.domain.company import Company
from leads.domain.csv_text import DELIMITERS, Decoder, FileEmpty, FileTooLarge, Parser
from leads.domain.importing import Import, propose
from leads.domain.jobs import BATCH, Job

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_ROWS: Final = 200_000
MOST_CELLS: Final = 10_000_000  # what 64 MiB of delimiters would be costs a core for a minute
PIECE: Final = 2 * 1024  # bytes, and so cells at most, that are parsed before others get a turn: some 2 ms
FLUSH: Final = 8 * BATCH  # rows that one transaction keeps at most …
FLUSH_SIZE: Final = 256 * 1024  # … and characters after which it keeps what there is, as whole batches
PATIENCE: Final = 30.0  # seconds until the next piece must have come
LONGEST: Final = 600.0  # seconds an upload may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What its sender says of a file; None: let it be recognised."""

    name: str
    encoding: str | None = None
    delimiter: str | None = None
    header: bool = True


class TooSlow(Exception):
    """The sender stopped in the middle."""


async def receive(
    desk: Desk, origin: Origin, job_id: UUID, wanted: Wanted, pieces: AsyncIterator[bytes], company: Company
) -> tuple[Job, Feed]:
    """Keep a file, and return the import that it makes with the feed position.

    Raises:
        FileRefusal: it cannot be read.
        TooSlow: it did not come.
        TooManyJobs: there is no room.
    """
    await desk.upload(origin, job_id, wanted.name)
    try:
        async with asyncio.timeout(LONGEST):
            task, rows = await _keep(desk, origin, job_id, wanted, pieces)
    except TimeoutError:
        await desk.discard(origin, job_id)
        raise TooSlow from None
    except BaseException:  # also when the sender goes away
        await asyncio.shield(desk.discard(origin, job_id))
        raise
    mapped = replace(task, mapping=propose(task.columns, company))
    return await desk.uploaded(origin, job_id, mapped, rows=rows)


async def _keep(
    desk: Desk, origin: Origin, job_id: UUID, wanted: Wanted, pieces: AsyncIterator[bytes]
) -> tuple[Import, int]:
    decoder = Decoder(wanted.encoding)
    parser = Parser(DELIMITERS[wanted.delimiter] if wanted.delimiter else None)
    digest = sha256()
    table = _Table(desk, origin.company_id, job_id, header=wanted.header)
    size = 0
    async for piece in _patiently(pieces):
        size += len(piece)
        if size > MOST_BYTES:
            raise FileTooLarge
        digest.update(piece)
        for at in range(0, len(piece), PIECE):
            await table.add(parser.feed(decoder.feed(piece[at : at + PIECE])))
            if parser.cells > MOST_CELLS:
                raise FileTooLarge
            await asyncio.sleep(0)
    await table.add(parser.feed(decoder.feed(b"", final=True), final=True))
    await table.end()
    names = {delimiter: name for name, delimiter in DELIMITERS.items()}
    task = Import(
        name=wanted.name,
        encoding=decoder.encoding,
        delimiter=names[parser.delimiter or ","],
        header=wanted.header,
        bytes=size,
        digest=digest.hexdigest(),
        columns=tuple(table.columns or ()),
    )
    return task, table.rows


async def _patiently(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    iterator = aiter(pieces)
    while True:
        try:
            async with asyncio.timeout(PATIENCE):
                piece = await anext(iterator)
        except StopAsyncIteration:
            return
        yield piece


class _Table:
    """Rows on their way into batches."""

    def __init__(self, desk: Desk, company_id: UUID, job_id: UUID, *, header: bool) -> None:
        self._desk = desk
        self._company_id = company_id
        self._job_id = job_id
        self._header = header
        self._pending: list[Sequence[str]] = []
        self._size = 0
        self._number = 0
        self.columns: list[str] | None = None
        self.rows = 0

    async def add(self, records: list[list[str]]) -> None:
        if records and self.columns is None:
            first = records[0]
            self.columns = first if self._header else [f"{number}" for number in range(1, len(first) + 1)]
            records = records[1:] if self._header else records
        self._pending += records
        self._size += sum(len(cell) for record in records for cell in record)
        self.rows += len(records)
        if self.rows > MOST_ROWS:
            raise FileTooLarge
        while len(self._pending) >= FLUSH or (self._size >= FLUSH_SIZE and len(self._pending) >= BATCH):
            whole = min(len(self._pending) // BATCH * BATCH, FLUSH)
            await self._flush(self._pending[:whole])
            self._pending = self._pending[whole:]
            self._size = 0

    async def end(self) -> None:
        if self.columns is None or not self.rows:
            raise FileEmpty
        await self._flush(self._pending)

    async def _flush(self, rows: Sequence[Sequence[str]]) -> None:
        self._number = await self._desk.add_rows(self._company_id, self._job_id, rows, number=self._number)

"""CSV as people send it (RFC 4180, and what Excel makes of it), read piece by piece: bytes or text in, records out.

Nothing here reads a file: who has the next piece feeds it. What is kept between two pieces is one unfinished record.
"""

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

MOST_COLUMNS: Final = 200
LONGEST_RECORD: Final = 32_768  # characters
DELIMITERS: Final[Mapping[str, str]] = {",": ",", ";": ";", "tab": "\t", "|": "|"}
"""What a delimiter is called → what it is."""
_SEPARATORS: Final = ";,|\\t\\r\\n"
"""Whatever a program may take for the end of a cell, for a character class: not each has the delimiter of the file."""
_SIGNS: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u207c\u208c\u207a\u208a\u207b\u208b\ufb29\u2212"
"""What a formula begins with (OWASP, CSV injection), and the same signs in other widths, for a character class."""
_BEFORE: Final = r"(?:[^\S\t\r\n]|[\"'\u200b\ufeff])*"
"""What programs skip at the beginning of a cell."""
_FORMULA: Final = rf"{_BEFORE}[{_SIGNS}\t\r\n]"
_UNSAFE: Final = re.compile(rf"\A(?={_FORMULA})|(?<=[{_SEPARATORS}])(?={_BEFORE}[{_SIGNS}])")
_SAFE: Final = re.compile(rf"\A'(?={_FORMULA})|(?<=[{_SEPARATORS}])'(?={_BEFORE}[{_SIGNS}])")
_NUMBER: Final = re.compile(r"[+-][0-9]+(?:[.,][0-9]+)?")
_SPECIAL: Final = re.compile(rf'[{_SEPARATORS}"]|^\s|\s$')
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class FileRefusal(Exception):
    """A file that cannot be read; `row` is where, the header being 0.

    - FileRefusal
      - FileEmpty
      - FileNotText
      - FileMalformed
      - RowTooLong
      - TooManyColumns
      - FileTooLarge
    """

    code = "file_refused"
    message = "cannot be read"

    def __init__(self, row: int | None = None) -> None:
        super().__init__(row)
        self.row = row


class FileEmpty(FileRefusal):
    """There is no row in it."""

    code = "file_empty"
    message = "has no rows"


class FileNotText(FileRefusal):
    """Bytes that are no text in the encoding."""

    code = "file_not_text"
    message = "is not text in the encoding that it begins in"


class FileMalformed(FileRefusal):
    """A quotation mark that opens nothing, or is never closed."""

    code = "file_malformed"
    message = "has a quoted cell that does not end, or goes on after its end"


class RowTooLong(FileRefusal):
    """A row that nobody would write."""

    code = "row_too_long"
    message = f"has a row of more than {LONGEST_RECORD} characters"


class TooManyColumns(FileRefusal):
    """More columns than there are fields."""

    code = "too_many_columns"
    message = f"has more than {MOST_COLUMNS} columns"


class FileTooLarge(FileRefusal):
    """More bytes or rows than one import may have."""

    code = "file_too_large"
    message = "is too large"


class Decoder:
    """Bytes to text. An encoding that nobody named shows itself: by its mark, else by the first byte beyond ASCII."""

    def __init__(self, encoding: str | None = None) -> None:
        self._named = encoding
        self._encoding = encoding
        self._head = b""
        self._is_certain = encoding is not None
        self._decoder: codecs.IncrementalDecoder | None = None

    @property
    def encoding(self) -> str:
        return self._encoding or "utf-8"

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Return the text of the next bytes.

        Raises:
            FileNotText: they are none.
        """
        if self._decoder is None:
            self._head += data
            if len(self._head) < len(codecs.BOM_UTF8) and not final:
                return ""
            data, self._head = self._begin(self._head), b""
        assert self._decoder is not None
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            text = self._fall_back(error)
        if "\0" in text:
            raise FileNotText
        self._is_certain = self._is_certain or not text.isascii()
        return text

    def _begin(self, head: bytes) -> bytes:
        marked = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), None)
        if marked is not None and self._named in {None, marked[1]}:
            mark, self._encoding = marked
            self._is_certain = True
            if self._encoding == "utf-8":
                head = head.removeprefix(mark)
        self._decoder = codecs.getincrementaldecoder(self.encoding)()
        return head

    def _fall_back(self, error: UnicodeDecodeError) -> str:
        """Read on as Windows-1252 if all before was ASCII, which both are."""
        if self._is_certain or not error.object[: error.start].isascii():
            raise FileNotText from None
        self._encoding = "windows-1252"
        self._decoder = codecs.getincrementaldecoder("windows-1252")()
        try:
            return self._decoder.decode(error.object)
        except UnicodeDecodeError:
            raise FileNotText from None


class Parser:
    """Text to records. The delimiter is the one that the first line has most of, unless it is named."""

    def __init__(self, delimiter: str | None = None) -> None:
        self.delimiter = delimiter
        self.rows = 0
        """Records so far."""
        self.cells = 0
        """Cells so far."""
        self._buffer = ""
        self._cells: list[str] = []
        self._size = 0
        self._field: re.Pattern[str] | None = None
        self._quoted = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
        self._blank = re.compile(r"[\r\n]+")

    def feed(self, text: str, *, final: bool = False) -> list[list[str]]:
        """Return the records that end in the next text; blank lines are none.

        Raises:
            FileRefusal: see there.
        """
        self._buffer += text
        if self._field is None and not self._begin(final=final):
            return []
        assert self._field is not None
        records: list[list[str]] = []
        buffer, at, match_field = self._buffer, 0, self._field.match
        while at < len(buffer) or (final and self._cells):
            # One step for any number of blank lines: a file of nothing else must not cost one step each.
            if not self._cells and (blank := self._blank.match(buffer, at)):
                at = blank.end()
                continue
            match = match_field(buffer, at)
            if match is None:
                if self._is_malformed(buffer, at) or final:
                    raise FileMalformed(self.rows + len(records))
                break
            quoted, plain, end = match.groups()
            if not final and (end == "" or (end == "\r" and match.end() == len(buffer))):
                break  # what follows may belong to it
            cell = plain or "" if quoted is None else quoted.replace('""', '"')
            self._add(cell, self.rows + len(records))
            self.cells += 1
            at = match.end()
            if end != self.delimiter:
                self._end_record(records)
                if end == "":
                    break
        self._buffer = buffer[at:]
        self.rows += len(records)
        if self._size + len(self._buffer) > LONGEST_RECORD:  # what is left is one record that has not ended
            raise RowTooLong(self.rows)
        return records

    def _end_record(self, records: list[list[str]]) -> None:
        if self._cells != [""]:
            records.append(self._cells)
        self._cells, self._size = [], 0

    def _begin(self, *, final: bool) -> bool:
        if self.delimiter is None:
            line = self._quoted.sub("", self._buffer)
            head, *more = re.split(r"[\r\n]", line.lstrip("\r\n"), maxsplit=1)
            if not more and not final:
                if len(self._buffer) > LONGEST_RECORD:
                    raise RowTooLong(0)
                return False
            self.delimiter = max(DELIMITERS.values(), key=head.count)  # the first of equals
        self._field = re.compile(
            rf'(?:"([^"]*+(?:""[^"]*+)*+)"|([^"{re.escape(self.delimiter)}\r\n][^{re.escape(self.delimiter)}\r\n]*+)?)'
            rf"({re.escape(self.delimiter)}|\r\n|\n|\r|\Z)"
        )
        return True

    def _is_malformed(self, buffer: str, at: int) -> bool:
        match = self._quoted.match(buffer, at)
        return match is not None and match.end() < len(buffer)

    def _add(self, cell: str, row: int) -> None:
        self._cells.append(cell)
        self._size += len(cell) + 1
        if self._size > LONGEST_RECORD:
            raise RowTooLong(row)
        if len(self._cells) > MOST_COLUMNS:
            raise TooManyColumns(row)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written, for programs of a locale."""

    delimiter: str = ","
    decimal_mark: str = "."
    byte_order_mark: bool = False
    spaced_times: bool = False
    """Whether times are written as `2026-11-23 17:50:10`, UTC: spreadsheets do not read those of RFC 3339."""


Locale: TypeAlias = Literal["en", "pt-BR"]
DIALECTS: Final[Mapping[Locale, Dialect]] = {
    "en": Dialect(byte_order_mark=True, spaced_times=True),
    "pt-BR": Dialect(delimiter=";", decimal_mark=",", byte_order_mark=True, spaced_times=True),
}
"""What spreadsheets of a locale read without being asked."""


def safe(text: str) -> str:
    """Return text in which no spreadsheet finds a formula, whatever it takes for a delimiter.

    An apostrophe goes before each place where a formula would begin: at the start, and after a separator inside. What
    is a number as a whole (`-12.5`, `+5511987654321`) stays: it calculates nothing.
    """
    return text if _NUMBER.fullmatch(text) else _UNSAFE.sub("'", text)


def unsafe(text: str) -> str:
    """Return text as it was before `safe`."""
    return _SAFE.sub("", text)


def write(records: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    """Return records as CSV (RFC 4180). Quoted is each cell that has any program's delimiter in it."""
    return "".join(
        delimiter.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' if _SPECIAL.search(cell) else cell for cell in record)
        + "\r\n"
        for record in records
    )

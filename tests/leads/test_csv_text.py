"""CSV in pieces of any size says what Python's csv module says of the whole, and what we write is read back."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.domain.csv_text import DELIMITERS, Decoder, FileRefusal, Parser, safe, unsafe, write
from leads.domain.importing import Import, Reader, amount, propose

from .specs import ACME, BOB, ID, NOW

letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
cells = st.text(letters, max_size=8) | st.text("a\",;|\n\r\t'=+ ", max_size=6)
tables = st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=5)
delimiters = st.sampled_from(list(DELIMITERS.values()))


def parsed(text: str, delimiter: str | None, piece: int) -> list[list[str]]:
    parser = Parser(delimiter)
    records = [record for at in range(0, len(text), piece) for record in parser.feed(text[at : at + piece])]
    return records + parser.feed("", final=True)


@given(tables, delimiters, st.integers(1, 9), st.sampled_from(["\r\n", "\n", "\r"]))
def test_any_table_is_read_whatever_the_pieces(table: list[list[str]], delimiter: str, piece: int, end: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    wanted = [record for record in table if record != [""]]

    assert parsed(text.getvalue(), delimiter, piece) == wanted
    assert parsed(write(table, delimiter), delimiter, piece) == wanted


@given(st.text('ab",\r\n', max_size=30), st.integers(1, 5))
def test_garbage_is_read_or_refused_alike_in_any_pieces(text: str, piece: int) -> None:
    def outcome(size: int) -> Any:
        try:
            return parsed(text, ",", size)
        except FileRefusal as refusal:
            return type(refusal), refusal.row

    assert outcome(piece) == outcome(len(text) or 1)


@given(cells)
def test_no_cell_is_a_formula_and_each_comes_back(cell: str) -> None:
    kept = safe(cell)

    assert unsafe(kept) == cell
    assert kept[:1] not in {"=", "@", "\t", "\r"}
    assert kept[:1] not in {"+", "-"} or kept[1:2].isdigit()


@given(
    st.text(letters, max_size=20), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "windows-1252"]), st.integers(1, 7)
)
def test_text_is_decoded_in_any_pieces(text: str, encoding: str, piece: int) -> None:
    text = text.encode("windows-1252", "ignore").decode("windows-1252")
    data = text.encode(encoding)
    decoder = Decoder("windows-1252" if encoding == "windows-1252" else None)
    try:
        pieces = [decoder.feed(data[at : at + piece]) for at in range(0, len(data), piece)]
        decoded = "".join([*pieces, decoder.feed(b"", final=True)])
    except FileRefusal:
        decoded = None

    assert decoded == text or (encoding == "utf-16" and not text)


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [("a,b;c,d\n", ","), ("a;b;c,d\n", ";"), ("a\tb\n", "\t"), ('"a,b";c\n', ";"), ("a\n", ","), ("a|b|c\n", "|")],
)
def test_the_delimiter_is_what_the_first_line_has_most_of(head: str, delimiter: str) -> None:
    parser = Parser()
    parser.feed(head)

    assert parser.delimiter == delimiter


@given(
    st.decimals(0, 10**12, places=2),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), ("", "."), ("", ",")]),
    st.sampled_from(["{}", "R$ {}", "{} €", "$ {}"]),
)
def test_amounts_are_read_as_people_write_them(value: Decimal, marks: tuple[str, str], shown: str) -> None:
    thousands, point = marks
    text = f"{value:,.2f}".replace(",", "T").replace(".", point).replace("T", thousands)

    assert Decimal(amount(shown.format(text))) == value


def test_a_row_is_read_by_the_company_s_words_and_told_all_that_is_wrong() -> None:
    columns = ("Nome", "Responsável", "E-mail", "VIP", "Plan", "Likes", "Size", "Etapa", "Due")
    task = Import(name="x.csv", columns=columns, mapping=propose(columns, ACME))
    reader = Reader(task, ACME)

    good = reader.row(
        1, ["Ada", BOB, "A@x.com", "Sim", "PRO", "coffee; Tea", "1,5", "contacted", "2026-11-23"], ID, NOW
    )
    bad = reader.row(2, ["", "nobody", "x", "maybe", "gold", "water", "many", "gone", "23/11/2026"], ID, NOW)
    long = reader.row(3, ["x"] * 10, ID, NOW)

    assert good.errors == ()
    assert good.fact is not None
    lead = good.fact.lead
    assert (lead.name, lead.assigned_to, lead.email, lead.status) == ("Ada", BOB, "a@x.com", "contacted")
    assert lead.custom == {
        "vip": True,
        "plan": "pro",
        "likes": ("tea", "coffee"),
        "size": 1.5,
        "due": "2026-11-23",
    }
    assert [error.column for error in bad.errors] == list(range(9))
    assert [error.code for error in long.errors] == ["too_many_cells"]


SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20\u2212"
evil = st.text(f"{SIGNS};,|\t\r\n '\"a1\u200b", max_size=12)


@given(st.lists(evil, min_size=1, max_size=4), delimiters, st.sampled_from([*DELIMITERS.values()]))
def test_no_program_finds_a_formula_whatever_it_takes_for_a_delimiter(
    values: list[str], ours: str, theirs: str
) -> None:
    """Python's reader is as lenient as a spreadsheet: a quotation mark counts only at the beginning of a cell."""
    text = write([[safe(value) for value in values]], ours)

    read = [unsafe(cell) for record in parsed(text, ours, 7) for cell in record]
    for record in csv.reader(io.StringIO(text, newline=""), delimiter=theirs):
        for cell in record:
            rest = cell.lstrip(" \"'\u200b")
            is_disarmed = "'" in cell.removesuffix(rest) or cell[1:].replace(".", "").isdecimal()
            assert is_disarmed or rest[:1] not in {*SIGNS}, (text, cell)
    assert values in (read, [""])


def test_what_a_spreadsheet_calculates_is_disarmed_and_what_it_only_shows_is_not() -> None:
    assert safe("x;=1+1") == "x;'=1+1"
    assert safe("\uff1d1+1") == "'\uff1d1+1"
    assert safe("a\n@sum") == "a\n'@sum"
    assert [safe(cell) for cell in ("-12.5", "-12,5", "+5511987654321", "a-b", "x; y", "50%")] == [
        *("-12.5", "-12,5", "+5511987654321", "a-b", "x; y", "50%")
    ]
    assert write([["a;b", "c,d", "e\tf", "g|h", "i"]], "|") == '"a;b"|"c,d"|"e\tf"|"g|h"|i\r\n'


def test_blank_lines_cost_no_cell_each() -> None:
    parser = Parser()
    parser.feed("name,email\r\nAda,a@b.c\r\n")
    before = parser.cells

    for blank in ("\n" * 100_000, "\r\n" * 100_000, "\r" * 100_000):
        assert parser.feed(blank) == []

    assert parser.cells == before
    assert parser.feed("Bob,b@b.c\n", final=True) == [["Bob", "b@b.c"]]

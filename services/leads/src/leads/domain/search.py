"""What a lead is found by: folded words, without accents and in lower case, on both sides of a search.

Each word of a lead bears a scope: its company and the month in which it was created. So a search reads the words of one
company alone, and those of its newest month first, however many leads there are.
"""

import re
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from contracts.events import LeadSummary

LONGEST_WORD: Final = 64
LONGEST_ADDRESS: Final = 254
MOST_WORDS: Final = 400
SCOPE: Final = "\x01"
"""Stands where the scope goes; nothing that is searched for has it."""

_ADDRESS: Final = re.compile(r"[^\W_][^\s@<>(),;]*@[^\s@<>(),;]*")
_BETWEEN_ADDRESSES: Final = re.compile(r"[\s<>(),;]+")
_LETTER: Final = re.compile(r"[^\W_]")
_WORD: Final = re.compile(r"[^\W_]+")
_ASKED: Final = re.compile(f"{_ADDRESS.pattern}|{_WORD.pattern}")
_PHONE: Final = re.compile(r"[+(]?[0-9][0-9 ().\-/]{4,}")
# Letters that no accent was added to, as Unicode sees it.
_PLAIN: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\N{LATIN SMALL LETTER DOTLESS I}": "i"}
)


def fold(text: str) -> str:
    """Return text as it is compared: `Łukasz  Peña` → `lukasz pena`."""
    if text.isascii():  # most is, and nothing below would change it
        return " ".join(text.lower().split())
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(plain.translate(_PLAIN).casefold().split())


def words(text: str) -> list[str]:
    """Return the folded words of a text, in their order."""
    return [word[:LONGEST_WORD] for word in _WORD.findall(fold(text))]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search: two `tsquery` texts that both hold, either may be missing, with SCOPE in front of each lexeme."""

    whole: str | None
    """Of words and tags; they decide first."""
    beginning: str | None
    """Of what the last word, or a phone number, begins or ends with."""


def scope(company_id: UUID, created_at: datetime) -> str:
    """Return what each lexeme of a lead begins with; `matching_leads` makes the same."""
    created = created_at.astimezone(UTC)
    return f"{urlsafe_b64encode(company_id.bytes[-3:]).decode()}{created.year % 100:02}{created.month:02}"


def lexemes(company_id: UUID, lead: LeadSummary) -> list[str]:
    """Return what a lead's search vector holds: its tags, its phone number, the words and addresses of its texts."""
    texts = [lead.name, lead.email, lead.organisation, lead.title, *lead.tags, *_texts(lead.custom.values())]
    found = dict.fromkeys(word for text in texts if text for word in [*addresses(text), *words(text)])
    kept = [*map(tag_lexeme, lead.tags), *_phone_words(lead.phone), *list(found)[:MOST_WORDS]]
    front = scope(company_id, lead.created_at)
    return [f"{front}{lexeme}" for lexeme in kept]


def addresses(text: str) -> list[str]:
    """Return the e-mail addresses in a text, folded: as words they would be found by what very many of them share."""
    if "@" not in text:
        return []
    return [address for part in _BETWEEN_ADDRESSES.split(fold(text)) for address in _addresses_in(part.split("@"))]


def _addresses_in(parts: Sequence[str]) -> Iterator[str]:
    """Yield the addresses in a text without gaps, given what is between its signs: as `_ADDRESS`, in linear time."""
    number = 0
    while number < len(parts) - 1:
        letter = _LETTER.search(parts[number])
        if letter is not None:
            yield _address(f"{parts[number][letter.start() :]}@{parts[number + 1]}")
            number += 1
        number += 1


def tag_lexeme(tag: str) -> str:
    """Return what all leads with a tag have, and no word can be."""
    return f"#{tag}"


def is_searchable(asked: str) -> bool:
    """Return whether a text has a word that leads can be found by: at least one letter or digit."""
    return _WORD.search(fold(asked)) is not None


def search(asked: str, *, all_tags: Sequence[str] = (), any_tags: Sequence[str] = ()) -> Wanted | None:
    """Return a search for every word, the last one also as the beginning of a longer one; for tags as they are.

    Returns:
        None without tags and without a word: whoever takes a text from outside refuses one that is not `is_searchable`.
    """
    whole, beginning = _asked_phone(asked) if _PHONE.fullmatch(asked.strip()) else _asked_words(asked)
    whole += [_quoted(tag_lexeme(tag)) for tag in all_tags]
    if any_tags:
        whole.append(f"({' | '.join(_quoted(tag_lexeme(tag)) for tag in any_tags)})")
    return Wanted(" & ".join(whole) or None, beginning) if whole or beginning else None


def _asked_words(asked: str) -> tuple[list[str], str | None]:
    found = [_address(term) if "@" in term else term[:LONGEST_WORD] for term in _ASKED.findall(fold(asked))]
    return [_quoted(word) for word in found[:-1]], f"{_quoted(found[-1])}:*" if found else None


def _asked_phone(asked: str) -> tuple[list[str], str]:
    """Return the search for a number by its beginning, or by its end: people leave out what stands before it."""
    digits = _digits(asked)
    end = digits.lstrip("0") or digits  # of nothing but zeros all are kept: every number ends in nothing
    return [], f"({_quoted(digits)}:* | {_quoted(_backwards(end))}:*)"


def _address(found: str) -> str:
    return found.rstrip(".")[:LONGEST_ADDRESS]


def _phone_words(phone: str | None) -> list[str]:
    digits = _digits(phone or "")
    return [digits, _backwards(digits)] if digits else []


def _digits(phone: str) -> str:
    return "".join(filter(str.isdecimal, fold(phone)))


def _backwards(digits: str) -> str:
    """Return what stands for the end of a phone number, and no word can be."""
    return f"<{digits[::-1]}"


def _texts(values: Iterable[object]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from map(str, value)


def _quoted(lexeme: str) -> str:
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{SCOPE}{escaped}'"

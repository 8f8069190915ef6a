"""What a lead is found by: folded words, without accents and in lower case, on both sides of a search."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from contracts.events import LeadSummary

LONGEST_WORD: Final = 64
MOST_WORDS: Final = 400

_WORD: Final = re.compile(r"[^\W_]+")
_PHONE: Final = re.compile(r"[+(]?[0-9][0-9 ().\-/]{4,}")
# Letters that no accent was added to, as Unicode sees it.
_PLAIN: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\N{LATIN SMALL LETTER DOTLESS I}": "i"}
)


def fold(text: str) -> str:
    """Return text as it is compared: `Łukasz  Peña` → `lukasz pena`."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(plain.translate(_PLAIN).casefold().split())


def words(text: str) -> list[str]:
    """Return the folded words of a text, in their order."""
    return [word[:LONGEST_WORD] for word in _WORD.findall(fold(text))]


def lexemes(lead: LeadSummary) -> list[str]:
    """Return what a lead's search vector holds: its tags, its phone number and the words of its texts."""
    texts = [lead.name, lead.email, lead.organisation, lead.title, *lead.tags, *_texts(lead.custom.values())]
    found = dict.fromkeys(word for text in texts if text for word in words(text))
    kept = [*_phone_words(lead.phone), *list(found)[:MOST_WORDS]]
    return [*map(tag_lexeme, lead.tags), *kept]


def tag_lexeme(tag: str) -> str:
    """Return what all leads with a tag have, and no word can be."""
    return f"#{tag}"


def tsquery(asked: str, *, all_tags: Sequence[str] = (), any_tags: Sequence[str] = ()) -> str | None:
    """Return a search as PostgreSQL's `tsquery` text: every word, the last one also as the beginning of a longer one.

    Returns:
        None when nothing is asked for.
    """
    terms = _asked_phone(asked) if _PHONE.fullmatch(asked.strip()) else _asked_words(asked)
    terms += [_quoted(tag_lexeme(tag)) for tag in all_tags]
    if any_tags:
        terms.append(f"({' | '.join(_quoted(tag_lexeme(tag)) for tag in any_tags)})")
    return " & ".join(terms) or None


def _asked_words(asked: str) -> list[str]:
    found = list(map(_quoted, words(asked)))
    return [*found[:-1], f"{found[-1]}:*"] if found else []


def _asked_phone(asked: str) -> list[str]:
    """Return the search for a number by its beginning, or by its end: people leave out what stands before it."""
    digits = _digits(asked)
    end = digits.lstrip("0") or digits  # of nothing but zeros all are kept: every number ends in nothing
    return [f"({_quoted(digits)}:* | {_quoted(_backwards(end))}:*)"]


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
    return f"'{escaped}'"

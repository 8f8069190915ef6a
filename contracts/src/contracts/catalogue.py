"""The catalogue of events, in Markdown: `python -m contracts.catalogue > docs/event-catalogue.md`. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from typing import Final, get_args, get_type_hints

from contracts import events, push
from contracts.asyncapi.browsers import ADDRESSES
from contracts.documented import aliases_of, fields_of, summary_of
from contracts.envelope import Envelope
from contracts.events import TYPES, event_of, kind_of
from contracts.heard import HEARD
from contracts.schemas import CLASSES
from contracts.upcasters import UPCASTERS

HEAD: Final = """\
# Event catalogue

Written by `python -m contracts.catalogue > docs/event-catalogue.md` from the code; a test compares. How to listen and
what is promised: [events.md](events.md). The same for programs: `GET /asyncapi.json` of the leads service.
"""
_WORD: Final = re.compile(r"\w+")
_BAR: Final = r"\|"
_PAYLOADS: Final = tuple(dict.fromkeys(heard.payload for heard in HEARD))
_SCHEMAS: Final = "../contracts/src/contracts/schemas"


def catalogue() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *_facts(), *_envelope(), *_data(), *_parts(), *_browsers(), *_names()]).rstrip() + "\n"


def _facts() -> Iterator[str]:
    yield "## Facts\n"
    yield from _table(
        ("fact", "subject", "when", "schema"),
        (
            (
                f"[`{name}`](#{_anchor(fact.__name__)})",
                f"`crm.<company>.{kind_of(name)}.<id>.{event_of(name)}`",
                summary_of(fact),
                f"[JSON Schema]({_SCHEMAS}/{name}.json)",
            )
            for name, fact in TYPES.items()
        ),
    )
    yield "\nOld versions, which nobody is given any more; the log has them, and they are read as the next version.\n"
    yield from _table(
        ("fact", "is read as", "schema"),
        (
            (f"`{old}`", f"`{new}`", f"[JSON Schema]({_SCHEMAS}/{old}.json)")
            for old, (new, _convert) in UPCASTERS.items()
        ),
    )


def _envelope() -> Iterator[str]:
    yield "## Envelope\n"
    yield f"{summary_of(Envelope)}\n"
    yield from _fields(Envelope)


def _data() -> Iterator[str]:
    yield "## Data of each fact\n"
    for fact in TYPES.values():
        yield from _section(fact)


def _parts() -> Iterator[str]:
    yield "## What facts are made of\n"
    facts = set(TYPES.values())
    for part in CLASSES:
        if part not in facts:
            yield from _section(part)


def _browsers() -> Iterator[str]:
    yield "## What browsers hear\n"
    yield from _table(
        ("channel", "event", "data", "when"),
        (
            (
                f"`{ADDRESSES[heard.channel][0]}`",
                f"`{heard.event}`",
                f"[{heard.payload.__name__}](#{_anchor(heard.payload.__name__)})",
                heard.when,
            )
            for heard in HEARD
        ),
    )
    yield "The fields of what a push carries lie beside its own.\n"
    for each in (*_PAYLOADS, *_carried_by_payloads()):
        yield from _section(each)


def _carried_by_payloads() -> Iterable[type]:
    return dict.fromkeys(each for payload in _PAYLOADS for each in _carried(payload))


def _carried(payload: type) -> Iterator[type]:
    """Yield what lies in it and is no part of a fact, however deep."""
    for hint in get_type_hints(payload).values():
        for part in (hint, *get_args(hint)):
            if isinstance(part, type) and is_dataclass(part) and part not in CLASSES:
                yield part
                yield from _carried(part)


def _names() -> Iterator[str]:
    classes = (*CLASSES, *_PAYLOADS, *_carried_by_payloads())
    used = {word for each in classes for field in fields_of(each) for word in _WORD.findall(field.annotation)}
    aliases = (*aliases_of(events), *aliases_of(push))
    yield "## Names of types\n"
    yield from _table(
        ("name", "type", "meaning"),
        ((f"`{alias.name}`", f"`{alias.annotation}`", alias.text) for alias in aliases if alias.name in used),
    )


def _section(documented: type) -> Iterator[str]:
    yield f"### {documented.__name__}\n"
    yield f"{summary_of(documented)}\n"
    yield from _fields(documented)


def _fields(documented: type) -> Iterator[str]:
    rows = (
        (f"`{field.name}`", f"`{field.annotation}`", "yes" if field.may_be_missing else "", field.text)
        for field in fields_of(documented)
    )
    yield from _table(("field", "type", "may be missing", "meaning"), rows)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row("---" for _ in head)
    yield from map(_row, rows)
    yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', _BAR) for cell in cells)} |"


def _anchor(heading: str) -> str:
    return heading.lower()


if __name__ == "__main__":
    print(catalogue(), end="")  # noqa: T201 - where it goes is the caller's choice

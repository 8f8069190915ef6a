"""What a list of leads shows and in which order: the parameters of `GET /leads` and of saved views, understood.

Each parameter narrows the list; several values of one parameter widen it again: `status=new&status=won` are the leads
in either stage.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from leads.domain.company import Company, CustomField
from leads.domain.phone import phone
from leads.domain.refusals import InvalidPhone
from leads.domain.search import Wanted, fold, is_searchable, search

Parameters: TypeAlias = Mapping[str, Sequence[str]]
"""Parameter → its values, one or more."""
Sort: TypeAlias = Literal["newest", "updated", "name", "value", "score", "status_since"]

MOST_VALUES: Final = 50
NO_WORD: Final = "Should have at least one letter or digit"
LONGEST_VALUE: Final = 254
NOBODY: Final = "none"
"""As a value of `assigned_to` and `source`: the leads that have none."""
CALLER: Final = "me"
"""As a value of `assigned_to`: whoever asks, so that one saved view serves everybody."""
CUSTOM: Final = "custom."
SORTS: Final[Mapping[Sort, str]] = {
    "newest": "created_at",
    "updated": "updated_at",
    "name": "name_key",
    "value": "value",
    "score": "score",
    "status_since": "status_since",
}
"""What a list may be sorted by → the column."""
KINDS: Final[Mapping[Sort, type[str | int | Decimal | datetime]]] = {
    "newest": datetime,
    "updated": datetime,
    "name": str,
    "value": Decimal,
    "score": int,
    "status_since": datetime,
}
"""What a list may be sorted by → what its values are."""


class InvalidQuery(Exception):
    """Parameters that ask for no list; `errors` holds (parameter, what is wrong) and never quotes a value."""

    code = "invalid_request"

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(self.code)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class OneOf:
    """A field has one of these values; None stands for no value."""

    field: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class SameText:
    """A field has one of these texts, upper or lower case; they are given in lower case."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameStarts:
    """The name, folded, begins with one of these."""

    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A field is not below a limit."""

    field: str
    limit: int | Decimal | datetime


@dataclass(frozen=True, slots=True)
class AtMost:
    """A field is not above a limit."""

    field: str
    limit: int | Decimal


@dataclass(frozen=True, slots=True)
class Before:
    """A time lies before another one."""

    field: str
    limit: datetime


@dataclass(frozen=True, slots=True)
class Converted:
    """A lead was converted, or it was not."""

    is_converted: bool


@dataclass(frozen=True, slots=True)
class CustomHas:
    """One of the company's own fields has one of these values, or holds it among others."""

    key: str
    values: tuple[Any, ...]


Condition: TypeAlias = OneOf | SameText | NameStarts | AtLeast | AtMost | Before | Converted | CustomHas


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadQuery:
    """Which leads, in which order."""

    conditions: tuple[Condition, ...] = ()
    """All of them hold."""
    wanted: Wanted | None = None
    """Words and tags."""
    sort: Sort = "newest"
    is_descending: bool = True

    @property
    def is_unconditional(self) -> bool:
        """Whether it means all leads of the company."""
        return not self.conditions and self.wanted is None

    @property
    def digest(self) -> str:
        """What tells this query from any other: the continuation of another one is refused."""
        parts = [[type(condition).__name__, repr(condition)] for condition in self.conditions]
        text = json.dumps([parts, repr(self.wanted), self.sort, self.is_descending])
        return sha256(text.encode()).hexdigest()[:16]


class _Wrong(Exception):
    """What is wrong with a value."""


Read: TypeAlias = Callable[["_Context", Sequence[str]], Condition]


@dataclass(frozen=True, slots=True)
class _Context:
    company: Company
    caller: str | None


def parse(parameters: Parameters, company: Company, *, caller: str | None = None) -> LeadQuery:
    """Return what the parameters ask for.

    Args:
        parameters: see there.
        company: whose stages and own fields may be named.
        caller: the id behind `assigned_to=me`; None when a query is only to be checked.

    Raises:
        InvalidQuery: some parameter is unknown, or has a value that it cannot have.
    """
    context = _Context(company, caller)
    errors: list[tuple[str, str]] = []
    conditions: list[Condition] = []
    for name, values in sorted(parameters.items()):
        try:
            _check(values)
            if name == "q":
                _check_words(values)
            read = _reader(name, company)
            if read is not None:
                conditions.append(read(context, values))
        except _Wrong as wrong:
            errors.append((name, str(wrong)))
    sort, is_descending = _order(parameters, errors)
    if errors:
        raise InvalidQuery(errors)
    wanted = search(
        " ".join(parameters.get("q", ())),
        all_tags=[_tag(value) for value in parameters.get("tags_all", ())],
        any_tags=[_tag(value) for value in parameters.get("tags", ())],
    )
    return LeadQuery(conditions=tuple(conditions), wanted=wanted, sort=sort, is_descending=is_descending)


def from_json(query: Mapping[str, object]) -> Parameters:
    """Return the parameters of a saved view: each has one value, or a list of them.

    Raises:
        InvalidQuery: they have another form.
    """
    errors = []
    parameters: dict[str, list[str]] = {}
    for name, value in query.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(item, str) for item in values):
            errors.append((name, "Should be text or a list of texts"))
        parameters[name] = [str(item) for item in values]
    if errors:
        raise InvalidQuery(errors)
    return parameters


def _check(values: Sequence[str]) -> None:
    if len(values) > MOST_VALUES:
        raise _Wrong(f"Should have at most {MOST_VALUES} values")
    for value in values:
        if not value.strip() or len(value) > LONGEST_VALUE:
            raise _Wrong(f"Should have 1 to {LONGEST_VALUE} characters")
        if not value.isprintable():
            raise _Wrong("Should not contain control characters")


def _check_words(values: Sequence[str]) -> None:
    """Refuse a search for nothing: a condition that cannot be kept must not be left out."""
    if not all(map(is_searchable, values)):
        raise _Wrong(NO_WORD)


def _reader(name: str, company: Company) -> Read | None:
    """Return what reads a parameter; None for one that is no condition."""
    if name in _OTHERS:
        return None
    if name.startswith(CUSTOM):
        field = company.custom_fields.get(name.removeprefix(CUSTOM))
        if field is None:
            raise _Wrong("Is no field of your company")
        return lambda _context, values: CustomHas(field.key, tuple(_custom_value(field, value) for value in values))
    if name not in _READERS:
        raise _Wrong("Unknown parameter")
    return _READERS[name]


def _order(parameters: Parameters, errors: list[tuple[str, str]]) -> tuple[Sort, bool]:
    wanted, order = parameters.get("sort", ["newest"]), parameters.get("order")
    by = next((sort for sort in SORTS if [sort] == list(wanted)), None)
    if by is None:
        errors.append(("sort", f"Should be one of {', '.join(SORTS)}"))
        return "newest", True
    if order is not None and (len(order) != 1 or order[0] not in {"asc", "desc"}):
        errors.append(("order", "Should be asc or desc"))
    return by, order[0] == "desc" if order else by != "name"


def _one(values: Sequence[str]) -> str:
    if len(values) != 1:
        raise _Wrong("Should be given once")
    return values[0].strip()


def _status(context: _Context, values: Sequence[str]) -> Condition:
    if any(context.company.stage(value) is None for value in values):
        raise _Wrong("Should be a stage of your company's pipeline")
    return OneOf("status", tuple(sorted(values)))


def _source(_context: _Context, values: Sequence[str]) -> Condition:
    return OneOf("source", _sorted(None if value == NOBODY else value.strip() for value in values))


def _assigned_to(context: _Context, values: Sequence[str]) -> Condition:
    return OneOf("assigned_to", _sorted(_user(context, value) for value in values))


def _user(context: _Context, value: str) -> str | None:
    if value == NOBODY:
        return None
    return context.caller if value == CALLER and context.caller else _uuid(value) if value != CALLER else CALLER


def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise _Wrong("Should be a UUID") from None


def _ids(field: str) -> Read:
    return lambda _context, values: OneOf(field, _sorted(map(_uuid, values)))


def _exact(field: str, normalised: Callable[[str], str]) -> Read:
    return lambda _context, values: OneOf(field, _sorted(map(normalised, values)))


def _text(field: str) -> Read:
    return lambda _context, values: SameText(field, tuple(sorted(value.strip().lower() for value in values)))


def _phone(context: _Context, values: Sequence[str]) -> Condition:
    return OneOf("phone", _sorted(_number(value, context.company) for value in values))


def _number(value: str, company: Company) -> str:
    """Return a number as leads have it; one that cannot be is nobody's."""
    written = f"+{value.strip()}" if value.startswith(" ") else value  # a plus sign that nobody escaped
    try:
        return phone(written, company.region) or value
    except InvalidPhone:
        return value


def _name(_context: _Context, values: Sequence[str]) -> Condition:
    prefixes = sorted(map(fold, values))
    if not all(prefixes):  # accents alone: every name begins with nothing
        raise _Wrong(NO_WORD)
    return NameStarts(tuple(prefixes))


def _converted(_context: _Context, values: Sequence[str]) -> Condition:
    answer = _one(values)
    if answer not in {"yes", "no"}:
        raise _Wrong("Should be yes or no")
    return Converted(answer == "yes")


def _whole(value: str) -> int:
    try:
        number = int(value)
    except ValueError:
        raise _Wrong("Should be a whole number") from None
    if abs(number) >= 1 << 31:
        raise _Wrong("Is out of range")
    return number


def _decimal(value: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise _Wrong("Should be a number") from None
    # PostgreSQL does not read exponents of any size, not even of zero.
    if (
        not number.is_finite()
        or abs(number) >= Decimal(10) ** 15
        or abs(int(number.as_tuple().exponent)) > LONGEST_VALUE
    ):
        raise _Wrong("Is out of range")
    return number


def _time(value: str) -> datetime:
    try:
        if len(value) == len("2026-11-23"):
            day = date.fromisoformat(value)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        time = datetime.fromisoformat(value.replace(" ", "+"))  # a plus sign that nobody escaped
        return time.astimezone(UTC) if time.tzinfo else _raise_no_zone()
    except (ValueError, OverflowError):
        raise _Wrong("Should be a time with its zone, such as 2026-11-23T17:50:10Z, or a day") from None


def _raise_no_zone() -> datetime:
    raise ValueError


def _custom_value(field: CustomField, value: str) -> object:
    match field.kind:
        case "number":
            number = _decimal(value)
            return int(number) if number == number.to_integral_value() else float(number)
        case "boolean":
            if value not in {"true", "false"}:
                raise _Wrong("Should be true or false")
            return value == "true"
        case "choices":
            return (value,)
        case _:
            return value


def _tag(value: str) -> str:
    return " ".join(value.lower().split())


def _sorted(values: Any) -> tuple[str | None, ...]:  # noqa: ANN401 - any texts
    return tuple(sorted(set(values), key=lambda value: value or ""))


def _numbers(field: str, read: Callable[[str], int | Decimal]) -> Mapping[str, Read]:
    return {
        f"{field}_min": lambda _context, values: AtLeast(field, read(_one(values))),
        f"{field}_max": lambda _context, values: AtMost(field, read(_one(values))),
    }


def _times(field: str) -> Mapping[str, Read]:
    return {
        f"{field}_from": lambda _context, values: AtLeast(field, _time(_one(values))),
        f"{field}_to": lambda _context, values: Before(field, _time(_one(values))),
    }


_OTHERS: Final = frozenset({"q", "tags", "tags_all", "sort", "order"})
_READERS: Final[Mapping[str, Read]] = {
    "status": _status,
    "source": _source,
    "assigned_to": _assigned_to,
    "email": _exact("email", lambda value: value.strip().lower()),
    "phone": _phone,
    "name": _name,
    "organisation": _text("organisation"),
    "title": _text("title"),
    "lost_reason": _text("lost_reason"),
    "currency": _exact("currency", lambda value: value.strip().upper()),
    "converted": _converted,
    "contact_id": _ids("contact_id"),
    "deal_id": _ids("deal_id"),
    **_numbers("score", _whole),
    **_numbers("value", _decimal),
    **_numbers("messages", _whole),
    **_times("created_at"),
    **_times("updated_at"),
    **_times("status_since"),
    **_times("converted_at"),
}
PARAMETERS: Final = tuple(sorted({*_READERS, *_OTHERS}))
"""All parameters but `custom.<key>`."""

"""The company's own fields: each value of the kind that the company defined."""

from collections.abc import Mapping
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from contracts.events import Value
from leads.domain.company import Company, CustomField
from leads.domain.refusals import CustomValueMissing, InactiveCustomField, InvalidCustomValue, UnknownCustomField
from leads.domain.text import line

LONGEST_TEXT: Final = 1000
LONGEST_URL: Final = 2000
LARGEST: Final = 10**15  # beyond it a float is no whole number any more, and JavaScript's neither


def values(given: Mapping[str, object], current: Mapping[str, Value], company: Company) -> dict[str, Value]:
    """Return new values as they are kept; None clears a field. What a field has already may stay, whatever it is.

    Raises:
        UnknownCustomField: the company has no such field.
        InactiveCustomField: it takes no new values.
        CustomValueMissing: a required field cannot be cleared.
        InvalidCustomValue: not a value of the field's kind.
    """
    return {
        key: current[key] if _is_same(value, current.get(key)) else _value(key, value, company)
        for key, value in given.items()
    }


def require_all(custom: Mapping[str, Value], company: Company) -> None:
    """Refuse a new lead that lacks a field the company requires."""
    for key, field in company.custom_fields.items():
        if field.required and field.active and custom.get(key) is None:
            raise CustomValueMissing(_pointer(key))


def _is_same(value: object, known: Value) -> bool:
    value = tuple(value) if isinstance(value, list) else value
    return known is not None and type(value) is type(known) and value == known


def _value(key: str, value: object, company: Company) -> Value:
    field = company.custom_fields.get(key)
    pointer = _pointer(key)
    if field is None:
        raise UnknownCustomField(pointer)
    kept = None if value is None else _of_kind(field, value, pointer)
    if kept is None:
        if field.required and field.active:
            raise CustomValueMissing(pointer)
    elif not field.active:
        raise InactiveCustomField(pointer)
    return kept


def _of_kind(field: CustomField, value: object, pointer: str) -> Value:  # noqa: PLR0911 - one answer for each kind
    match field.kind, value:
        case "text", str():
            return line(value, pointer, longest=LONGEST_TEXT)
        case "boolean", bool():
            return value
        case "number", int() | float() if not isinstance(value, bool) and abs(value) <= LARGEST:  # nor is nan
            return value
        case "date", str() if _is_date(value):
            return value
        case "choice", str() if value in field.choices:
            return value
        case "choices", list() | tuple() if set(map(str, value)) <= set(field.choices):
            return tuple(choice for choice in field.choices if choice in value) or None
        case "url", str() if _is_url(value):
            return value.strip()
        case _:
            raise InvalidCustomValue(pointer)


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"} and bool(parts.netloc) and len(value) <= LONGEST_URL and value.isprintable()
    )


def _pointer(key: str) -> str:
    return "/custom/" + key.replace("~", "~0").replace("/", "~1")

"""The rules about a company's sources and its own fields."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from leads.domain.company import Company, CustomField, SettingsRefusal, Source, TooMany

MOST_SOURCES: Final = 200
MOST_FIELDS: Final = 100  # also those out of use
MOST_CHOICES: Final = 100
_CHOOSING: Final = frozenset({"choice", "choices"})


class SourceNotFound(SettingsRefusal):
    """The company has no such source."""

    code = "source_not_found"


class FieldNotFound(SettingsRefusal):
    """The company has no such field."""

    code = "custom_field_not_found"


class KeyTaken(SettingsRefusal):
    """The company has one of that key already."""

    code = "key_taken"


class SourceInUse(SettingsRefusal):
    """Leads name the source; `leads` is how many, or the bound of the count."""

    code = "source_in_use"

    def __init__(self, leads: int) -> None:
        super().__init__(self.code)
        self.leads = leads


class InvalidField(SettingsRefusal):
    """A definition that no value could satisfy; `errors` holds (JSON Pointer, what is wrong)."""

    code = "invalid_custom_field"

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(self.code)
        self.errors = ((pointer, message),)


def source(company: Company, key: str) -> Source:
    """Return a source.

    Raises:
        SourceNotFound: there is none of that key.
    """
    if key not in company.sources:
        raise SourceNotFound
    return company.sources[key]


def add_source(company: Company, new: Source) -> Source:
    if new.key in company.sources:
        raise KeyTaken
    if len(company.sources) >= MOST_SOURCES:
        raise TooMany
    return new


def remove_source(company: Company, key: str, in_use: int) -> Source:
    """Forget a source that no lead names; one that leads name can only go out of use."""
    known = source(company, key)
    if in_use:
        raise SourceInUse(in_use)
    return known


def field(company: Company, key: str) -> CustomField:
    """Return a field of the company's own.

    Raises:
        FieldNotFound: there is none of that key.
    """
    if key not in company.custom_fields:
        raise FieldNotFound
    return company.custom_fields[key]


def add_field(company: Company, new: CustomField) -> CustomField:
    if new.key in company.custom_fields:
        raise KeyTaken
    if len(company.custom_fields) >= MOST_FIELDS:
        raise TooMany
    return checked(new)


def change_field(company: Company, key: str, patch: Mapping[str, Any]) -> CustomField:
    """Change all but key and kind: those are what the values already there rely on."""
    return checked(replace(field(company, key), **patch))


def checked(field: CustomField) -> CustomField:
    """Return a definition that makes sense.

    Raises:
        InvalidField: it does not.
    """
    if field.kind in _CHOOSING and not field.choices:
        raise InvalidField("/choices", "Should not be empty for this kind of field")
    if field.kind not in _CHOOSING and field.choices:
        raise InvalidField("/choices", "Should be there only for fields of the kinds choice and choices")
    if len(set(field.choices)) < len(field.choices):
        raise InvalidField("/choices", "Should be different from each other")
    return field

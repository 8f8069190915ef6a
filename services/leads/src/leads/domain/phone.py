"""Phone numbers as E.164."""

from functools import lru_cache

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumberFormat,
    format_number,
    is_possible_number,
    parse,
)

from leads.domain.refusals import InvalidPhone, UnknownRegion


def region(code: str, pointer: str = "/region") -> str:
    """Return a country's code in upper case.

    Raises:
        UnknownRegion: no country of that code has phone numbers.
    """
    known = code.strip().upper()
    if known not in SUPPORTED_REGIONS:
        raise UnknownRegion(pointer)
    return known


def phone(value: str | None, region: str | None, pointer: str = "/phone") -> str | None:
    """Return a number as E.164, such as `+5511987654321`; None instead of blank.

    Args:
        value: with a country code, or as it is written in the region.
        region: ISO 3166; None: there must be a country code.
        pointer: where it was asked for.

    Raises:
        InvalidPhone: no number can look like this.
    """
    text = (value or "").strip()
    if not text:
        return None
    number = _e164(text, region)
    if number is None:
        raise InvalidPhone(pointer)
    return number


@lru_cache(maxsize=1024)  # parsing takes some 100 µs, and a form is often sent again
def _e164(text: str, region: str | None) -> str | None:
    try:
        number = parse(text, region)
    except NumberParseException:
        return None
    if number.extension or not is_possible_number(number):
        return None
    return format_number(number, PhoneNumberFormat.E164)

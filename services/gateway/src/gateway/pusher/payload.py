"""What an event may carry: limits of names and data, and data as the string that clients get."""

from typing import Any, Final

import orjson

MAX_NAME: Final = 200  # characters
MAX_DATA: Final = 10_240  # bytes of UTF-8


def text(data: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a string as it is, and any other JSON value as compact JSON.

    Raises:
        ValueError: the value is nested too deeply to be written.
    """
    if isinstance(data, str):
        return data
    try:
        return orjson.dumps(data).decode()
    except orjson.JSONEncodeError as error:  # a parsed value has nothing else that could not be written
        raise ValueError("nested too deeply") from error


def fits(data: str) -> bool:
    """Whether a data string keeps within its limit."""
    return len(data.encode()) <= MAX_DATA

"""What an event carries: data as the string that clients get."""

from typing import Any

import orjson


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


def fits(data: str, max_bytes: int) -> bool:
    """Whether a data string keeps within a limit of UTF-8 bytes."""
    return len(data.encode()) <= max_bytes

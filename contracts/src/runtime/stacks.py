"""Where errors arose, told without their messages: those may quote personal data."""

import traceback


def frames(error: BaseException | None) -> list[str]:
    """Return where an error and its causes arose, innermost last."""
    found: list[str] = []
    while error is not None:
        found[:0] = [
            *(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)),
            type(error).__name__,
        ]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found

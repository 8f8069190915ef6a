"""Why an HTTP API request is refused. The HTTP layer gives each class its status in one table."""


class Refused(Exception):
    """The message is one sentence for the developer who sent the request; SDKs show it verbatim."""


class Invalid(Refused):
    """The request itself is wrong."""


class TooLarge(Refused):
    """The request, or an event in it, is over its limit."""


class Unauthorised(Refused):
    """The request does not prove that it comes from the app."""


class AppDisabled(Refused):
    """The app exists and may do nothing."""


class NotFound(Refused):
    """There is no such app."""


class TooMany(Refused):
    """The app may do no more of this for the moment."""

    def __init__(self, message: str, seconds: int) -> None:
        """Say for how many seconds."""
        super().__init__(message)
        self.seconds = seconds


class Unavailable(Refused):
    """Storing failed, or nobody knows; the request may be repeated with the same Idempotency-Key."""

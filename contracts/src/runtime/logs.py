"""JSON logs on standard error, one object a line, with the correlation id of the request or message at hand.

Logs carry ids, never personal data: no bodies, no query strings, no names or addresses.
"""

import logging
import sys
from typing import Final

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, merge_contextvars
from structlog.typing import Processor

CORRELATION_ID: Final = "correlation_id"

# Without local variables: they hold bodies, addresses and passwords.
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)

__all__ = ["CORRELATION_ID", "bind_contextvars", "bound_contextvars", "configure"]


def configure(service: str, level: str) -> None:
    """Send structlog's and the standard library's logs of this process to standard error as JSON.

    Args:
        service: what each line's `service` says, such as `leads-api`.
        level: the lowest level that is written, such as `INFO`.
    """

    def name_service(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        event.pop("color_message", None)  # uvicorn's, for terminals
        return event

    shared: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _TRACEBACKS,
        name_service,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "faststream"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # Our own middleware writes one line a request; uvicorn's would show the query string.
    logging.getLogger("uvicorn.access").disabled = True

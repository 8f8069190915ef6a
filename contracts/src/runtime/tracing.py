"""Traces for OpenTelemetry, along W3C trace context: off, and not even imported, unless OTEL_* says where they go.

A process continues the trace of what it is given, by the text of `traceparent`: a request's, a message's. Until its
composition root calls `configure` and wants it, nothing here does anything.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Literal, Protocol, TypeAlias

import structlog
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from runtime.settings import FileSettings

Kind: TypeAlias = Literal["server", "producer", "consumer"]
Attribute: TypeAlias = str | int | None

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_log = structlog.stdlib.get_logger("runtime.tracing")


class TracingSettings(FileSettings):
    """The variables of OpenTelemetry that say whether and where to; its SDK reads the others itself."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    otel_exporter_otlp_endpoint: str = ""
    """Address of a collector, such as `http://otel-collector:4318`."""
    otel_exporter_otlp_traces_endpoint: str = ""
    """The same for traces alone, with the path."""
    otel_exporter_otlp_headers: SecretStr = SecretStr("")
    """Sent along, `name=value` with commas between: may hold a token."""
    otel_exporter_otlp_protocol: str = ""
    otel_sdk_disabled: str = ""
    otel_traces_exporter: str = ""

    @property
    def are_wanted(self) -> bool:
        """Whether traces go anywhere."""
        endpoint = self.otel_exporter_otlp_traces_endpoint or self.otel_exporter_otlp_endpoint
        return bool(endpoint) and self.otel_sdk_disabled.lower() != "true" and self.otel_traces_exporter != "none"


class Span(Protocol):
    """Something that this process does, from its beginning to its end."""

    traceparent: str
    """What continues it elsewhere."""

    def rename(self, name: str) -> None: ...

    def end(self, *, error: str | None = None, **attributes: Attribute) -> None:
        """End it; attributes without a value are left out."""


class Recorder(Protocol):
    """Makes spans, and sends them away."""

    def begin(self, name: str, kind: Kind, parent: str | None) -> Span: ...

    def close(self) -> None: ...


_recorder: Recorder | None = None
_current: ContextVar[Span | None] = ContextVar("span", default=None)


def configure(service: str, settings: TracingSettings) -> None:
    """Begin to record, if somebody wants it.

    Args:
        service: what each span says it is of, such as `leads-api`, unless OTEL_SERVICE_NAME does.
        settings: where to.
    """
    global _recorder  # noqa: PLW0603 - as with logs and metrics, there is one of it in a process
    if not settings.are_wanted:
        return
    if settings.otel_exporter_otlp_protocol not in {"", "http/protobuf"}:
        _log.error("no traces: of OTEL_EXPORTER_OTLP_PROTOCOL only http/protobuf is there")
        return
    from runtime.otel import OtelRecorder  # noqa: PLC0415 - who has no use for it does not pay for it

    _recorder = OtelRecorder(service, settings)


def close() -> None:
    """Send what is left, for some seconds at most."""
    if _recorder is not None:
        _recorder.close()


def is_on() -> bool:
    """Whether anything is recorded."""
    return _recorder is not None


def begin(name: str, kind: Kind, parent: str | None) -> Span | None:
    """Begin a span; None when nothing is recorded.

    Args:
        name: what is done, without ids.
        kind: whether a request is answered, a message sent or handled.
        parent: the `traceparent` of what caused it, if that has one.
    """
    return None if _recorder is None else _recorder.begin(name, kind, understood(parent))


def begin_each(name: str, kind: Kind, parents: Iterable[str | None]) -> Mapping[str, Span]:
    """Begin one span for each different cause among many; what has none begins no trace. None while it is off."""
    if _recorder is None:
        return {}
    causes = {understood(parent) for parent in parents} - {None}
    return {cause: _recorder.begin(name, kind, cause) for cause in causes if cause is not None}


@contextmanager
def within(span: Span | None) -> Iterator[None]:
    """Let what is done meanwhile find the span as the current one."""
    token = _current.set(span)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> str | None:
    """Return what continues the span of the request at hand; None when nothing is recorded."""
    span = _current.get()
    return None if span is None else span.traceparent


def understood(traceparent: str | None) -> str | None:
    """Return a `traceparent` of this version that is well-formed; W3C wants any other left out, not refused."""
    return traceparent if traceparent is not None and _TRACEPARENT.fullmatch(traceparent) else None

"""`runtime.tracing` by OpenTelemetry's SDK: spans go in batches, from a thread of their own, over OTLP and HTTP."""

import threading
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from runtime.tracing import Attribute, Kind, TracingSettings

CLOSING: Final = 3.0  # seconds for what is left to be sent
_KINDS: Final = {"server": SpanKind.SERVER, "producer": SpanKind.PRODUCER, "consumer": SpanKind.CONSUMER}
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class OtelSpan:
    """See `runtime.tracing.Span`."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span) -> None:
        context = span.get_span_context()
        self._span = span
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def end(self, *, error: str | None = None, **attributes: Attribute) -> None:
        if self._span.is_recording():
            for name, value in attributes.items():
                if value is not None:
                    self._span.set_attribute(name.replace("__", "."), value)
            if error is not None:
                self._span.set_status(StatusCode.ERROR, error)
        self._span.end()


class OtelRecorder:
    """See `runtime.tracing.Recorder`."""

    def __init__(self, service: str, settings: TracingSettings) -> None:
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go first.
        resource = Resource.create({"service.name": service}).merge(OTELResourceDetector().detect())
        endpoint = settings.otel_exporter_otlp_traces_endpoint
        exporter = OTLPSpanExporter(
            endpoint=endpoint or f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces",
            headers=_headers(settings.otel_exporter_otlp_headers.get_secret_value()),
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("leadwire")

    def begin(self, name: str, kind: Kind, parent: str | None) -> OtelSpan:
        # An empty context, not None: None would mean the one that is at hand.
        context = _PROPAGATOR.extract({} if parent is None else {"traceparent": parent})
        return OtelSpan(self._tracer.start_span(name, context=context, kind=_KINDS[kind]))

    def close(self) -> None:
        # In a thread that nobody waits for: a collector that hangs must not keep the process from ending.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSING)


def _headers(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {name.strip(): value.strip() for name, _, value in pairs}

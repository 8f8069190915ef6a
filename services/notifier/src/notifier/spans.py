"""The notifier's part of a trace: one span for each request whose facts a batch applies, continued by its pushes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from contracts import streams
from contracts.push import Push
from notifier.feed import Entry
from notifier.letters import Plan
from runtime import tracing
from runtime.tracing import Span

_NAME: Final = f"{streams.CRM} process"


@contextmanager
def traced(plans: Sequence[Plan]) -> Iterator[Sequence[Plan]]:
    """Record what is done meanwhile; give the same plans, with pushes that continue the traces of their facts."""
    spans = tracing.begin_each(_NAME, "consumer", (entry.traceparent for plan in plans for entry in plan.run))
    if not spans:
        yield plans
        return
    error: str | None = "interrupted; it is done again"
    try:
        yield [
            replace(plan, run=[_continued(entry, spans.get(entry.traceparent or "")) for entry in plan.run])
            for plan in plans
        ]
        error = None
    finally:
        facts = sum(len(plan.run) for plan in plans)
        for span in spans.values():
            span.end(error=error, messaging__system="nats", messaging__batch__message_count=facts)


def _continued(entry: Entry, span: Span | None) -> Entry:
    if span is None:
        return entry
    pushes = tuple(
        replace(push, traceparent=span.traceparent) if isinstance(push, Push) else push
        for push in entry.reaction.pushes
    )
    return replace(entry, traceparent=span.traceparent, reaction=replace(entry.reaction, pushes=pushes))

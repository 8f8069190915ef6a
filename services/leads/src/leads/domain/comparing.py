"""What differs between a lead at two moments."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Final

from contracts.events import Change, LeadSummary, Value

_TELLING: Final = tuple(
    field.name for field in fields(LeadSummary) if field.name not in {"id", "custom", "updated_at", "version"}
)


def differences(before: LeadSummary, after: LeadSummary) -> dict[str, Change]:
    """Return field → its values before and after; a field of the company's own is `custom.<key>`."""
    old, new = _flat(before), _flat(after)
    return {
        name: Change(old=old.get(name), new=new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)
    }


def _flat(lead: LeadSummary) -> dict[str, Value]:
    values = {name: getattr(lead, name) for name in _TELLING}
    times = {name: _rfc3339(value) for name, value in values.items() if isinstance(value, datetime)}
    return {**values, **times, **{f"custom.{key}": value for key, value in lead.custom.items()}}


def _rfc3339(time: datetime) -> str:
    """Return a time as every answer shows it."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")

"""Old versions of facts, made into the present ones as they are read. Pure: JSON in, JSON out.

The log is never rewritten, so an upcaster stays for ever. Each leads to the next version only; they are chained.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

Data: TypeAlias = Mapping[str, Any]


def tagged_v1(data: Data) -> Data:
    """Say which tags came and went, in place of all tags before and after."""
    change = data["changes"].get("tags", {"old": [], "new": []})
    old, new = change["old"] or [], change["new"] or []
    return {
        "lead": data["lead"],
        "added": [tag for tag in new if tag not in old],
        "removed": [tag for tag in old if tag not in new],
    }


UPCASTERS: Final[Mapping[str, tuple[str, Callable[[Data], Data]]]] = MappingProxyType(
    {"crm.lead.tagged.v1": ("crm.lead.tagged.v2", tagged_v1)}
)
"""A name that no fact is given any more → the next version's, and what makes the one into the other."""


def upcast(name: str, data: Data) -> tuple[str, Data]:
    """Return a fact's data in the present version, and that version's name."""
    while (step := UPCASTERS.get(name)) is not None:
        name, convert = step
        data = convert(data)
    return name, data

"""The channels of the CRM, by name: who may listen is decided where the name is parsed, never by a prefix."""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_PATTERN = re.compile(
    rf"private-company\.(?P<company>{_UUID})"
    rf"|private-cache-company\.(?P<stats>{_UUID})\.stats"
    rf"|presence-lead\.(?P<lead>{_UUID})"
    rf"|private-user\.(?P<user>{_UUID})"
)


@dataclass(frozen=True, slots=True)
class CompanyChannel:
    """Everything that happens to a company's leads."""

    company_id: str

    def __str__(self) -> str:
        return f"private-company.{self.company_id}"


@dataclass(frozen=True, slots=True)
class StatsChannel:
    """A company's figures; the last ones are replayed on subscribe (a cache channel)."""

    company_id: str

    def __str__(self) -> str:
        return f"private-cache-company.{self.company_id}.stats"


@dataclass(frozen=True, slots=True)
class LeadChannel:
    """Who looks at one lead, and its chat."""

    lead_id: str

    def __str__(self) -> str:
        return f"presence-lead.{self.lead_id}"


@dataclass(frozen=True, slots=True)
class UserChannel:
    """One user's notifications, in all tabs."""

    user_id: str

    def __str__(self) -> str:
        return f"private-user.{self.user_id}"


CrmChannel: TypeAlias = CompanyChannel | StatsChannel | LeadChannel | UserChannel


_ANY = "*-*-*-*-*"  # in place of a UUID
PATTERNS: Final = tuple(str(channel(_ANY)) for channel in (CompanyChannel, StatsChannel, LeadChannel, UserChannel))
"""The names of all channels of the CRM, and hardly any other; `*` stands for any characters."""


def parse(name: str) -> CrmChannel | None:
    """Return the channel of that exact name, or None when the CRM has none such."""
    match = _PATTERN.fullmatch(name)
    if match is None:
        return None
    kinds: dict[str, type[CrmChannel]] = {
        "company": CompanyChannel,
        "stats": StatsChannel,
        "lead": LeadChannel,
        "user": UserChannel,
    }
    kind = match.lastgroup
    assert kind is not None  # every alternative has exactly one group
    return kinds[kind](match[kind])

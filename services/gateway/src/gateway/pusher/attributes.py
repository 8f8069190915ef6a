"""What may be asked about channels with `info`, and the answers as SDKs expect them."""

import re
from enum import StrEnum
from typing import Any, Final

from gateway.pusher.census import Audience
from gateway.pusher.channels import Kind
from gateway.pusher.refusals import Invalid
from gateway.pusher.signature import Pairs


class Attribute(StrEnum):
    """Of a channel."""

    USER_COUNT = "user_count"
    """Distinct users; only of presence channels."""
    SUBSCRIPTION_COUNT = "subscription_count"
    """Connections."""
    CACHE = "cache"
    """The last event; only of cache channels."""


Attributes = frozenset[Attribute]
COUNTS: Final = frozenset({Attribute.USER_COUNT, Attribute.SUBSCRIPTION_COUNT})
_INFO = re.compile(r"info(\[\d*\])?")


def parse(info: object, allowed: Attributes) -> Attributes:
    """Return the attributes of a comma-separated list; None and "" ask for nothing.

    Raises:
        Invalid: there is another word in it, or it is no text.
    """
    if not isinstance(info, str | None):
        raise Invalid("The info parameter must be a comma-separated text")
    names = {name.strip() for name in (info or "").split(",")} - {""}
    known = {attribute.value for attribute in allowed}
    if unknown := sorted(names - known):
        raise Invalid(f"Unknown or unavailable info attribute: {unknown[0][:50]!a}")
    return frozenset(map(Attribute, names))


def of_query(query: Pairs) -> str:
    """Return the `info` parameter; PHP sends a list as `info[0]=a&info[1]=b`."""
    return ",".join(value for key, value in query if _INFO.fullmatch(key))


def counts(asked: Attributes, kind: Kind, audience: Audience) -> dict[str, Any]:
    """Return the counts that were asked for; a channel without users has no number of them."""
    told: dict[str, Any] = {}
    if Attribute.USER_COUNT in asked and kind.presence:
        told["user_count"] = len(audience.users)
    if Attribute.SUBSCRIPTION_COUNT in asked and kind is not Kind.USER:
        told["subscription_count"] = audience.subscriptions
    return told

"""NATS subjects. A name from outside becomes one subject token by an injective encoding, so that no channel, id or
wildcard can reach another subject.

`[A-Za-z0-9_-]` stand for themselves; every other byte of the UTF-8 name becomes `=` and two hex digits.
"""

import re
from functools import lru_cache
from typing import Final

from contracts.events import event_of, kind_of

FACTS: Final = "crm.>"
PUSHES: Final = "push.>"
LIVE: Final = "live.>"
DEAD: Final = "dead.>"
STATE: Final = "state.>"
ROSTER: Final = "roster.>"
"""What is stored on `state.` is handed on with this first token instead."""
WEBHOOKS: Final = "webhook.>"
PUSH_PROBE: Final = "push.~.probe"
"""Where a process stores an empty message to find out whether `PUSH` takes any. No app's token is `~`."""
RETRY: Final = "rpc.notifier.retry"
"""The request subject on which the active notifier applies a dead letter: `{"sequence": n}`."""

_SPECIAL = re.compile(rb"[^A-Za-z0-9_-]")
_TOKEN = re.compile(r"(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+")
_ESCAPE = re.compile(rb"=([0-9A-F]{2})")
WHERE_APPLIED: Final = "rpc.notifier.where"
"""The request subject on which the active notifier tells what became of a fact (`contracts.where`)."""
WHERE_DELIVERED: Final = "gateway.where"
"""The request subject on which every gateway tells what became of pushes."""


@lru_cache(maxsize=10_000)
def token(name: str) -> str:
    """Return a name as one subject token.

    Raises:
        ValueError: the name is empty; NATS knows no empty token.
    """
    if not name:
        raise ValueError("an empty name has no subject token")
    return _SPECIAL.sub(lambda match: b"=%02X" % ord(match[0]), name.encode()).decode()


def name_of(encoded: str) -> str:
    """Return the name behind a token.

    Raises:
        ValueError: no name encodes to this.
    """
    if not _TOKEN.fullmatch(encoded):
        raise ValueError(f"not a subject token: {encoded!r}")
    name = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), encoded.encode()).decode()
    if token(name) != encoded:
        raise ValueError(f"not a canonical subject token: {encoded!r}")
    return name


def fact(company_id: str, subject_id: str, name: str) -> str:
    """Return the subject of a fact of that name: `crm.<company>.lead.<lead>.<event>`, likewise for users and others."""
    return f"crm.{token(company_id)}.{kind_of(name)}.{token(subject_id)}.{event_of(name)}"


def push(app_id: str, channel: str) -> str:
    """Return the subject on which a push to a channel is stored; the server republishes it on `live`."""
    return f"push.{token(app_id)}.{token(channel)}"


def live(app_id: str, channel: str) -> str:
    """Return the subject that gateways with listeners of a channel subscribe."""
    return f"live.{token(app_id)}.{token(channel)}"


def webhook(app_id: str) -> str:
    """Return the subject of requests to an app's endpoints."""
    return f"webhook.{token(app_id)}"


def dead(consumer: str) -> str:
    """Return the subject of what a consumer could not process."""
    return f"dead.{token(consumer)}"


def ask(app_id: str) -> str:
    """Return the request subject on which all gateways tell of an app's channels; `*` for any app."""
    return f"gateway.ask.{app_id if app_id == '*' else token(app_id)}"


def asked(subject: str) -> str:
    """Return the app of such a request."""
    return name_of(subject.rpartition(".")[2])


def stats_request(company_id: str) -> str:
    """Return the request subject that answers a company's figures."""
    return f"rpc.leads.stats.{token(company_id)}"


def changes_request(company_id: str) -> str:
    """Return the request subject that answers a company's facts after a position."""
    return f"rpc.leads.changes.{token(company_id)}"

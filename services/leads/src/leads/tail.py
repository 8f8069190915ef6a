"""`leadwire tail`: facts as they come onto the stream `CRM`, read without a consumer: nothing is left there."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from pydantic import ValidationError

from contracts import envelope, streams, subjects
from contracts.envelope import Envelope
from runtime import direct

PAUSE: Final = 0.2  # seconds between looks at the stream
AWAY: Final = 1.0  # seconds until the next look while it does not answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which facts."""

    company_id: UUID | None = None
    subject_id: UUID | None = None
    """Of a lead, a user, an import."""
    type: str | None = None
    """The name, as `crm.lead.created.v1`, or its last word before the version, as `created`."""

    @property
    def pattern(self) -> str:
        """The NATS subjects of the stream that may hold such facts."""
        company = "*" if self.company_id is None else subjects.token(str(self.company_id))
        subject = "*" if self.subject_id is None else subjects.token(str(self.subject_id))
        return f"crm.{company}.*.{subject}.*"

    def takes(self, fact: Envelope) -> bool:
        """Whether a fact is of the type."""
        return self.type is None or self.type in {fact.type, *fact.type.rsplit(".", 2)[1:2]}


async def facts(nats: Client, wanted: Wanted, *, since: datetime) -> AsyncGenerator[tuple[Msg, Envelope | None]]:
    """Yield what is on the stream since a moment, and what comes, until cancelled; None: it is no fact that we know."""
    after = 0
    while True:
        try:
            start: Mapping[str, Any] = {"after": after} if after else {"since": since}
            async with aclosing(direct.read(nats, streams.CRM, wanted.pattern, **start)) as found:
                async for message in found:
                    after = direct.sequence(message)
                    fact = _read(message.data)
                    if fact is None or wanted.takes(fact):
                        yield message, fact
        except (Error, OSError, TimeoutError):  # away: as long as it takes
            await asyncio.sleep(AWAY)
        await asyncio.sleep(PAUSE)


def line(message: Msg, fact: Envelope | None, *, with_data: bool) -> str:
    """Return a fact for a person."""
    sequence, at = direct.sequence(message), direct.stored_at(message).strftime("%H:%M:%S.%f")[:-3]
    if fact is None:
        return f"{at}  CRM {sequence:<8} unreadable, on {_shown(direct.subject(message))}"
    data = f"  {json.dumps(fact.data, ensure_ascii=False)}" if with_data else ""
    place = f"company {fact.companyid} #{fact.feedposition}"
    return _shown(f"{at}  CRM {sequence:<8} {fact.type:<28} {fact.subject}  {place}  event {fact.id}{data}")


def json_line(message: Msg, fact: Envelope | None, *, with_data: bool) -> str:
    """Return a fact for a program: its envelope, without what it says unless that is wanted."""
    place = {"stream": streams.CRM, "sequence": direct.sequence(message), "at": direct.stored_at(message).isoformat()}
    if fact is None:
        return json.dumps({**place, "unreadable": True})
    hidden = None if with_data else {"data"}
    return json.dumps({**place, **fact.model_dump(mode="json", exclude_none=True, exclude=hidden)}, ensure_ascii=False)


def _read(body: bytes) -> Envelope | None:
    try:
        return envelope.parse(body)
    except ValidationError:
        return None


def _shown(line: str) -> str:
    """Return a line without what would command a terminal: control characters are escaped."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)

"""Answers other services' questions over NATS: figures, and facts they have missed.

A reply is `{"data": …, "position": n, "epoch": e}`, or `{"error": code}`. One to `changes` tells as well what the
feed has in common with earlier epochs: see `leads.views.epochs`.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from contracts import subjects
from contracts.push import CORRELATION_HEADER, Stats, compact_json
from leads.domain.figures import figures
from leads.store.database import DatabaseAway, QueryTooSlow
from leads.store.directory import Directory
from leads.store.feed import UnknownCompany
from leads.views import Views
from runtime.logs import CORRELATION_ID, bound_contextvars

QUEUE: Final = "leads"
REPLY_BYTES: Final = 512 * 1024  # half of what NATS carries; who wants more asks again from the last position

Answer = Callable[[UUID, bytes], Awaitable[bytes]]

_STATS: Final = TypeAdapter(Stats)
_log = structlog.stdlib.get_logger("leads.rpc")


class ChangesRequest(BaseModel):
    """The body of `rpc.leads.changes.<company>`."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 200


class StatsRequest(BaseModel):
    """The body of `rpc.leads.stats.<company>`, which may also be empty."""

    model_config = ConfigDict(extra="forbid")


class Responder:
    """Both questions, shared by all processes of the service."""

    def __init__(self, views: Views, directory: Directory) -> None:
        self._views = views
        self._directory = directory

    async def listen(self, nats: Client) -> None:
        """Answer from now on, as long as the client lives."""
        for pattern, answer in (
            ("rpc.leads.stats.*", self.stats),
            ("rpc.leads.changes.*", self.changes),
        ):
            await nats.subscribe(pattern, queue=QUEUE, cb=_replying(answer))

    async def stats(self, company_id: UUID, body: bytes) -> bytes:
        """Return the figures of all leads: there is nothing to narrow them by, so the request has no members."""
        if body:
            StatsRequest.model_validate_json(body)
        found = await self._views.counters(company_id)
        company = await self._directory.company(company_id, at_least=found.feed.settings_version)
        data = _STATS.dump_json(figures(found.data, company, found.feed.at))
        return b'{"data":%b,"position":%d,"epoch":"%b"}' % (data, found.position, found.feed.epoch.encode())

    async def changes(self, company_id: UUID, body: bytes) -> bytes:
        """Return envelopes as the stream carries them, oldest first: at least one when there is any."""
        request = ChangesRequest.model_validate_json(body)
        changes, epochs = await self._views.changes_and_epochs(company_id, after=request.after, limit=request.limit)
        facts: list[bytes] = []
        size = 0
        for envelope in changes.data:
            fact = envelope.to_json()
            size += len(fact)
            if facts and size > REPLY_BYTES:
                break
            facts.append(fact)
        place = compact_json(
            {
                "position": changes.position,
                "epoch": changes.feed.epoch,
                "shared": epochs.shared,
                "shared_with_others": epochs.shared_with_others,
            }
        )
        return b'{"data":[%b],%b' % (b",".join(facts), place[1:].encode())


def _replying(answer: Answer) -> Callable[[Msg], Awaitable[None]]:
    async def reply(message: Msg) -> None:
        with bound_contextvars(**{CORRELATION_ID: (message.headers or {}).get(CORRELATION_HEADER)}):
            await message.respond(await _answer_or_error(answer, message))

    return reply


async def _answer_or_error(answer: Answer, message: Msg) -> bytes:
    try:
        company_id = UUID(subjects.name_of(message.subject.rsplit(".", 1)[1]))
        return await answer(company_id, message.data)
    except (ValueError, ValidationError):
        return _error("malformed_request")
    except UnknownCompany:
        return _error("unknown_company")
    except (DatabaseAway, QueryTooSlow):
        return _error("unavailable")
    except Exception as error:  # noqa: BLE001 - the asker must not wait for nothing; the name alone holds no data
        _log.error("unexpected error", error=type(error).__name__)
        return _error("internal_error")


def _error(code: str) -> bytes:
    return compact_json({"error": code}).encode()

"""Questions to the leads service over NATS: the facts a company is missing, and its figures."""

from dataclasses import dataclass
from typing import Any, Final, TypeVar

from nats.aio.client import Client
from nats.errors import Error
from pydantic import BaseModel, ValidationError

from contracts import subjects
from contracts.push import Stats, StatsPush, compact_json
from notifier.cursors import Feed

TIMEOUT: Final = 2.0  # seconds
PAGE: Final = 200  # facts an answer may hold: some 200 KB

_Answer = TypeVar("_Answer", bound=BaseModel)


class UnknownCompany(Exception):
    """The log has no such company."""


class LeadsUnavailable(Exception):
    """The leads service did not answer, or not with what was asked for."""


class _Changes(BaseModel):
    data: list[dict[str, Any]]
    position: int
    epoch: str | None = None
    shared: dict[str, int | None] = {}
    shared_with_others: int | None = None


class _Refusal(BaseModel):
    error: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Facts after a position, and how far the feed goes."""

    facts: list[bytes]
    """Each as structured-mode JSON."""
    feed: Feed


class _Figures(BaseModel):
    data: Stats
    position: int
    epoch: str | None = None


class LeadsClient:
    """Asks the leads service. Every method raises `LeadsUnavailable` when the answer is missing or malformed."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def changes(self, company_id: str, *, after: int, limit: int = PAGE) -> Changes:
        """Return the first facts after a position.

        Raises:
            UnknownCompany: the log has no such company.
        """
        request = {"after": after, "limit": limit}
        answer = await self._ask(subjects.changes_request(company_id), request, _Changes)
        feed = Feed(
            position=answer.position,
            epoch=answer.epoch,
            shared=answer.shared,
            shared_with_others=answer.shared_with_others,
        )
        return Changes([compact_json(envelope).encode() for envelope in answer.data], feed)

    async def stats(self, company_id: str) -> StatsPush:
        """Return a company's figures and the feed position that they reflect."""
        answer = await self._ask(subjects.stats_request(company_id), {}, _Figures)
        return StatsPush(stats=answer.data, position=answer.position, epoch=answer.epoch)

    async def _ask(self, subject: str, request: dict[str, Any], shape: type[_Answer]) -> _Answer:
        try:
            answer = await self._client.request(subject, compact_json(request).encode(), timeout=TIMEOUT)
            return shape.model_validate_json(answer.data)
        except ValidationError as error:
            if _refusal(answer.data) == "unknown_company":
                raise UnknownCompany from None
            raise LeadsUnavailable(type(error).__name__) from error
        except (Error, TimeoutError) as error:
            raise LeadsUnavailable(type(error).__name__) from error


def _refusal(body: bytes) -> str | None:
    try:
        return _Refusal.model_validate_json(body).error
    except ValidationError:
        return None

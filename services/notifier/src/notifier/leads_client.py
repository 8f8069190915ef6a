"""Questions to the leads service over NATS: the facts a company is missing, and its figures."""

from typing import Any, Final, TypeVar

from nats.aio.client import Client
from nats.errors import Error
from pydantic import BaseModel, ValidationError

from contracts import subjects
from contracts.push import Stats, StatsPush, compact_json

TIMEOUT: Final = 2.0  # seconds
PAGE: Final = 200  # facts an answer may hold: some 200 KB

_Answer = TypeVar("_Answer", bound=BaseModel)


class LeadsUnavailable(Exception):
    """The leads service did not answer, or not with what was asked for."""


class _Changes(BaseModel):
    data: list[dict[str, Any]]


class _Figures(BaseModel):
    data: Stats
    position: int
    epoch: str | None = None


class LeadsClient:
    """Asks the leads service. Every method raises `LeadsUnavailable` when the answer is missing or malformed."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def changes(self, company_id: str, *, after: int) -> list[bytes]:
        """Return the first facts after a position, each as structured-mode JSON."""
        request = {"after": after, "limit": PAGE}
        answer = await self._ask(subjects.changes_request(company_id), request, _Changes)
        return [compact_json(envelope).encode() for envelope in answer.data]

    async def stats(self, company_id: str) -> StatsPush:
        """Return a company's figures and the feed position that they reflect."""
        answer = await self._ask(subjects.stats_request(company_id), {}, _Figures)
        return StatsPush(stats=answer.data, position=answer.position, epoch=answer.epoch)

    async def _ask(self, subject: str, request: dict[str, Any], shape: type[_Answer]) -> _Answer:
        try:
            answer = await self._client.request(subject, compact_json(request).encode(), timeout=TIMEOUT)
            return shape.model_validate_json(answer.data)
        except (Error, TimeoutError, ValidationError) as error:
            raise LeadsUnavailable(type(error).__name__) from error

"""`GET /leads/export`: a list of leads as CSV, page by page, so that no memory and no snapshot grows with it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request
from fastapi.responses import StreamingResponse

from contracts.events import LeadSummary
from leads.api.answers import READING
from leads.api.context import ReadingOf, ServicesOf
from leads.api.parameters import LIST_PARAMETERS
from leads.api.reading import given, query_of
from leads.domain.company import Company
from leads.domain.csv_text import DELIMITERS, safe, write
from leads.domain.listing import LeadQuery
from leads.views import Mark
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/leads", tags=["leads"], responses=problems(401, 503))

PAGE: Final = 200  # leads that are read and written at a time: some 20 ms
COLUMNS: Final = (
    *("id", "name", "email", "phone", "organisation", "title", "source", "status", "status_since", "lost_reason"),
    *("assigned_to", "value", "currency", "score", "tags", "contact_id", "deal_id", "converted_at", "created_at"),
    *("updated_at", "version"),
)
_OWN: Final = frozenset({"bom", "delimiter"})
_CSV: Final = {"type": "string", "format": "binary"}


@router.get(
    "/export",
    summary="Read leads as CSV",
    responses={
        200: {
            "description": "Leads, as many as there are.",
            "content": {"text/csv": {"schema": _CSV, "example": "id,name\r\n01939d1c-77a2,Ada Lovelace\r\n"}},
        },
        **READING,
        **problems(404),
    },
    openapi_extra=LIST_PARAMETERS,
    response_class=StreamingResponse,
)
async def export_leads(
    reading: ReadingOf,
    services: ServicesOf,
    request: Request,
    bom: Annotated[bool, Query(description="Whether a byte order mark goes in front, as Excel wants it.")] = False,
    delimiter: Annotated[Literal[",", ";", "tab", "|"], Query(description="Between cells.")] = ",",
) -> StreamingResponse:
    """The parameters of `GET /leads`; those that nobody knows are refused. Formulas are disarmed by an apostrophe."""
    asked = {name: values for name, values in given(request).items() if name not in _OWN}
    query = await query_of(services, reading, asked)
    company = reading.caller.company
    first = await services.views.leads(reading.caller.company_id, query, after=None, limit=PAGE)
    name = f"leads-{reading.feed.at:%Y-%m-%d}.csv"
    pages = _Pages(services, reading, query, company, DELIMITERS[delimiter])
    return StreamingResponse(
        pages.text(first.data.leads, first.data.end, "\ufeff" if bom else ""),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class _Pages:
    """A list on its way out. Each page is a snapshot of its own: a long one would keep PostgreSQL from tidying up."""

    def __init__(
        self, services: ServicesOf, reading: ReadingOf, query: LeadQuery, company: Company, delimiter: str
    ) -> None:
        self._services = services
        self._reading = reading
        self._query = query
        self._own = list(company.custom_fields)
        self._delimiter = delimiter

    async def text(self, leads: Sequence[LeadSummary], end: Mark | None, head: str) -> AsyncIterator[bytes]:
        columns = [*COLUMNS, *(f"custom.{key}" for key in self._own)]
        yield (head + write([columns], self._delimiter)).encode()
        while True:
            yield write(map(self._record, leads), self._delimiter).encode()
            if end is None:
                return
            await asyncio.sleep(0)
            page = await self._services.views.leads(self._reading.caller.company_id, self._query, after=end, limit=PAGE)
            leads, end = page.data.leads, page.data.end

    def _record(self, lead: LeadSummary) -> list[str]:
        values = [getattr(lead, name) for name in COLUMNS]
        return [safe(_cell(value)) for value in (*values, *(lead.custom.get(key) for key in self._own))]


def _cell(value: Any) -> str:  # noqa: ANN401 - any value of a lead
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ";".join(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)

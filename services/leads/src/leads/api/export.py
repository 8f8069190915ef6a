"""`GET /leads/export`: a list of leads as CSV, page by page, so that no memory and no snapshot grows with it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request
from fastapi.responses import StreamingResponse

from contracts.events import LeadSummary
from leads.api.answers import READING
from leads.api.context import ReadingOf, ServicesOf
from leads.api.parameters import LIST_PARAMETERS
from leads.api.reading import given, query_of
from leads.domain.company import Company
from leads.domain.csv_text import DELIMITERS, DIALECTS, Dialect, Locale, safe, write
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
_OWN: Final = frozenset({"bom", "delimiter", "locale"})
LocaleParameter = Annotated[
    Locale | None,
    Query(description="Write what spreadsheets of this locale read: delimiter, decimal mark, byte order mark, times."),
]
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
    locale: LocaleParameter = None,
    bom: Annotated[
        bool | None,
        Query(description="Whether a byte order mark goes in front. By default as `locale` has it, or none."),
    ] = None,
    delimiter: Annotated[
        Literal[",", ";", "tab", "|"] | None,
        Query(description="Between cells. By default as `locale` has it, or a comma."),
    ] = None,
) -> StreamingResponse:
    """The parameters of `GET /leads`. An apostrophe goes before whatever a spreadsheet would take for a formula."""
    asked = {name: values for name, values in given(request).items() if name not in _OWN}
    query = await query_of(services, reading, asked)
    company = reading.caller.company
    first = await services.views.leads(reading.caller.company_id, query, after=None, limit=PAGE)
    name = f"leads-{reading.feed.at:%Y-%m-%d}.csv"
    dialect = DIALECTS[locale] if locale else Dialect()
    if delimiter is not None:
        dialect = replace(dialect, delimiter=DELIMITERS[delimiter])
    if bom is not None:
        dialect = replace(dialect, byte_order_mark=bom)
    pages = _Pages(services, reading, query, company, dialect)
    return StreamingResponse(
        pages.text(first.data.leads, first.data.end),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class _Pages:
    """A list on its way out. Each page is a snapshot of its own: a long one would keep PostgreSQL from tidying up."""

    def __init__(
        self, services: ServicesOf, reading: ReadingOf, query: LeadQuery, company: Company, dialect: Dialect
    ) -> None:
        self._services = services
        self._reading = reading
        self._query = query
        self._own = list(company.custom_fields)
        self._dialect = dialect

    async def text(self, leads: Sequence[LeadSummary], end: Mark | None) -> AsyncIterator[bytes]:
        columns = [*COLUMNS, *(f"custom.{key}" for key in self._own)]
        head = "\ufeff" if self._dialect.byte_order_mark else ""
        yield (head + write([columns], self._dialect.delimiter)).encode()
        while True:
            yield write(map(self._record, leads), self._dialect.delimiter).encode()
            if end is None:
                return
            await asyncio.sleep(0)
            page = await self._services.views.leads(self._reading.caller.company_id, self._query, after=end, limit=PAGE)
            leads, end = page.data.leads, page.data.end

    def _record(self, lead: LeadSummary) -> list[str]:
        values = [getattr(lead, name) for name in COLUMNS]
        values[COLUMNS.index("value")] = None if lead.value is None else Decimal(lead.value)
        return [safe(cell(value, self._dialect)) for value in (*values, *(lead.custom.get(key) for key in self._own))]


def cell(value: Any, dialect: Dialect) -> str:  # noqa: ANN401, PLR0911 - any value of a lead, one answer for each kind
    """Return a value of a lead as an import reads it again."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ";".join(value)
        case float() | Decimal():
            return _number(Decimal(str(value)), dialect.decimal_mark)
        case datetime() if dialect.spaced_times:
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        case datetime():
            return value.isoformat()
        case _:
            return str(value)


def _number(value: Decimal, decimal_mark: str) -> str:
    """Return a number without an exponent. Of three decimal places an import would make thousands: one more follows."""
    whole, point, decimals = f"{value:f}".partition(".")
    if decimal_mark == ",":
        decimals = f"{decimals}0" if len(decimals) == 3 else decimals  # noqa: PLR2004 - digits of a group
    return f"{whole}{decimal_mark if point else ''}{decimals}"

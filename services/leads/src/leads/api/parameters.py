"""The parameters of `GET /leads`, for OpenAPI: `leads.domain.listing` reads them."""

from typing import Any, Final

from leads.domain.listing import CUSTOM, LONGEST_VALUE, MOST_VALUES, PARAMETERS, SORTS
from runtime.strict import PREFIXES

_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": LONGEST_VALUE}
_TIME: Final = {"type": "string", "format": "date-time"}
_ID: Final = {"type": "string", "format": "uuid"}
_DESCRIBED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "status": ("Keys of stages.", _TEXT),
    "source": ("Keys of sources; `none`: leads without one.", _TEXT),
    "assigned_to": ("Ids of users; `me`: the caller; `none`: nobody.", _TEXT),
    "tags": ("Leads with any of these tags.", _TEXT),
    "tags_all": ("Leads with all of these tags.", _TEXT),
    "q": (
        (
            "Words that the lead's texts hold, in any order, accents and case left aside; the last one may be the"
            " beginning of a longer word. A phone number is found by its beginning or by its end."
        ),
        _TEXT,
    ),
    "email": ("The whole address.", _TEXT),
    "phone": ("The whole number: E.164, or as it is written in the company's country.", _TEXT),
    "name": ("What the name begins with, accents and case left aside.", _TEXT),
    "organisation": ("The whole text, case left aside.", _TEXT),
    "title": ("The whole text, case left aside.", _TEXT),
    "lost_reason": ("The whole text, case left aside.", _TEXT),
    "currency": ("ISO 4217.", _TEXT),
    "converted": ("Whether it was converted.", {"type": "string", "enum": ["yes", "no"]}),
    "contact_id": ("The contact it was converted to.", _ID),
    "deal_id": ("The deal it was converted to.", _ID),
    "sort": (
        "What to sort by. Leads without such a value come last.",
        {"type": "string", "enum": list(SORTS), "default": "newest"},
    ),
    "order": ("Descending unless by name.", {"type": "string", "enum": ["asc", "desc"]}),
}
_ONCE: Final = frozenset({"q", "converted", "sort", "order"})


def _parameter(name: str) -> dict[str, Any]:
    base, _, end = name.rpartition("_")
    if name in _DESCRIBED:
        description, schema = _DESCRIBED[name]
    elif end in {"min", "max"}:
        description = f"The least `{base}`." if end == "min" else f"The greatest `{base}`."
        schema = {"type": "number" if base == "value" else "integer"}
    else:
        description = f"`{base}` at or after this time." if end == "from" else f"`{base}` before this time."
        schema = _TIME
    many = {"type": "array", "items": schema, "maxItems": MOST_VALUES}
    is_single = name in _ONCE or name not in _DESCRIBED
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema if is_single else many,
    }


_LIST_PARAMETERS: Final = [
    {
        "name": "view",
        "in": "query",
        "required": False,
        "description": "A saved view, whose parameters hold where the request gives no others.",
        "schema": _ID,
    },
    *map(_parameter, PARAMETERS),
]
LIST_PARAMETERS: Final[dict[str, Any]] = {"parameters": _LIST_PARAMETERS, PREFIXES: [CUSTOM]}
"""What `openapi_extra` of a route that takes them has; `custom.<key>` has names that companies choose."""

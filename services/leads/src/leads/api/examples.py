"""What OpenAPI shows."""

from typing import Final

from pydantic.config import JsonDict, JsonValue

NEW_LEAD: Final[JsonDict] = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "phone": "+44 20 7946 0000",
    "source": "website",
    "value": "1500.00",
    "currency": "GBP",
    "tags": ["analytics"],
}
LEAD: Final[JsonDict] = {
    "id": "01939d1c-77a2-7c3e-9d0b-2f6c1c1f0a55",
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "phone": "+442079460000",
    "organisation": "Analytical Engines",
    "title": "Programmer",
    "source": "website",
    "status": "new",
    "status_since": "2026-11-23T17:50:10.123456Z",
    "lost_reason": None,
    "assigned_to": None,
    "value": "1500.00",
    "currency": "GBP",
    "score": 70,
    "tags": ["analytics"],
    "custom": {"employees": 12},
    "messages": 0,
    "contact_id": None,
    "deal_id": None,
    "converted_at": None,
    "created_at": "2026-11-23T17:50:10.123456Z",
    "updated_at": "2026-11-23T17:50:10.123456Z",
    "version": 1,
}
MESSAGE: Final[JsonDict] = {
    "id": "6a7d7f1e-7c55-5c8b-9a51-0d5c0a4f3b21",
    "author": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01",
    "body": "Called her: she wants an offer by Friday.",
    "mentions": [],
    "posted_at": "2026-11-23T18:05:00Z",
    "edited_at": None,
}
PERSON: Final[JsonDict] = {"id": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01", "name": "Grace Hopper"}
COLLEAGUE: Final[JsonDict] = {**PERSON, "role": "agent", "active": True, "version": 0, "email": "grace@example.com"}
COMPANY: Final[JsonDict] = {
    "id": "b9c4e7d0-1111-4a52-8f57-5d0c6f8f5a02",
    "name": "Analytical Engines",
    "region": "BR",
    "currency": "BRL",
}
STAGES: Final[list[JsonValue]] = [
    {"key": "new", "name": "New", "kind": "open", "next": ["won", "lost"], "reason_required": False},
    {"key": "won", "name": "Won", "kind": "won", "next": None, "reason_required": False},
    {"key": "lost", "name": "Lost", "kind": "lost", "next": ["new"], "reason_required": True},
]
SOURCE: Final[JsonDict] = {"key": "website", "name": "Website", "active": True}
CUSTOM_FIELD: Final[JsonDict] = {
    "key": "plan",
    "label": "Plan",
    "kind": "choice",
    "choices": ["basic", "pro"],
    "required": False,
    "active": True,
    "position": 0,
}
SAVED_VIEW: Final[JsonDict] = {
    "id": "01939d1c-0a1b-7c3e-9d0b-2f6c1c1f0a77",
    "owner": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01",
    "name": "My open leads",
    "query": {"assigned_to": "me", "status": ["new", "contacted"]},
    "shared": False,
    "created_at": "2026-11-23T17:50:10Z",
    "updated_at": "2026-11-23T17:50:10Z",
}
_CHANGES: Final[JsonDict] = {"status": {"old": "new", "new": "contacted"}}
_CHANGED: Final[JsonDict] = {**LEAD, "status": "contacted", "updated_at": "2026-11-23T18:02:00Z", "version": 2}
FEED_ENTRY: Final[JsonDict] = {
    "position": 42,
    "event_id": "0a5d2c0e-3c55-5f0b-9f3c-0a2f1f6f7d11",
    "type": "lead.status_changed",
    "subject": "01939d1c-77a2-7c3e-9d0b-2f6c1c1f0a55",
    "occurred_at": "2026-11-23T18:02:00Z",
    "actor": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01",
    "changes": _CHANGES,
    "lead": _CHANGED,
    "data": {},
}
STATS: Final[JsonDict] = {
    "total": 3,
    "new_this_month": 2,
    "by_status": {"new": 1, "contacted": 1, "qualified": 0, "won": 1, "lost": 0},
    "by_source": {"website": 2},
    "by_assignee": {"7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01": 1},
    "conversion": 0.3333333333333333,
    "new_last_month": 1,
    "new_per_day": {"2026-11-22": 0, "2026-11-23": 2},
    "won": 1,
    "lost": 0,
    "funnel": [
        {"stage": "new", "entered": 3, "rate": None, "median_seconds": 86_690.0},
        {"stage": "contacted", "entered": 2, "rate": 0.6666666666666666, "median_seconds": 3_500.0},
        {"stage": "qualified", "entered": 1, "rate": 0.5, "median_seconds": 601_000.0},
        {"stage": "won", "entered": 1, "rate": 1.0, "median_seconds": None},
        {"stage": "lost", "entered": 0, "rate": None, "median_seconds": None},
    ],
}
ACCOUNT: Final[JsonDict] = {
    **PERSON,
    "email": "grace@example.com",
    "role": "agent",
    "company_id": "b9c4e7d0-1111-4a52-8f57-5d0c6f8f5a02",
    "company_name": "Analytical Engines",
}
HISTORY_ENTRY: Final[JsonDict] = {
    "lead_id": "01939d1c-77a2-7c3e-9d0b-2f6c1c1f0a55",
    "position": 42,
    "version": 2,
    "type": "lead.status_changed",
    "occurred_at": "2026-11-23T18:02:00Z",
    "actor": PERSON,
    "changes": _CHANGES,
    "details": {},
    "caused_by": {
        "command_id": "01939d27-4a10-7b64-8f3e-6b0f6e1d2c33",
        "correlation_id": "5f0e6b0e-93f5-4f0e-8a53-3f1b0a2c9d10",
    },
}
LISTED_LEAD: Final[JsonDict] = {
    **LEAD,
    "assigned_to": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01",
    "assigned_user": {**PERSON, "role": "agent"},
    "source_details": {"key": "website", "name": "Website"},
}
DELETED_LEAD: Final[JsonDict] = {
    "lead": LEAD,
    "deleted_at": "2026-11-23T18:02:00Z",
    "deleted_by": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01",
    "merged_into": None,
}
DIFF: Final[JsonDict] = {
    "before": {"version": 1, "updated_at": "2026-11-23T17:50:10.123456Z"},
    "after": {"version": 2, "updated_at": "2026-11-23T18:02:00Z"},
    "changes": _CHANGES,
}
LOGIN: Final[JsonDict] = {"access_token": "eyJ…", "token_type": "Bearer", "expires_in": 43200, "user": ACCOUNT}


def answer(data: JsonDict) -> JsonDict:
    return {"data": data, "meta": {"position": 42}}


def page(item: JsonDict, *, next_page: str | None = None) -> JsonDict:
    return {"data": [item], "meta": {"position": 42}, "links": {"next": next_page}}

"""One valid request for each operation, on things that exist: what an attacker would send, and a colleague, too."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from .conftest import PASSWORD

EVERY_LEAD = {"filter": {}, "all": True, "expected_count": 1000}


@dataclass(frozen=True)
class Attempt:
    """A request for one operation."""

    method: str
    path: str
    body: Any = None
    """JSON; or bytes, sent as they are."""
    headers: dict[str, str] = field(default_factory=dict)
    success: int = 200
    names_a_thing: bool = False
    """Whether it names something of a company, which therefore does not exist for any other."""

    async def send(self, client: httpx.AsyncClient) -> httpx.Response:
        body = {"content": self.body} if isinstance(self.body, bytes) else {"json": self.body}
        return await client.request(self.method, self.path, headers=self.headers, **body)


Prepare = Callable[[httpx.AsyncClient], Awaitable[Attempt]]
"""Makes the things that an operation is about, as an admin, and returns the request."""


def of_nothing(method: str, path: str, body: Any = None, **details: Any) -> Prepare:
    async def prepare(_admin: httpx.AsyncClient) -> Attempt:
        return Attempt(method, path, body, **details)

    return prepare


def of_lead(method: str, path: str = "", body: Any = None, **details: Any) -> Prepare:
    async def prepare(admin: httpx.AsyncClient) -> Attempt:
        lead = await made(admin, "/leads", {"name": "Ada"})
        return Attempt(method, f"/leads/{lead['id']}{path}", body, names_a_thing=True, **details)

    return prepare


def of_user(method: str, path: str = "", body: Any = None) -> Prepare:
    async def prepare(admin: httpx.AsyncClient) -> Attempt:
        user = await made(admin, "/users", new_user())
        return Attempt(method, f"/users/{user['id']}{path}", body, names_a_thing=True)

    return prepare


def of_source(method: str, body: Any = None) -> Prepare:
    async def prepare(admin: httpx.AsyncClient) -> Attempt:
        source = await made(admin, "/sources", {"key": f"fair-{uuid4()}", "name": "Fair"})
        return Attempt(method, f"/sources/{source['key']}", body, names_a_thing=True)

    return prepare


def of_field(method: str, body: Any = None) -> Prepare:
    async def prepare(admin: httpx.AsyncClient) -> Attempt:
        custom = await made(admin, "/custom-fields", {"key": f"f{uuid4().hex}", "label": "Plan", "kind": "text"})
        return Attempt(method, f"/custom-fields/{custom['key']}", body, names_a_thing=True)

    return prepare


async def new_source(_admin: httpx.AsyncClient) -> Attempt:
    return Attempt("POST", "/sources", {"key": f"fair-{uuid4()}", "name": "Fair"}, success=201)


async def new_field(_admin: httpx.AsyncClient) -> Attempt:
    body = {"key": f"f{uuid4().hex}", "label": "Plan", "kind": "text"}
    return Attempt("POST", "/custom-fields", body, success=201)


async def new_colleague(_admin: httpx.AsyncClient) -> Attempt:
    return Attempt("POST", "/users", new_user(), success=201)


async def a_shared_view(admin: httpx.AsyncClient) -> Attempt:
    view = await made(admin, "/views", {"name": "All", "query": {}, "shared": True})
    return Attempt("GET", f"/views/{view['id']}", names_a_thing=True)


async def restoration(admin: httpx.AsyncClient) -> Attempt:
    lead = await made(admin, "/leads", {"name": "Ada"})
    assert (await admin.delete(f"/leads/{lead['id']}")).is_success
    return Attempt("POST", f"/leads/{lead['id']}/restore", names_a_thing=True)


async def merge(admin: httpx.AsyncClient) -> Attempt:
    survivor, other = [await made(admin, "/leads", {"name": name}) for name in ("Ada", "Bob")]
    path = f"/leads/{survivor['id']}/merge"
    return Attempt("POST", path, {"other": other["id"]}, {"If-Match": "*"}, names_a_thing=True)


async def own_message(author: httpx.AsyncClient) -> Attempt:
    lead = await made(author, "/leads", {"name": "Ada"})
    message = await made(author, f"/leads/{lead['id']}/messages", {"body": "Call her"})
    path = f"/leads/{lead['id']}/messages/{message['id']}"
    return Attempt("PATCH", path, {"body": "Call her today"}, names_a_thing=True)


def of_own_view(method: str, body: Any = None) -> Prepare:
    async def prepare(author: httpx.AsyncClient) -> Attempt:
        view = await made(author, "/views", {"name": "Mine", "query": {}})
        return Attempt(method, f"/views/{view['id']}", body, names_a_thing=True)

    return prepare


async def changed_pipeline(admin: httpx.AsyncClient) -> Attempt:
    read = await admin.get("/pipeline")
    stages = [*read.json()["data"]["stages"], {"key": f"s{uuid4().hex}", "name": "One more"}]
    return Attempt("PUT", "/pipeline", {"stages": stages}, {"If-Match": "*"})


def of_job(method: str, path: str = "", **details: Any) -> Prepare:
    async def prepare(author: httpx.AsyncClient) -> Attempt:
        order = {"leads": EVERY_LEAD, "change": {"action": "tag", "add": ["vip"]}}
        answer = await author.post("/leads/bulk", json=order)
        assert answer.status_code == 202, answer.text
        return Attempt(method, f"/jobs/{answer.json()['data']['id']}{path}", names_a_thing=True, **details)

    return prepare


def of_import(method: str, path: str = "", body: Any = None, **details: Any) -> Prepare:
    async def prepare(admin: httpx.AsyncClient) -> Attempt:
        answer = await admin.post("/imports?name=leads.csv", content=_FILE)
        assert answer.status_code == 201, answer.text
        return Attempt(method, f"/imports/{answer.json()['data']['id']}{path}", body, names_a_thing=True, **details)

    return prepare


_FILE = b"name,email\nAda,ada@example.com\n"


async def lead_channel(admin: httpx.AsyncClient) -> Attempt:
    lead = await made(admin, "/leads", {"name": "Ada"})
    body = {"socket_id": "1.2", "channel_name": f"presence-lead.{lead['id']}"}
    return Attempt("POST", "/broadcasting/auth", body)


async def made(client: httpx.AsyncClient, path: str, body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def new_user() -> dict[str, str]:
    return {"name": "Grace", "email": f"{uuid4()}@example.com", "role": "agent", "password": PASSWORD}


ATTEMPTS: dict[str, Prepare] = {
    "read_me": of_nothing("GET", "/auth/me"),
    "log_out": of_nothing("POST", "/auth/logout", success=204),
    "change_password": of_nothing(
        "POST", "/auth/password", {"current_password": PASSWORD, "new_password": "another battery staple"}
    ),
    "authorize_channel": lead_channel,
    "list_leads": of_nothing("GET", "/leads"),
    "count_leads": of_nothing("GET", "/leads/count"),
    "read_lead": of_lead("GET"),
    "read_history": of_lead("GET", "/history"),
    "read_diff": of_lead("GET", "/diff?from=1&to=1"),
    "list_messages": of_lead("GET", "/messages"),
    "list_deleted_leads": of_nothing("GET", "/leads/deleted"),
    "list_changes": of_nothing("GET", "/changes"),
    "read_stats": of_nothing("GET", "/stats"),
    "create_lead": of_nothing("POST", "/leads", {"name": "Ada"}, success=201),
    "change_lead": of_lead("PATCH", "", {"name": "Bob"}),
    "delete_lead": of_lead("DELETE"),
    "restore_lead": restoration,
    "assign_lead": of_lead("POST", "/assign", {"assigned_to": None}),
    "change_status": of_lead("POST", "/status", {"status": "contacted"}),
    "tag_lead": of_lead("POST", "/tags", {"add": ["vip"]}),
    "convert_lead": of_lead("POST", "/convert", {}),
    "post_message": of_lead("POST", "/messages", {"body": "Call her"}, success=201),
    "merge_leads": merge,
    "bulk_change_leads": of_nothing(
        "POST", "/leads/bulk", {"leads": EVERY_LEAD, "change": {"action": "delete"}}, success=202
    ),
    "list_jobs": of_nothing("GET", "/jobs"),
    "read_job": of_job("GET"),
    "list_refusals": of_job("GET", "/refusals"),
    "manage_jobs": of_job("POST", "/cancel"),
    "list_imports": of_nothing("GET", "/imports"),
    "upload_import": of_nothing("POST", "/imports?name=leads.csv", _FILE, success=201),
    "read_import": of_import("GET"),
    "map_import": of_import("PUT", "/mapping", {"mapping": ["name", None]}),
    "start_import": of_import("POST", "/start", success=202),
    "forget_import": of_import("DELETE", success=204),
    "read_import_errors": of_import("GET", "/errors.csv"),
    "revert_import": of_import("POST", "/revert", success=404),  # it was not started: there is no job to take back
    "export_leads": of_nothing("GET", "/leads/export"),
    "list_views": of_nothing("GET", "/views"),
    "read_view": a_shared_view,
    "add_view": of_nothing("POST", "/views", {"name": "Mine", "query": {}}, success=201),
    "share_view": of_nothing("POST", "/views", {"name": "Ours", "query": {}, "shared": True}, success=201),
    "list_roles": of_nothing("GET", "/roles"),
    "list_users": of_nothing("GET", "/users"),
    "read_user": of_user("GET"),
    "add_user": new_colleague,
    "change_user": of_user("PATCH", "", {"name": "Bob"}),
    "deactivate_user": of_user("POST", "/deactivate"),
    "reactivate_user": of_user("POST", "/reactivate"),
    "read_company": of_nothing("GET", "/company"),
    "change_company": of_nothing("PATCH", "/company", {"region": "BR"}),
    "read_pipeline": of_nothing("GET", "/pipeline"),
    "replace_pipeline": changed_pipeline,
    "list_sources": of_nothing("GET", "/sources"),
    "add_source": new_source,
    "change_source": of_source("PATCH", {"name": "Bob"}),
    "remove_source": of_source("DELETE"),
    "list_custom_fields": of_nothing("GET", "/custom-fields"),
    "add_custom_field": new_field,
    "change_custom_field": of_field("PATCH", {"label": "Bob"}),
    "retire_custom_field": of_field("DELETE"),
}
"""By operation; things are made by an admin."""

OWN_ATTEMPTS: dict[str, Prepare] = {
    "change_view": of_own_view("PATCH", {"name": "Other"}),
    "remove_view": of_own_view("DELETE"),
    "edit_message": own_message,
    "cancel_job": of_job("POST", "/cancel"),
    "undo_job": of_job("POST", "/undo", success=409),  # it has not ended: whoever may not is not even told that
}
"""By operation on things that belong to whoever made them."""

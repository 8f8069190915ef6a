"""An API's description and pages: written once, and nothing in them comes from another host."""

import re
from html.parser import HTMLParser

import httpx
import pytest
from fastapi import FastAPI

from runtime import api_docs
from runtime.security_headers import SecurityHeaders


class CountingApp(FastAPI):
    asked = 0

    def openapi(self):
        self.asked += 1
        return super().openapi()


def client(root_path: str = "") -> tuple[CountingApp, httpx.AsyncClient]:
    app = CountingApp(title="Leads & more", openapi_url=None)
    app.router.routes.extend(api_docs.routes(app))
    app.add_middleware(SecurityHeaders)
    return app, httpx.AsyncClient(transport=httpx.ASGITransport(app, root_path=root_path), base_url="http://x")


class Loaded(HTMLParser):
    """What a page loads, and the scripts in it."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.addresses += [value for name, value in attrs if name in {"src", "href", "data-description"} and value]

    def handle_data(self, data: str) -> None:
        if self._tag == "script":
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""


async def test_the_description_is_written_once_and_not_sent_to_those_who_have_it() -> None:
    app, http = client()
    async with http:
        plain = [await http.get("/openapi.json", headers={"Accept-Encoding": "identity"}) for _ in range(5)]
        packed = await http.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
        known = await http.get("/openapi.json", headers={"If-None-Match": packed.headers["etag"]})

    assert app.asked == 1
    assert packed.json() == plain[0].json() == app.openapi()
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["etag"] != plain[0].headers["etag"]
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize("root_path", ["", "/api"])
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_a_page_loads_nothing_from_another_host_and_has_no_script_inside(page: str, root_path: str) -> None:
    _, http = client(root_path)
    async with http:
        answer = await http.get(f"{root_path}{page}")
        loaded = Loaded()
        loaded.feed(answer.text)
        assets = [await http.get(address) for address in loaded.addresses]

    assert loaded.inline == []
    assert all(address.startswith(f"{root_path}/") for address in loaded.addresses)
    assert {asset.status_code for asset in assets} == {200}
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    assert not re.search(r"https?://", policy)
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_root_leads_to_the_pages_and_an_unknown_asset_does_not_exist() -> None:
    _, http = client("/api")
    async with http:
        root = await http.get("/api/")
        missing = [(await http.get(f"/api/docs/assets/{name}")).status_code for name in ("x.js", "..%2f__init__.py")]

    assert (root.status_code, root.headers["location"]) == (307, "/api/docs")
    assert missing == [404, 404]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_answer_is_kept_nowhere_and_says_so_where_it_is_encrypted(scheme: str) -> None:
    app = FastAPI(openapi_url=None)
    app.add_middleware(SecurityHeaders)

    @app.get("/lead")
    async def lead() -> dict[str, str]:
        return {"name": "Ada"}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{scheme}://x") as http:
        headers = (await http.get("/lead")).headers
        missing = (await http.get("/nothing")).headers

    for told in (headers, missing):
        assert told["cache-control"] == "no-store"
        assert told["x-content-type-options"] == "nosniff"
        assert told["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert ("strict-transport-security" in told) == (scheme == "https")

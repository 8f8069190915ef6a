"""examples/echo.html in a real Chromium, beside a running Leadwire."""

from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, expect

from leadwire import paths, web
from support.browser import chromium
from support.stack import Stack, User

pytestmark = pytest.mark.browser

EXAMPLES = paths.CHECKOUT / "examples"
ORIGIN = "http://127.0.0.1:5173"
"""One that the API of `leadwire up` lets in."""


async def serve(page: Page) -> None:
    """Answer what the page asks of its origin with the files of the folder, as any web server does."""

    async def answer(route) -> None:  # type: ignore[no-untyped-def]
        path = EXAMPLES / route.request.url.removeprefix(f"{ORIGIN}/").partition("?")[0]
        await route.fulfill(path=path) if path.is_file() else await route.fulfill(status=404)

    await page.route(f"{ORIGIN}/**", answer)


async def connect(page: Page, stack: Stack, user: User) -> None:
    known = {
        "gateway": stack.topology.gateway.url,
        "api": stack.topology.leads.url,
        "key": stack.topology.credentials.pusher_app_key,
        "email": user.email,
    }
    await page.goto(f"{ORIGIN}/echo.html?{urlencode(known)}")
    await page.get_by_label("Password").fill(user.password)
    await page.get_by_role("button", name="Connect").click()
    await expect(page.get_by_role("status")).to_have_text("The connection is connected.")


async def test_plain_echo_shows_what_happens_and_what_it_missed(stack: Stack, tmp_path: Path) -> None:
    await web.install(EXAMPLES, tmp_path)
    async with chromium() as browser, stack.client("manager") as api:
        created = (await api.post("/leads", json={"name": "There before"})).json()["data"]
        page = await browser.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        await serve(page)
        await connect(page, stack, stack.acme.users["agent"])
        rows = page.get_by_role("list", name="Leads").get_by_role("listitem")
        await expect(rows).to_have_text(["There before new"])

        lead = (await api.post("/leads", json={"name": "Ada", "email": "ada@example.com"})).json()["data"]
        await expect(rows).to_have_text(["Ada new · ada@example.com", "There before new"])
        await api.patch(f"/leads/{lead['id']}", json={"status": "contacted"})
        await expect(rows).to_have_text(["Ada contacted · ada@example.com", "There before new"])

        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/leads" in request.url else None)
        stack.kill("gateway")
        await expect(page.get_by_role("status")).not_to_have_text("The connection is connected.")
        await api.delete(f"/leads/{created['id']}")
        await api.post("/leads", json={"name": "Missed"})
        stack.start("gateway")
        await stack.ready("gateway")

        await expect(rows).to_have_text(["Missed new", "Ada contacted · ada@example.com"])
        assert not asked
        assert not wrong

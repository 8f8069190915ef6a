"""Every page by axe-core: what a machine can find wrong for people who do not see, hear or point."""

import pytest
from playwright.async_api import expect

from support.browser import chromium, open_screen, violations
from support.stack import Stack

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_no_page_has_a_known_barrier(stack: Stack, theme: str) -> None:
    async with chromium() as browser, stack.client("manager") as api:
        lead = (await api.post("/leads", json={"name": "Ada", "value": "9", "currency": "EUR", "tags": ["vip"]})).json()
        await api.post("/leads", json={"name": "Grace", "assigned_to": stack.acme.users["agent"].id})
        page = await open_screen(browser, stack, stack.acme.users["manager"])
        await page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
        found = {"list": await violations(page)}
        await page.get_by_test_id("select-lead").first.check()
        found["selection"] = await violations(page)
        await page.get_by_test_id("new-lead").click()
        await expect(page.get_by_test_id("lead-form")).to_be_visible()
        found["form"] = await violations(page)
        await page.keyboard.press("Escape")
        await page.get_by_test_id("connection").click()
        await expect(page.get_by_test_id("debug")).to_be_visible()
        found["debug drawer"] = await violations(page)
        await page.get_by_test_id("nav-board").click()
        await expect(page.get_by_test_id("board-card")).to_have_count(2)
        found["board"] = await violations(page)
        for path in ("dashboard", f"leads/{lead['data']['id']}", "nowhere"):
            await page.goto(f"{stack.topology.gateway.url}/{path}")
            await page.wait_for_load_state("networkidle")
            found[path] = await violations(page)
        await page.evaluate("sessionStorage.clear()")
        await page.goto(stack.topology.gateway.url)
        await page.get_by_test_id("login-email").wait_for()
        found["login"] = await violations(page)

        assert {name: wrong for name, wrong in found.items() if wrong} == {}

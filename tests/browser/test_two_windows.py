"""Two people look at the same list in two windows of a real Chromium."""

import re

import pytest
from playwright.async_api import Page, expect

from support.browser import ROWS, chromium, live, open_screen, shown_ids
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.browser


async def create_lead(page: Page, name: str) -> None:
    await page.get_by_test_id("new-lead").click()
    await page.get_by_test_id("field-name").fill(name)
    await page.get_by_test_id("field-email").fill(f"{name.split(maxsplit=1)[0].lower()}@example.com")
    await page.get_by_test_id("save-lead").click()


def row(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.locator(ROWS).filter(has_text=name)


async def act(page: Page, name: str, action: str) -> None:
    """Choose from the menu of a row."""
    await row(page, name).get_by_test_id("lead-actions").click()
    await page.get_by_test_id(action).click()


async def test_what_one_window_does_the_other_shows_at_once(stack: Stack) -> None:
    async with chromium() as browser:
        author = await open_screen(browser, stack, stack.acme.users["agent"])
        colleague = await open_screen(browser, stack, stack.acme.users["manager"])

        await create_lead(author, "Ada Lovelace")
        await expect(row(author, "Ada Lovelace")).to_have_count(1)
        await expect(row(colleague, "Ada Lovelace")).to_have_count(1)
        await expect(colleague.get_by_test_id("toast").first).to_contain_text("Ada Lovelace")
        await expect(colleague.get_by_test_id("page-count")).to_contain_text("1")
        await expect(author.get_by_test_id("page-count")).to_contain_text("1")

        await act(colleague, "Ada Lovelace", "edit-lead")
        await colleague.get_by_test_id("field-name").fill("Countess of Lovelace")
        await colleague.get_by_test_id("save-lead").click()
        await expect(row(author, "Countess of Lovelace")).to_have_count(1)
        await expect(row(author, "Ada Lovelace")).to_have_count(0)

        # A second lead, so that everything sent before it has certainly arrived: nothing stands there twice.
        await create_lead(colleague, "Grace Hopper")
        await expect(row(author, "Grace Hopper")).to_have_count(1)
        assert await shown_ids(author) == await shown_ids(colleague)
        assert len(await shown_ids(author)) == 2
        await expect(author.get_by_test_id("toast").filter(has_text="Ada")).to_have_count(0)

        await act(author, "Grace Hopper", "delete-lead")
        await expect(row(colleague, "Grace Hopper")).to_have_count(0)
        await expect(row(author, "Grace Hopper")).to_have_count(0)
        await expect(colleague.get_by_test_id("page-count")).to_contain_text("1")


async def test_another_companys_window_sees_nothing(stack: Stack) -> None:
    async with chromium() as browser:
        spy = await open_screen(browser, stack, stack.globex.users["admin"])
        author = await open_screen(browser, stack, stack.acme.users["agent"])
        await create_lead(author, "Ada Lovelace")
        await expect(row(author, "Ada Lovelace")).to_have_count(1)
        await create_lead(spy, "Theirs")
        await expect(row(spy, "Theirs")).to_have_count(1)

        assert len(await shown_ids(spy)) == 1
        assert len(await shown_ids(author)) == 1
        await expect(spy.get_by_test_id("page-count")).to_contain_text("1")


async def test_two_edits_of_one_lead_are_put_together(stack: Stack) -> None:
    async with chromium() as browser, stack.client("manager") as api:
        page = await open_screen(browser, stack, stack.acme.users["agent"])
        await create_lead(page, "Ada Lovelace")
        await act(page, "Ada Lovelace", "edit-lead")
        (lead,) = (await api.get("/leads")).json()["data"]
        await api.patch(f"/leads/{lead['id']}", json={"phone": "+44 20 7946 0000"})
        await page.get_by_test_id("field-name").fill("Countess of Lovelace")
        await page.get_by_test_id("save-lead").click()
        await expect(page.get_by_test_id("lead-form")).to_have_count(0)
        await expect(row(page, "Countess of Lovelace")).to_have_count(1)
        saved = (await api.get(f"/leads/{lead['id']}")).json()["data"]

        assert (saved["name"], saved["phone"]) == ("Countess of Lovelace", "+442079460000")


async def test_a_stale_edit_of_the_same_field_is_explained_and_somebody_decides(stack: Stack) -> None:
    async with chromium() as browser, stack.client("manager") as api:
        page = await open_screen(browser, stack, stack.acme.users["agent"])
        await create_lead(page, "Ada Lovelace")
        await act(page, "Ada Lovelace", "edit-lead")
        (lead,) = (await api.get("/leads")).json()["data"]
        await api.patch(f"/leads/{lead['id']}", json={"name": "Theirs", "organisation": "Theirs Ltd"})
        await page.get_by_test_id("field-name").fill("Mine")
        await page.get_by_test_id("field-organisation").fill("Mine Ltd")
        await page.get_by_test_id("save-lead").click()

        await expect(page.get_by_test_id("merge")).to_contain_text("Theirs Ltd")
        await expect(row(page, "Theirs")).to_have_count(1)
        await page.get_by_test_id("mine-organisation").check()
        await page.get_by_test_id("merge-save").click()

        async def saved() -> bool:
            now = (await api.get(f"/leads/{lead['id']}")).json()["data"]
            return (now["name"], now["organisation"]) == ("Theirs", "Mine Ltd")

        await until(saved)
        await expect(row(page, "Mine Ltd")).to_have_count(1)


async def test_a_reconnected_window_shows_what_it_missed(stack: Stack) -> None:
    async with chromium() as browser, stack.client("manager") as api:
        page = await open_screen(browser, stack, stack.acme.users["agent"])
        stack.kill("gateway")
        await expect(page.get_by_test_id("connection")).not_to_have_attribute("data-state", "connected")
        for number in range(3):
            await api.post("/leads", json={"name": f"Missed {number}"})
        stack.start("gateway")
        await stack.ready("gateway")
        await live(page)

        await expect(page.locator(ROWS)).to_have_count(3)


async def test_a_window_whose_gateway_was_killed_catches_up_without_loading_anything_again(stack: Stack) -> None:
    async with chromium() as browser, stack.client("manager") as api:
        page = await open_screen(browser, stack, stack.acme.users["agent"])
        await create_lead(page, "Ada Lovelace")
        await expect(row(page, "Ada Lovelace")).to_have_count(1)
        (lead,) = (await api.get("/leads")).json()["data"]
        await expect(page.get_by_test_id("page-count")).to_contain_text("1")
        loaded: list[str] = []
        page.on("request", lambda request: loaded.append(request.url) if "/leads" in request.url else None)

        stack.kill("gateway")
        await expect(page.get_by_test_id("connection")).not_to_have_attribute("data-state", "connected")
        for number in range(3):
            await api.post("/leads", json={"name": f"Missed {number}"})
        await api.patch(f"/leads/{lead['id']}", json={"name": "Countess of Lovelace"})
        stack.start("gateway")
        await stack.ready("gateway")
        await live(page)

        await expect(page.locator(ROWS)).to_have_count(4)
        await expect(row(page, "Countess of Lovelace")).to_have_count(1)
        await expect(page.get_by_test_id("page-count")).to_contain_text("4")
        assert await shown_ids(page) == [one["id"] for one in (await api.get("/leads")).json()["data"]]
        assert not loaded


async def test_a_wrong_password_says_so_and_the_page_speaks_two_languages(stack: Stack) -> None:
    async with chromium() as browser:
        context = await browser.new_context(locale="pt-BR")
        page = await context.new_page()
        await page.goto(stack.topology.gateway.url)
        await page.get_by_test_id("login-email").fill(stack.acme.users["agent"].email)
        await page.get_by_test_id("login-password").fill("wrong")
        await page.get_by_test_id("login-submit").click()

        await expect(page.get_by_role("alert").first).to_be_visible()
        await expect(page.locator("html")).to_have_attribute("lang", re.compile("pt"))


async def test_a_phone_shows_the_list_without_scrolling_sideways(stack: Stack) -> None:
    async with chromium() as browser, stack.client("manager") as api:
        await api.post(
            "/leads", json={"name": "A lead with quite a long name indeed", "organisation": "Analytical Engines Ltd"}
        )
        page = await open_screen(browser, stack, stack.acme.users["agent"])
        await page.set_viewport_size({"width": 360, "height": 740})

        await until(lambda: page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
        await expect(row(page, "A lead with quite a long name")).to_be_visible()

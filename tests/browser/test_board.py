"""The pipeline as a board: cards are dragged or carried by the keyboard, and end where the server has them."""

import pytest
from playwright.async_api import Locator, Page, expect

from support.browser import chromium, live, open_screen
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.browser


def card(page: Page, stage: str, name: str) -> Locator:
    column = page.locator(f"[data-testid=board-column][data-stage={stage}]")
    return column.get_by_test_id("board-card").filter(has_text=name)


async def board(page: Page) -> Page:
    await page.get_by_test_id("nav-board").click()
    await expect(page.get_by_test_id("board")).to_have_attribute("data-ready", "true")
    return page


async def test_a_card_that_is_dragged_moves_on_every_screen(stack: Stack) -> None:
    async with chromium() as browser, stack.client("manager") as api:
        for name in ("Ada Lovelace", "Grace Hopper"):
            await api.post("/leads", json={"name": name, "value": "100", "currency": "EUR"})
        mine = await board(await open_screen(browser, stack, stack.acme.users["agent"]))
        mine_too = await board(await open_screen(browser, stack, stack.acme.users["agent"]))
        theirs = await open_screen(browser, stack, stack.acme.users["manager"])

        await card(mine, "new", "Ada").drag_to(mine.locator("[data-stage=contacted]"))
        for page in (mine, mine_too):
            await expect(card(page, "contacted", "Ada")).to_have_count(1)
            await expect(card(page, "new", "Ada")).to_have_count(0)
            await expect(page.locator("[data-stage=contacted]").get_by_test_id("column-count")).to_have_text("1")
            await expect(page.locator("[data-stage=contacted]").get_by_test_id("column-sum")).to_have_text("€100")
        await expect(theirs.get_by_test_id("lead-row").filter(has_text="Ada")).to_contain_text("Contacted")
        await expect(theirs.get_by_test_id("changed-by")).to_have_text("Acme Agent")

        await card(mine, "new", "Grace").focus()
        await mine.keyboard.press("Alt+ArrowRight")
        await expect(card(mine_too, "contacted", "Grace")).to_have_count(1)
        await expect(card(mine, "contacted", "Grace")).to_be_focused()


async def test_a_move_that_the_pipeline_forbids_is_taken_back_with_an_explanation(stack: Stack) -> None:
    async with chromium() as browser, stack.client("admin") as api:
        await api.post("/leads", json={"name": "Ada Lovelace"})
        page = await board(await open_screen(browser, stack, stack.acme.users["agent"]))
        pipeline = (await api.get("/pipeline")).json()["data"]
        stages = [stage | ({"next": ["lost"]} if stage["key"] == "new" else {}) for stage in pipeline["stages"]]
        await api.put("/pipeline", json={"stages": stages}, headers={"If-Match": f'"{pipeline["version"]}"'})
        await card(page, "new", "Ada").drag_to(page.locator("[data-stage=contacted]"))

        await expect(page.get_by_test_id("toast")).to_contain_text("pipeline does not let")
        await expect(card(page, "new", "Ada")).to_have_count(1)
        await expect(card(page, "contacted", "Ada")).to_have_count(0)


async def test_a_laptop_that_slept_catches_up_without_loading_the_page_again(stack: Stack) -> None:
    async with chromium() as browser, stack.client("manager") as api:
        page = await open_screen(browser, stack, stack.acme.users["agent"])
        await api.post("/leads", json={"name": "Ada Lovelace"})
        await expect(page.get_by_test_id("lead-row")).to_have_count(1)
        await page.evaluate("window.sameDocument = true")

        await page.context.set_offline(True)
        await expect(page.get_by_test_id("offline")).to_be_visible()
        await api.post("/leads", json={"name": "Grace Hopper"})
        stack.restart("gateway")
        await stack.ready("gateway")
        await page.context.set_offline(False)
        await live(page)
        await expect(page.get_by_test_id("offline")).to_have_count(0)
        await expect(page.get_by_test_id("lead-row")).to_have_count(2)

        assert await page.evaluate("window.sameDocument")


async def test_the_debug_drawer_tells_what_came_and_where_it_stands(stack: Stack) -> None:
    async with chromium() as browser, stack.client("manager") as api:
        page = await open_screen(browser, stack, stack.acme.users["agent"])
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.get_by_test_id("connection").click()
        created = (await api.post("/leads", json={"name": "Ada Lovelace"})).json()

        event = page.get_by_test_id("debug-event").filter(has_text="lead.created").first
        await expect(event).to_contain_text("ms")
        await event.get_by_role("button").click()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert f"/changes?after={created['meta']['position'] - 1}&limit=1" in copied
        assert "$TOKEN" in copied


async def test_filters_search_and_saved_views_are_addresses_and_stay_live(stack: Stack) -> None:
    async with chromium() as browser, stack.client("manager") as api:
        await api.post("/leads", json={"name": "Ada Lovelace", "tags": ["vip"]})
        await api.post("/leads", json={"name": "Grace Hopper"})
        page = await open_screen(browser, stack, stack.acme.users["agent"])
        rows = page.get_by_test_id("lead-row")
        await expect(rows).to_have_count(2)

        await page.get_by_test_id("filter-tags").click()
        await page.get_by_test_id("option-vip").check()
        await page.keyboard.press("Escape")
        await expect(rows).to_have_count(1)
        await page.get_by_test_id("views").click()
        await page.get_by_test_id("save-view").click()
        await page.get_by_test_id("view-name").fill("Important")
        await page.get_by_test_id("view-submit").click()
        await expect(page.get_by_role("heading", name="Important")).to_be_visible()
        await api.post("/leads", json={"name": "Alan Turing", "tags": ["vip"]})
        await api.post("/leads", json={"name": "Edsger Dijkstra"})
        await expect(rows).to_have_count(2)

        await page.get_by_test_id("nav-leads").click()
        await expect(rows).to_have_count(4)
        await page.get_by_test_id("search").fill("tur")
        await expect(rows).to_have_count(1)
        await api.post("/leads", json={"name": "Ana Turner"})
        await expect(rows).to_have_count(2)
        await page.reload()
        await expect(rows).to_have_count(2)


async def test_the_first_load_keeps_to_its_budget(stack: Stack) -> None:
    async with chromium() as browser:
        page = await open_screen(browser, stack, stack.acme.users["agent"])
        loaded = await until(
            lambda: page.evaluate(
                """() => performance.getEntriesByType('resource')
                    .filter(({ name }) => name.startsWith(location.origin))
                    .map(({ name, encodedBodySize }) => [name, encodedBodySize])"""
            )
        )

        assert sum(size for _, size in loaded) <= 250 * 1024, loaded
        assert len(loaded) <= 20, loaded

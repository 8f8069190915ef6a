"""Many leads at once, in front of somebody who watches the list."""

import pytest
from playwright.async_api import expect

from support.browser import chromium, open_screen
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.browser

ROWS = 10_000


async def test_ten_thousand_leads_arrive_and_some_are_changed_and_changed_back(stack: Stack) -> None:
    stack.start("worker")
    await stack.ready("worker")
    async with chromium() as browser, stack.client("manager") as api:
        page = await open_screen(browser, stack, stack.acme.users["manager"])
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/leads?" in request.url else None)
        lines = ["name,email", *(f"Lead {number},lead{number}@example.com" for number in range(ROWS))]
        uploaded = await api.post(
            "/imports?name=fair.csv", content="\n".join(lines).encode(), headers={"Content-Type": "text/csv"}
        )
        await api.post(f"/imports/{uploaded.json()['data']['id']}/start")
        await expect(page.get_by_test_id("page-count")).to_have_text("10,000", timeout=120_000)

        async def equal() -> bool:
            listed = (await api.get("/leads", params={"limit": 10})).json()["data"]
            shown = await page.get_by_test_id("lead-row").evaluate_all("rows => rows.map(row => row.dataset.leadId)")
            return shown[:10] == [lead["id"] for lead in listed]

        await until(equal)
        assert len(asked) < ROWS / 100

        for number in range(3):
            await page.get_by_test_id("select-lead").nth(number).check()
        await page.get_by_test_id("bulk-status").click()
        await page.get_by_test_id("bulk-to-contacted").click()
        contacted = page.get_by_test_id("lead-row").filter(has_text="Contacted")
        await expect(contacted).to_have_count(3)
        await page.get_by_test_id("undo-job").click()
        await expect(contacted).to_have_count(0)

        await page.get_by_test_id("search").fill("-")
        await expect(page.get_by_test_id("not-understood")).to_be_visible()
        await expect(page.get_by_test_id("lead-row")).to_have_count(0)
        await page.get_by_test_id("search").fill("lead9")
        await expect(page.get_by_test_id("lead-row").first).to_contain_text("Lead 9")
        await page.get_by_test_id("select-all").check()
        await page.get_by_test_id("select-matching").click()
        await expect(page.get_by_test_id("selection")).to_contain_text("1,111")
        await page.get_by_test_id("bulk-delete").click()
        await expect(page.get_by_role("dialog")).to_contain_text("1,111")
        await page.get_by_test_id("bulk-delete-confirm").click()
        await page.get_by_test_id("search").fill("")
        await expect(page.get_by_test_id("page-count")).to_have_text("8,889", timeout=60_000)

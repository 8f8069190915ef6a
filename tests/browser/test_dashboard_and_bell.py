"""Figures that move by themselves, and notifications that all tabs agree on."""

import asyncio

import pytest
from playwright.async_api import Locator, Page, expect

from support.browser import chromium, is_wide, violations, visit
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}}


async def _has_come_to(board: Locator, position: int) -> bool:
    return int(await board.get_attribute("data-position") or 0) >= position


async def figures(page: Page, position: int) -> dict[str, object]:
    """Return what the dashboard shows once it has come as far as a position."""
    board = page.get_by_test_id("dashboard")
    await until(lambda: _has_come_to(board, position))
    shown = {
        name: int(await page.get_by_test_id(f"stat-{name}").locator(".tile__value").inner_text())
        for name in ("total", "new", "won")
    }
    bars = await board.get_by_test_id("by-source").locator(".bar").all()
    steps = await board.locator(".step").all()
    return {
        **shown,
        "sources": {
            await bar.get_attribute("data-key"): int(await bar.locator(".bar__count").inner_text()) for bar in bars
        },
        "funnel": {
            await one.get_attribute("data-key"): int(await one.locator(".step__count").inner_text()) for one in steps
        },
    }


async def test_the_dashboard_says_what_stats_say_and_moves_by_itself(shared_stack: Stack) -> None:
    async with chromium() as browser, shared_stack.client("manager") as api:
        page = await visit(browser, shared_stack, shared_stack.acme.users["viewer"], "/dashboard")
        await expect(page.get_by_test_id("stat-total")).to_contain_text("0")
        for number, (status, source) in enumerate([("new", "fair"), ("new", "web"), ("won", "web")]):
            body = {"name": f"Lead {number}", "status": status, "source": source}
            position = (await api.post("/leads", json=body)).raise_for_status().json()["meta"]["position"]

        shown = await figures(page, position)
        stats = (await api.get("/stats")).json()["data"]
        assert shown == {
            "total": stats["total"],
            "new": stats["new_this_month"],
            "won": stats["won"],
            "sources": stats["by_source"],
            "funnel": {one["stage"]: one["entered"] for one in stats["funnel"] if one["stage"] != "lost"},
        }
        assert shown["total"] == 3
        days = await page.locator(".days td").all_inner_texts()
        assert [int(day) for day in days] == [count for _, count in sorted(stats["new_per_day"].items())]
        assert await violations(page) == []
        dark = await visit(
            browser,
            shared_stack,
            shared_stack.acme.users["viewer"],
            "/dashboard",
            **PHONE,
            color_scheme="dark",
            locale="pt-BR",
        )
        await expect(dark.get_by_test_id("stat-total")).to_contain_text("3")
        assert await violations(dark) == []
        assert not await is_wide(dark)


async def test_the_bell_rings_in_every_tab_and_is_answered_in_all_of_them(shared_stack: Stack) -> None:
    agent = shared_stack.acme.users["agent"]
    async with chromium() as browser, shared_stack.client("manager") as api:
        one = await visit(browser, shared_stack, agent, "/dashboard")
        other = await visit(browser, shared_stack, agent, "/dashboard", **PHONE)
        lead = (
            (await api.post("/leads", json={"name": "Grace", "assigned_to": agent.id}))
            .raise_for_status()
            .json()["data"]
        )
        await api.post(f"/leads/{lead['id']}/messages", json={"body": "Hello"})

        rung = [
            expect(page.get_by_test_id("toast")).to_contain_text("Acme Manager gave you Grace") for page in (one, other)
        ]
        await asyncio.gather(*rung)  # they go by themselves
        for page in (one, other):
            await expect(page.get_by_test_id("bell")).to_have_attribute("data-unread", "2")
        await one.get_by_test_id("bell").click()
        await expect(one.get_by_test_id("notification")).to_have_count(2)
        await expect(one.get_by_test_id("notification").first).to_contain_text("Acme Manager wrote on Grace")
        assert await violations(one) == []
        await one.get_by_test_id("notification").first.get_by_test_id("toggle-read").click()
        await expect(other.get_by_test_id("bell")).to_have_attribute("data-unread", "1")
        await one.get_by_test_id("read-all").click()
        for page in (one, other):
            await expect(page.get_by_test_id("bell")).to_have_attribute("data-unread", "0")
        await one.get_by_test_id("notification").first.get_by_test_id("toggle-read").click()
        await expect(other.get_by_test_id("bell")).to_have_attribute("data-unread", "1")

        await other.get_by_test_id("bell").click()
        await other.get_by_test_id("notification").first.get_by_role("button").first.click()
        await expect(other).to_have_url(f"{shared_stack.topology.gateway.url}/leads/{lead['id']}")
        await expect(one.get_by_test_id("bell")).to_have_attribute("data-unread", "0")

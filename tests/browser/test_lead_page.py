"""People at the page of one lead, each in a window of a real Chromium."""

from contextlib import asynccontextmanager
from functools import partial

import pytest
from playwright.async_api import Locator, Page, expect

from support.browser import chromium, is_wide, violations, visit
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@asynccontextmanager
async def at_one_lead(stack: Stack, **values):
    """A lead, an agent and a manager who look at it, and an admin's API client."""
    async with chromium() as browser, stack.client("admin") as api:
        created = await api.post("/leads", json={"name": "Ada Lovelace", **values})
        lead = created.raise_for_status().json()["data"]
        open_page = partial(visit, browser, stack)
        agent = await open_page(stack.acme.users["agent"], f"/leads/{lead['id']}")
        manager = await open_page(stack.acme.users["manager"], f"/leads/{lead['id']}")
        for page in (agent, manager):
            await expect(page.get_by_test_id("viewers")).to_be_visible()
        yield lead, agent, manager, api


def field(page: Page, name: str) -> Locator:
    return page.locator(f"[data-field={name}]")


async def begin(page: Page, name: str, value: str) -> None:
    await field(page, name).hover()
    await field(page, name).get_by_role("button").click()
    await field(page, name).get_by_role("textbox").fill(value)


async def change(page: Page, name: str, value: str) -> None:
    await begin(page, name, value)
    await page.keyboard.press("Enter")


async def test_two_people_edit_one_lead_and_nothing_is_lost(shared_stack: Stack) -> None:
    async with at_one_lead(shared_stack, organisation="Engines") as (lead, agent, manager, api):
        await expect(manager.get_by_test_id("viewers")).to_have_attribute("aria-label", "Also here: Acme Agent")

        await begin(agent, "title", "Countess")
        await expect(field(manager, "title").get_by_test_id("soft-lock")).to_contain_text("Acme Agent is editing")
        await agent.keyboard.press("Enter")
        await expect(field(manager, "title")).to_contain_text("Countess")
        await expect(field(manager, "title").get_by_test_id("touched")).to_contain_text("Acme Agent")
        await expect(field(manager, "title").get_by_test_id("soft-lock")).to_have_count(0)

        # Somebody else changes another field meanwhile: both changes survive.
        await begin(manager, "title", "Mathematician")
        await api.patch(f"/leads/{lead['id']}", json={"score": 7})
        await manager.keyboard.press("Enter")
        await expect(field(agent, "title")).to_contain_text("Mathematician")
        await expect(field(agent, "score")).to_contain_text("7")

        # Somebody else changes the same field: a person chooses.
        await begin(manager, "organisation", "Analytical")
        await api.patch(f"/leads/{lead['id']}", json={"organisation": "Difference"})
        await manager.keyboard.press("Enter")
        await expect(field(manager, "organisation").get_by_test_id("conflict")).to_contain_text("Difference")
        assert (await api.get(f"/leads/{lead['id']}")).json()["data"]["organisation"] == "Difference"
        await manager.get_by_test_id("use-mine").click()
        await expect(field(agent, "organisation")).to_contain_text("Analytical")

        await change(agent, "email", "no address")
        await expect(field(agent, "email").get_by_role("alert")).to_be_visible()
        await agent.keyboard.press("Escape")
        await expect(field(agent, "email").get_by_role("button")).to_be_focused()


async def test_a_chat_says_who_types_and_a_mention_rings_the_bell(shared_stack: Stack) -> None:
    async with at_one_lead(shared_stack) as (_, agent, manager, _api):
        await agent.get_by_test_id("chat-box").press_sequentially("Ask @acme man")
        await expect(manager.get_by_test_id("typing")).to_have_text("Acme Agent is typing…")
        await agent.keyboard.press("Enter")  # takes the name that is offered
        await agent.keyboard.press("Enter")
        await expect(manager.get_by_test_id("message")).to_contain_text("Ask @Acme Manager")
        await expect(manager.get_by_test_id("typing")).to_be_empty()
        await expect(manager.get_by_test_id("toast")).to_contain_text("Acme Agent mentioned you on Ada Lovelace")

        await agent.get_by_test_id("message").hover()
        await agent.get_by_test_id("edit-message").click()
        await agent.get_by_label("Edit message").fill("Never mind")
        await agent.keyboard.press("Enter")
        await expect(manager.get_by_test_id("message")).to_contain_text("Never mind")
        await expect(manager.get_by_test_id("message")).to_contain_text("edited")


async def test_the_past_can_be_looked_at_and_what_was_missed_arrives(shared_stack: Stack) -> None:
    async with at_one_lead(shared_stack, phone="+5511999990001") as (lead, agent, manager, api):
        await change(agent, "phone", "+5511999990002")
        await manager.get_by_role("tab", name="Timeline").click()
        entry = manager.locator("[data-type='lead.updated']")
        await expect(entry).to_contain_text("+5511999990001")
        await expect(entry).to_contain_text("+5511999990002")
        await manager.locator("[data-type='lead.created']").get_by_test_id("as-of").click()
        await expect(manager.get_by_test_id("then")).to_contain_text("version 1")
        await expect(field(manager, "phone")).to_contain_text("now: +5511999990002")
        await manager.get_by_test_id("back-to-now").click()

        shared_stack.kill("gateway")
        await expect(manager.get_by_test_id("viewers")).to_be_visible()
        await api.patch(f"/leads/{lead['id']}", json={"phone": "+5511999990003", "tags": ["vip"]})
        await api.post(f"/leads/{lead['id']}/messages", json={"body": "While you were away"})
        shared_stack.start("gateway")
        await shared_stack.ready("gateway")
        await expect(field(manager, "phone")).to_contain_text("+5511999990003")
        await expect(manager.get_by_role("list", name="Tags")).to_contain_text("vip")
        await expect(manager.locator("[data-type='lead.message_posted']")).to_contain_text("While you were away")
        await manager.get_by_role("tab", name="Chat").click()
        await expect(manager.get_by_test_id("message")).to_contain_text("While you were away")


async def test_a_lead_is_lost_deleted_restored_and_merged_before_everybodys_eyes(shared_stack: Stack) -> None:
    async with at_one_lead(shared_stack, email="twin@example.com") as (lead, agent, manager, api):
        await agent.get_by_test_id("stage").click()
        await agent.get_by_test_id("stage-lost").click()
        await agent.get_by_test_id("lost-reason").fill("Too dear")
        await agent.get_by_test_id("confirm-reason").click()
        await expect(manager.get_by_test_id("stage")).to_contain_text("Lost")
        await expect(field(manager, "lost_reason")).to_contain_text("Too dear")

        await agent.get_by_test_id("lead-menu").click()
        await agent.get_by_test_id("delete").click()
        await expect(manager.get_by_test_id("lead-absent")).to_contain_text("Acme Agent deleted it")
        await manager.get_by_test_id("restore").click()
        await expect(agent.get_by_test_id("lead-page")).to_be_visible()

        values = {"name": "Ada Byron", "email": "twin@example.com", "phone": "+5511999990009", "allow_duplicate": True}
        twin = (await api.post("/leads", json=values)).raise_for_status().json()["data"]
        await manager.reload()
        await expect(manager.get_by_test_id("twin")).to_contain_text("Ada Byron")
        await manager.get_by_test_id("merge-twin").click()
        await manager.get_by_role("radiogroup", name="Name").get_by_label("Ada Byron").check()
        await expect(manager.get_by_test_id("merge-preview")).to_contain_text("+5511999990009")
        await expect(manager.get_by_test_id("merge-preview")).to_contain_text("Ada Byron")
        assert await violations(manager) == []
        await manager.get_by_test_id("confirm-merge").click()
        await expect(field(agent, "name")).to_contain_text("Ada Byron")
        await expect(manager.get_by_test_id("twin")).to_have_count(0)
        await agent.goto(f"{shared_stack.topology.gateway.url}/leads/{twin['id']}")
        await agent.get_by_role("button", name="Open that lead").click()
        await expect(agent).to_have_url(f"{shared_stack.topology.gateway.url}/leads/{lead['id']}")


async def test_the_page_suits_phones_keyboards_and_screen_readers(shared_stack: Stack) -> None:
    async with chromium() as browser, shared_stack.client("admin") as api:
        lead = (await api.post("/leads", json={"name": "Ada", "organisation": "x" * 150})).json()["data"]
        viewer = shared_stack.acme.users["viewer"]
        phone = await visit(browser, shared_stack, viewer, f"/leads/{lead['id']}", **PHONE, color_scheme="dark")
        await expect(phone.get_by_test_id("lead-page")).to_be_visible()

        assert not await is_wide(phone)
        await expect(field(phone, "name").get_by_role("button")).to_have_count(0)  # a viewer changes nothing
        for tab in ("Details", "Chat", "Timeline"):
            await phone.get_by_role("tab", name=tab).click()
            assert await violations(phone) == []
        desk = await visit(browser, shared_stack, shared_stack.acme.users["agent"], f"/leads/{lead['id']}")
        await until(lambda: desk.get_by_test_id("lead-page").is_visible())
        assert await violations(desk) == []
        await field(desk, "name").get_by_role("button").focus()
        await desk.keyboard.press("Enter")
        await desk.keyboard.type("Augusta")
        await desk.keyboard.press("Enter")
        await expect(field(phone, "name")).to_have_count(0)  # another tab of it is open
        await phone.get_by_role("tab", name="Details").click()
        await expect(field(phone, "name")).to_contain_text("Augusta")

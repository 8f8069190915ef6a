"""What somebody typed is never lost: by Escape, another page, a reload, a session that ends. In a real Chromium."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Dialog, Page, expect

from support.browser import chromium, open_screen
from support.stack import Stack, User
from support.waiting import until

pytestmark = pytest.mark.browser

DRAFTS = "Object.keys(sessionStorage).filter((key) => key.startsWith('leadwire.draft.'))"


@asynccontextmanager
async def a_window(stack: Stack, role: str = "agent") -> AsyncIterator[Page]:
    async with chromium() as browser:
        yield await open_screen(browser, stack, stack.acme.users[role])


async def begin_a_lead(page: Page) -> None:
    await page.get_by_test_id("new-lead").click()
    await page.get_by_test_id("field-name").fill("Half typed")
    await page.get_by_test_id("field-value").fill("1,500")
    await page.get_by_test_id("field-currency").fill("BRL")


async def answer(page: Page, button: str) -> None:
    """Answer the question that is asked before something is lost."""
    await page.get_by_test_id("confirm").get_by_test_id(f"confirm-{button}").click()
    await expect(page.get_by_test_id("confirm")).to_have_count(0)


async def a_lead(stack: Stack, name: str) -> str:
    async with stack.client("agent") as api:
        lead = (await api.post("/leads", json={"name": name})).raise_for_status().json()["data"]
    return str(lead["id"])


async def end_session(page: Page) -> None:
    """Let every token be refused from now on, as after a dismissal, until the returned page is told otherwise."""
    await page.evaluate(
        """() => {
          const open = JSON.parse(sessionStorage.getItem('leadwire.session'));
          window.refusedToken = open.access_token;
        }"""
    )
    token = await page.evaluate("window.refusedToken")

    async def refuse(route):  # type: ignore[no-untyped-def]
        if route.request.headers.get("authorization") == f"Bearer {token}":
            problem = '{"status": 401, "code": "unauthorized", "title": "Unauthorized"}'
            headers = {"content-type": "application/problem+json", "access-control-allow-origin": "*"}
            await route.fulfill(status=401, headers=headers, body=problem)
        else:
            await route.continue_()

    await page.route(re.compile(r"/(leads|users|notifications|stats|jobs)(/|\?|$)"), refuse)


async def log_in_over(page: Page, user: User) -> None:
    over = page.get_by_test_id("login-over")
    await over.get_by_test_id("login-email").fill(user.email)
    await over.get_by_test_id("login-password").fill(user.password)
    await over.get_by_test_id("login-submit").click()
    await expect(over).to_have_count(0)


async def test_a_form_asks_before_it_is_closed_and_comes_back(shared_stack: Stack) -> None:
    async with a_window(shared_stack) as page:
        await page.get_by_test_id("new-lead").click()
        await page.keyboard.press("Escape")  # nothing was typed: nothing is asked
        await expect(page.get_by_test_id("lead-form")).to_have_count(0)

        await begin_a_lead(page)
        for leave in ("Escape", "outside", "cancel", "cross"):
            if leave == "Escape":
                await page.keyboard.press("Escape")
            elif leave == "outside":
                await page.mouse.click(5, 5)
            elif leave == "cancel":
                await page.get_by_test_id("cancel-lead").click()
            else:
                await page.get_by_role("dialog").get_by_role("button", name="Close").click()
            await answer(page, "no")
            await expect(page.get_by_test_id("field-name")).to_have_value("Half typed")

        await page.reload()
        await page.get_by_test_id("new-lead").click()
        await expect(page.get_by_test_id("draft-restored")).to_be_visible()
        await expect(page.get_by_test_id("field-name")).to_have_value("Half typed")
        await expect(page.get_by_test_id("field-value")).to_have_value("1,500")

        await page.get_by_test_id("save-lead").click()
        await expect(page.get_by_test_id("lead-form")).to_have_count(0)
        assert await page.evaluate(DRAFTS) == []
        await page.get_by_test_id("new-lead").click()
        await expect(page.get_by_test_id("field-name")).to_have_value("")

        await page.get_by_test_id("field-name").fill("Not this one")
        await page.keyboard.press("Escape")
        await answer(page, "yes")
        await expect(page.get_by_test_id("lead-form")).to_have_count(0)
        assert await page.evaluate(DRAFTS) == []


async def test_another_page_and_a_closed_tab_ask_first(shared_stack: Stack) -> None:
    async with a_window(shared_stack) as page:
        await page.get_by_test_id("nav-board").first.click()
        await page.wait_for_url("**/board")
        await page.get_by_test_id("nav-leads").first.click()
        await page.wait_for_url("**/leads")
        await begin_a_lead(page)

        await page.evaluate("history.back()")
        await answer(page, "no")
        await expect(page.get_by_test_id("field-name")).to_have_value("Half typed")
        await page.evaluate("history.back()")
        await answer(page, "yes")
        await page.wait_for_url("**/board")
        await page.evaluate("history.forward()")
        await page.wait_for_url("**/leads")
        await page.get_by_test_id("new-lead").click()
        await expect(page.get_by_test_id("field-name")).to_have_value("Half typed")

        asked: list[str] = []

        async def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            await dialog.dismiss()

        page.on("dialog", stay)
        await page.close(run_before_unload=True)
        await until(lambda: asked == ["beforeunload"])
        await expect(page.get_by_test_id("field-name")).to_have_value("Half typed")


async def test_drafts_of_a_chat_and_of_a_field_survive_pages_and_reloads(shared_stack: Stack) -> None:
    lead = await a_lead(shared_stack, "Drafts")
    async with a_window(shared_stack) as page:
        await page.goto(f"{shared_stack.topology.gateway.url}/leads/{lead}")
        await page.get_by_test_id("chat-box").fill("Half a sent")
        score = page.locator("[data-field=score]")
        await score.hover()
        await score.locator(".inline__edit").click()
        await score.get_by_test_id("field-score").fill("fort")
        await page.keyboard.press("Enter")
        await expect(score.get_by_role("alert")).to_be_visible()

        await page.get_by_test_id("nav-leads").first.click()
        await page.wait_for_url("**/leads")
        await page.go_back()
        await expect(page.get_by_test_id("chat-box")).to_have_value("Half a sent")
        await expect(score.get_by_test_id("field-score")).to_have_value("fort")
        await page.reload()
        await expect(page.get_by_test_id("chat-box")).to_have_value("Half a sent")
        await expect(score.get_by_test_id("field-score")).to_have_value("fort")

        # Escape drops it, and it can be brought back.
        await score.get_by_test_id("field-score").press("Escape")
        await expect(score.locator("form")).to_have_count(0)
        await page.get_by_test_id("toast").get_by_role("button", name="Bring it back").click()
        await expect(score.get_by_test_id("field-score")).to_have_value("fort")

        await score.get_by_test_id("field-score").fill("40")
        await score.get_by_test_id("field-score").press("Enter")
        await expect(score).to_contain_text("40")
        await page.get_by_test_id("chat-box").fill("A whole sentence")
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("message")).to_contain_text("A whole sentence")
        assert await page.evaluate(DRAFTS) == []


async def test_a_session_that_ends_keeps_the_form_and_sends_it_after_the_log_in(shared_stack: Stack) -> None:
    async with a_window(shared_stack) as page, shared_stack.client("admin") as api:
        agent = shared_stack.acme.users["agent"]
        await begin_a_lead(page)
        await end_session(page)
        await page.get_by_test_id("save-lead").click()
        await expect(page.get_by_test_id("login-over")).to_be_visible()
        await page.keyboard.press("Escape")
        await page.mouse.click(5, 5)
        await expect(page.get_by_test_id("login-over")).to_be_visible()

        await log_in_over(page, agent)
        await expect(page.get_by_test_id("field-name")).to_have_value("Half typed")
        await page.get_by_test_id("save-lead").click()
        await expect(page.get_by_test_id("lead-form")).to_have_count(0)
        newest = (await api.get("/leads", params={"limit": 1})).json()["data"][0]
        assert (newest["name"], newest["value"]) == ("Half typed", "1500.00")
        await until(lambda: page.evaluate("window.Echo.connector.pusher.connection.state === 'connected'"))

        # It is live again, with the new token.
        await api.patch(f"/leads/{newest['id']}", json={"name": "Heard of"})
        await expect(page.get_by_test_id("lead-name").first).to_have_text("Heard of")


async def test_a_dismissed_user_logs_in_over_the_page_and_another_one_sees_no_draft(stack: Stack) -> None:
    lead = await a_lead(stack, "Private")
    async with a_window(stack) as page, stack.client("admin") as admin:
        agent, manager = stack.acme.users["agent"], stack.acme.users["manager"]
        await page.goto(f"{stack.topology.gateway.url}/leads/{lead}")
        await page.get_by_test_id("chat-box").fill("Not for others")

        # A real dismissal, elsewhere.
        (await admin.post(f"/users/{agent.id}/deactivate")).raise_for_status()
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("login-over")).to_be_visible()
        await expect(page.get_by_test_id("chat-box")).to_have_value("Not for others")

        await log_in_over(page, manager)
        await expect(page.get_by_test_id("user-menu").first).to_contain_text(manager.name)
        await expect(page.get_by_test_id("chat-box")).to_have_value("")
        await page.get_by_test_id("new-lead").or_(page.get_by_test_id("lead-page")).first.wait_for()
        assert "Not for others" not in await page.locator("body").inner_text()

        # Whoever signs out leaves nothing behind, and is told so.
        await page.get_by_test_id("chat-box").fill("Mine")
        await page.get_by_test_id("user-menu").first.click()
        await page.get_by_test_id("logout").click()
        await answer(page, "no")
        await expect(page.get_by_test_id("chat-box")).to_have_value("Mine")
        await page.get_by_test_id("user-menu").first.click()
        await page.get_by_test_id("logout").click()
        await answer(page, "yes")
        await expect(page.get_by_test_id("login-submit")).to_be_visible()
        assert await page.evaluate(DRAFTS) == []


async def test_an_error_in_the_screens_code_is_told_and_logged(shared_stack: Stack) -> None:
    async with a_window(shared_stack) as page, shared_stack.client("admin") as api:
        company = shared_stack.acme.id
        logged: list[str] = []
        page.on("console", lambda message: logged.append(message.text) if message.type == "error" else None)
        sources = {
            "a callback of Echo": f"""window.Echo.private('company.{company}').listen('.lead.created', () => {{
                throw new Error('in a callback of Echo'); }})""",
            "a timer": "void setTimeout(() => { throw new Error('in a timer'); })",
            "a promise": "void Promise.reject(new Error('in a promise'))",
        }
        for name, source in sources.items():
            await page.evaluate(f"() => {{ {source} }}")
            if name == "a callback of Echo":
                (await api.post("/leads", json={"name": "Heard"})).raise_for_status()
            toast = page.get_by_test_id("toast").filter(has_text="Something went wrong on this page")
            await expect(toast).to_have_count(1)
            found = re.search(r"Reference: ([0-9a-f]{8})", await toast.inner_text())
            assert found is not None
            assert any(f"[{found[1]}]" in text and f"in {name}" in text for text in logged)
            await toast.get_by_role("button", name="Dismiss").click()
            await expect(toast).to_have_count(0)
        await expect(page.get_by_test_id("lead-name").first).to_have_text("Heard")  # the list lives on

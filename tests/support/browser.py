"""Windows of headless Chromium that look at the web screen of a stack."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from leadwire import paths
from leadwire.chromium import find_chromium
from support.stack import Stack, User
from support.waiting import until

_FLAGS = (
    "--disable-gpu",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-features=LocalNetworkAccessChecks",  # a page that a test answers itself may call the API
)
# Running animations would be measured in the middle.
_AXE = """async () => {
  document.getAnimations().forEach((one) => one.cancel());
  const { violations } = await axe.run({ resultTypes: ['violations'] });
  const shown = ({ html, failureSummary }) => [html, failureSummary];
  return violations.map(({ id, nodes }) => [id, nodes.length, ...nodes.slice(0, 2).map(shown)]);
}"""
ROWS = "[data-testid=lead-row]"
PATIENCE = 30  # seconds for what must appear

# Only rows in sight exist, and the next page is asked for when the end comes into sight.
_SCROLL_THROUGH = """async () => {
  const grid = document.querySelector('[role=grid]');
  const ids = new Map();
  const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  if (grid === null) return [];
  grid.scrollTop = 0;
  for (;;) {
    await drawn();
    for (const row of grid.querySelectorAll('[data-lead-id]')) ids.set(Number(row.ariaRowIndex), row.dataset.leadId);
    const atEnd = grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 1;
    if (atEnd && grid.getAttribute('aria-rowcount') !== '-1') break;
    grid.scrollTop += grid.clientHeight * 0.8;
  }
  return [...ids].sort(([one], [other]) => one - other).map(([, id]) => id);
}"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run the machine's Chromium, or the one Playwright installed."""
    executable = find_chromium()
    expect.set_options(timeout=PATIENCE * 1000)
    async with async_playwright() as playwright:
        if executable is None and not shutil.which(playwright.chromium.executable_path):
            pytest.skip("no Chromium: neither the system's nor Playwright's")
        browser = await playwright.chromium.launch(executable_path=executable, args=list(_FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


async def open_screen(browser: Browser, stack: Stack, user: User) -> Page:
    """Open a window of its own, log a user in, and wait until the list is live."""
    context = await browser.new_context(locale="en-GB")
    page = await context.new_page()
    await page.goto(stack.topology.gateway.url)
    await page.get_by_test_id("login-email").fill(user.email)
    await page.get_by_test_id("login-password").fill(user.password)
    await page.get_by_test_id("login-submit").click()
    await live(page)
    return page


async def visit(browser: Browser, stack: Stack, user: User, path: str, **options: Any) -> Page:
    """Open a window of its own at an address, as a user who is logged in already; return when it is connected."""
    context = await browser.new_context(**{"locale": "en-GB", **options})
    company = next(one for one in (stack.acme, stack.globex) if user in one.users.values())
    account = {"id": user.id, "name": user.name, "email": user.email, "role": user.role}
    account |= {"company_id": company.id, "company_name": company.name}
    login = {"access_token": user.token, "token_type": "Bearer", "expires_in": 3600, "user": account}
    remember = f"sessionStorage.setItem('leadwire.session', {json.dumps(json.dumps(login))})"
    await context.add_init_script(remember)
    page = await context.new_page()
    await page.goto(stack.topology.gateway.url + path)
    await until(lambda: page.evaluate("window.Echo?.connector.pusher.connection.state === 'connected'"))
    return page


async def violations(page: Page) -> list[Any]:
    """Return what axe-core finds wrong with the page as it is."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate((paths.WEB / "node_modules/axe-core/axe.min.js").read_text())
    found: list[Any] = await page.evaluate(_AXE)
    return found


async def is_wide(page: Page) -> bool:
    """Whether the page would have to be scrolled sideways."""
    wide: bool = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return wide


async def live(page: Page, *, within: float = 60) -> None:
    """Wait until the window is connected and its list reflects the server."""
    timeout = within * 1000
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "connected", timeout=timeout)
    await expect(page.get_by_test_id("list-ready")).to_have_attribute("data-ready", "true", timeout=timeout)


async def shown_ids(page: Page) -> list[str]:
    """Scroll through the list and return the ids of its rows, from top to bottom."""
    ids: list[str] = await page.evaluate(_SCROLL_THROUGH)
    return ids

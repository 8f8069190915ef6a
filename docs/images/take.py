"""Takes the pictures of this folder from a `leadwire up` that runs: `python docs/images/take.py [state directory]`.

It types a little into the demo company, so that there is something to see.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, Page, async_playwright

from leadwire.chromium import find_chromium

HERE = Path(__file__).parent
DESK = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}
PHONE = {"viewport": {"width": 390, "height": 844}, "locale": "pt-BR", "device_scale_factor": 2}
DARK = {"color_scheme": "dark"}
COLLEAGUES = ("james@demo.example", "julia@demo.example")
TOPICS = [
    ("james", "She asked for an offer for 40 seats, yearly."),
    ("julia", "I sent it this morning. @Ana Souza, could you call her back today?"),
    ("james", "They decide on Thursday."),
]


class Demo:
    """The demo company over REST and in windows."""

    def __init__(self, environment: dict[str, str], browser: Browser) -> None:
        self._environment = environment
        self._browser = browser

    def api(self, email: str) -> httpx.Client:
        credentials = {"email": email, "password": self._environment["DEMO_PASSWORD"]}
        login = httpx.post(f"{self._environment['LEADS_URL']}/auth/login", json=credentials).raise_for_status().json()
        headers = {"Authorization": f"Bearer {login['access_token']}"}
        return httpx.Client(base_url=self._environment["LEADS_URL"], headers=headers)

    @property
    def admin(self) -> str:
        return self._environment["DEMO_EMAIL"]

    async def window(self, email: str, path: str, **options: Any) -> Page:
        page = await (await self._browser.new_context(**options)).new_page()
        await page.goto(self._environment["GATEWAY_URL"] + path)
        await page.get_by_test_id("login-email").fill(email)
        await page.get_by_test_id("login-password").fill(self._environment["DEMO_PASSWORD"])
        await page.get_by_test_id("login-submit").click()
        await page.get_by_test_id("bell").wait_for()
        return page


@asynccontextmanager
async def demo(state: Path) -> AsyncIterator[Demo]:
    lines = (state / "env").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield Demo({name: value.strip("'\"") for name, value in environment.items()}, browser)
        await browser.close()


async def take(page: Page, name: str) -> None:
    await page.wait_for_timeout(1500)  # what is drawn comes to rest
    await page.screenshot(path=HERE / f"{name}.png")


async def take_lead(shown: Demo) -> None:
    api = shown.api(shown.admin)
    lead = api.get("/leads", params={"limit": 1, "status": "qualified"}).json()["data"][0]
    me = api.get("/auth/me").json()["data"]["id"]
    for name, body in TOPICS:
        mentions = [me] if "@" in body else []
        shown.api(f"{name}@demo.example").post(
            f"/leads/{lead['id']}/messages", json={"body": body, "mentions": mentions}
        )
    api.patch(f"/leads/{lead['id']}", json={"title": "Head of purchasing", "value": "18400.00"})
    api.patch(f"/leads/{lead['id']}", json={"score": 88, "tags": [*lead["tags"], "thursday"]})

    path = f"/leads/{lead['id']}"
    desk = await shown.window(shown.admin, path, **DESK)
    james, julia = [await shown.window(email, path, **DESK) for email in COLLEAGUES]
    await julia.get_by_test_id("chat-box").press_sequentially("I have")
    phone = james.locator("[data-field=phone]")
    await phone.hover()
    await phone.get_by_role("button").click()
    await take(desk, "lead")
    await desk.get_by_role("tab").nth(1).click()
    await desk.get_by_test_id("as-of").last.click()
    await take(desk, "lead-then")
    await take(await shown.window(shown.admin, path, **PHONE), "lead-phone")


async def take_dashboard_and_bell(shown: Demo) -> None:
    await take(await shown.window(shown.admin, "/dashboard", **DESK), "dashboard")
    page = await shown.window(shown.admin, "/dashboard", **DESK | DARK)
    await page.get_by_test_id("bell").click()
    await take(page, "bell")


async def take_import(shown: Demo) -> None:
    rows = [
        f"{'' if n == 3 else f'Lead {n}'};lead{n}@fair.example;Norte Ltda;{'x' if n == 5 else 40 + n % 50}"
        for n in range(400)
    ]
    buffer = "\n".join(["Name;E-Mail;Company;Score", *rows]).encode()
    page = await shown.window(shown.admin, "/imports", **DESK)
    await page.get_by_test_id("file").set_input_files({"name": "fair.csv", "mimeType": "text/csv", "buffer": buffer})
    await page.get_by_test_id("preview").wait_for()
    await take(page, "import")
    await page.get_by_role("main").get_by_role("button").nth(-2).click()  # thrown away again


async def main() -> None:
    state = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LEADWIRE_STATE_DIR", ".leadwire"))
    async with demo(state) as shown:
        await take(await shown.window(shown.admin, "/leads", **DESK), "leads")
        await take(await shown.window(shown.admin, "/board", **DESK | DARK), "board")
        await take(await shown.window(shown.admin, "/leads", **PHONE), "phone")
        await take_lead(shown)
        await take_dashboard_and_bell(shown)
        await take_import(shown)


asyncio.run(main())

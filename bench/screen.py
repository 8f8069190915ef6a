"""How smooth the list stays with 10,000 rows: while they are imported, while somebody scrolls, while events arrive.

Against a running `./leadwire up`: a file of 10,000 leads is imported while headless Chromium watches the list; then it
scrolls through the middle of all of them by 60 pixels a frame, alone and with 20 changes a second by a colleague. The
browser measures itself: the time between two frames (requestAnimationFrame) and its long tasks (PerformanceObserver,
over 50 ms). Headless Chromium draws without a graphics card. What was imported is taken back at the end.

Usage: . .leadwire/env; .venv/bin/python bench/screen.py [--rows 10000] [--seconds 8]
"""

import argparse
import asyncio
import os
import statistics
from typing import Any

import httpx
from playwright.async_api import Page, async_playwright

import report
from leadwire.chromium import find_chromium

FLAGS = ("--disable-gpu", "--no-sandbox")
CHANGES = 20  # a second
WATCH = """() => {
  window.frames_ = []; window.tasks_ = [];
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => tasks_.push(duration)))
    .observe({ entryTypes: ['longtask'] });
  let last = performance.now();
  const frame = (now) => { frames_.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""
SCROLL = """async (seconds) => {
  const grid = document.querySelector('[role=grid]');
  frames_.length = 0; tasks_.length = 0;
  const until = performance.now() + seconds * 1000;
  grid.scrollTop = grid.scrollHeight / 2;
  while (performance.now() < until) {
    grid.scrollTop += 60;
    await new Promise(requestAnimationFrame);
  }
}"""


async def loaded(page: Page, rows: int) -> None:
    """Scroll to the end again and again until that many rows are there."""
    await page.evaluate(
        """async (rows) => {
          const list = document.querySelector('[data-testid=list-ready]');
          const grid = document.querySelector('[role=grid]');
          while (Number(list.dataset.count) < rows) {
            grid.scrollTop = grid.scrollHeight;
            await new Promise((done) => setTimeout(done, 50));
          }
          grid.scrollTop = 0;
        }""",
        rows,
    )


async def measured(page: Page) -> dict[str, float]:
    """Return what the browser noted since it was last asked."""
    frames, tasks = await page.evaluate("() => [frames_.splice(0), tasks_.splice(0)]")
    cuts = statistics.quantiles(frames, n=100)
    return {
        "frames": len(frames),
        "p50": statistics.median(frames),
        "p95": cuts[94],
        "p99": cuts[98],
        "longest": max(frames),
        "long_tasks": len(tasks),
        "longest_task": max(tasks, default=0.0),
    }


async def imported(api: httpx.AsyncClient, rows: int) -> str:
    """Import a file; return the job's id when it is over."""
    run_id = os.getpid()  # what an earlier run has changed since cannot be taken back, and would be a duplicate
    lines = ["name,email,organisation,value,currency"]
    lines += [f"Lead {n},lead{n}@{run_id}.example,Company {n % 97},{n % 5000},EUR" for n in range(rows)]
    uploaded = await api.post(
        "/imports?name=screen.csv", content="\n".join(lines).encode(), headers={"Content-Type": "text/csv"}
    )
    uploaded.raise_for_status()
    number: str = uploaded.json()["data"]["id"]
    (await api.post(f"/imports/{number}/start")).raise_for_status()
    await over(api, number)
    return number


async def over(api: httpx.AsyncClient, job: str) -> None:
    while (await api.get(f"/jobs/{job}")).json()["data"]["state"] in {"queued", "running"}:
        await asyncio.sleep(0.2)


async def change(api: httpx.AsyncClient, leads: list[str]) -> None:
    """Give leads another value, so many a second, until cancelled."""
    number = 0
    while True:
        number += 1
        await api.patch(f"/leads/{leads[number % len(leads)]}", json={"score": number % 100})
        await asyncio.sleep(1 / CHANGES)


async def run(rows: int, seconds: int) -> dict[str, Any]:
    api = httpx.AsyncClient(base_url=os.environ["LEADS_URL"], timeout=60)
    who = {"email": os.environ["DEMO_EMAIL"], "password": os.environ["DEMO_PASSWORD"]}
    token = (await api.post("/auth/login", json=who)).json()["access_token"]
    api.headers["Authorization"] = f"Bearer {token}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url) if "/leads?" in request.url else None)
        await page.goto(os.environ["GATEWAY_URL"])
        await page.get_by_test_id("login-email").fill(who["email"])
        await page.get_by_test_id("login-password").fill(who["password"])
        await page.get_by_test_id("login-submit").click()
        await page.get_by_test_id("lead-row").first.wait_for()
        await page.evaluate(WATCH)
        requests.clear()
        job = await imported(api, rows)
        figures: dict[str, Any] = {"importing": await measured(page), "reloads": len(requests)}
        await loaded(page, rows)
        await measured(page)
        await page.evaluate(SCROLL, seconds)
        figures["scrolling"] = await measured(page)
        listed = (await api.get("/leads", params={"limit": 500})).json()["data"]
        changing = asyncio.create_task(change(api, [lead["id"] for lead in listed]))
        await page.evaluate(SCROLL, seconds)
        figures["scrolling_live"] = await measured(page)
        changing.cancel()
        figures["heap_mb"] = await page.evaluate("performance.memory.usedJSHeapSize / 2**20")
        await browser.close()
    undone = (await api.post(f"/imports/{job}/revert")).headers["Location"].rpartition("/")[2]
    await over(api, undone)
    await api.aclose()
    return figures


def text(figures: dict[str, Any], rows: int) -> str:
    titles = {
        "importing": f"{rows:,} rows are imported, {figures['reloads']} times loaded again",
        "scrolling": "scrolling, 60 pixels a frame",
        "scrolling_live": f"the same with {CHANGES} changes a second",
    }
    head = ["while", "frames", "p50 ms", "p95 ms", "p99 ms", "longest ms", "tasks over 50 ms", "longest task ms"]
    lines = [
        [
            title,
            f"{one['frames']:,.0f}",
            *(f"{one[cut]:.1f}" for cut in ("p50", "p95", "p99", "longest")),
            f"{one['long_tasks']:.0f}",
            f"{one['longest_task']:.0f}",
        ]
        for name, title in titles.items()
        for one in [figures[name]]
    ]
    load = f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors."
    return f"{report.table(head, lines)}\n\nHeap with all rows: {figures['heap_mb']:.0f} MB. {load}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=8)
    arguments = parser.parse_args()
    figures = asyncio.run(run(arguments.rows, arguments.seconds))
    report.write("screen", text(figures, arguments.rows), figures)


if __name__ == "__main__":
    main()

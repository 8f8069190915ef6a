"""A file of leads, from dropping it to taking it back, before the eyes of two people."""

import csv
import io

import pytest
from playwright.async_api import expect

from support.browser import chromium, is_wide, violations, visit
from support.stack import Stack

pytestmark = pytest.mark.browser

ROWS = 3_000
BROKEN = 3
PHONE = {"viewport": {"width": 390, "height": 844}}


def leads_csv() -> bytes:
    """Three thousand leads, some of whom have no name, and a column that nobody asked for."""
    text = io.StringIO()
    table = csv.writer(text, delimiter=";")
    table.writerow(["Name", "E-Mail", "Shoe size"])
    table.writerows(["" if row < BROKEN else f"Lead {row}", f"lead{row}@import.example", 40] for row in range(ROWS))
    return text.getvalue().encode()


async def test_a_file_is_mapped_watched_and_taken_back(shared_stack: Stack) -> None:
    shared_stack.start("worker")
    await shared_stack.ready("worker")
    file = {"name": "fair.csv", "mimeType": "text/csv", "buffer": leads_csv()}
    async with chromium() as browser, shared_stack.client("manager") as api:
        author = await visit(browser, shared_stack, shared_stack.acme.users["manager"], "/imports")
        colleague = await visit(
            browser,
            shared_stack,
            shared_stack.acme.users["admin"],
            "/imports",
            **PHONE,
            color_scheme="dark",
            locale="pt-BR",
        )
        await expect(colleague.get_by_test_id("imports")).to_have_attribute("data-ready", "true")
        await author.get_by_test_id("file").set_input_files(file)
        columns = author.get_by_test_id("column")
        await expect(columns.nth(0)).to_have_value("name")
        await expect(columns.nth(1)).to_have_value("email")
        await expect(columns.nth(2)).to_have_value("")
        await expect(author.get_by_test_id("preview").locator("tbody tr").first).to_contain_text("Should not be blank")
        await columns.nth(0).select_option("")
        await expect(author.get_by_test_id("start-import")).to_be_disabled()
        await columns.nth(0).select_option("name")
        assert await violations(author) == []

        await author.get_by_test_id("start-import").click()
        await expect(colleague.get_by_test_id("import")).to_contain_text("fair.csv")
        run = author.get_by_test_id("import-run")
        await expect(run).to_have_attribute("data-state", "done", timeout=90_000)
        await expect(author.get_by_test_id("import-created")).to_contain_text(f"{ROWS - BROKEN:,}")
        await expect(author.get_by_test_id("import-failed")).to_contain_text(str(BROKEN))
        await expect(colleague.get_by_test_id("import")).to_contain_text("Concluída")
        assert (await api.get("/stats")).json()["data"]["total"] == ROWS - BROKEN
        async with author.expect_download() as downloading:
            await author.get_by_test_id("error-file").click()
        download = await downloading.value
        assert download.suggested_filename == "fair-errors.csv"
        errors = (await download.path()).read_text(encoding="utf-8-sig").splitlines()
        assert len(errors) == 1 + BROKEN
        assert await violations(author) == []
        assert await violations(colleague) == []
        assert not await is_wide(colleague)

        await author.get_by_test_id("revert-import").click()
        await author.get_by_test_id("confirm-revert").click()
        await expect(run).to_have_attribute("data-state", "reverted", timeout=90_000)
        await expect(colleague.get_by_test_id("import")).to_contain_text("Revertida")
        assert (await api.get("/stats")).json()["data"]["total"] == 0

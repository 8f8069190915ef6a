"""Every kind of field of a lead, edited in place and in the form, in both languages, in a real Chromium."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, get_args

import httpx
import pytest
from playwright.async_api import Locator, Page, Request, expect

from leads.domain.company import FieldKind
from support.browser import chromium, visit
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.browser

OWN = {
    "note": "text",
    "seats": "number",
    "since": "date",
    "vip": "boolean",
    "plan": "choice",
    "tools": "choices",
    "site": "url",
}
CHOICES = ["basic, monthly", "pro"]


@dataclass(frozen=True)
class Case:
    """What is typed into a field, by language, and what it means; what nobody can read in either."""

    value: Any
    pt: str
    en: str
    unreadable: tuple[str, ...] = ()
    shown: dict[str, str] = field(default_factory=dict)


TYPED = {
    "name": Case("Augusta 1.500", pt="Augusta 1.500", en="Augusta 1.500", unreadable=("",)),
    "organisation": Case("Engines", pt="Engines", en="Engines"),
    "title": Case("Countess", pt="Countess", en="Countess"),
    "email": Case("ada@example.com", pt="Ada@example.com", en="ada@example.com", unreadable=("ada", "a b@c.com")),
    "phone": Case("+5511987654321", pt="+55 11 98765-4321", en="+5511987654321"),
    "source": Case("fair", pt="fair", en="fair"),
    "value": Case(
        "1500.00",
        pt="1.500",
        en="1,500",
        unreadable=("abc", "1.5.0", "1,5,0", "-3"),
        shown={"pt-BR": "R$\u00a01.500", "en-GB": "R$1,500"},
    ),
    "score": Case(42, pt="42", en="42", unreadable=("seven", "7,5", "7.5", "101", "-1")),
    "custom.note": Case("a, b", pt="a, b", en="a, b"),
    "custom.seats": Case(
        1234.5,
        pt="1.234,5",
        en="1,234.5",
        unreadable=("many", "1.5.0", "5 K"),
        shown={"pt-BR": "1.234,5", "en-GB": "1,234.5"},
    ),
    "custom.since": Case(
        "2026-03-04",
        pt="4/3/2026",
        en="04/03/2026",
        unreadable=("soon", "31/02/2026", "1/1/26"),
        shown={"pt-BR": "4 de mar. de 2026", "en-GB": "4 Mar 2026"},
    ),
    "custom.site": Case(
        "https://example.com/", pt="https://example.com/", en="https://example.com/", unreadable=("x",)
    ),
}
CHOSEN = {"assigned_to", "custom.vip", "custom.plan", "custom.tools"}


@asynccontextmanager
async def at_a_lead(stack: Stack, locale: str) -> AsyncIterator[tuple[Page, httpx.AsyncClient, str, list[Request]]]:
    """A page of a lead with a field of every kind, an API client, the lead's id, and the edits that are sent."""
    async with chromium() as browser, stack.client("admin") as admin, stack.client("agent") as api:
        known = {one["key"] for one in (await admin.get("/custom-fields")).json()["data"]}
        for key, kind in OWN.items():
            if key not in known:
                choices = CHOICES if kind.startswith("choice") else []
                body = {"key": key, "label": key.title(), "kind": kind, "choices": choices}
                (await admin.post("/custom-fields", json=body)).raise_for_status()
        lead = (await api.post("/leads", json={"name": "Ada Lovelace"})).raise_for_status().json()["data"]
        page = await visit(browser, stack, stack.acme.users["agent"], f"/leads/{lead['id']}", locale=locale)
        await expect(page.get_by_test_id("viewers").or_(page.get_by_test_id("lead-page")).first).to_be_visible()
        edits: list[Request] = []
        page.on("request", lambda request: edits.append(request) if request.method == "PATCH" else None)
        page.on("pageerror", lambda error: pytest.fail(f"the page's code failed: {error}"))
        try:
            yield page, api, lead["id"], edits
        finally:
            await api.delete(f"/leads/{lead['id']}")  # another lead with its address would be a duplicate


def of(page: Page, path: str) -> Locator:
    return page.locator(f"[data-field='{path}']")


async def begin(page: Page, path: str) -> Locator:
    """Begin to edit a field and return its control."""
    await of(page, path).hover()
    await of(page, path).locator(".inline__edit").click()
    return of(page, path).get_by_test_id(f"field-{path}")


async def value_of(api: httpx.AsyncClient, lead: str, path: str) -> Any:
    data = (await api.get(f"/leads/{lead}")).json()["data"]
    return data["custom"].get(path.removeprefix("custom.")) if path.startswith("custom.") else data[path]


def test_every_kind_of_field_of_a_company_is_tried() -> None:
    assert set(OWN.values()) == set(get_args(FieldKind))
    assert {f"custom.{key}" for key in OWN} <= TYPED.keys() | CHOSEN


@pytest.mark.parametrize("locale", ["pt-BR", "en-GB"])
async def test_what_is_typed_into_a_field_is_meant_as_the_language_writes_it(shared_stack: Stack, locale: str) -> None:
    async with at_a_lead(shared_stack, locale) as (page, api, lead, edits):
        for path, case in TYPED.items():
            control = await begin(page, path)
            before = await value_of(api, lead, path)
            for text in case.unreadable:
                await control.fill(text)
                await page.keyboard.press("Enter")
                await expect(of(page, path).get_by_role("alert")).to_be_visible()
                await expect(control).to_have_value(text)
            assert await value_of(api, lead, path) == before
            assert edits == []

            await control.fill(case.pt if locale == "pt-BR" else case.en)
            if path == "value":
                await of(page, path).get_by_test_id("field-currency").fill("brl")
            await page.keyboard.press("Enter")
            await expect(of(page, path).locator("form")).to_have_count(0)
            await expect(of(page, path)).to_contain_text(case.shown.get(locale, str(case.value)))
            assert await value_of(api, lead, path) == case.value
            assert len(edits) == 1

            # What is shown can be typed: it means the same, and nothing is sent.
            shown = await of(page, path).locator(".inline__text, .inline__link").inner_text()
            control = await begin(page, path)
            await control.fill(shown)
            await page.keyboard.press("Enter")
            await expect(of(page, path).locator("form")).to_have_count(0)
            assert len(edits) == 1
            edits.clear()


@pytest.mark.parametrize("locale", ["pt-BR", "en-GB"])
async def test_what_is_chosen_in_a_field_is_saved(shared_stack: Stack, locale: str) -> None:
    async with at_a_lead(shared_stack, locale) as (page, api, lead, _):
        agent = shared_stack.acme.users["agent"]
        for path, choice, value in (
            ("assigned_to", str(agent.id), str(agent.id)),
            ("custom.vip", "false", False),
            ("custom.plan", "basic, monthly", "basic, monthly"),
        ):
            await (await begin(page, path)).select_option(choice)
            await expect(of(page, path).locator("form")).to_have_count(0)
            assert await value_of(api, lead, path) == value
            await (await begin(page, path)).select_option("")
            await expect(of(page, path).locator("form")).to_have_count(0)
            assert await value_of(api, lead, path) is None

        boxes = await begin(page, "custom.tools")
        await boxes.get_by_label("pro").check()
        await boxes.get_by_label("basic, monthly").check()
        await page.keyboard.press("Enter")
        await expect(of(page, "custom.tools").locator("form")).to_have_count(0)
        assert await value_of(api, lead, "custom.tools") == ["basic, monthly", "pro"]


async def test_an_amount_and_its_currency_are_cleared_only_together_and_by_somebody(shared_stack: Stack) -> None:
    async with at_a_lead(shared_stack, "pt-BR") as (page, api, lead, edits):
        (await api.patch(f"/leads/{lead}", json={"value": "1500", "currency": "USD"})).raise_for_status()
        await expect(of(page, "value")).to_contain_text("US$\u00a01.500")
        amount = await begin(page, "value")
        currency = of(page, "value").get_by_test_id("field-currency")
        await expect(currency).to_have_value("USD")

        for typed in (("", "USD"), ("abc", "USD"), ("1.600", ""), ("R$ 1.600", "USD"), ("1.600", "dólar")):
            await amount.fill(typed[0])
            await currency.fill(typed[1])
            await page.keyboard.press("Enter")
            await expect(of(page, "value").get_by_role("alert")).to_be_visible()
        assert edits == []
        assert await value_of(api, lead, "value") == "1500.00"

        await amount.fill("")
        await currency.fill("USD")
        await page.keyboard.press("Enter")
        await of(page, "value").get_by_test_id("clear-amount").click()
        await expect(of(page, "value").locator("form")).to_have_count(0)
        assert await value_of(api, lead, "value") is None
        assert await value_of(api, lead, "currency") is None


@pytest.mark.parametrize(
    ("locale", "good", "bad"),
    [
        (
            "pt-BR",
            ["1.500", "1.500,00", "R$ 1500", "R$\u00a01.500,00", "1500,00"],
            ["1.50", "1,500", "1,500.00", "abc"],
        ),
        ("en-GB", ["1,500", "1,500.00", "R$1500", "1500.00"], ["1,50", "1.500", "1.500,00", "abc"]),
    ],
)
async def test_the_form_and_the_filters_read_an_amount_alike(
    shared_stack: Stack, locale: str, good: list[str], bad: list[str]
) -> None:
    async with chromium() as browser, shared_stack.client("admin") as api:
        page = await visit(browser, shared_stack, shared_stack.acme.users["agent"], "/leads", locale=locale)
        sent: list[Request] = []
        page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)

        await page.get_by_test_id("more-filters").click()
        for text in good:
            await page.get_by_test_id("filter-value_min").fill(text)
            await page.keyboard.press("Enter")
            await until(lambda: page.evaluate("new URL(location).searchParams.get('value_min') === '1500'"))
            await page.get_by_test_id("filter-value_min").fill("")
            await page.keyboard.press("Enter")
            await until(lambda: page.evaluate("!new URL(location).searchParams.has('value_min')"))
        await page.get_by_test_id("filter-value_min").fill(bad[0])
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("filter-value_min")).to_have_attribute("aria-invalid", "true")
        await page.get_by_test_id("filter-score_min").fill("10")  # another filter does not take it away
        await page.keyboard.press("Enter")
        await until(lambda: page.evaluate("new URL(location).searchParams.get('score_min') === '10'"))
        await expect(page.get_by_test_id("filter-value_min")).to_have_value(bad[0])
        assert "value_min" not in page.url
        await page.keyboard.press("Escape")

        async with page.expect_request(re.compile("/leads/export")) as exported:
            await page.get_by_test_id("export").click()
        assert f"locale={'pt-BR' if locale == 'pt-BR' else 'en'}" in (await exported.value).url

        for text in good:
            await page.get_by_test_id("new-lead").click()
            await page.get_by_test_id("field-name").fill("Typed")
            for wrong in bad:
                sent.clear()
                await page.get_by_test_id("field-value").fill(wrong)
                await page.get_by_test_id("save-lead").click()
                await expect(page.get_by_test_id("field-value")).to_have_attribute("aria-invalid", "true")
                assert [one.url for one in sent if one.url.endswith("/leads")] == []
            await page.get_by_test_id("field-value").fill(text)
            await page.get_by_test_id("field-currency").fill("BRL")
            await page.get_by_test_id("save-lead").click()
            await expect(page.get_by_test_id("lead-form")).to_have_count(0)
            newest = (await api.get("/leads", params={"limit": 1})).json()["data"][0]
            assert (newest["name"], newest["value"], newest["currency"]) == ("Typed", "1500.00", "BRL")

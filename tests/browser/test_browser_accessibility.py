"""Anybody can use the shop: contrast, names and roles by axe, everything by keyboard, nothing wider than a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.shop import PASSWORD, RESULTS, SCREENS, Shop, faults, letter

PAGES = {
    "home": lambda shop: "/",
    "release": lambda shop: shop.album,
    "film": lambda shop: shop.film,
    "browse": lambda shop: "/browse",
    "search": lambda shop: "/search?q=zzzz",
    "cart": lambda shop: "/cart",
    "country": lambda shop: "/cart/country",
    "sign-in": lambda shop: "/sign-in",
    "sign-up": lambda shop: "/sign-up",
    "missing": lambda shop: "/nothing-here",
}


@pytest.mark.parametrize(("theme", "locale", "width"), SCREENS)
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(
    browser: Browser, live_shop: Shop, theme: str, locale: str, width: int
) -> None:
    size = {"width": width, "height": 860}
    context = browser.new_context(
        base_url=live_shop.base_url, locale=locale, color_scheme=theme, viewport=size, bypass_csp=True
    )
    page = context.new_page()
    found = {}
    RESULTS.mkdir(exist_ok=True)
    for name, address in PAGES.items():
        page.goto(address(live_shop))
        if wrong := faults(page):
            found[name] = wrong
        # What a person would look at after a change.
        assert len(page.screenshot(path=RESULTS / f"{name}-{theme}-{locale}-{width}.png")) > 5_000
    context.close()
    assert not found


@pytest.mark.parametrize("width", [360, 768])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_nothing_is_wider_than_the_window(browser: Browser, live_shop: Shop, locale: str, width: int) -> None:
    context = browser.new_context(base_url=live_shop.base_url, locale=locale, viewport={"width": width, "height": 780})
    page = context.new_page()
    wide = []
    for name, address in PAGES.items():
        page.goto(address(live_shop))
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)
    page.goto(live_shop.album)
    page.locator("[data-preview]").first.click()
    expect(page.locator("#player")).to_be_visible()
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        wide.append("player")
    context.close()
    assert not wide


def test_a_release_is_bought_by_keyboard_alone(page: Page, live_shop: Shop) -> None:
    page.goto(live_shop.release_url("Small Hours"))
    _tab_to(page, "Add to cart")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your cart")).to_be_focused()
    _tab_to(page, "Sign in instead")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/sign-in"))
    _tab_to(page, "Make an account")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/sign-up"))
    _tab_to(page, "E-mail")
    page.keyboard.type("keyboard@example.org")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_focused()
    page.goto(letter(live_shop, "keyboard@example.org", onward="/cart"))
    for label, text in (("Name", "Kay"), ("Password", PASSWORD)):
        _tab_to(page, label)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your cart").wait_for()
    _tab_to(page, "Pay")
    page.keyboard.press("Enter")
    page.locator("#pay").wait_for()
    page.locator("#number").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="It’s yours").wait_for()


def test_the_skip_link_leads_past_the_header(page: Page, live_shop: Shop) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_the_player_answers_to_keys(page: Page, live_shop: Shop) -> None:
    page.goto(live_shop.album)
    page.get_by_role("button", name="Preview Low Water").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    expect(page.locator("#player")).to_have_attribute("data-state", "paused")
    page.keyboard.press("m")
    assert page.evaluate("document.querySelector('.player__audio').muted")
    page.get_by_label("Search music, films and artists").focus()
    page.keyboard.type("m ")
    assert page.evaluate("document.querySelector('.player__audio').muted")
    expect(page.locator("#player")).to_have_attribute("data-state", "paused")


def test_a_chosen_theme_holds_from_the_first_paint(page: Page, live_shop: Shop) -> None:
    page.goto("/")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.reload()
    assert page.get_attribute("html", "data-theme") == "dark"
    expect(page.get_by_role("button", name="Dark theme")).to_have_attribute("aria-pressed", "true")


def test_the_language_switch_changes_every_title(page: Page, live_shop: Shop) -> None:
    page.goto(live_shop.album)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="港口灯火")).to_be_visible()
    assert page.get_attribute("html", "lang") == "zh-Hans"
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Harbour Lights")).to_be_visible()


def _tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus stands on what is called so."""
    for _ in range(80):
        page.keyboard.press("Tab")
        called = page.evaluate(
            "() => { const e = document.activeElement; const label = e.labels?.[0]?.textContent;"
            " return (e.getAttribute('aria-label') || label || e.textContent || '').trim(); }"
        )
        if called == name or (name == "Pay" and called.startswith("Pay ")):
            return
    pytest.fail(f"Tab never reached {name!r}")

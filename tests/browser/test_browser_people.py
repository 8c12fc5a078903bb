"""A person's own pages in a browser: a passkey made and shown, devices signed out, and pages that anybody can use."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from app.audit import service as audit
from app.core.db import transaction
from tests.browser.shop import PASSWORD, RESULTS, SCREENS, Shop, faults, sign_in_staff, sign_up

PAGES = {
    "profile": "/account",
    "addresses": "/account/addresses",
    "address": "/account/addresses/new",
    "devices": "/account/devices",
    "security": "/account/security",
    "second-factor": "/account/second-factor",
    "prove": "/account/prove",
    "people": "/staff/people",
    "audit": "/staff/audit",
}


@pytest.fixture
def person(browser: Browser, live_shop: Shop) -> Iterator[Page]:
    """A visitor at `localhost`: WebAuthn knows no numbers."""
    port = urlsplit(live_shop.base_url).port
    context = browser.new_context(base_url=f"http://localhost:{port}", locale="en-GB")
    yield context.new_page()
    context.close()


def sign_in(page: Page, email: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("#main").get_by_role("button", name="Sign in").click()


def test_a_passkey_is_made_and_from_then_on_shown(person: Page, live_shop: Shop) -> None:
    devtools = person.context.new_cdp_session(person)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    email = sign_up(person, live_shop)
    person.goto("/account/second-factor")
    person.get_by_label("What to call it").fill("My laptop")
    person.get_by_role("button", name="Add a passkey").click()
    expect(person.locator(".codes li")).to_have_count(10)
    person.get_by_role("link", name="I have them").click()
    expect(person.get_by_text("My laptop")).to_be_visible()
    expect(person.get_by_text("10 codes are unused.")).to_be_visible()

    person.context.clear_cookies()
    sign_in(person, email)
    expect(person.get_by_role("heading", name="One thing more")).to_be_visible()
    person.goto("/orders")
    expect(person.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(person, email)
    person.get_by_role("button", name="Use a passkey").click()
    person.wait_for_url("**/")
    person.goto("/orders")
    expect(person.get_by_role("heading", name="Your orders")).to_be_visible()

    person.goto("/account/second-factor")
    person.get_by_role("button", name="Remove the passkey My laptop").click()
    expect(person.get_by_text("The passkey counts no longer.")).to_be_visible()
    person.context.clear_cookies()
    sign_in(person, email)
    person.wait_for_url("**/")


def test_another_device_is_signed_out_from_here(browser: Browser, live_shop: Shop, page: Page) -> None:
    email = sign_up(page, live_shop)
    other = browser.new_context(base_url=live_shop.base_url, locale="en-GB")
    there = other.new_page()
    sign_in(there, email)
    there.wait_for_url("**/")
    page.goto("/account/devices")
    expect(page.get_by_text("This device")).to_have_count(1)
    page.locator(".card", has_not_text="This device").get_by_role("button").click()
    expect(page.get_by_text("That device is signed out.")).to_be_visible()
    there.goto("/library")
    expect(there.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    other.close()


@pytest.mark.parametrize(("theme", "locale", "width"), SCREENS)
def test_own_pages_and_staffs_can_be_used_by_anybody(
    browser: Browser, live_shop: Shop, theme: str, locale: str, width: int
) -> None:
    size = {"width": width, "height": 860}
    context = sign_in_staff(browser, live_shop, locale=locale, color_scheme=theme, viewport=size, bypass_csp=True)
    with live_shop.app.app_context(), transaction():
        audit.record(None, "order.refund", "order:bcdfghjkmnpqrstv", {"minor": 990, "currency": "EUR"})
    page, found = context.pages[0], {}
    RESULTS.mkdir(exist_ok=True)
    for name, address in PAGES.items():
        page.goto(address)
        if wrong := faults(page):
            found[name] = wrong
        assert len(page.screenshot(path=RESULTS / f"own-{name}-{theme}-{locale}-{width}.png", full_page=True)) > 5_000
    context.close()
    assert not found

"""Gifts and guests' orders in a browser: taken by link and by code, looked after by the giver, on any screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect
from support import orders, rows
from support.orders import Sold

from app.accounts import service as accounts
from app.accounts.models import Account
from app.catalog.models import Release
from app.core import codes
from app.core.db import db, transaction
from app.orders import claims, waiting
from tests.browser.shop import PASSWORD, RESULTS, Shop, faults, sign_up


@dataclass
class Given:
    """What lies about: addresses of the shop's pages, and the giver."""

    gift: str
    second: str
    guest: str
    code: str
    order: str
    giving: str
    claimed: str
    email: str


@pytest.fixture
def given(live_shop: Shop) -> Iterator[Given]:
    """A gift that waits, one that was taken, and what a guest bought."""
    with live_shop.app.app_context():
        release = db.session.get_one(Release, live_shop.releases["Harbour Lights"])
        film = db.session.get_one(Release, live_shop.releases["Night Ferry"])
        email = f"giver{rows.account().id.lower()}@example.org"
        with transaction():
            ada = accounts.register(email, PASSWORD, "Ada")
        note = {"gift_from": "Ada", "gift_message": "For your birthday!\n生日快乐"}
        made = orders.claimable(
            Sold(release, gift_to="kay@example.org", more=note),
            Sold(film, gift_to="lin@example.org"),
            account=db.session.get_one(Account, ada.id),
        )
        waits, taken = sorted(waiting.of_order(made.id), key=lambda each: each.to_email)
        with transaction():
            claims.claim(taken.id, rows.account("Lin"))
        guests = orders.claimable(Sold(release), Sold(film, 1290, 206), email=f"guest{made.number}@example.org")
        [guest] = waiting.of_order(guests.id)
        letter = "/claims/" + waiting.letter_link(guest).rpartition("/")[2]
        giving = f"/orders/{made.id}/gifts/"
        yield Given(
            gift=waiting.path(waits),
            second=waiting.path(taken),
            guest=letter,
            code=codes.spelled(waits.code),
            order=f"/orders/{made.id}",
            giving=giving + waits.id,
            claimed=giving + taken.id,
            email=email,
        )
        db.session.remove()


def sign_in(page: Page, email: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail").or_(page.get_by_label("邮箱")).first.fill(email)
    page.locator("input[type=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/")


def test_a_gift_is_unwrapped_by_its_code(page: Page, live_shop: Shop, given: Given) -> None:
    sign_up(page, live_shop)
    page.goto("/gift")
    page.get_by_label("Gift code").fill(given.code.lower())
    page.keyboard.press("Enter")
    expect(page.get_by_text("A gift from Ada")).to_be_visible()
    expect(page.get_by_text("生日快乐")).to_be_visible()
    page.get_by_role("button", name="Add to my library").click()
    expect(page.get_by_role("heading", name="Your library")).to_be_visible()
    expect(page.get_by_text("Yours now: Harbour Lights")).to_be_visible()
    page.goto(live_shop.album)
    expect(page.get_by_role("button", name="Play all")).to_be_visible()


def test_a_guest_makes_an_account_out_of_the_letter(page: Page, live_shop: Shop, given: Given) -> None:
    page.goto(given.guest)
    expect(page.get_by_role("heading", name="Take what is yours")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Gus")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Make an account and take it").click()
    expect(page.get_by_text("Welcome, Gus.")).to_be_visible()
    expect(page.get_by_role("heading", name="Your library")).to_be_visible()


def test_the_giver_sends_the_gift_elsewhere(page: Page, live_shop: Shop, given: Given) -> None:
    sign_in(page, given.email)
    page.goto(given.order)
    expect(page.get_by_text("Sent, not unwrapped yet")).to_be_visible()
    expect(page.get_by_text("Unwrapped", exact=True)).to_be_visible()
    page.get_by_role("link", name="Harbour Lights").first.click()
    expect(page.get_by_text(given.code)).to_be_visible()
    page.get_by_label("E-mail of who gets it").fill("somebody@example.org")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The gift goes to somebody@example.org.")).to_be_visible()
    expect(page.get_by_text(given.code)).to_have_count(0)


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
def test_everybody_can_use_the_pages(
    browser: Browser, live_shop: Shop, given: Given, theme: str, width: int, locale: str
) -> None:
    context = browser.new_context(
        base_url=live_shop.base_url,
        locale=locale,
        color_scheme=theme,
        viewport={"width": width, "height": 800},
        bypass_csp=True,
    )
    page = context.new_page()
    found: dict[str, list[str]] = {}

    def look(name: str, address: str) -> None:
        page.goto(address)
        page.screenshot(path=RESULTS / f"gifts-{name}-{theme}-{locale[:2]}.png", full_page=True)
        wrong = faults(page)
        if wrong:
            found[name] = wrong

    for name, address in (("code", "/gift"), ("gift", given.gift), ("guest", given.guest), ("taken", given.second)):
        look(name, address)
    sign_in(page, given.email)
    for name, address in (
        ("order", given.order),
        ("giving", given.giving),
        ("claimed", given.claimed),
        ("own", given.gift),
    ):
        look(name, address)
    context.close()
    assert not found

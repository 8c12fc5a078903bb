"""After the sale, in a browser: a buyer has the money back by keyboard, staff find the order and what became of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.core.db import db, transaction
from app.orders import cases
from app.orders.models import Case, CaseKind, Order
from tests.browser.shop import RESULTS, Shop, buy, faults, sign_in_staff, sign_up


def order_of(shop: Shop, email: str) -> tuple[str, int]:
    """The id and the number of a person's order."""
    with shop.app.app_context():
        found = db.session.scalars(select(Order).where(Order.email == email)).one()
        db.session.remove()
    return found.id, found.number


@pytest.fixture
def bought(page: Page, live_shop: Shop) -> tuple[str, int]:
    email = sign_up(page, live_shop)
    buy(page, live_shop.album)
    return order_of(live_shop, email)


def test_a_buyer_has_the_money_back_by_keyboard_and_the_music_goes(
    page: Page, live_shop: Shop, bought: tuple[str, int]
) -> None:
    page.goto(f"/orders/{bought[0]}")
    page.get_by_role("link", name="Money back").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Money back")).to_be_visible()
    box = page.get_by_role("checkbox", name="Harbour Lights")
    expect(box).to_be_checked()  # there is nothing else to choose
    box.focus()
    page.keyboard.press("Tab")
    page.keyboard.type("I bought it by mistake.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is on its way back, the way it was paid.")).to_be_visible()
    expect(page.locator(".badge", has_text="Refunded")).to_be_visible()
    page.goto("/library")
    expect(page.get_by_role("link", name="Harbour Lights")).to_have_count(0)
    page.goto(f"/orders/{bought[0]}/refund")
    expect(page.get_by_text("Its money was given back.")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Harbour Lights")).to_be_disabled()


def test_staff_find_an_order_give_a_part_back_and_close_a_case(
    browser: Browser, live_shop: Shop, bought: tuple[str, int]
) -> None:
    order_id, number = bought
    with live_shop.app.app_context():
        with transaction():
            cases.raise_case(CaseKind.COUNTRY, f"test:{order_id}", order_id=order_id, facts={"billing": "DE"})
        case = db.session.scalars(select(Case).where(Case.order_id == order_id)).one().number
        db.session.remove()
    context = sign_in_staff(browser, live_shop, locale="en-GB")
    page = context.pages[0]
    page.goto("/staff/orders")
    page.get_by_label("Number, e-mail").fill(str(number))
    page.locator("#main").get_by_role("button", name="Search").click()
    page.get_by_role("link", name=str(number), exact=True).click()
    expect(page.get_by_role("heading", name=f"Order {number}")).to_be_visible()

    page.get_by_label("An amount of it all").check()
    page.get_by_label("Amount in EUR").fill("2.50")
    page.get_by_label("Why").fill("A scratch at the end.")
    page.get_by_role("button", name="Give it back").click()
    expect(page.get_by_text("€2.50 is on its way back")).to_be_visible()
    expect(page.get_by_text("Everything that is left: €7.40")).to_be_visible()
    expect(page.locator(".badge", has_text="Stands")).to_be_visible()

    page.locator(".notice").get_by_role("link", name=f"Case {case}").click()
    page.get_by_label("What did you do about it?").fill("They live in both.")
    page.get_by_role("button", name="Close the case").click()
    expect(page.get_by_text("The case is closed.")).to_be_visible()
    page.get_by_role("link", name="Closed").click()
    expect(page.get_by_text("They live in both.")).to_be_visible()
    context.close()


@pytest.mark.parametrize(
    ("locale", "theme", "width"), [("en-GB", "light", 1280), ("zh-CN", "dark", 360)], ids=["desk", "phone"]
)
def test_anybody_can_use_these_pages(
    browser: Browser, page: Page, live_shop: Shop, bought: tuple[str, int], locale: str, theme: str, width: int
) -> None:
    order_id, _number = bought
    with live_shop.app.app_context():
        with transaction():
            cases.raise_case(CaseKind.BOOKS, f"books:{order_id}", order_id=order_id, facts={"differences": ["one"] * 3})
        case = db.session.scalars(select(Case).where(Case.order_id == order_id)).one()
        db.session.remove()
    staff = {
        "orders": "/staff/orders",
        "order": f"/staff/orders/{order_id}",
        "cases": "/staff/cases",
        "case": f"/staff/cases/{case.id}",
        "ledger": "/staff/ledger",
    }
    more = {"locale": locale, "color_scheme": theme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}
    context = sign_in_staff(browser, live_shop, **more)
    found = _look(context.pages[0], staff, f"{theme}-{width}")
    context.close()
    mine = browser.new_context(base_url=live_shop.base_url, storage_state=page.context.storage_state(), **more)  # type: ignore[arg-type]
    found |= _look(mine.new_page(), {"refund": f"/orders/{order_id}/refund"}, f"{theme}-{width}")
    mine.close()
    assert not found


def _look(page: Page, pages: dict[str, str], look: str) -> dict[str, list[str]]:
    found = {}
    for name, address in pages.items():
        page.goto(address)
        page.screenshot(path=RESULTS / f"after-sales-{name}-{look}.png", full_page=True)
        if wrong := faults(page):
            found[name] = wrong
    return found

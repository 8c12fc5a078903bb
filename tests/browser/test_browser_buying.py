"""Buying in a browser, in every way there is: each method, declined first, as a guest, with a code, as a gift."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from app.accounts.models import Role
from app.catalog import offers
from app.catalog.models import Release
from app.core.db import db, transaction
from app.core.money import Money
from app.orders.models import OrderState
from tests.browser import counter
from tests.browser.counter import Bank, Buyer, Wares, order_of
from tests.browser.shop import PASSWORD, RESULTS, Shop, faults

DECLINED, GOOD = "4000 0000 0000 0002", "4242 4242 4242 4242"
FAILING_IBAN, GOOD_IBAN = "DE62 3704 0044 0532 0130 01", "DE89 3704 0044 0532 0130 00"
ALL = ["card", "alipay", "wechat_pay", "paypal", "sepa_debit"]


@pytest.fixture(scope="module")
def wares(live_shop: Shop) -> Iterator[Wares]:
    with counter.wares(live_shop) as made:
        yield made


@pytest.fixture
def english(browser: Browser, live_shop: Shop, request: pytest.FixtureRequest) -> Iterator[Buyer]:
    """Somebody at a desk, who reads English."""
    with counter.before_a_screen(browser, live_shop) as buyer:
        yield from _pictured(buyer, request)


@pytest.fixture
def chinese(browser: Browser, live_shop: Shop, request: pytest.FixtureRequest) -> Iterator[Buyer]:
    """Somebody with a phone in the dark, who reads Chinese."""
    with counter.before_a_screen(browser, live_shop, zh=True) as buyer:
        yield from _pictured(buyer, request)


def _pictured(buyer: Buyer, request: pytest.FixtureRequest) -> Iterator[Buyer]:
    failures = request.session.testsfailed
    yield buyer
    if request.session.testsfailed > failures:
        RESULTS.mkdir(exist_ok=True)
        buyer.page.screenshot(path=RESULTS / f"{request.node.name}.png".replace("/", "-"), full_page=True)


@pytest.mark.parametrize(
    ("reader", "method", "name", "currency", "total", "offered"),
    [
        ("english", "card", "card", "EUR", "7.00", ALL),
        ("english", "paypal", "PayPal", "USD", "8.00", ["card", "paypal"]),
        ("chinese", "alipay", "Alipay", "CNY", "52.00", ["card", "alipay", "wechat_pay"]),
        ("chinese", "wechat_pay", "WeChat Pay", "EUR", "7.00", ALL),
    ],
)
def test_each_method_pays_after_it_was_declined(
    request: pytest.FixtureRequest,
    live_shop: Shop,
    wares: Wares,
    reader: str,
    method: str,
    name: str,
    currency: str,
    total: str,
    offered: list[str],
) -> None:
    buyer: Buyer = request.getfixturevalue(reader)
    page = buyer.page
    buyer.signs_in(currency=currency)
    buyer.adds(wares["single"])
    expect(buyer.pay_button).to_contain_text(total)
    buyer.goes_to_pay()
    assert buyer.offered() == offered
    if method == "card":
        page.locator("#number").fill(DECLINED)
        page.locator("#pay").click()
    else:
        page.locator(f"button[name=decline][value={method}]").click()
    expect(page.get_by_role("alert")).to_contain_text("付款被拒绝" if buyer.zh else "declined")
    if method == "card":
        page.locator("#number").fill(GOOD)
    buyer.pays(method)
    # The payment page sends the browser back before the webhook arrives.
    buyer.heads("Confirming your payment")
    buyer.heads("It’s yours")
    expect(page.locator(".sums")).to_contain_text(buyer.says(name))
    assert order_of(live_shop, page.url) == (OrderState.PAID, method)


def test_a_bank_that_takes_days_is_waited_for(english: Buyer, live_shop: Shop, wares: Wares) -> None:
    page, bank = english.page, Bank(live_shop)
    english.signs_in()
    english.adds(wares["single"])
    for iban in (FAILING_IBAN, GOOD_IBAN):
        session = english.goes_to_pay()
        page.locator("#sepa_debit").check()
        page.locator("#iban").fill(iban)
        english.pays("sepa_debit")
        english.heads("Your payment is under way")
        page.get_by_role("link", name="Look at the order").click()
        expect(page.get_by_text("Payment under way")).to_be_visible()
        expect(page.get_by_role("link", name="Go on paying")).to_have_count(0)
        assert order_of(live_shop, page.url)[0] == OrderState.PENDING
        bank.settle(session)
        if iban == FAILING_IBAN:
            english.waits_for_order(OrderState.CANCELLED)
            expect(page.get_by_text("This order was not paid and is closed")).to_be_visible()
            page.get_by_role("link", name="Go to your cart").click()
            english.heads("Your cart")
    english.waits_for_order(OrderState.PAID)
    english.heads("It’s yours")
    expect(page.locator(".sums")).to_contain_text("SEPA direct debit")


def test_a_guest_buys_makes_an_account_by_the_letter_and_listens(chinese: Buyer, live_shop: Shop) -> None:
    page = chinese.page
    chinese.adds(live_shop.album)
    chinese.pay_button.click()
    expect(page.locator("#email-error")).to_be_visible()
    expect(page.locator("#email")).to_be_focused()
    page.locator("#email").fill(chinese.email)
    chinese.goes_to_pay()
    expect(page.locator(".email")).to_contain_text(chinese.email)
    chinese.pays()
    order = chinese.waits_for_order(OrderState.PAID)
    chinese.heads("Thank you")
    expect(page.locator("#unclaimed")).to_be_visible()

    chinese.follows_letter("音乐在这里")
    page.locator("#name").fill("阿达")
    page.locator("#password").fill(PASSWORD)
    page.locator("form[action$='/account'] button").click()
    chinese.heads("Your library")
    page.get_by_role("link", name="港口灯火").first.click()
    page.get_by_role("button", name=chinese.says("Play all")).click()
    chinese.hears()
    page.goto(order)
    chinese.heads("It’s yours")


def test_a_code_changes_the_total_on_the_button(english: Buyer, live_shop: Shop, wares: Wares) -> None:
    page = english.page
    english.signs_in()
    english.adds(wares["single"])
    code = page.get_by_label("Code")
    code.fill("NOSUCHCODE")
    code.blur()
    expect(page.locator("#coupon-error")).to_be_visible()
    expect(english.pay_button).to_have_text("Pay €7.00")
    code.fill(wares.code.lower())
    code.blur()
    expect(english.pay_button).to_have_text("Pay €5.25")
    expect(page.locator("#coupon-error")).to_be_hidden()
    expect(page.locator("#cart-sum")).to_contain_text(f"Code {wares.code}")
    english.goes_to_pay()
    expect(page.locator("#pay")).to_contain_text("5.25")
    english.pays()
    english.heads("It’s yours")
    expect(page.locator(".sums__total")).to_contain_text("€5.25")


def test_a_gift_is_bought_and_unwrapped_by_somebody_else(chinese: Buyer, browser: Browser, live_shop: Shop) -> None:
    page, friend = chinese.page, f"friend.of.{chinese.email}"
    chinese.signs_in(name="阿达")
    page.goto(live_shop.album)
    page.locator("a[href^='/cart/gift/']").first.click()
    page.locator("#to").fill(friend)
    page.locator("#message").fill("生日快乐！")
    page.locator("#main form button.button--primary").click()
    chinese.heads("Your cart")
    expect(page.locator(".gift__words")).to_have_text("生日快乐！")
    chinese.goes_to_pay()
    chinese.pays("alipay")
    order = chinese.waits_for_order(OrderState.PAID)
    expect(page.locator(".gift-row")).to_contain_text(friend)

    with counter.before_a_screen(browser, live_shop) as other:
        other.page.goto("/")
        other.follows_letter("阿达", to=friend)
        expect(other.page.get_by_text("A gift from 阿达")).to_be_visible()
        expect(other.page.get_by_text("生日快乐！")).to_be_visible()
        # A link can be passed on: it proves no address, so whoever has no account makes one as anybody does.
        other.page.get_by_role("link", name="Make an account").click()
        other.page.get_by_label("E-mail").fill(friend)
        other.page.get_by_role("button", name="Send me a link").click()
        other.page.get_by_role("heading", name="Look into your mail").wait_for()
        other.follows_letter("Your account with Wavecrate", "/welcome/", to=friend)
        other.page.get_by_label("Name", exact=True).fill("Kay")
        other.page.get_by_label("Password", exact=True).fill(PASSWORD)
        other.main.get_by_role("button", name="Make an account").click()
        other.page.get_by_role("button", name="Add to my library").click()
        other.heads("Your library")
        other.page.goto(live_shop.album)
        other.page.get_by_role("button", name="Play all").click()
        other.hears()
    page.goto(order)
    expect(page.locator(".gift-row .badge--good")).to_be_visible()
    page.goto(live_shop.album)
    expect(page.get_by_role("button", name=chinese.says("Play all"))).to_have_count(0)


def test_a_rental_plays_and_its_clock_runs_from_the_first_play(english: Buyer, wares: Wares) -> None:
    page = english.page
    english.signs_in()
    page.goto(wares["rental"])
    page.get_by_role("button", name="Rent for €3.90").click()
    english.goes_to_pay()
    english.pays()
    english.heads("It’s yours")
    page.goto("/library")
    expect(page.get_by_text("Rented: start by")).to_be_visible()
    page.get_by_role("link", name="Night Ferry").click()
    page.get_by_role("button", name="Play the film").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    page.wait_for_function("() => document.querySelector('video.film').currentTime > 0.3")
    page.goto("/library")
    expect(page.get_by_text("Rented until")).to_be_visible()
    expect(page.get_by_role("link", name="Download")).to_have_count(0)


def test_a_preorder_is_paid_now_and_shut_until_its_day(chinese: Buyer, wares: Wares) -> None:
    page = chinese.page
    chinese.signs_in()
    page.goto(wares["awaited"])
    expect(page.locator(".track__title")).to_have_text(["Untitled 1", "Untitled 2", "Untitled 3"])
    chinese.buys(wares["awaited"])
    expect(page.locator(".basket__ways")).to_have_count(0)
    expect(page.locator(".basket__item .badge")).to_be_visible()
    page.goto("/library")
    page.get_by_role("link", name="明年夏天").click()
    expect(page.locator(".buy .badge--good")).to_be_visible()
    expect(page.locator("[data-play-all], .track__play:enabled")).to_have_count(0)


def test_a_bundle_puts_all_of_it_on_the_shelf(english: Buyer, wares: Wares) -> None:
    page = english.page
    english.signs_in()
    english.adds(wares["bundle"])
    expect(page.locator(".basket__item")).to_contain_text("2 releases: Copper, Kite Season")
    english.goes_to_pay()
    english.pays("paypal")
    english.heads("It’s yours")
    page.goto("/library")
    for title in ("Copper", "Kite Season"):
        expect(page.get_by_role("link", name=f"Download {title}")).to_be_visible()


def test_the_buyer_names_the_price_and_free_is_free(english: Buyer, live_shop: Shop, wares: Wares) -> None:
    page = english.page
    english.signs_in()
    page.goto(wares["open"])
    page.get_by_label("You give (EUR)").fill("4.5")
    page.get_by_role("button", name="Add to cart").click()
    expect(english.pay_button).to_have_text("Pay €4.50")
    page.get_by_label("You give (EUR)").fill("6,25")
    page.locator(".basket__amount button").click()
    expect(english.pay_button).to_have_text("Pay €6.25")
    english.goes_to_pay()
    english.pays()
    english.heads("It’s yours")

    english.adds(wares["free"])
    expect(english.pay_button).to_have_text("Get it free")
    english.pay_button.click()
    english.heads("It’s yours")
    assert order_of(live_shop, page.url) == (OrderState.PAID, "")


def test_who_has_a_track_pays_less_for_its_album(chinese: Buyer, live_shop: Shop) -> None:
    page = chinese.page
    chinese.signs_in()
    page.goto(live_shop.album)
    page.locator(".track").first.locator("form[action='/cart/items'] button").click()
    chinese.goes_to_pay()
    chinese.pays("wechat_pay")
    chinese.heads("It’s yours")
    chinese.adds(live_shop.album)
    expect(chinese.pay_button).to_contain_text("8.40")
    expect(page.locator(".reckoning")).to_contain_text("1.50")
    chinese.goes_to_pay()
    chinese.pays()
    chinese.heads("It’s yours")
    expect(page.locator(".sums__total")).to_contain_text("8.40")


def test_a_price_that_changed_is_said_before_anything_is_paid(english: Buyer, live_shop: Shop, wares: Wares) -> None:
    page = english.page
    english.signs_in()
    english.adds(wares["moving"])
    expect(english.pay_button).to_have_text("Pay €7.00")
    with live_shop.app.app_context(), transaction():
        moving = db.session.get_one(Release, wares.ids["moving"])
        offers.set_price(release=moving, price=Money(800, "EUR"))
    english.pay_button.click()
    english.heads("Your cart")
    expect(page.locator("#main [role=status]").first).to_contain_text("Your cart has changed since you saw it")
    expect(page.get_by_text("Low Tide Sale costs €8.00 now. It was €7.00")).to_be_visible()
    expect(english.pay_button).to_have_text("Pay €8.00")
    english.goes_to_pay()
    english.pays()
    english.heads("It’s yours")


def test_a_buyer_gives_something_back_and_the_shelf_is_empty(english: Buyer, live_shop: Shop) -> None:
    page = english.page
    english.signs_in()
    english.buys(live_shop.release_url("Copper"))
    page.get_by_role("link", name="Money back").click()
    expect(page.get_by_role("checkbox", name="Copper")).to_be_checked()
    page.get_by_label("What was the matter?").fill("Bought the wrong one.")
    page.get_by_role("button", name="Give back and get the money").click()
    expect(page.get_by_text("€9.90 is on its way back")).to_be_visible()
    expect(page.locator(".page-head .badge")).to_have_text("Refunded")
    expect(page.get_by_role("link", name=re.compile("Credit note"))).to_be_visible()
    page.goto("/library")
    expect(page.get_by_role("heading", name="Your shelves are empty")).to_be_visible()


def test_a_guest_buys_by_keyboard_alone(english: Buyer, wares: Wares) -> None:
    page, press = english.page, english.page.keyboard.press
    page.goto(wares["single"])
    english.tabs_to("Add to cart")
    press("Enter")
    expect(page.get_by_role("heading", name="Your cart")).to_be_focused()
    english.tabs_to("Your e-mail")
    page.keyboard.type(english.email)
    english.tabs_to("Code")
    page.keyboard.type(wares.code)
    press("Enter")
    expect(page.get_by_role("heading", name="Your cart")).to_be_visible()
    english.tabs_to("Pay €5.25")
    press("Enter")
    page.locator("#pay").wait_for()
    english.tabs_to("Card number")
    press("Enter")
    expect(page.get_by_role("heading", name="Thank you")).to_be_focused()
    english.tabs_to("Take what is yours")
    press("Enter")
    expect(page.get_by_role("heading", name="Take what is yours")).to_be_focused()


@pytest.mark.parametrize("zh", [False, True])
def test_the_pages_of_buying_can_be_used_by_anybody(browser: Browser, live_shop: Shop, wares: Wares, zh: bool) -> None:
    RESULTS.mkdir(exist_ok=True)
    found = {}
    with counter.before_a_screen(browser, live_shop, zh=zh, bypass_csp=True) as buyer:
        account = buyer.signs_in(name="Ada", role=Role.ADMIN)
        for name, address in counter.pages_of(wares, account.id).items():
            buyer.page.goto(address)
            if wrong := faults(buyer.page):
                found[name] = wrong
            picture = RESULTS / f"buying-{name}-{'zh' if zh else 'en'}.png"
            buyer.page.screenshot(path=picture, full_page=True, caret="initial")
    assert not found

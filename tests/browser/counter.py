"""The shop's counter in a browser: things to sell in every way, somebody who buys, and the bank behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import requests
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from support import orders, rows
from support.instance import eventually
from support.orders import Sold

from app.accounts import login, sessions
from app.accounts import service as accounts
from app.accounts.models import Account, Role
from app.cart import service as carts
from app.cart.gifts import Gift
from app.catalog import offers
from app.catalog import service as catalog
from app.catalog.models import Offer, Release
from app.core import clock, ids
from app.core.db import db, transaction
from app.core.money import Money
from app.orders import cases, waiting
from app.orders.models import Case, CaseKind, Order, OrderState
from app.pricing import coupons
from app.pricing.coupons import CouponWish
from tests.browser.shop import PASSWORD, Shop

# What a page says at the turning points, in both languages.
WORDS = {
    "Add to cart": "加入购物车",
    "Confirming your payment": "正在确认付款",
    "It’s yours": "归您了",
    "Thank you": "谢谢",
    "Play all": "全部播放",
    "Your cart": "您的购物车",
    "Your library": "您的曲库",
    "Alipay": "支付宝",
    "WeChat Pay": "微信支付",
    "card": "银行卡",
    "PayPal": "PayPal",
    "SEPA direct debit": "SEPA",
}


@dataclass
class Wares:
    """What there is to buy, beside the shop's own catalogue: addresses by what they are sold as."""

    shop: Shop
    code: str = ""
    paths: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.paths[name]


@contextmanager
def wares(shop: Shop) -> Iterator[Wares]:
    """Put them up for sale, and take them off again."""
    made = Wares(shop)
    with shop.app.app_context():
        _put_up(made)
        db.session.remove()
    try:
        yield made
    finally:
        _take_off(made)


def _take_off(made: Wares) -> None:
    with made.shop.app.app_context(), transaction():
        for name, release_id in made.ids.items():
            if name == "bundle":
                offers.retire(db.session.get_one(Offer, release_id))
            elif name == "rental":
                offers.retire(_rental(release_id))
            else:
                catalog.unpublish(db.session.get_one(Release, release_id))


def _rental(release_id: str) -> Offer:
    found = db.session.get_one(Release, release_id).rental
    assert found is not None
    return found


def _put_up(made: Wares) -> None:
    euro = Money(700, "EUR")
    for name, title, title_zh, tracks in (
        ("single", "Wet Ink", "墨迹未干", 1),
        ("open", "Tip Jar", "打赏罐", 2),
        ("free", "Open Door", "敞开的门", 1),
        ("moving", "Low Tide Sale", "退潮特卖", 1),
        ("awaited", "Next Summer", "明年夏天", 3),
    ):
        release = rows.release(
            title, tracks=tracks, title_zh=title_zh, artist="The Ferrymen", artist_zh="摆渡人", published=False
        )
        with transaction():
            if name == "awaited":
                day = (clock.now() + timedelta(days=200)).date()
                catalog.update_release(release, released_on=day)
                for number, track in enumerate(release.tracks, 1):
                    catalog.update_track(track, title=f"Untitled {number}", title_zh=None, duration_ms=None)
            price = Money(0, "EUR") if name in ("open", "free") else euro
            sold = offers.set_price(release=release, price=price, open_price=name == "open", free=name == "free")
            if name == "single":
                offers.set_price_list(sold, [Money(5200, "CNY"), Money(800, "USD")])
            catalog.publish(release)
        made.ids[name], made.paths[name] = release.id, f"/releases/{release.id}"
    with transaction():
        film = db.session.get_one(Release, made.shop.releases["Night Ferry"])
        offers.set_rental(film, Money(390, "EUR"), 30)
        pair = [db.session.get_one(Release, made.shop.releases[title]) for title in ("Copper", "Kite Season")]
        bundle = offers.make_bundle("Two for the Road", pair, Money(1500, "EUR"), title_zh="路上听的两张")
        louder = coupons.create(CouponWish("Louder", percent=Decimal(25)))
        made.code = coupons.add_code(louder, f"LOUDER{made.ids['single'][:4].upper()}").code
        made.ids |= {"rental": film.id, "bundle": bundle.id}
        made.paths |= {"rental": f"/releases/{film.id}", "bundle": f"/bundles/{bundle.id}"}


class Bank:
    """What a buyer's bank does by itself, days after the payment page was left."""

    def __init__(self, shop: Shop) -> None:
        settings = shop.app.extensions["settings"]
        self._base, self._key = settings.stripe_api_base, settings.stripe_secret_key.get_secret_value()

    def settle(self, session_id: str) -> None:
        """End a delayed payment, as its account has it."""
        self._ask(f"sessions/{session_id}/settle")

    def _ask(self, path: str, **body: Any) -> Any:
        answer = requests.post(
            f"{self._base}/sandbox/{path}", json=body, headers={"Authorization": f"Bearer {self._key}"}, timeout=30
        )
        assert answer.ok, answer.text
        return answer.json()


class Buyer:
    """Somebody before a screen: in English at a desk by day, or in Chinese with a phone in the dark."""

    def __init__(self, page: Page, shop: Shop, *, zh: bool) -> None:
        self.page, self.shop, self.zh = page, shop, zh
        self.email = f"buyer.{ids.new_id().lower()}@example.org"
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if "Content Security Policy" in said.text else None,
        )

    def says(self, english: str) -> re.Pattern[str]:
        """These words in the language of this buyer's pages."""
        return re.compile(WORDS[english] if self.zh else re.escape(english))

    def signs_in(self, *, currency: str | None = None, name: str = "Ada", role: Role = Role.CUSTOMER) -> Account:
        """Have an account, and be signed in to it."""
        with self.shop.app.app_context():
            with transaction():
                account = accounts.register(self.email, PASSWORD, name, role=role)
                account.currency = currency
                _session, token = sessions.begin(
                    account, remembered=False, address="127.0.0.1", user_agent="a test", second_factor=True
                )
            cookie = login.cookie_name()
            db.session.refresh(account)
            db.session.expunge(account)
        self.page.context.add_cookies([{"name": cookie, "value": token, "url": self.shop.base_url}])
        return account

    @property
    def main(self) -> Locator:
        """The page without its frame."""
        return self.page.locator("#main")

    def heads(self, english: str) -> None:
        """See that this is what the page is called."""
        expect(self.page.get_by_role("heading", name=self.says(english), level=1)).to_be_visible()

    def adds(self, address: str) -> None:
        """Put what that page sells into the cart."""
        self.page.goto(address)
        self.main.locator("form[action='/cart/items'] button.button--primary").click()
        self.heads("Your cart")

    @property
    def pay_button(self) -> Locator:
        """The cart's last word."""
        return self.page.locator("form[action='/checkout'] button.button--primary")

    def goes_to_pay(self) -> str:
        """Leave the cart for the payment page; its session's id."""
        self.pay_button.click()
        self.page.locator("#pay").wait_for()
        return self.page.url.rpartition("/")[2]

    def offered(self) -> list[str]:
        """The ways to pay on the payment page."""
        return [each.get_attribute("value") or "" for each in self.page.locator("input[name=method]").all()]

    def pays(self, method: str = "card") -> None:
        """Pay on the payment page; the browser is back in the shop then."""
        self.page.locator(f"#{method}").check()
        self.page.locator("#pay").click()
        self.page.wait_for_url(re.compile("/orders/"))

    def buys(self, address: str, method: str = "card") -> str:
        """Buy what that page sells, and see it arrive; the order's address."""
        self.adds(address)
        self.goes_to_pay()
        self.pays(method)
        self.heads("It’s yours")
        return self.page.url

    def hears(self) -> None:
        """The music plays: the element's clock runs."""
        expect(self.page.locator("#player")).to_have_attribute("data-state", "playing")
        self.page.wait_for_function("() => document.querySelector('.player__audio').currentTime > 0.3")

    def waits_for_order(self, state: OrderState) -> str:
        """Load an order's page until the shop's books say so of it; its address, without what hangs on it."""
        address = re.sub(r"(/orders/[^/?]+).*", r"\1", self.page.url)
        eventually(lambda: order_of(self.shop, address)[0] == state)
        self.page.goto(address)
        return address

    def follows_letter(self, subject: str, link: str = "/claims/", *, to: str | None = None) -> None:
        """Follow the button of the newest letter in the outbox that has it in its subject."""
        page = self.page
        row = page.locator("tr").filter(has_text=to or self.email).filter(has_text=subject)
        page.goto("/outbox")
        row.get_by_role("link").first.click()
        with page.expect_navigation(url=f"**{link}**"):
            page.frame_locator(".letter").locator(f"a[href*='{link}']").first.click()

    def tabs_to(self, name: str) -> None:
        """Press Tab until the focus stands on what is called so."""
        for _ in range(80):
            self.page.keyboard.press("Tab")
            called = self.page.evaluate(
                "() => { const e = document.activeElement; const label = e.labels?.[0]?.textContent;"
                " return (e.getAttribute('aria-label') || label || e.textContent || '').trim(); }"
            )
            if called == name:
                return
        raise AssertionError(f"Tab never reached {name!r}")


@contextmanager
def before_a_screen(browser: Browser, shop: Shop, *, zh: bool = False, **more: Any) -> Iterator[Buyer]:
    """Somebody new. Whatever their script or the browser's policy complains of fails the test."""
    theme, size = ("dark", {"width": 360, "height": 780}) if zh else ("light", {"width": 1280, "height": 900})
    context: BrowserContext = browser.new_context(
        base_url=shop.base_url,
        locale="zh-CN" if zh else "en-GB",
        **({"color_scheme": theme, "viewport": size} | more),
    )
    context.set_default_timeout(20_000)
    buyer = Buyer(context.new_page(), shop, zh=zh)
    yield buyer
    context.close()
    assert not buyer.complaints, buyer.complaints


def order_of(shop: Shop, address: str) -> tuple[OrderState, str]:
    """How the order at this address stands in the shop's books, and what it was paid by."""
    with shop.app.app_context():
        found = db.session.get_one(Order, address.rstrip("/").rpartition("/")[2])
        told = OrderState(found.state), found.paid_by or ""
        db.session.remove()
    return told


def pages_of(wares: Wares, account_id: str) -> dict[str, str]:
    """The addresses of every page around a purchase, with something of each kind on it, for that administrator."""
    with wares.shop.app.app_context():
        buyer = db.session.get_one(Account, account_id)
        release = {name: db.session.get_one(Release, wares.ids[name]) for name in ("single", "open", "awaited")}
        film, album = (db.session.get_one(Release, wares.shop.releases[each]) for each in ("Night Ferry", "Copper"))
        bundle = db.session.get_one(Offer, wares.ids["bundle"])
        note = {"gift_from": "Ada", "gift_message": "For the road.\n一路顺风"}
        rented = film.rental
        assert rented is not None
        mixed = orders.claimable(
            Sold(release["awaited"], 700),
            Sold(rented, 390),
            Sold(album),
            Sold(bundle, 1500, gift_to="a.friend.with.a.long.name@example.org", more=note),
            account=buyer,
        )
        guests = orders.claimable(Sold(release["single"], 700), email=f"guest.of.{buyer.email}")
        states = {name: orders.order(Sold(album), account=buyer) for name in ("open", "underway", "closed", "refunded")}
        with transaction():
            for name, each in states.items():
                each.state = OrderState.REFUNDED if name == "refunded" else OrderState.PENDING
                each.checkout_id = f"cs_{each.id}"
                each.checkout_url = f"{wares.shop.base_url}/pay" if name == "open" else None
                if name != "refunded":
                    each.paid_at = each.paid_by = None
            states["closed"].state = OrderState.CANCELLED
            cart = carts.open_cart(account_id)
            for offer in (release["single"].offer, release["open"].offer):
                assert offer is not None
                carts.add(cart, offer.id)
            carts.add(cart, bundle.id, gift=Gift("friend@example.org", None, "Ada", "一路顺风"))
            cart.coupon_code = wares.code
            cases.raise_case(
                CaseKind.MISMATCH,
                f"payment:pi_{mixed.id}",
                order_id=mixed.id,
                payment_id=f"pi_{mixed.id}",
                facts={"expected": "7.00 EUR test", "found": "7.00 USD test"},
            )
        case = db.session.query(Case).filter_by(key=f"payment:pi_{mixed.id}").one()
        gift = next(each for each in waiting.of_order(mixed.id) if each.line_id)
        made = {
            "cart": "/cart",
            "gift-form": f"/cart/gift/{bundle.id}",
            "confirming": f"/orders/{states['open'].id}/return",
            "underway": f"/orders/{states['underway'].id}/return",
            **{f"order-{name}": f"/orders/{each.id}" for name, each in states.items()},
            "order-paid": f"/orders/{mixed.id}",
            "refund": f"/orders/{mixed.id}/refund",
            "giving": f"/orders/{mixed.id}/gifts/{gift.id}",
            "claim": waiting.path(gift),
            "claim-guest": waiting.path(waiting.of_order(guests.id)[0]),
            "history": "/orders",
            "library": "/library",
            "awaited": wares["awaited"],
            "staff-orders": "/staff/orders",
            "staff-order": f"/staff/orders/{mixed.id}",
            "cases": "/staff/cases",
            "case": f"/staff/cases/{case.id}",
            "ledger": "/staff/ledger",
        }
        db.session.remove()
    return made

"""Carts and orders taxed at the rates that Stripe Tax tells: asked once a day for each place, and never guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask import request as asked
from flask.testing import FlaskClient
from support import rows
from support.shop import offer
from support.till import Till

from app.accounts import addresses
from app.accounts.models import Account
from app.cart import pricing, taxing
from app.cart.models import Cart
from app.catalog.models import Offer
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.orders.models import Order
from app.payments import stripe_gateway as gateway
from app.payments.contract import PaymentUnavailable, UnclearPlace
from app.payments.sandbox.params import decode
from app.pricing import told
from app.pricing.contract import Place, TaxRate, TaxUnknown
from app.pricing.models import TaxEvidence
from app.pricing.service import tax_rules
from app.pricing.told import ToldRates, Untold

CALCULATIONS = "POST /v1/tax/calculations"
UNKNOWN = "The tax can’t be worked out just now, and nothing can be ordered until it can. Try again in a moment."


class Shop:
    """The shop, collecting where its sandbox is registered and in Norway and China, and what it asked Stripe Tax."""

    def __init__(self, app: Flask, client: FlaskClient, till: Till) -> None:
        self.app, self.client, self.till = app, client, till
        self.asked: list[dict] = []
        self.open_connections: list[int] = []
        self._pool = db.engine.pool
        till.sandbox.before_request(self._note)

    def _note(self) -> None:
        if asked.path == "/v1/tax/calculations":
            self.asked.append(decode(asked.form.items(multi=True)))
            self.open_connections.append(self._pool.checkedout())  # type: ignore[attr-defined]

    def put(self, *offers: Offer, **said: str) -> str:
        """These in the cart, and what the buyer says of themselves; the page, as it is read."""
        for each in offers:
            assert self.client.post("/cart/items", data={"offer_id": each.id}).status_code == 303
        said = {"email": "ada@example.org"} | said
        return text(self.client.post("/cart/details", data=said, follow_redirects=True).text)

    def page(self) -> str:
        return text(self.client.get("/cart").text)

    def check_out(self, total: int, currency: str = "EUR") -> str:
        """Where pressing the button leads."""
        answer = self.client.post("/checkout", data={"total": str(total), "currency": currency})
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def set(self, **settings: str) -> None:
        self.app.extensions["settings"] = self.app.extensions["settings"].model_copy(update=settings)

    def addresses_asked(self) -> list[dict]:
        return [each["customer_details"]["address"] for each in self.asked]


@pytest.fixture
def shop(app: Flask, client: FlaskClient, tmp_path: Path) -> Iterator[Shop]:
    held = app.extensions["settings"]
    made = Shop(app, client, Till(app, tmp_path))
    made.set(tax_source="stripe", tax_home="DE", tax_countries="EU,GB,JP,NO,US", tax_prices="exclusive")
    yield made
    app.extensions["settings"] = held


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Puts the shop's clock forward."""
    real = clock.now
    ahead = [timedelta()]
    monkeypatch.setattr(clock, "now", lambda: real() + ahead[0])

    def by(more: timedelta) -> None:
        ahead[0] += more

    return by


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def album(title: str = "Tides", minor: int = 990, **more: object) -> Offer:
    return offer(release=rows.release(title), minor=minor, **more)  # type: ignore[arg-type]


def the_order() -> Order | None:
    db.session.rollback()
    db.session.expire_all()
    return db.session.query(Order).order_by(Order.number.desc()).first()


def signed_in(shop: Shop, *homes: tuple[str, str | None, str | None]) -> Account:
    """Somebody with these addresses: country, region, postal code."""
    made = rows.account()
    for country, region, postal_code in homes:
        with transaction():
            addresses.add(made.id, addresses.Address("Ada", "1 Pike St", "Town", country, None, postal_code, region))
    rows.sign_in(shop.client, made)
    return made


# --- what the buyer sees, and what is ordered ---


def test_the_cart_and_the_order_are_taxed_as_stripe_says(shop: Shop) -> None:
    page = shop.put(album(), country="JP")
    assert "10% Consumption tax (Japan) €0.99 Total €10.89" in page
    assert "Pay €10.89" in page
    assert shop.check_out(1089).startswith("http://sandbox.test/pay/")
    order = the_order()
    assert order is not None
    (line,) = order.lines
    assert (line.net_minor, line.tax_minor, line.price_minor, order.total_minor) == (990, 99, 1089, 1089)
    assert (line.tax_rate, line.tax_country, line.tax_name) == (Decimal(10), "JP", "Consumption tax")
    kept = db.session.get(TaxEvidence, order.id)
    assert kept is not None
    assert (kept.country, kept.taxed_in, kept.treatment, kept.billing_country) == ("JP", "JP", "taxed", "JP")
    assert shop.addresses_asked() == [{"country": "JP"}]
    shop.till.does.pay(order.checkout_id or "")
    shop.till.tell()
    again = the_order()
    assert again is not None
    assert again.state == "paid"
    assert len(shop.asked) == 1


def test_prices_that_hold_the_tax_hold_stripe_s(shop: Shop) -> None:
    shop.set(tax_prices="inclusive")
    page = shop.put(album(), country="JP")
    assert "10% Consumption tax (Japan), included €0.90" in page
    assert "Total €9.90" in page


def test_state_and_city_are_one_rate_of_the_buyer_s_address(shop: Shop) -> None:
    signed_in(shop, ("DE", None, "20095"), ("US", "WA", "98101"), ("US", "CA", "94103"))
    page = shop.put(album(minor=10_000), country="US")
    assert "10.55% Sales tax (United States) €10.55 Total €110.55" in page
    assert shop.addresses_asked()[-1] == {"country": "US", "state": "WA", "postal_code": "98101"}
    assert shop.check_out(11_055).startswith("http://sandbox.test/pay/")
    order = the_order()
    assert order is not None
    assert (order.lines[0].tax_rate, order.lines[0].tax_name) == (Decimal("10.55"), "Sales tax")
    assert "10.55% Sales tax (United States)" in text(shop.client.get(f"/orders/{order.id}").text)


def test_a_rate_of_four_decimals_is_kept_and_shown_whole(shop: Shop) -> None:
    place = Place("US", "KS", "66101")
    account = signed_in(shop, ("US", "KS", "66101"))
    rate = TaxRate("US", Decimal("9.1255"), "Sales tax")
    told.told_rates().keep(place, clock.now().date(), {"audio": rate, "film": None})
    assert "9.1255% Sales tax (United States) €0.90" in shop.put(album(), country="US")
    assert shop.check_out(1080).startswith("http://sandbox.test/pay/")
    order = the_order()
    assert order is not None
    assert order.account_id == account.id
    assert order.lines[0].tax_rate == Decimal("9.1255")
    assert shop.asked == []


@pytest.mark.parametrize("home", [("NO", None, None), ("US", "NY", "10001"), ("US", "CA", "94103")])
def test_where_stripe_is_not_registered_or_taxes_no_downloads_nothing_is_taxed(
    shop: Shop, home: tuple[str, str | None, str | None]
) -> None:
    signed_in(shop, home)
    page = shop.put(album(), country=home[0])
    assert "List price" not in page
    assert "% " not in page.split("Total")[-2][-40:]
    assert "Pay €9.90" in page
    assert "can’t be worked out" not in page
    assert shop.check_out(990).startswith("http://sandbox.test/pay/")
    order = the_order()
    assert order is not None
    assert (order.lines[0].tax_minor, order.lines[0].tax_rate, order.total_minor) == (0, None, 990)
    assert len(shop.asked) == 1


def test_where_the_shop_collects_nothing_nobody_is_asked(shop: Shop) -> None:
    assert "Pay €9.90" in shop.put(album(), country="CN")
    assert shop.check_out(990).startswith("http://sandbox.test/pay/")
    shop.set(tax_source="built-in")
    assert "20% VAT (France) €1.98" in shop.put(country="FR")
    assert shop.asked == []


def test_a_business_abroad_still_owes_the_tax_itself(shop: Shop) -> None:
    shop.set(tax_prices="inclusive")
    page = shop.put(album(), country="FR", vat_number="FR40303265045")
    assert "VAT that the price held -€1.65" in page
    assert "Pay €8.25" in page
    assert shop.addresses_asked() == [{"country": "FR"}]
    assert all("tax_ids" not in each["customer_details"] for each in shop.asked)


# --- what can't be known ---


@pytest.mark.parametrize("fault", ["error_before", "timeout_before", "rate_limit"])
def test_without_an_answer_nothing_is_ordered_and_the_next_one_is_taken(
    shop: Shop, move: Callable[[timedelta], None], fault: str
) -> None:
    shop.till.does.fault(fault, match=CALCULATIONS)
    page = shop.put(album(), country="FR")
    assert UNKNOWN in page
    assert "Total without tax €9.90" in page
    assert "Pay €9.90 and tax" in page
    assert "VAT (France)" not in page
    assert shop.check_out(990) == "/cart"
    assert the_order() is None
    tried = len(shop.asked)

    shop.till.does.no_faults()
    assert UNKNOWN in shop.page()  # not asked again by everybody who looks
    assert len(shop.asked) == tried
    move(timedelta(seconds=31))
    assert "20% VAT (France) €1.98 Total €11.88" in shop.page()
    assert shop.check_out(990) == "/cart"  # not the total they saw
    assert the_order() is None
    assert shop.check_out(1188).startswith("http://sandbox.test/pay/")


def test_the_built_in_table_never_stands_in_for_an_answer(shop: Shop) -> None:
    shop.set(tax_prices="inclusive")
    shop.till.does.fault("error_before", match=CALCULATIONS)
    page = shop.put(album(), country="FR")
    assert UNKNOWN in page
    assert "VAT (France)" not in page
    assert "Pay €9.90" in page
    assert shop.check_out(990) == "/cart"
    assert UNKNOWN in shop.page()
    assert the_order() is None


def test_what_is_free_needs_no_answer(shop: Shop) -> None:
    shop.till.does.fault("error_before", match=CALCULATIONS)
    page = shop.put(album(minor=0), country="FR")
    assert "can’t be worked out" not in page
    assert "/orders/" in shop.check_out(0)


def test_an_address_that_is_too_short_is_said_to_be(shop: Shop) -> None:
    words = "Where you are, tax depends on your postal code. Sign in, write your address into your account"
    assert words in shop.put(album(), country="US")
    assert shop.check_out(990) == "/cart"
    assert the_order() is None
    assert shop.addresses_asked() == [{"country": "US"}]
    signed_in(shop, ("US", "WA", "98101"))
    assert "10.55% Sales tax (United States)" in shop.put(album("Harbour"), country="US")
    with pytest.raises(UnclearPlace):
        gateway.tax_rates(Place("US", "WA"), "USD")


def test_an_answer_that_can_t_be_read_is_none(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(PaymentUnavailable):
        gateway.tax_rates(Place("DE"), "XXX")
    assert "Invalid currency" in caplog.text


def test_an_answer_that_says_something_else_than_tax_is_none(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreadable(*_given: object) -> dict[str, TaxRate | None]:
        raise ValueError("two rates for one line")

    monkeypatch.setattr(gateway.reading, "tax_rates", unreadable)
    with pytest.raises(PaymentUnavailable, match="does not answer as it should"):
        gateway.tax_rates(Place("DE"), "EUR")
    assert "two rates for one line" in caplog.text


# --- when it is asked ---


def test_a_place_is_asked_for_once_a_day_with_no_transaction_open(
    shop: Shop, move: Callable[[timedelta], None]
) -> None:
    shop.put(album(), country="FR")
    first = len(shop.asked)
    shop.till.does.fault("error_before", match=CALCULATIONS)
    assert "20% VAT (France)" in shop.page()
    assert shop.check_out(1188).startswith("http://sandbox.test/pay/")
    assert len(shop.asked) == first
    move(timedelta(days=1))
    assert UNKNOWN in shop.page()
    assert len(shop.asked) > first
    shop.till.does.no_faults()
    move(timedelta(minutes=1))
    assert "20% VAT (France)" in shop.page()
    assert set(shop.open_connections) == {0}


def test_nobody_is_asked_for_an_empty_cart(shop: Shop) -> None:
    shop.page()
    shop.put(album(), country="FR")
    asked_before = len(shop.asked)
    cart = db.session.query(Cart).one()
    shop.client.post(f"/cart/items/{cart.items[0].id}/remove")
    shop.put(country="JP")
    assert len(shop.asked) == asked_before


def test_a_film_is_asked_for_as_a_film(shop: Shop) -> None:
    assert gateway.tax_rates(Place("GB"), "GBP") == {
        "audio": TaxRate("GB", Decimal(20)),
        "film": TaxRate("GB", Decimal(20)),
    }
    (sent,) = shop.asked
    assert [(each["reference"], each["tax_code"]) for each in sent["line_items"]] == [
        ("audio", "txcd_10401100"),
        ("film", "txcd_10402100"),
    ]
    assert sent["currency"] == "gbp"


def test_an_order_isn_t_made_of_a_quote_nobody_prepared(shop: Shop) -> None:
    shop.put(album(), country="FR")
    shop.app.extensions["told_rates"] = ToldRates()  # another process
    cart = db.session.query(Cart).one()
    assert pricing.priced(cart, None).tax_unknown == UNKNOWN
    taxing.prepare(cart, None)
    priced = pricing.priced(cart, None)
    assert (priced.tax_unknown, priced.total) == (None, Money(1188, "EUR"))


# --- what is kept ---


def test_what_was_told_holds_for_its_day_and_place(app: Flask, move: Callable[[timedelta], None]) -> None:
    rates, today = ToldRates(), clock.now().date()
    here, there = Place("US", "WA", "98101"), Place("US", "WA", "98102")
    rate = TaxRate("US", Decimal("10.55"), "Sales tax")
    rates.keep(here, today, {"audio": rate, "film": None})
    assert not rates.wants(here, today)
    assert (rates.rate_for(here, today, "audio"), rates.rate_for(here, today, "film")) == (rate, None)
    assert rates.wants(there, today)
    assert rates.wants(here, today + timedelta(days=1))
    for place, on, category in (
        (there, today, "audio"),
        (here, today + timedelta(days=1), "audio"),
        (here, today - timedelta(days=1), "audio"),
        (here, today, "hologram"),
    ):
        with pytest.raises(TaxUnknown):
            rates.rate_for(place, on, category)
    rates.keep(there, today, Untold.NO_ANSWER)
    rates.keep(here, today, Untold.UNCLEAR_PLACE)
    assert (rates.wants(there, today), rates.wants(here, today)) == (False, False)
    move(timedelta(seconds=30))
    assert (rates.wants(there, today), rates.wants(here, today)) == (True, False)


def test_the_places_asked_for_last_are_kept(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "MOST", 3)
    rates, today = ToldRates(), clock.now().date()
    places = [Place("US", None, str(10_000 + number)) for number in range(5)]
    for place in places:
        rates.keep(place, today, {"audio": None})
    assert [rates.wants(place, today) for place in places] == [True, True, False, False, False]


def test_the_setting_chooses_the_table(shop: Shop) -> None:
    assert tax_rules(shop.app.extensions["settings"]).table is told.told_rates()
    shop.set(tax_source="built-in")
    rate = tax_rules(shop.app.extensions["settings"]).table.rate_for(Place("DE"), clock.now().date(), "audio")
    assert rate == TaxRate("DE", Decimal(19))

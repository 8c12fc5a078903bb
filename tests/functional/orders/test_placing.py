"""From a cart to an order: what is kept, what is refused, and what counts of what was bought before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from support import orders, rows
from support.shop import offer

from app.accounts import addresses
from app.accounts.models import Account
from app.cart import pricing, service
from app.cart.gifts import Gift
from app.cart.models import Cart
from app.catalog.models import Offer, Release
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.letters.invoice import Party
from app.licenses.models import License
from app.orders import fulfilment, invoices, placing
from app.orders.models import Order, OrderLine, OrderRefund, OrderState
from app.pricing import coupons
from app.pricing.models import CouponUse, TaxEvidence
from app.settings import Settings

ANY = "ada@example.org"


def filled(*offers: Offer, account: Account | None = None, gift: Gift | None = None, **details: str) -> Cart:
    """A cart with these."""
    with transaction():
        cart = service.open_cart(account.id if account else None)
    for each in offers:
        with transaction():
            service.add(cart, each.id, gift=gift)
    for name, value in details.items():
        setattr(cart, name, value)
    db.session.commit()
    return cart


def place(cart: Cart, account: Account | None = None, *, expected: Money | None = None, locale: str = "en") -> Order:
    with transaction():
        return placing.place(
            cart, account=account, email=account.email if account else ANY, locale=locale, expected=expected
        )


def a_coupon(percent: int = 10, *, code: str = "HARBOUR", single: bool = False, **limits: object) -> str:
    with transaction():
        made = coupons.create(coupons.CouponWish("Harbour", percent=Decimal(percent), **limits))  # type: ignore[arg-type]
        return coupons.make_codes(made, 1)[0] if single else coupons.add_code(made, code).code


def bought(account: Account, *whats: Release | object, minor: int = 129) -> list[OrderLine]:
    """Tracks or releases, each paid for in one order."""
    made = orders.order(*(orders.Sold(each, minor=minor, tax=0) for each in whats), account=account)  # type: ignore[arg-type]
    return made.lines


def taxed(app: Flask, **changes: str) -> None:
    held: Settings = app.extensions["settings"]
    app.extensions["settings"] = held.model_copy(update={"tax_home": "DE", "tax_countries": "EU,GB"} | changes)


def test_an_order_is_a_snapshot_that_later_prices_do_not_reach(app: Flask) -> None:
    ada, release = rows.account(), rows.release("Tides", title_zh="潮汐")
    album = offer(release=release)
    order = place(filled(album, account=ada), ada, locale="zh_Hans")
    release.title, album.active = "Renamed", False
    offer(release=release, minor=4900)
    db.session.expire_all()
    assert (order.total, order.state, order.email, order.locale) == (
        Money(990, "EUR"),
        OrderState.PENDING,
        ada.email,
        "zh_Hans",
    )
    (line,) = order.lines
    assert (line.title, line.position, line.offer_id, line.list_minor) == ("潮汐 – Mira Sol", 1, album.id, 990)
    assert (line.net_minor, line.tax_minor, line.price_minor, line.tax_rate) == (990, 0, 990, None)


def test_an_invoice_names_who_sold_then_and_not_who_sells_now(app: Flask) -> None:
    then: Settings = app.extensions["settings"].model_copy(
        update={"seller_name": "Tidewater", "seller_address": "Harbour Road 1 | 20457 Hamburg", "seller_vat_id": "DE1"}
    )
    app.extensions["settings"] = then
    order = place(filled(offer(release=rows.release("Tides"))))
    order.paid_at = clock.now()
    app.extensions["settings"] = then.model_copy(update={"seller_name": "Ebb Ltd", "seller_vat_id": None})

    assert invoices.invoice(order).seller == Party("Tidewater", ("Harbour Road 1", "20457 Hamburg"), "DE1")
    order.seller = None  # placed before it was kept
    assert invoices.invoice(order).seller.name == "Ebb Ltd"


def test_lines_are_called_what_they_are(app: Flask) -> None:
    tides, harbour = rows.release("Tides", tracks=2), rows.release("Harbour")
    cart = filled(
        offer(release=harbour, rental_days=30),
        offer(track=tides.tracks[1], minor=129),
        offer(bundle=[rows.release("One"), rows.release("Two")]),
    )
    assert [line.title for line in place(cart).lines] == ["Harbour – Mira Sol (rental)", "Tides 2 – Mira Sol", "Bundle"]


def test_a_guest_s_order_with_a_gift_and_a_pre_order(app: Flask) -> None:
    soon, tides = rows.release("Soon"), rows.release("Tides")
    soon.released_on = clock.now().date() + timedelta(days=7)
    day = clock.now().date() + timedelta(days=3)
    cart = filled(offer(release=tides), gift=Gift("grace@example.org", day, "Ada", "For you"))
    with transaction():
        service.add(cart, offer(release=soon).id)
    order = place(cart)
    gift, awaited = order.lines
    assert (order.account_id, order.email, order.total_minor) == (None, ANY, 1980)
    assert (gift.gift_to, gift.gift_on, gift.gift_from, gift.gift_message) == (
        "grace@example.org",
        day,
        "Ada",
        "For you",
    )
    assert (gift.awaited, awaited.awaited, awaited.gift_to) == (False, True, None)


def test_what_costs_nothing_is_ordered_too(app: Flask) -> None:
    order = place(filled(offer(release=rows.release("Free"), minor=0)))
    assert (order.total_minor, [line.price_minor for line in order.lines]) == (0, [0])


def test_what_the_buyer_was_not_shown_is_not_ordered(app: Flask) -> None:
    ada, tides = rows.account(), rows.release("Tides")
    album = offer(release=tides)
    cart = filled(album, account=ada)
    for wrong in (Money(989, "EUR"), Money(990, "USD")):
        with pytest.raises(placing.CartChanged, match="changed since you saw it"):
            place(cart, ada, expected=wrong)
    album.active = False
    db.session.commit()
    offer(release=tides, minor=1290)
    with pytest.raises(placing.CartChanged):
        place(cart, ada, expected=Money(990, "EUR"))
    assert place(cart, ada, expected=Money(1290, "EUR")).total_minor == 1290


def test_what_can_t_be_bought_any_more_is_not_ordered_without_a_word(app: Flask) -> None:
    ada, tides, harbour = rows.account(), rows.release("Tides"), rows.release("Harbour")
    cart = filled(offer(release=tides), offer(release=harbour), account=ada)
    rows.own(ada, release=tides)
    with pytest.raises(placing.CartChanged, match=r"Yours already.*Tides.*Look at your cart again"):
        place(cart, ada, expected=Money(1980, "EUR"))
    assert db.session.scalar(select(func.count()).select_from(Order)) == 0
    db.session.expire_all()
    assert len(cart.items) == 2  # the page that shows it again takes it out
    with pytest.raises(placing.CartChanged, match="empty"):
        place(filled())


@pytest.mark.parametrize(
    ("settings_", "country", "number", "figures"),
    [
        ({}, "FR", None, (990, 0, 825, 165, 990, Decimal(20), False)),
        ({}, "DE", None, (990, 0, 832, 158, 990, Decimal(19), False)),
        ({}, None, None, (990, 0, 832, 158, 990, Decimal(19), False)),
        ({}, "US", None, (990, 0, 990, 0, 990, None, False)),
        ({}, "FR", "40303265045", (990, 165, 825, 0, 825, None, True)),
        ({"vat_number_check": "confirmed"}, "FR", "40303265045", (990, 0, 825, 165, 990, Decimal(20), False)),
        ({"tax_prices": "exclusive"}, "FR", None, (990, 0, 990, 198, 1188, Decimal(20), False)),
        ({"tax_prices": "exclusive"}, "FR", "40303265045", (990, 0, 990, 0, 990, None, True)),
    ],
)
def test_tax_is_the_buyer_s_country_s(
    app: Flask, settings_: dict[str, str], country: str | None, number: str | None, figures: tuple[object, ...]
) -> None:
    taxed(app, **settings_)
    details = {"country": country, "vat_number": number}
    order = place(filled(offer(release=rows.release()), **{k: v for k, v in details.items() if v}))
    (line,) = order.lines
    assert (
        line.list_minor,
        line.relief_minor,
        line.net_minor,
        line.tax_minor,
        order.total_minor,
        line.tax_rate,
        order.reverse_charge,
    ) == figures
    kept = db.session.get(TaxEvidence, order.id)
    assert kept is not None
    assert (kept.country, kept.billing_country) == (country or "DE", country)
    assert order.inclusive == ("tax_prices" not in settings_)
    assert order.billing.get("country") == country
    assert order.billing.get("vat_id") == (number and "FR" + number)


def test_the_address_book_says_where_somebody_is_until_they_say_otherwise(app: Flask) -> None:
    taxed(app)
    ada = rows.account()
    with transaction():
        addresses.add(ada.id, addresses.Address("Ada L.", "1 Quai", "Lyon", "FR", postal_code="69001"))
    cart = filled(offer(release=rows.release()), account=ada)
    order = place(cart, ada)
    assert order.billing == {"name": "Ada L.", "address": ["1 Quai", "69001 Lyon"], "country": "FR"}
    cart.country = "IT"
    order = place(cart, ada)
    assert order.billing == {"name": "Ada", "country": "IT"}
    assert order.lines[0].tax_country == "IT"


@pytest.mark.parametrize(
    ("currency", "minor", "off", "net"), [("JPY", 1500, 150, 1125), ("KWD", 3050, 310, 2283), ("EUR", 990, 99, 742)]
)
def test_currencies_of_0_2_and_3_decimals_with_a_coupon_and_tax(
    app: Flask, currency: str, minor: int, off: int, net: int
) -> None:
    taxed(app)
    code = a_coupon()
    cart = filled(
        offer(release=rows.release(), minor=minor, currency=currency), country="FR", coupon_code=code, email=ANY
    )
    order = place(cart)
    (line,) = order.lines
    assert order.total == Money(minor - off, currency)
    assert (line.discount_minor, line.net_minor, line.net_minor + line.tax_minor) == (off, net, minor - off)
    assert order.coupon_code == code


def test_a_coupon_is_reserved_with_the_order_and_a_single_use_code_for_one_of_two(app: Flask) -> None:
    code = a_coupon(50, single=True)
    cart_ids = [filled(offer(release=rows.release()), coupon_code=code).id for _person in range(2)]

    def buy(cart_id: str) -> str:
        with app.app_context():
            cart = db.session.get(Cart, cart_id)
            assert cart is not None
            try:
                with transaction():
                    placing.place(
                        cart, account=None, email=f"{cart_id}@example.org", locale="en", expected=Money(495, "EUR")
                    )
            except (placing.CartChanged, coupons.CouponRefused):
                return "refused"
            return "ordered"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(buy, cart_ids)) == ["ordered", "refused"]
    use = db.session.scalars(select(CouponUse)).one()
    order = db.session.scalars(select(Order)).one()
    assert (use.order_id, use.discount_minor, order.total_minor) == (order.id, 495, 495)


def test_a_code_that_does_not_hold_takes_nothing_off_and_is_no_bar_to_who_saw_that(app: Flask) -> None:
    cart = filled(offer(release=rows.release()), coupon_code="NOTACODE")
    priced = pricing.priced(cart, None)
    assert (priced.total, priced.coupon_refusal) == (
        Money(990, "EUR"),
        "There is no code “NOTACODE”. Check its letters and digits.",
    )
    with pytest.raises(coupons.CouponRefused):
        place(cart)
    order = place(cart, expected=Money(990, "EUR"))
    assert order.coupon_code is None


def test_what_the_open_order_holds_is_free_again_for_who_comes_back_to_the_cart(app: Flask) -> None:
    ada, tides = rows.account(), rows.release("Tides", tracks=3)
    bought(ada, tides.tracks[0])
    code = a_coupon(50, single=True)
    cart = filled(offer(release=tides), account=ada, coupon_code=code)
    total = Money(430, "EUR")
    assert pricing.priced(cart, ada).total == total
    order = place(cart, ada, expected=total)
    order.checkout_id = "cs_1"
    db.session.commit()
    assert pricing.priced(cart, ada).total == total
    assert pricing.priced(cart, ada, placing=True).total == Money(990, "EUR")
    with pytest.raises(placing.CartChanged, match="payment of an order before is under way"):
        place(cart, ada, expected=total)
    with transaction():
        fulfilment.cancel(order)
    assert place(cart, ada, expected=total).total == total


def test_first_orders_are_known_by_account_and_by_e_mail(app: Flask) -> None:
    ada, grace = rows.account(), rows.account()
    code = a_coupon(first_order_only=True)
    bought(grace, rows.release("Before"))
    orders.order(orders.Sold(rows.release("Other")), email=ANY)
    cart = filled(offer(release=rows.release()), coupon_code=code)
    assert pricing.priced(cart, ada).coupon_refusal is None
    assert pricing.priced(cart, grace).coupon_refusal == "This code is for a first order."
    assert pricing.priced(cart, None, email=ANY.upper()).coupon_refusal == "This code is for a first order."
    assert pricing.priced(cart, None).coupon_refusal is None


def test_tracks_bought_before_come_off_their_album_once(app: Flask) -> None:
    ada, tides = rows.account(), rows.release("Tides", tracks=3)
    first, second = bought(ada, *tides.tracks[:2])
    order = place(filled(offer(release=tides), account=ada), ada)
    (line,) = order.lines
    assert (line.list_minor, line.credit_minor, line.price_minor) == (990, 258, 732)
    assert sorted(line.credits, key=lambda credit: credit["line"]) == sorted(
        (
            {"line": each.id, "track": track.id, "minor": 129}
            for each, track in ((first, tides.tracks[0]), (second, tides.tracks[1]))
        ),
        key=lambda credit: credit["line"],
    )
    both = filled(offer(bundle=[tides, rows.release("Other")], minor=1500))
    assert pricing.priced(both, ada, placing=True).total == Money(1500, "EUR")  # the open order holds them
    with transaction():
        fulfilment.cancel(order)
    assert pricing.priced(both, ada, placing=True).total == Money(1242, "EUR")


def test_what_is_not_the_buyer_s_own_money_completes_no_album(app: Flask) -> None:
    ada, tides = rows.account(), rows.release("Tides", tracks=4)
    rows.own(ada, track=tides.tracks[0])  # given by the shop
    (revoked,) = bought(ada, tides.tracks[1])
    orders.order(orders.Sold(tides.tracks[2], minor=129, tax=0, gift_to="x@example.org"), account=ada)
    (halved,) = bought(ada, tides.tracks[3])
    license_ = db.session.scalars(select(License).where(License.grant_key == revoked.id)).one()
    license_.revoked_at, license_.revoked_reason = clock.now(), "refunded"
    for lines, state, amount in (({halved.id: 29}, "done", 29), ({halved.id: 100}, "failed", 100)):
        db.session.add(
            OrderRefund(
                order_id=halved.order_id,
                payment_id="pi",
                origin="staff",
                reason="scratched",
                currency="EUR",
                amount_minor=amount,
                lines=lines,
                state=state,
            )
        )
    db.session.commit()
    assert pricing.priced(filled(offer(release=tides), account=ada), ada).total == Money(890, "EUR")


def test_a_track_that_was_bought_as_a_guest_counts_once_it_is_claimed(app: Flask) -> None:
    ada, tides = rows.account(), rows.release("Tides", tracks=2)
    (line,) = orders.order(orders.Sold(tides.tracks[0], minor=129, tax=0), email=ANY).lines
    cart = filled(offer(release=tides), account=ada)
    assert pricing.priced(cart, ada).total == Money(990, "EUR")
    db.session.scalars(select(License).where(License.grant_key == line.id)).one().account_id = ada.id
    db.session.commit()
    assert pricing.priced(cart, ada).total == Money(861, "EUR")


def test_an_album_that_was_given_back_gives_its_credit_back(app: Flask) -> None:
    ada, tides = rows.account(), rows.release("Tides", tracks=2)
    bought(ada, tides.tracks[0])
    order = place(filled(offer(release=tides), account=ada), ada)
    with transaction():
        order.state, order.paid_at, order.payment_id = OrderState.PAID, clock.now(), "pi_1"
        db.session.add(License(account_id=ada.id, release_id=tides.id, grant_key=order.lines[0].id))
    other = filled(offer(bundle=[tides, rows.release("Other")], minor=1500))
    assert pricing.priced(other, ada).total == Money(1500, "EUR")
    license_ = db.session.scalars(select(License).where(License.grant_key == order.lines[0].id)).one()
    license_.revoked_at, license_.revoked_reason = clock.now(), "refunded"
    db.session.commit()
    assert pricing.priced(other, ada).total == Money(1371, "EUR")


def test_prices_without_tax_take_off_what_the_list_said(app: Flask) -> None:
    taxed(app, tax_prices="exclusive")
    ada, tides = rows.account(), rows.release("Tides", tracks=2)
    sold = orders.order(orders.Sold(tides.tracks[0], minor=155, tax=26), account=ada)
    sold.lines[0].list_minor = 129
    db.session.add(
        OrderRefund(
            order_id=sold.id,
            payment_id="pi",
            origin="staff",
            reason="scratched",
            currency="EUR",
            amount_minor=31,
            lines={sold.lines[0].id: 31},
            state="asked",
        )
    )
    db.session.commit()
    quote = pricing.priced(filled(offer(release=tides), account=ada, country="FR"), ada).quote
    assert quote is not None
    assert (quote.credit.minor, quote.net.minor, quote.gross.minor) == (103, 887, 1064)


def test_one_cart_ordered_twice_at_once_takes_turns(app: Flask) -> None:
    ada, tides = rows.account(), rows.release("Tides", tracks=2)
    bought(ada, tides.tracks[0])
    cart_id, ada_id = filled(offer(release=tides), account=ada).id, ada.id

    def buy(_number: int) -> str:
        with app.app_context():
            cart, account = db.session.get(Cart, cart_id), db.session.get(Account, ada_id)
            assert cart is not None
            assert account is not None
            try:
                with transaction():
                    placing.place(cart, account=account, email=ANY, locale="en", expected=Money(861, "EUR"))
            except placing.CartChanged:
                return "changed"
            return "ordered"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(buy, range(4))) == ["changed", "changed", "changed", "ordered"]


def test_a_gift_s_day_and_dates_are_dates(app: Flask) -> None:
    day = clock.now().date() + timedelta(days=1)
    order = place(filled(offer(release=rows.release()), gift=Gift("g@example.org", on=day)))
    assert isinstance(order.lines[0].gift_on, date)


def test_what_is_not_sold_in_the_buyers_country_is_not_ordered(app: Flask) -> None:
    ada, release = rows.account(), rows.release("Tides")
    with transaction():
        addresses.add(ada.id, addresses.Address("Ada", "Street 1", "Town", "DE"))
    cart = filled(offer(release=release), offer(release=rows.release("Harbour")), account=ada)
    # Between the page and the button: the session still holds the row as it was.
    db.session.execute(text("UPDATE release SET territories = '{JP}' WHERE id = :id"), {"id": release.id})
    db.session.commit()
    with pytest.raises(placing.CartChanged, match="Not sold in Germany: Tides"):
        place(cart, ada, expected=Money(1980, "EUR"))
    assert db.session.scalar(select(func.count()).select_from(Order)) == 0
    cart.country = "JP"
    db.session.commit()
    order = place(cart, ada, expected=Money(1980, "EUR"))
    assert (order.billing["country"], len(order.lines)) == ("JP", 2)


def test_what_is_not_sold_everywhere_is_ordered_by_nobody_of_whom_no_country_is_known(app: Flask) -> None:
    release = rows.confine(rows.release("Tides"), "DE", barred=True)
    cart = filled(offer(release=release))
    with pytest.raises(placing.CartChanged, match="Choose your country: not everything here is sold everywhere"):
        place(cart)
    cart.country = "FR"
    db.session.commit()
    assert place(cart).total == Money(990, "EUR")
    assert place(filled(offer(release=rows.release("Harbour")))).billing == {}


@pytest.mark.parametrize("guest", [False, True])
def test_a_buyer_s_orders_and_payments_take_turns(app: Flask, guest: bool) -> None:
    ada = None if guest else rows.account()
    cart = filled(offer(release=rows.release()), account=ada)
    name = ada.id if ada is not None else "guest@example.org"
    turn = text("SELECT pg_try_advisory_xact_lock(hashtextextended('buyer ' || :name, 0))")

    def free() -> bool:
        with db.engine.begin() as another:
            return bool(another.execute(turn, {"name": name}).scalar_one())

    with transaction():
        placing.place(cart, account=ada, email="Guest@Example.org", locale="en", expected=None)
        assert not free()
    assert free()

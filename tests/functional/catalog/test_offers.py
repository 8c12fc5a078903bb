"""What the shop asks: priced, open, free, lent, bundled, awaited, and in other currencies."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError
from support import rows
from support.shop import offer

from app.catalog import offers, queries
from app.catalog.models import BundledRelease, Offer, OfferKind, Price, Release
from app.core import clock
from app.core.db import db, transaction
from app.core.errors import WavecrateError
from app.core.money import Money

EUR = Money(990, "EUR")


def sold(release: Release, price: Money = EUR, **how: bool) -> Offer:
    with transaction():
        return offers.set_price(release=release, price=price, **how)


def test_a_price_can_be_open_or_nothing_and_nothing_only_where_it_is_meant(app: Flask) -> None:
    tides = rows.release("Tides")
    with pytest.raises(offers.BadTerms, match="more than nothing"):
        sold(tides, Money(0, "EUR"))
    with pytest.raises(offers.BadTerms, match="free has no price"):
        sold(tides, EUR, free=True)
    free = sold(tides, Money(0, "EUR"), free=True)
    assert free.is_free
    open_ = sold(tides, Money(0, "EUR"), open_price=True)
    assert (open_ is not free, open_.open_price, open_.is_free, free.active) == (True, True, False, False)
    assert sold(tides, Money(0, "EUR"), open_price=True) is open_
    assert tides.offer is open_


def test_a_rental_stands_beside_the_sale_and_has_its_clock(app: Flask) -> None:
    tides = rows.release("Tides")
    bought = sold(tides)
    with transaction():
        lent = offers.set_rental(tides, Money(390, "EUR"), 30)
        assert offers.set_rental(tides, Money(390, "EUR"), 30) is lent
    assert (tides.offer, tides.rental) == (bought, lent)
    assert (lent.kind, lent.rental_days, lent.rental_hours) == (OfferKind.RENTAL, 30, 48)
    with transaction():
        longer = offers.set_rental(tides, Money(390, "EUR"), 14)
    assert (tides.rental, lent.active) == (longer, False)
    sold(tides, Money(1290, "EUR"))
    assert tides.rental is longer
    for price, days in ((Money(0, "EUR"), 30), (EUR, 0), (EUR, 366)):
        with pytest.raises(offers.BadTerms):
            offers.set_rental(tides, price, days)
    with transaction():
        offers.retire_offers(release=tides, kind=OfferKind.RENTAL)
    assert tides.rental is None
    assert tides.offer is not None


def test_a_bundle_is_on_sale_while_all_of_it_is_published(app: Flask) -> None:
    one, two, draft = rows.release("One"), rows.release("Two"), rows.release("Draft", published=False)
    with transaction():
        bundle = offers.make_bundle("Both", [two, one], EUR, title_zh="两张")
    assert [release.title for release in bundle.releases] == ["Two", "One"]
    assert (bundle.title_in("en"), bundle.title_in("zh_Hans"), bundle.subject_release) == ("Both", "两张", two)
    assert queries.offer(bundle.id) is bundle
    with transaction():
        hidden = offers.make_bundle("Soon", [one, draft], EUR)
    assert not hidden.on_sale
    with transaction():
        offers.retire(bundle)
    assert queries.offer(bundle.id) is None
    for title, releases, price in (
        ("Both", [one], EUR),
        ("Both", [one, one], EUR),
        ("Both", [one, two, one], EUR),
        (" ", [one, two], EUR),
        ("Both", [one, two], Money(0, "EUR")),
    ):
        with pytest.raises(offers.BadTerms):
            offers.make_bundle(title, releases, price)


def test_a_buyer_is_shown_the_price_in_their_currency_where_there_is_one(app: Flask) -> None:
    tides = rows.release("Tides")
    made = sold(tides)
    with transaction():
        offers.set_price_list(made, [Money(1090, "USD"), Money(1500, "JPY"), Money(3250, "KWD")])
    db.session.expire_all()
    assert made.price_in(None) == made.price_in("EUR") == made.price_in("CHF") == EUR
    assert made.price_in("USD") == Money(1090, "USD")
    assert made.price_in("JPY").format("en") == "¥1,500"
    assert made.price_in("KWD").decimal.as_tuple().exponent == -3
    assert made.currencies == {"EUR", "USD", "JPY", "KWD"}
    with transaction():
        offers.set_price_list(made, [Money(1190, "USD")])
    db.session.expire_all()
    assert [row.price for row in made.prices] == [Money(1190, "USD")]


def test_a_list_goes_along_when_the_price_changes(app: Flask) -> None:
    tides = rows.release("Tides")
    made = sold(tides)
    with transaction():
        offers.set_price_list(made, [Money(1090, "USD"), Money(1500, "JPY")])
    dearer = sold(tides, Money(1290, "EUR"))
    assert dearer is not made
    assert {row.currency: row.minor for row in dearer.prices} == {"USD": 1090, "JPY": 1500}
    dollars = sold(tides, Money(1390, "USD"))
    assert {row.currency: row.minor for row in dollars.prices} == {"JPY": 1500}
    assert sold(tides, Money(0, "USD"), free=True).prices == []


def test_what_a_list_cannot_say_is_refused(app: Flask) -> None:
    made, free = sold(rows.release("Tides")), sold(rows.release("Gift"), Money(0, "EUR"), free=True)
    for listed, prices in ((made, [Money(1, "EUR")]), (made, [Money(0, "USD")]), (free, [Money(1, "USD")])):
        with pytest.raises(offers.BadTerms):
            offers.set_price_list(listed, prices)
    assert free.price_in("JPY") == Money(0, "JPY")


def test_what_is_still_to_come_out_is_awaited(app: Flask) -> None:
    tides = rows.release("Tides")
    made = sold(tides)
    assert (tides.unlocks_at, tides.is_awaited) == (None, False)
    tides.released_on = clock.now().date() + timedelta(days=2)
    assert made.is_awaited
    tides.released_on = clock.now().date()
    assert not tides.is_awaited
    tides.released_on = date(2031, 5, 4)
    assert tides.unlocks_at == datetime(2031, 5, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "loan"},
        {"price_minor": -1},
        {"price_minor": 100_000_000},
        {"currency": "eur"},
        {"title": "A title of its own"},
        {"rental_days": 30},
        {"kind": OfferKind.RENTAL},
        {"kind": OfferKind.RENTAL, "rental_days": 30},
        {"kind": OfferKind.RENTAL, "rental_days": 0, "rental_hours": 48},
        {"kind": OfferKind.RENTAL, "rental_days": 30, "rental_hours": 48, "open_price": True},
        {"kind": OfferKind.BUNDLE, "title": "Both"},
        {"kind": OfferKind.BUNDLE, "release_id": None},
        {"release_id": None},
    ],
    ids=str,
)
def test_the_database_refuses_what_no_offer_is(app: Flask, wrong: dict[str, object]) -> None:
    fields = {"release_id": rows.release("Tides").id, "price_minor": 990, "currency": "EUR"} | wrong
    db.session.add(Offer(**fields))
    with pytest.raises(IntegrityError, match="ck_offer_"):
        db.session.flush()
    db.session.rollback()


def test_a_rental_is_of_no_track_and_a_thing_is_sold_in_one_way_at_a_time(app: Flask) -> None:
    tides = rows.release("Tides")
    track, held = tides.tracks[0].id, offer(release=tides).id
    days = {"rental_days": 30, "rental_hours": 48}
    for fields in ({"track_id": track, "kind": OfferKind.RENTAL, **days}, {"release_id": tides.id, "currency": "USD"}):
        db.session.add(Offer(**({"price_minor": 990, "currency": "EUR"} | fields)))
        with pytest.raises(IntegrityError):
            db.session.flush()
        db.session.rollback()
    for row in (Price(offer_id=held, currency="USD", minor=-1), BundledRelease(offer_id=held, release_id=tides.id)):
        if isinstance(row, BundledRelease):
            row.position = 0
        db.session.add(row)
        with pytest.raises(IntegrityError):
            db.session.flush()
        db.session.rollback()


def test_terms_that_are_refused_can_be_told_to_a_person() -> None:
    assert issubclass(offers.BadTerms, WavecrateError)

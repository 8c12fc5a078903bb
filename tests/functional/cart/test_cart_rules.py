"""What fits into a cart, beside what is in it and what its owner has."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from support import rows
from support.shop import offer

from app.cart import gifts, service
from app.cart.gifts import BadGift, Gift
from app.cart.models import Cart
from app.catalog.models import Offer, Release
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.licenses.models import License


def a_cart(account_id: str | None = None) -> Cart:
    with transaction():
        return service.open_cart(account_id)


def add(cart: Cart, *offers: Offer, gift: Gift | None = None, named: Money | None = None) -> None:
    for each in offers:
        with transaction():
            service.add(cart, each.id, gift=gift, named=named)


def titles(cart: Cart) -> list[str]:
    return [item.offer.title_in("en") for item in cart.items]


def rent(account_id: str, release: Release) -> License:
    made = License(account_id=account_id, release_id=release.id, grant_key="rental", rental_days=30, rental_hours=48)
    db.session.add(made)
    db.session.commit()
    return made


def test_a_bundle_swallows_its_releases_and_their_tracks_and_then_refuses_them(app: Flask) -> None:
    one, two, other = rows.release("One"), rows.release("Two"), rows.release("Other")
    cart = a_cart()
    track, album, stays = offer(track=one.tracks[0], minor=129), offer(release=two), offer(release=other)
    small, large = offer(bundle=[one, two]), offer(bundle=[one, two, rows.release("Three")])
    add(cart, track, album, stays, small)
    assert titles(cart) == ["Other", "Bundle"]
    for refused in (track, album):
        with pytest.raises(service.AlreadyIn, match="in your cart already, with Bundle"):
            add(cart, refused)
    add(cart, large)
    assert [item.offer_id for item in cart.items] == [stays.id, large.id]
    with pytest.raises(service.AlreadyIn):
        add(cart, small)


def test_bundles_that_share_some_music_don_t_go_together(app: Flask) -> None:
    one, two, three = rows.release("One"), rows.release("Two"), rows.release("Three")
    cart = a_cart()
    add(cart, offer(bundle=[one, two]))
    with pytest.raises(service.CannotAdd, match="the same music in part"):
        add(cart, offer(bundle=[two, three]))


def test_nothing_is_rented_and_bought_in_one_cart(app: Flask) -> None:
    tides, harbour = rows.release("Tides"), rows.release("Harbour")
    bought, lent, both = offer(release=tides), offer(release=tides, rental_days=30), offer(bundle=[tides, harbour])
    cart = a_cart()
    add(cart, bought)
    with pytest.raises(service.CannotAdd, match="can’t rent Tides and buy it"):
        add(cart, lent)
    other = a_cart()
    add(other, lent, offer(track=tides.tracks[0], minor=129))
    for refused in (bought, both):
        with pytest.raises(service.CannotAdd, match="Tides is in your cart to rent"):
            add(other, refused)
    with pytest.raises(service.AlreadyIn):
        add(other, lent)


def test_what_is_owned_is_neither_rented_nor_bought_again_but_can_be_given(app: Flask) -> None:
    ada, tides, harbour = rows.account(), rows.release("Tides"), rows.release("Harbour")
    rows.own(ada, release=tides)
    cart = a_cart(ada.id)
    whole, lent, both = offer(release=tides), offer(release=tides, rental_days=30), offer(bundle=[tides, harbour])
    track = offer(track=tides.tracks[0], minor=129)
    for refused in (whole, lent, track):
        with pytest.raises(service.CannotAdd, match="yours already"):
            add(cart, refused)
    add(cart, whole, lent, track, gift=Gift("grace@example.org"))
    add(cart, both)
    rows.own(ada, release=harbour)
    with transaction():
        assert service.prune(cart).owned == ["Bundle"]
    with pytest.raises(service.CannotAdd, match="Bundle is yours already"):
        add(cart, both)


def test_a_rental_that_runs_is_not_rented_again_and_one_that_is_over_is(app: Flask) -> None:
    ada, tides = rows.account(), rows.release("Tides")
    rented = rent(ada.id, tides)
    lent = offer(release=tides, rental_days=30)
    cart = a_cart(ada.id)
    with pytest.raises(service.CannotAdd, match=r"You rent Tides until .* already"):
        add(cart, lent)
    rented.first_played_at = clock.now() - timedelta(hours=49)
    db.session.commit()
    add(cart, lent)
    rented.first_played_at = clock.now()
    db.session.commit()
    with transaction():
        assert service.prune(cart).messages() == ["You rent these now, so taken out of your cart: Tides."]


def test_one_who_rents_can_buy(app: Flask) -> None:
    ada, tides = rows.account(), rows.release("Tides", tracks=2)
    rent(ada.id, tides)
    cart = a_cart(ada.id)
    add(cart, offer(track=tides.tracks[0], minor=129), offer(release=tides))
    assert titles(cart) == ["Tides"]


def test_the_same_thing_is_given_to_two_people_and_kept_too(app: Flask) -> None:
    tides = rows.release("Tides")
    album, track = offer(release=tides), offer(track=tides.tracks[0], minor=129)
    cart = a_cart()
    for name in ("grace", "joan"):
        add(cart, album, track, gift=Gift(f"{name}@example.org", message="For you"))
    add(cart, album)
    assert len(cart.items) == 5
    with pytest.raises(service.AlreadyIn, match=r"for joan@example\.org already"):
        add(cart, album, gift=Gift("joan@example.org"))
    grace, joan = (item for item in cart.items if item.is_gift and item.offer_id == album.id)
    with pytest.raises(service.AlreadyIn), transaction():
        service.change_gift(cart, grace.id, Gift("joan@example.org"))
    with transaction():
        service.change_gift(cart, grace.id, Gift("mary@example.org", sender="Ada"))
    assert (grace.gift_to, grace.gift_from, grace.gift_message) == ("mary@example.org", "Ada", None)
    with transaction():
        service.remove(cart, joan.id)
        service.remove(cart, joan.id)
    assert len(cart.items) == 4


def test_nothing_free_is_sent_to_strangers(app: Flask) -> None:
    free = offer(release=rows.release("Free"), minor=0)
    open_ = offer(release=rows.release("Open"), minor=0, open_price=True)
    cart = a_cart()
    for each, named in ((free, None), (open_, None), (open_, Money(0, "EUR"))):
        with pytest.raises(service.CannotAdd, match="costs nothing"):
            add(cart, each, gift=Gift("grace@example.org"), named=named)
    add(cart, open_, gift=Gift("grace@example.org"), named=Money(1, "EUR"))
    with pytest.raises(service.CannotAdd, match="costs nothing"), transaction():
        service.name_price(cart, cart.items[0].id, Money(0, "EUR"))
    add(cart, free)


@pytest.mark.parametrize(
    ("named", "match"),
    [
        (Money(499, "EUR"), r"from 5\.00 to 1000\.00 EUR"),
        (Money(100_001, "EUR"), r"from 5\.00 to 1000\.00 EUR"),
        (Money(500, "CHF"), r"from 5\.00 to 1000\.00 EUR"),
        (Money(599, "USD"), r"from 6\.00 to 1000\.00 USD"),
    ],
)
def test_who_names_the_price_stays_in_its_bounds(app: Flask, named: Money, match: str) -> None:
    cart, open_ = a_cart(), offer(release=rows.release("Open"), minor=500, open_price=True, USD=600)
    with pytest.raises(service.CannotAdd, match=match):
        add(cart, open_, named=named)
    add(cart, open_, named=Money(1200, "EUR"))
    with pytest.raises(service.CannotAdd, match=match), transaction():
        service.name_price(cart, cart.items[0].id, named)
    assert cart.items[0].named == Money(1200, "EUR")
    with transaction():
        service.name_price(cart, cart.items[0].id, Money(700, "EUR"))
    assert cart.items[0].named == cart.items[0].seen == Money(700, "EUR")


def test_an_amount_for_what_has_a_price_is_not_asked_for(app: Flask) -> None:
    cart = a_cart()
    add(cart, offer(release=rows.release("Tides")), named=Money(1, "EUR"))
    assert cart.items[0].named is None


def test_the_cart_s_currency_is_one_that_everything_has_a_price_in(app: Flask) -> None:
    cart = a_cart()
    add(
        cart,
        offer(release=rows.release("One"), USD=1090),
        offer(release=rows.release("Two"), minor=800, currency="USD"),
    )
    with pytest.raises(service.CannotAdd, match=r"Your cart is in USD and Three is sold in EUR, JPY"):
        add(cart, offer(release=rows.release("Three"), JPY=1500))


def test_a_price_that_went_from_the_list_takes_the_item_out_with_a_word(app: Flask) -> None:
    one = offer(release=rows.release("One"), USD=1090)
    two = offer(release=rows.release("Two"), minor=800, currency="USD")
    cart = a_cart()
    add(cart, one, two)
    one.prices.clear()
    db.session.commit()
    with transaction():
        assert service.prune(cart).other_currency == ["Two"]
    assert titles(cart) == ["One"]


def test_what_is_put_up_for_sale_anew_stays_at_its_new_price(app: Flask) -> None:
    tides = rows.release("Tides")
    album, lent = offer(release=tides), offer(release=tides, rental_days=30, minor=390)
    track = offer(track=tides.tracks[0], minor=129)
    cart = a_cart()
    add(cart, album, lent, track, gift=Gift("grace@example.org"))
    for each in (album, lent, track):
        each.active = False
    db.session.commit()
    anew = [
        offer(release=tides, minor=1290),
        offer(release=tides, rental_days=14, minor=490),
        offer(track=tides.tracks[0], minor=149),
    ]
    with transaction():
        assert not service.prune(cart)
    assert [item.offer_id for item in cart.items] == [each.id for each in anew]
    assert [item.seen for item in cart.items] == [Money(990, "EUR"), Money(390, "EUR"), Money(129, "EUR")]
    for each in anew:
        each.active = False
    db.session.commit()
    with transaction():
        assert len(service.prune(cart).off_sale) == 3


def test_a_named_amount_outlives_a_new_least_and_not_a_fixed_price(app: Flask) -> None:
    tides = rows.release("Tides")
    cart = a_cart()
    first = offer(release=tides, minor=500, open_price=True)
    add(cart, first, named=Money(900, "EUR"))
    for minor, open_price, named in ((800, True, Money(900, "EUR")), (990, False, None)):
        cart.items[0].offer.active = False
        db.session.commit()
        offer(release=tides, minor=minor, open_price=open_price)
        with transaction():
            service.prune(cart)
        assert cart.items[0].named == named


def test_a_gift_whose_day_went_by_goes_out_at_once_and_says_so(app: Flask) -> None:
    cart = a_cart()
    add(cart, offer(release=rows.release("Tides")), gift=Gift("grace@example.org", on=clock.now().date()))
    cart.items[0].gift_on = clock.now().date() - timedelta(days=1)
    db.session.commit()
    with transaction():
        assert service.prune(cart).messages() == ["The day for Tides is past: it goes out once it is paid."]
    assert cart.items[0].gift_on is None


def test_a_gift_is_read_as_it_is_meant(app: Flask) -> None:
    tomorrow = clock.now().date() + timedelta(days=1)
    gift = gifts.read(" Grace@Example.ORG ", tomorrow.isoformat(), " Ada\n ", "Happy\r\nbirthday\x07! ")
    assert gift == Gift("grace@example.org", tomorrow, "Ada", "Happy\nbirthday !")
    assert gifts.read("grace@example.org", clock.now().date().isoformat()) == Gift("grace@example.org")


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("to", ("grace", "", "", "")),
        ("on", ("g@example.org", "tomorrow", "", "")),
        ("on", ("g@example.org", "2020-01-01", "", "")),
        ("on", ("g@example.org", "2199-01-01", "", "")),
        ("sender", ("g@example.org", "", "x" * 101, "")),
        ("message", ("g@example.org", "", "", "x" * 1001)),
    ],
)
def test_a_gift_that_can_t_be_sent_says_which_field_to_mend(app: Flask, field: str, typed: tuple[str, ...]) -> None:
    with pytest.raises(BadGift) as told:
        gifts.read(*typed)
    assert told.value.field == field


def at_once(app: Flask, *acts: Callable[[], None]) -> list[str]:
    """Each in a session of its own, together; what was refused."""

    def one(act: Callable[[], None]) -> str | None:
        with app.app_context():
            try:
                act()
            except service.CannotAdd as error:
                return str(error)
            return None

    with ThreadPoolExecutor(len(acts)) as pool:
        return [said for said in pool.map(one, acts) if said]


def test_two_tabs_that_fill_one_cart_take_turns(app: Flask) -> None:
    ada, tides = rows.account(), rows.release("Tides", tracks=2)
    cart_id = a_cart(ada.id).id
    album = offer(release=tides).id
    parts = [offer(track=track, minor=129).id for track in tides.tracks]

    def putting(offer_id: str) -> Callable[[], None]:
        def act() -> None:
            with transaction():
                cart = db.session.get(Cart, cart_id)
                assert cart is not None
                service.add(cart, offer_id)

        return act

    for _round in range(3):
        at_once(app, *(putting(each) for each in (album, *parts, album, *parts)))
        db.session.expire_all()
        cart = db.session.get(Cart, cart_id)
        assert cart is not None
        assert [item.offer_id for item in cart.items] == [album]
        with transaction():
            service.remove(cart, cart.items[0].id)

"""What the shop asks for what it has: the writes to offers and their price lists, and the rules they keep.

Nothing here commits: the entry point that called does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask_babel import gettext as _

from app.catalog.models import BundledRelease, Offer, OfferKind, Price, Release, Track, in_force
from app.core.db import db
from app.core.errors import WavecrateError
from app.core.money import Money

# From the first play of a rental on; the days before it are each offer's own.
RENTAL_HOURS = 48
MOST_RENTAL_DAYS = 365
TITLE_LIMIT = 300


class BadTerms(WavecrateError):
    """An offer like that can't be made; the message says what to change."""


def set_price(
    *,
    release: Release | None = None,
    track: Track | None = None,
    price: Money,
    open_price: bool = False,
    free: bool = False,
) -> Offer:
    """Sell the release or the track for a price. The offer in force, if it differs, is retired, never edited.

    A subject is sold in one way at a time: a price in another currency replaces it as well. With `open_price` the buyer
    names the amount and `price` is the least, which may be nothing. Nothing is asked only where `free` says that it is
    meant. Prices in other currencies go along to the new offer.
    """
    subject = release or track
    if subject is None or (release is not None and track is not None):
        raise TypeError("give a release or a track")
    if free and (price.minor != 0 or open_price):
        raise BadTerms(_("What is free has no price. Leave the price empty."))
    if price.minor < 0 or (price.minor == 0 and not (free or open_price)):
        raise BadTerms(_("A price is more than nothing. Leave it empty to sell only the whole release."))
    before = in_force(subject.offers)
    if before is not None and before.price == price and before.open_price == open_price:
        return before
    retire_offers(release=release, track=track, kind=OfferKind.BUY)
    made = Offer(price_minor=price.minor, currency=price.currency, active=True, open_price=open_price)
    subject.offers.append(made)
    _inherit(made, before)
    db.session.flush()
    return made


def set_rental(release: Release, price: Money, days: int) -> Offer:
    """Lend the release: the first play within `days`, and everything over RENTAL_HOURS after it."""
    if price.minor <= 0:
        raise BadTerms(_("A rental costs more than nothing. Leave it empty where there is none."))
    if not 1 <= days <= MOST_RENTAL_DAYS:
        raise BadTerms(_("A rental can wait for its first play for 1 to %(most)s days.", most=MOST_RENTAL_DAYS))
    before = in_force(release.offers, OfferKind.RENTAL)
    if before is not None and (before.price, before.rental_days) == (price, days):
        return before
    retire_offers(release=release, kind=OfferKind.RENTAL)
    made = Offer(
        kind=OfferKind.RENTAL,
        price_minor=price.minor,
        currency=price.currency,
        active=True,
        open_price=False,
        rental_days=days,
        rental_hours=RENTAL_HOURS,
    )
    release.offers.append(made)
    _inherit(made, before)
    db.session.flush()
    return made


def make_bundle(
    title: str, releases: Sequence[Release], price: Money, *, title_zh: str | None = None, open_price: bool = False
) -> Offer:
    """Sell several releases as one."""
    if len({release.id for release in releases}) < max(2, len(releases)):
        raise BadTerms(_("A bundle holds two releases or more, each once."))
    if price.minor <= 0 and not open_price:
        raise BadTerms(_("A bundle costs more than nothing."))
    called = " ".join(title.split())[:TITLE_LIMIT]
    if not called:
        raise BadTerms(_("A bundle needs a title."))
    made = Offer(
        kind=OfferKind.BUNDLE,
        title=called,
        title_zh=" ".join((title_zh or "").split())[:TITLE_LIMIT] or None,
        price_minor=price.minor,
        currency=price.currency,
        active=True,
        open_price=open_price,
    )
    made.members = [
        BundledRelease(release_id=release.id, release=release, position=number)
        for number, release in enumerate(releases, 1)
    ]
    db.session.add(made)
    db.session.flush()
    return made


def set_price_list(offer: Offer, prices: Iterable[Money]) -> None:
    """Make these the offer's prices in other currencies; those that are not named go.

    An offer's own currency is not listed again, and what is free is free everywhere.
    """
    wanted = {price.currency: price for price in prices}
    if offer.currency in wanted:
        raise BadTerms(_("%(currency)s is the offer's own currency. Change its price itself.", currency=offer.currency))
    if offer.is_free and wanted:
        raise BadTerms(_("What is free has no price in any currency."))
    for price in wanted.values():
        if price.minor <= 0 and not offer.open_price:
            raise BadTerms(_("A price is more than nothing. Leave it empty where there is none."))
    held = {row.currency: row for row in offer.prices}
    for currency in held.keys() - wanted.keys():
        offer.prices.remove(held[currency])
    for currency, price in wanted.items():
        if currency in held:
            held[currency].minor = price.minor
        else:
            offer.prices.append(Price(currency=currency, minor=price.minor))
    db.session.flush()


def retire_offers(*, release: Release | None = None, track: Track | None = None, kind: OfferKind | None = None) -> None:
    """Take what is sold (or only that kind of it) off the shelf; whoever has bought keeps it."""
    subject = release or track
    assert subject is not None
    for offer in subject.offers:
        if kind is None or offer.kind == kind:
            offer.active = False
    db.session.flush()


def retire(offer: Offer) -> None:
    """Take one offer off the shelf."""
    offer.active = False
    db.session.flush()


def _inherit(made: Offer, before: Offer | None) -> None:
    """A changed price doesn't lose its list in other currencies; what is free now has none."""
    if before is not None and not made.is_free:
        made.prices = [
            Price(currency=row.currency, minor=row.minor) for row in before.prices if row.currency != made.currency
        ]

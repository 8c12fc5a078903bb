"""How and where releases are sold and lent: prices, price lists, rentals, countries; each change stands in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from app.accounts.models import Account
from app.audit import service as audit
from app.catalog import offers
from app.catalog import service as catalog
from app.catalog.models import Kind, Offer, OfferKind, Release, Track
from app.catalog.territory import Territory
from app.core.errors import WavecrateError
from app.core.money import Money

LEAST_TRACK_PRICE = 50


class NotReady(WavecrateError):
    """The release can't be in the shop like that; the message says what it lacks or waits for."""


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """How a release is to be sold and lent. No price: not sold; a price of nothing that isn't open: free."""

    price: Money | None
    open_price: bool = False
    rental_price: Money | None = None
    rental_days: int = 30
    prices: Sequence[Money] = ()
    rental_prices: Sequence[Money] = ()


def sell(release: Release, terms: SaleTerms, by: Account) -> None:
    """Sell and lend the release as the terms say; raise WavecrateError, and change nothing, where that can't be."""
    if terms.price is None and terms.rental_price is None:
        may_go_unsold(release)
    before = asked(release)
    if terms.price is None:
        offers.retire_offers(release=release, kind=OfferKind.BUY)
    else:
        sold = offers.set_price(
            release=release,
            price=terms.price,
            open_price=terms.open_price,
            free=terms.price.minor == 0 and not terms.open_price,
        )
        offers.set_price_list(sold, terms.prices)
    if terms.rental_price is None:
        offers.retire_offers(release=release, kind=OfferKind.RENTAL)
    else:
        lent = offers.set_rental(release, terms.rental_price, terms.rental_days)
        offers.set_price_list(lent, terms.rental_prices)
    note_change(release, before, by)


def change_price(price: Money | None, *, release: Release | None = None, track: Track | None = None) -> None:
    """A price typed over; that it may be named by the buyer stays. What is free or has no least stays without one."""
    subject = release or track
    assert subject is not None
    offer = subject.offer
    if price is not None:
        open_price = offer is not None and offer.open_price
        offers.set_price(release=release, track=track, price=price, open_price=open_price)
    elif offer is not None and offer.price_minor != 0:
        offers.retire_offers(release=release, track=track, kind=OfferKind.BUY)


def fair_track_price(price: Money, tracks: int) -> Money:
    """What a track costs by itself: its share of the release and a third more, ending in 9, never above the release."""
    share = -(-price.minor * 13 // (10 * max(1, tracks)))
    return Money(min(price.minor, max(LEAST_TRACK_PRICE, share // 10 * 10 + 9)), price.currency)


def offer_new(release: Release, price: Money, track_price: Money | None, new_tracks: list[Track]) -> None:
    """Price what has no price; what an editor has priced since stays."""
    if release.offer is None:
        offers.set_price(release=release, price=price)
    if release.kind == Kind.FILM or len(release.tracks) < 2:
        return
    each = track_price or fair_track_price(price, len(release.tracks))
    for track in new_tracks:
        if track.offer is None:
            offers.set_price(track=track, price=each)


def may_go_unsold(release: Release) -> None:
    """Raise NotReady where the release is, or soon will be, in the shop: there, something is asked for it."""
    if release.is_published or release.publish_when_ready:
        raise NotReady(_("A published release needs a price. Unpublish it first, or give it one."))


def asked(release: Release) -> dict[str, Any]:
    """What is asked for the release and its tracks at present, as the log tells it."""
    every = {"buy": release.offer, "rental": release.rental}
    every |= {f"track:{track.id}": track.offer for track in release.tracks}
    return {name: _told(offer) for name, offer in every.items() if offer is not None}


def note_change(release: Release, before: dict[str, Any], by: Account) -> None:
    """Put into the log what differs from what `asked` said before. Called last."""
    after = asked(release)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed:
        facts = {name: {"from": before.get(name), "to": after.get(name)} for name in changed}
        audit.record(by.id, "release.price", f"release:{release.id}", facts)


def confine(release: Release, territory: Territory, by: Account) -> None:
    """Sell the release there from now on; a change stands in the log. Called last."""
    before = Territory.of(release)
    if territory == before:
        return
    catalog.update_release(release, territory=territory)
    facts = {
        name: {"countries": sorted(each.countries), "barred": each.barred}
        for name, each in (("from", before), ("to", territory))
    }
    audit.record(by.id, "release.territory", f"release:{release.id}", facts)


def _told(offer: Offer) -> dict[str, Any]:
    told: dict[str, Any] = {"prices": {offer.currency: offer.price_minor} | {p.currency: p.minor for p in offer.prices}}
    if offer.open_price:
        told["open"] = True
    if offer.rental_days is not None:
        told["days"] = offer.rental_days
    return told

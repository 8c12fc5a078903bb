"""What fits into a cart: nothing twice, nothing that is owned, one currency. Nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flask_babel import format_date
from flask_babel import gettext as _

from app.cart.models import CartItem
from app.catalog.models import Offer, OfferKind
from app.core.errors import Conflict
from app.core.i18n import locale_code
from app.licenses import queries as licenses
from app.licenses.models import License
from app.pricing import service as pricing


class CannotAdd(Conflict):
    """The cart does not take this; the message says why."""


class AlreadyIn(CannotAdd):
    """It is in the cart, by itself or with something larger."""


@dataclass(frozen=True)
class Having:
    """What the buyer has: releases and tracks for good, and rentals by release."""

    releases: set[str] = field(default_factory=set)
    tracks: set[str] = field(default_factory=set)
    rentals: dict[str, License] = field(default_factory=dict)

    @classmethod
    def of(cls, account_id: str | None) -> Having:
        """A person's; a guest has nothing."""
        return cls(
            licenses.owned_release_ids(account_id), licenses.owned_track_ids(account_id), licenses.rentals(account_id)
        )

    def owns(self, offer: Offer) -> bool:
        """Whether all that the offer sells or lends is theirs for good."""
        if offer.track_id is not None:
            return offer.track_id in self.tracks
        return all(release.id in self.releases for release in offer.releases)

    def rents(self, offer: Offer) -> License | None:
        """The rental of the buyer's that the offer would repeat."""
        return self.rentals.get(offer.release_id or "") if offer.kind == OfferKind.RENTAL else None


def covered(offer: Offer) -> set[str]:
    """The releases that an offer sells as a whole, for good."""
    if offer.kind == OfferKind.RENTAL or offer.track_id is not None:
        return set()
    return {release.id for release in offer.releases}


def refuse_had(offer: Offer, having: Having) -> None:
    """Raise CannotAdd for what the buyer owns, or rents still."""
    title = offer.title_in(locale_code())
    if having.owns(offer):
        raise CannotAdd(_("%(title)s is yours already. It is in your library.", title=title))
    rented = having.rents(offer)
    if rented is not None and rented.ends_at is not None:
        raise CannotAdd(
            _(
                "You rent %(title)s until %(day)s already. Rent it again after that.",
                title=title,
                day=format_date(rented.ends_at, "long"),
            )
        )


def refuse_twice(offer: Offer, gift_to: str | None, items: Sequence[CartItem]) -> None:
    """Raise CannotAdd for what the cart's items hold, or what can't be bought beside them.

    Gifts are for others: one only meets itself, for the same person.
    """
    title = offer.title_in(locale_code())
    if any(item.offer_id == offer.id and item.gift_to == gift_to for item in items):
        if gift_to is None:
            raise AlreadyIn(_("%(title)s is in your cart already.", title=title))
        raise AlreadyIn(_("%(title)s is in your cart for %(person)s already.", title=title, person=gift_to))
    if gift_to is not None:
        return
    for item in own(items):
        _refuse_beside(offer, title, item.offer)


def _refuse_beside(offer: Offer, title: str, other: Offer) -> None:
    named = other.title_in(locale_code())
    kept = covered(other)
    if offer.track is not None:
        if offer.track.release_id in kept:
            raise AlreadyIn(_whole(title, other, named))
    elif offer.kind == OfferKind.RENTAL:
        if offer.release_id in kept:
            raise CannotAdd(
                _("You can’t rent %(title)s and buy it in one cart. Take out what you buy to rent it.", title=title)
            )
    elif other.kind == OfferKind.RENTAL:
        if other.release_id in covered(offer):
            raise CannotAdd(_("%(title)s is in your cart to rent. Take the rental out first to buy it.", title=named))
    elif covered(offer) <= kept:
        raise AlreadyIn(_whole(title, other, named))
    elif covered(offer) & kept and not kept < covered(offer):
        raise CannotAdd(
            _("%(title)s and %(other)s hold the same music in part. Take one of them out.", title=title, other=named)
        )


def _whole(title: str, other: Offer, named: str) -> str:
    if other.kind == OfferKind.BUNDLE:
        return _("%(title)s is in your cart already, with %(bundle)s.", title=title, bundle=named)
    return _("%(title)s is in your cart already, with the whole release.", title=title)


def swallowed(offer: Offer, items: Sequence[CartItem]) -> list[CartItem]:
    """What leaves the cart as the offer comes in: a release's own tracks, and all that is in a bundle."""
    whole = covered(offer)
    gone = []
    for item in own(items):
        track = item.offer.track
        if (track is not None and track.release_id in whole) or (covered(item.offer) and covered(item.offer) <= whole):
            gone.append(item)
    return gone


def own(items: Sequence[CartItem]) -> list[CartItem]:
    """Those that the buyer keeps."""
    return [item for item in items if not item.is_gift]


def one_currency(offers: Sequence[Offer], preferred: str | None) -> tuple[str | None, list[Offer]]:
    """The currency to pay these in, and those without a price in it; of two that don't go together the first stays."""
    kept: list[Offer] = []
    strangers: list[Offer] = []
    for offer in offers:
        if pricing.common_currency([*kept, offer], preferred) is None:
            strangers.append(offer)
        else:
            kept.append(offer)
    return pricing.common_currency(kept, preferred), strangers

"""What of a cart may be sold where its buyer is; the words of it, too.

To be bought, a thing that isn't sold everywhere needs a buyer whose country is known. Where the buyer says they are
somewhere else, the cart keeps what it holds: a wrong country is put right, and nothing has to be found again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext as _
from sqlalchemy import select

from app.cart.models import CartItem
from app.cart.rules import CannotAdd
from app.catalog import territory
from app.catalog.models import Offer, Release
from app.core import countries
from app.core.db import db
from app.core.i18n import locale_code


@dataclass(frozen=True, slots=True)
class Bounds:
    """A cart's items against the buyer's country; `confined` are those that aren't sold everywhere, `barred` those
    that aren't sold there (none, as long as it isn't known)."""

    country: str | None = None
    confined: tuple[CartItem, ...] = ()
    barred: tuple[CartItem, ...] = ()

    @property
    def refusal(self) -> str | None:
        """Why it can't be ordered as it is, and what to do; None where it can."""
        if self.barred and self.country is not None:
            return _(
                "Not sold in %(country)s: %(titles)s. Take it out of your cart to buy the rest;"
                " if you are somewhere else, choose that country.",
                country=countries.called(self.country),
                titles=_titles(self.barred),
            )
        if self.confined and self.country is None:
            return _(
                "Choose your country: not everything here is sold everywhere. It is about %(titles)s.",
                titles=_titles(self.confined),
            )
        return None


def bounds_of(items: Sequence[CartItem], country: str | None) -> Bounds:
    """The items against the country, by what the database says at this moment."""
    ids = {release.id for item in items for release in item.offer.releases}
    confined = select(Release.id, territory.sold_in(country)).where(
        Release.id.in_(ids), Release.territories.is_not(None)
    )
    sold = {row[0]: bool(row[1]) for row in db.session.execute(confined)}

    def among(item: CartItem) -> list[bool]:
        return [sold[release.id] for release in item.offer.releases if release.id in sold]

    return Bounds(
        country,
        confined=tuple(item for item in items if among(item)),
        barred=tuple(item for item in items if not all(among(item))),
    )


def refuse_barred(offer: Offer, country: str | None) -> None:
    """Raise CannotAdd for what isn't sold in the country; in one that isn't known, everything still may be."""
    if country is not None and not territory.offer_is_sold_in(offer, country):
        raise CannotAdd(
            _(
                "%(title)s is not sold in %(country)s. If you are somewhere else, choose that country at the foot of"
                " the page.",
                title=offer.title_in(locale_code()),
                country=countries.called(country),
            )
        )


def _titles(items: Sequence[CartItem]) -> str:
    return _(", ").join(item.offer.title_in(locale_code()) for item in items)

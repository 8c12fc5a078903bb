"""Where a release may be sold. The one place that says so: as a condition of a query, and of a row that is at hand.

Countries are ISO 3166-1 alpha-2, taken as they are: a list that names France does not mean its overseas territories,
which have codes of their own. A country that isn't known (None) restricts nothing: whoever only looks around is shown
everything; paying asks (`app.cart.territory`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, any_, case, literal, or_, true

from app.catalog.models import Offer, Release
from app.core import countries
from app.core.errors import WavecrateError


class BadTerritory(WavecrateError):
    """That is no way to say where something is sold; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Territory:
    """Where something is sold: in `countries` alone or, where those are barred, in every other; so without any given,
    everywhere."""

    countries: frozenset[str] = frozenset()
    barred: bool = True

    def __post_init__(self) -> None:
        strangers = sorted(code for code in self.countries if not countries.is_country(code))
        if strangers:
            raise BadTerritory(
                _(
                    "No country has the code %(codes)s. Codes are two letters, as in ISO 3166-1: DE, JP, US.",
                    codes=", ".join(strangers),
                )
            )
        if not self.countries and not self.barred:
            raise BadTerritory(
                _("Name the countries it is sold in. To sell it nowhere for now, take it out of the shop.")
            )

    @classmethod
    def of(cls, release: Release) -> Self:
        """A release's."""
        if release.territories is None:
            return cls()
        return cls(frozenset(release.territories), release.territories_barred)

    @property
    def is_everywhere(self) -> bool:
        """Whether nothing is kept from anybody."""
        return not self.countries

    def holds(self, country: str | None) -> bool:
        """Whether the country is in it."""
        return country is None or self.is_everywhere or (country in self.countries) != self.barred


EVERYWHERE = Territory()


def sold_in(country: str | None) -> ColumnElement[bool]:
    """The releases that may be sold in the country, as a condition of a query."""
    if country is None:
        return true()
    named = literal(country) == any_(Release.territories)
    return or_(Release.territories.is_(None), case((Release.territories_barred, ~named), else_=named))


def is_sold_in(release: Release, country: str | None) -> bool:
    """Whether `sold_in` holds for the release."""
    return Territory.of(release).holds(country)


def offer_is_sold_in(offer: Offer, country: str | None) -> bool:
    """Whether what the offer sells or lends may be sold in the country: a bundle, where all that is in it may be."""
    return all(is_sold_in(release, country) for release in offer.releases)

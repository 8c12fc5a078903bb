"""The currency of whoever the request comes from, and where they are."""

from __future__ import annotations

from collections.abc import Callable

from flask_login import current_user

from app.accounts import addresses
from app.catalog.models import Offer
from app.core.money import Money

# Which country the visitor said they are in, as far as the rooms above were told: carts are.
told: list[Callable[[], str | None]] = []


def currency() -> str | None:
    """The currency the person chose in their profile; None for a guest and for who chose none."""
    return getattr(current_user, "currency", None)


def asked(offer: Offer) -> Money:
    """What the visitor is shown for the offer: in their currency where it has a price in it, else in its own."""
    return offer.price_in(currency())


def country() -> str | None:
    """Where the visitor is, ISO 3166-1 alpha-2: the country they said, else the first one of their address book.

    None where nobody knows: of a guest who said nothing. Nothing is guessed from where the request comes from.
    """
    said = next((code for tell in told if (code := tell()) is not None), None)
    if said is None and current_user.is_authenticated:
        return addresses.home_of(current_user.id)
    return said

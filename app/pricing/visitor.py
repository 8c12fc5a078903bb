"""The currency of whoever the request comes from."""

from __future__ import annotations

from flask_login import current_user

from app.catalog.models import Offer
from app.core.money import Money


def currency() -> str | None:
    """The currency the person chose in their profile; None for a guest and for who chose none."""
    return getattr(current_user, "currency", None)


def asked(offer: Offer) -> Money:
    """What the visitor is shown for the offer: in their currency where it has a price in it, else in its own."""
    return offer.price_in(currency())

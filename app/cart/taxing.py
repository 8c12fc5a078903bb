"""Asking Stripe Tax, where it has the say, what holds where a cart's buyer is: before the cart is quoted."""

from __future__ import annotations

from app.accounts.models import Account
from app.cart import pricing
from app.cart.models import Cart
from app.core.db import transaction
from app.core.store import settings
from app.payments import stripe_gateway as gateway
from app.payments.contract import PaymentUnavailable, UnclearPlace
from app.pricing.service import tax_rules
from app.pricing.tax import settle
from app.pricing.told import Untold, told_rates


def prepare(cart: Cart | None, account: Account | None) -> None:
    """Have the day's rates of the buyer's place at hand, or that they can't be had; the quote says which.

    For entry points, with no unsaved work in the session: it ends the transaction that reading began, and asks with
    none open. It asks once a day for each place and process; with the built-in table, and for a place where the shop
    collects nothing, never.
    """
    if settings().tax_source != "stripe" or cart is None:
        return
    told = told_rates()
    with transaction():
        rules = tax_rules(settings())
        place = settle(pricing.buyer_of(cart, account), rules).taxed_in if cart.items else None
    if place is None or not told.wants(place, rules.on):
        return
    try:
        told.keep(place, rules.on, gateway.tax_rates(place, settings().stripe_currency))
    except UnclearPlace:
        told.keep(place, rules.on, Untold.UNCLEAR_PLACE)
    except PaymentUnavailable:
        told.keep(place, rules.on, Untold.NO_ANSWER)

"""The cart's page, which is the checkout's too; for the routes of carts and of orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import render_template
from flask_login import current_user

from app.accounts.models import Account
from app.cart import pricing, service, taxing
from app.cart.details import Details
from app.cart.models import Cart
from app.cart.pricing import Priced
from app.cart.rules import Having
from app.core import codes, countries
from app.core.db import transaction


def account() -> Account | None:
    """Who is signed in; None for a guest."""
    return current_user if current_user.is_authenticated else None


def page(
    cart: Cart | None, *, typed: Details | None = None, wrong: Mapping[str, str] | None = None, part: bool = False
) -> str:
    """The page, or the parts of it that depend on what was typed. What changed since it was last seen, it says."""
    buyer = account()
    priced, notices = None, []
    taxing.prepare(cart, buyer)
    if cart is not None:
        with transaction():
            notices = service.prune(cart, pricing.preferred(buyer)).messages()
            priced = pricing.priced(cart, buyer)
            notices += service.note_seen(cart, [(item, line.list_price) for item, line in priced.lines])
            notices += priced.messages
    return render_template(
        "cart/_parts.html" if part else "cart/show.html",
        cart=cart,
        priced=priced,
        notices=notices,
        typed=_shown(cart, priced, typed, wrong or {}),
        said=_said(priced, wrong or {}),
        owned=Having.of(buyer.id).releases if buyer is not None else set(),
        taxed=pricing.collects_tax(),
        asks_country=priced is not None and pricing.asks_country(priced),
        countries=countries.by_name(),
    )


def _shown(cart: Cart | None, priced: Any, typed: Details | None, wrong: Mapping[str, str]) -> dict[str, str]:
    """What stands in the fields: what is kept, or as typed where it is wrong."""
    if cart is None:
        return {}
    kept = {
        "email": cart.email or "",
        "country": priced.country or "",
        "vat_number": cart.vat_number or "",
        "coupon": codes.spelled(cart.coupon_code),
    }
    return kept | {name: getattr(typed, name) or "" for name in wrong if typed is not None}


def _said(priced: Priced | None, wrong: Mapping[str, str]) -> Callable[[str], str]:
    """What is wrong with a field, or nothing."""
    refused = {"coupon": priced.coupon_refusal} if priced is not None and priced.coupon_refusal else {}
    return lambda name: ({**refused, **wrong}).get(name, "")

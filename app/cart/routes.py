"""Routes of cart."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts import login
from app.accounts.models import Account
from app.accounts.redirects import own_path
from app.cart import queries, service, visitor
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.i18n import locale_code

blueprint = Blueprint("cart", __name__)


@blueprint.get("/cart")
@access(Access.PUBLIC)
def show() -> str:
    """The cart. What can't be bought any more leaves it here, with a word about it."""
    cart = visitor.cart()
    if cart is not None:
        with transaction():
            dropped = service.prune(cart)
        _tell(dropped)
    return render_template("cart/show.html", cart=cart, total=queries.total(cart) if cart else None)


@blueprint.post("/cart/items")
@access(Access.PUBLIC)
def add() -> Any:
    """Put an offer in the cart: fields `offer_id` and, to come back to a page, `next`."""
    onward = own_path(request.form.get("next")) or url_for("cart.show")
    try:
        with transaction():
            cart = visitor.cart_to_fill()
            offer = service.add(cart, request.form.get("offer_id", ""))
    except service.CannotAdd as error:
        flash(str(error), "error")
    else:
        flash(_("%(title)s is in your cart.", title=offer.title_in(locale_code())), "success")
    return redirect(onward, 303)


@blueprint.post("/cart/items/<offer_id>/remove")
@access(Access.PUBLIC)
def remove(offer_id: str) -> Any:
    """Take an offer out of the cart."""
    cart = visitor.cart()
    if cart is not None:
        with transaction():
            service.remove(cart, offer_id)
    return redirect(url_for("cart.show"), 303)


@blueprint.get("/cart/count")
@access(Access.PUBLIC)
def count() -> str:
    """How full the cart is: a fragment for the header."""
    return render_template("cart/_count.html", count=visitor.count())


def _merge(account: Account) -> None:
    _tell(service.merge(account, visitor.guest_cart_id()))


def _tell(dropped: service.Dropped) -> None:
    for message in dropped.messages():
        flash(message)


login.on_sign_in.append(_merge)

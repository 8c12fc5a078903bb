"""Routes of cart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import format_percent
from flask_babel import gettext as _

from app.accounts import login
from app.accounts.models import Account
from app.accounts.redirects import own_path
from app.cart import details, pages, service, visitor
from app.cart.forms import GiftForm
from app.cart.models import CartItem
from app.catalog import queries as catalog
from app.core import codes, countries
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.errors import NotFound
from app.core.i18n import locale_code
from app.core.money import BadAmount, Money, parse_money
from app.pricing import visitor as pricing

blueprint = Blueprint("cart", __name__)
blueprint.add_app_template_filter(codes.spelled, "code")


@blueprint.get("/cart")
@access(Access.PUBLIC)
def show() -> str:
    """The cart. What can't be bought any more leaves it here, with a word about it."""
    return pages.page(visitor.cart())


@blueprint.post("/cart/items")
@access(Access.PUBLIC)
def add() -> Any:
    """Put an offer in the cart: field `offer_id`; `amount` and `currency` where the buyer names the price; and, to come
    back to a page, `next`."""
    onward = own_path(request.form.get("next")) or url_for("cart.show")
    try:
        named = _named(request.form.get("amount"), request.form.get("currency"))
        with transaction():
            offer = service.add(
                visitor.cart_to_fill(), request.form.get("offer_id", ""), named=named, country=pricing.country()
            )
    except (service.CannotAdd, BadAmount) as error:
        flash(str(error), "error")
    else:
        flash(_("%(title)s is in your cart.", title=offer.title_in(locale_code())), "success")
    return redirect(onward, 303)


@blueprint.route("/cart/gift/<offer_id>", methods=["GET", "POST"])
@access(Access.PUBLIC)
def give(offer_id: str) -> Any:
    """A gift to somebody: whose, when, and with what words; then it is in the cart."""
    offer = catalog.offer(offer_id)
    if offer is None or not offer.on_sale:
        raise NotFound(_("This is not on sale. Look at its page for what is."))
    form, asked = GiftForm.of(), pricing.asked(offer)
    if form.is_submitted():
        gift = form.gift()
        try:
            named = _named(form.amount.data, asked.currency) if offer.open_price else None
        except BadAmount as error:
            form.amount.errors, gift = [str(error)], None
        if gift is not None:
            try:
                with transaction():
                    service.add(visitor.cart_to_fill(), offer.id, named=named, gift=gift, country=pricing.country())
            except service.CannotAdd as error:
                flash(str(error), "error")
            else:
                title = offer.title_in(locale_code())
                flash(_("%(title)s for %(person)s is in your cart.", title=title, person=gift.to), "success")
                return redirect(url_for("cart.show"), 303)
    answer = render_template("cart/gift.html", form=form, offer=offer, asked_price=asked, item=None)
    return answer, 422 if form.is_submitted() else 200


@blueprint.route("/cart/items/<item_id>/gift", methods=["GET", "POST"])
@access(Access.PUBLIC)
def change_gift(item_id: str) -> Any:
    """Another recipient, day or word for a gift in the cart."""
    item = _item(item_id)
    if not item.is_gift:
        raise NotFound(_("This gift is not in your cart any more."))
    form = GiftForm.of(item)
    if form.is_submitted():
        gift = form.gift()
        if gift is not None:
            try:
                with transaction():
                    service.change_gift(visitor.cart_to_fill(), item_id, gift)
            except service.CannotAdd as error:
                form.to.errors = [str(error)]
            else:
                return redirect(url_for("cart.show"), 303)
    answer = render_template("cart/gift.html", form=form, offer=item.offer, asked_price=None, item=item)
    return answer, 422 if form.is_submitted() else 200


@blueprint.post("/cart/items/<item_id>/amount")
@access(Access.PUBLIC)
def name_price(item_id: str) -> Any:
    """What the buyer gives for something in the cart whose price they name: fields `amount` and `currency`."""
    _item(item_id)
    try:
        named = _named(request.form.get("amount"), request.form.get("currency"))
        if named is not None:
            with transaction():
                service.name_price(visitor.cart_to_fill(), item_id, named)
    except (service.CannotAdd, BadAmount) as error:
        flash(str(error), "error")
    return redirect(url_for("cart.show"), 303)


@blueprint.post("/cart/items/<item_id>/remove")
@access(Access.PUBLIC)
def remove(item_id: str) -> Any:
    """Take something out of the cart."""
    cart = visitor.cart()
    if cart is not None:
        with transaction():
            service.remove(cart, item_id)
    return redirect(url_for("cart.show"), 303)


@blueprint.post("/cart/details")
@access(Access.PUBLIC)
def keep_details() -> Any:
    """What the buyer says for paying, kept with the cart; the answer is what it comes to now."""
    cart = visitor.cart()
    if cart is None:
        return redirect(url_for("cart.show"), 303)
    typed = details.Details.of(request.form)
    with transaction():
        wrong = details.save(cart, pages.account(), typed)
    part = "HX-Request" in request.headers
    if not wrong and not part:
        return redirect(url_for("cart.show"), 303)
    return pages.page(cart, typed=typed, wrong=wrong, part=part)


@blueprint.app_template_filter("percent")
def _percent(percent: Decimal) -> str:
    """A rate of so many percent, as the reader writes it."""
    return str(format_percent(percent / 100, "#,##0.####%"))


@blueprint.app_template_filter("less")
def _less(amount: Money) -> str:
    """What comes off, as the reader writes it."""
    return Money(-amount.minor, amount.currency).format(locale_code())


@blueprint.route("/cart/country", methods=["GET", "POST"])
@access(Access.PUBLIC)
def country() -> Any:
    """Where the visitor is: fields `country`, and `next`, the page to come back to. Kept with their cart."""
    onward = own_path(request.values.get("next"))
    wrong = ""
    if request.method == "POST":
        typed = details.Details(country=request.form.get("country", ""))
        with transaction():
            wrong = details.save(visitor.cart_to_fill(), pages.account(), typed).get("country", "")
        if not wrong:
            here = pricing.country()
            said = _("Your country is %(country)s now.", country=countries.called(here)) if here else None
            flash(said or _("No country is chosen now: you see what is sold anywhere."), "success")
            return redirect(onward or url_for("storefront.home"), 303)
    answer = render_template(
        "cart/country.html", wrong=wrong, onward=onward, here=pricing.country(), countries=countries.by_name()
    )
    return answer, 422 if wrong else 200


@blueprint.get("/cart/count")
@access(Access.PUBLIC)
def count() -> str:
    """How full the cart is: a fragment for the header."""
    return render_template("cart/_count.html", count=visitor.count())


def _named(amount: str | None, currency: str | None) -> Money | None:
    if amount is None or not amount.strip():
        return None
    return parse_money(amount.strip().replace(",", "."), currency or "")


def _item(item_id: str) -> CartItem:
    cart = visitor.cart()
    found = next((item for item in cart.items if item.id == item_id), None) if cart is not None else None
    if found is None:
        raise NotFound(_("This is not in your cart any more."))
    return found


def _merge(account: Account) -> None:
    for message in service.merge(account, visitor.guest_cart_id()).messages():
        flash(message)


login.on_sign_in.append(_merge)

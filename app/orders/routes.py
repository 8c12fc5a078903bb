"""Routes of orders: checkout, the way back from the payment page, the webhook, history and refunds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask_babel import format_date
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import limits
from app.accounts.pages import limited
from app.cart import details, pages, taxing, visitor
from app.core import clock, metrics
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.errors import NotFound
from app.core.i18n import locale_code
from app.core.money import BadAmount, Money
from app.core.store import settings
from app.orders import after_sales, case_pages, claim_routes, gauges, placing, queries, settlement, staff_pages
from app.orders import visitor as visible
from app.orders.models import Order, OrderState
from app.payments import methods, stripe_gateway
from app.payments.contract import BadSignature, PaymentUnavailable
from app.pricing import coupons

blueprint = Blueprint("orders", __name__)
blueprint.register_blueprint(claim_routes.blueprint)
blueprint.register_blueprint(after_sales.blueprint)
blueprint.register_blueprint(staff_pages.blueprint)
blueprint.register_blueprint(case_pages.blueprint)
metrics.SHOP_WIDE.append(gauges.open_cases)

_ASK_AFTER = 3  # polls without a webhook, a second each, before the gateway is asked
_SLOWER_AFTER, _GIVE_UP_AFTER = 10, 60


@blueprint.post("/checkout")
@access(Access.PUBLIC)
def checkout() -> Any:
    """Turn the cart into an order and go to the payment page; what costs nothing is the buyer's at once.

    Fields: what the buyer says for paying (cart.details), and the `total` and `currency` they were shown.
    """
    cart, account = visitor.cart(), pages.account()
    if cart is None or not cart.items:
        return redirect(url_for("cart.show"), 303)
    typed = details.Details.of(request.form)
    with transaction():
        wrong = details.save(cart, account, typed)
    wrong = details.missing(cart, account) | wrong
    if wrong:
        return pages.page(cart, typed=typed, wrong=wrong), 422
    taxing.prepare(cart, account)
    base, expected = _base_url(), _expected()
    email = account.email if account is not None else cart.email or ""
    if account is None and expected is not None and expected.minor == 0:
        limited(limits.LETTER, account=email)  # nobody pays for it, and the address can be anybody's
    try:
        if expected is None:
            raise placing.CartChanged(_("Your cart has changed since you saw it. Look at it again before you pay."))
        order, address = settlement.start_checkout(
            cart,
            account=account,
            email=email,
            pages=settlement.Pages(success=f"{base}/orders/{{order}}/return", cancel=f"{base}/cart"),
            locale=locale_code(),
            expected=expected,
            opened=visible.order_ids(),
        )
    except (placing.CartChanged, coupons.CouponRefused, PaymentUnavailable) as error:
        flash(str(error), "error")
        return redirect(url_for("cart.show"), 303)
    visible.remember(order)
    return redirect(address or url_for("orders.show", order_id=order.id), 303)


@blueprint.get("/orders/<order_id>/return")
@access(Access.PUBLIC)
def come_back(order_id: str) -> Any:
    """Where the payment page leads: "confirming" until the payment is known, then the order with its music."""
    order = _order_of_viewer(order_id)
    polls = _polls()
    order = _ask_gateway(order, polls)
    if order.state == OrderState.PENDING:
        return render_template("orders/confirming.html", order=order, **_polling(polls))
    return redirect(url_for("orders.show", order_id=order.id))


@blueprint.get("/orders/<order_id>/status")
@access(Access.PUBLIC)
def status(order_id: str) -> Any:
    """The "confirming" fragment, again; once the payment is known, it sends the page on to the order."""
    order = _order_of_viewer(order_id)
    polls = _polls()
    order = _ask_gateway(order, polls)
    if order.state == OrderState.PENDING:
        return render_template("orders/_confirming.html", order=order, **_polling(polls))
    there = url_for("orders.show", order_id=order.id)
    if request.headers.get("HX-Request"):
        return "", 204, {"HX-Location": there}
    return redirect(there)


@blueprint.get("/orders/<order_id>")
@access(Access.PUBLIC)
def show(order_id: str) -> str:
    """An order: what it holds and what became of it."""
    order = _order_of_viewer(order_id)
    return render_template(
        "orders/show.html",
        order=order,
        OrderState=OrderState,
        rates=queries.tax_of(order),
        playable=queries.playable(order),
    )


@blueprint.get("/orders")
@access(Access.SIGNED_IN)
def history() -> str:
    """A person's orders."""
    return render_template("orders/history.html", orders=queries.history(current_user.id), OrderState=OrderState)


@blueprint.post("/webhooks/stripe")
@access(Access.SIGNATURE)
def webhook() -> Any:
    """What the gateway tells us. Anything but 2xx makes it tell us again."""
    try:
        event = stripe_gateway.verify_webhook(request.get_data(cache=False), request.headers.get("Stripe-Signature"))
    except BadSignature as error:
        abort(400, str(error))
    settlement.take_event(event)
    created = event.payload.get("created")
    if isinstance(created, int):
        metrics.WEBHOOK_LAG.observe(max(0.0, clock.now().timestamp() - created))
    return "", 204


blueprint.add_app_template_filter(methods.called, "pay_method")


@blueprint.app_template_global("pay_methods")
def _pay_methods(currency: str) -> list[str]:
    """What can be paid with in that currency."""
    return methods.offered(currency, settings().stripe_currency)


@blueprint.app_template_global("unfinished_orders")
def _unfinished() -> list[Order]:
    """The visitor's orders that wait for their payment."""
    account = pages.account()
    return queries.unfinished(account.id if account is not None else None, visible.order_ids())


@blueprint.app_template_filter("date")
def _date(moment: datetime) -> str:
    """A day as the reader writes it."""
    return str(format_date(moment, "long"))


@blueprint.record_once
def _webhook_has_its_own_proof(state: BlueprintSetupState) -> None:
    state.app.extensions["csrf"].exempt(webhook)


def _order_of_viewer(order_id: str) -> Order:
    order = visible.order_for(pages.account(), order_id)
    if order is None and not current_user.is_authenticated:
        abort(current_app.login_manager.unauthorized())  # type: ignore[attr-defined]
    if order is None:
        raise NotFound(_("There is no such order."))
    return order


def _ask_gateway(order: Order, polls: int) -> Order:
    if order.state != OrderState.PENDING or polls < _ASK_AFTER:
        return order
    try:
        return settlement.settle(order.id)
    except PaymentUnavailable:
        return order  # the webhook may still come


def _polls() -> int:
    return min(max(request.args.get("n", 0, type=int), 0), _GIVE_UP_AFTER + 1)


def _polling(polls: int) -> dict[str, Any]:
    return {
        "next_poll": polls + 1 if polls < _GIVE_UP_AFTER else None,
        "delay": 1 if polls < _SLOWER_AFTER else 3,
    }


def _expected() -> Money | None:
    """The total on the page whose button was pressed."""
    minor = request.form.get("total", type=int)
    try:
        return None if minor is None else Money(minor, request.form.get("currency", ""))
    except BadAmount:
        return None


def _base_url() -> str:
    """In production the configured address; on one's own machine whatever name the browser used for it."""
    if settings().environment == "production":
        return settings().base_url
    return request.host_url.rstrip("/")

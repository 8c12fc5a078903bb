"""What buyers do afterwards: give up an order that isn't paid, ask for their money back."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import login
from app.core.auth import Access, access
from app.core.db import db, transaction
from app.core.errors import NotFound
from app.core.i18n import locale_code
from app.orders import refunds, returns, settlement, visitor
from app.orders.locks import locked
from app.orders.models import Order, OrderRefund, OrderState, RefundOrigin, RefundState
from app.payments.contract import PaymentUnavailable

blueprint = Blueprint("after_sales", __name__, url_prefix="/orders")


@blueprint.post("/<order_id>/cancel")
@access(Access.PUBLIC)
def cancel(order_id: str) -> Any:
    """Give up an order that isn't paid: its payment page is closed."""
    there = url_for("orders.show", order_id=_own(order_id).id)
    try:
        order = settlement.cancel(order_id)
    except (settlement.PaymentUnderWay, PaymentUnavailable) as error:
        flash(str(error), "error")
        return redirect(there, 303)
    if order.state == OrderState.CANCELLED:
        flash(_("The order is cancelled. Nothing was taken."), "success")
    else:
        flash(_("This order is paid already. You can ask for the money back."), "error")
    return redirect(there, 303)


@blueprint.get("/<order_id>/refund")
@access(Access.PUBLIC)
def refund(order_id: str) -> Any:
    """What of an order can be given back, and why the rest can't."""
    order = _own(order_id)
    asked = _prove_first(order)
    if asked is not None:
        return asked
    return _page(order, chosen=request.args.getlist("line"))


@blueprint.post("/<order_id>/refund")
@access(Access.PUBLIC)
def ask_for_refund(order_id: str) -> Any:
    """Have whole lines given back, at once."""
    order = _own(order_id)
    asked = _prove_first(order)
    if asked is not None:
        return asked
    chosen, reason = request.form.getlist("line"), " ".join(request.form.get("reason", "").replace("\0", "").split())
    try:
        with transaction():
            held = locked(order.id)
            assert held is not None
            allowed = refunds.by_customer(held)
            if any(line_id not in allowed for line_id in chosen):
                raise refunds.NotRefundable(
                    _("What you chose can’t be given back any more, or is on its way already. Look at the list below.")
                )
            made = refunds.ask(
                held,
                {line_id: allowed[line_id] for line_id in chosen},
                reason=reason,
                origin=RefundOrigin.CUSTOMER,
                asked_by=held.account_id,
            )
    except refunds.NotRefundable as error:
        return _page(_own(order_id), chosen=chosen, reason=reason, wrong=str(error)), error.status
    say_what_came_of(settlement.try_to_carry_out(made.id))
    return redirect(url_for("orders.show", order_id=order_id), 303)


def say_what_came_of(refund: OrderRefund) -> None:
    """Tell whoever asked how far it came."""
    amount = refund.amount.format(locale_code())
    if refund.state == RefundState.DONE:
        flash(_("%(amount)s is on its way back, the way it was paid.", amount=amount), "success")
    elif refund.state == RefundState.ASKED:
        flash(
            _(
                "Giving back %(amount)s is asked for. It will be made as soon as the payment service answers; you need"
                " not ask again.",
                amount=amount,
            )
        )
    elif refund.error == refunds.GIVEN_BACK_BEFORE:
        flash(_("All of this payment was given back before; nothing more moved now."))
    else:
        flash(_("The payment service could not give the money back. Whoever runs the shop has been told."), "error")


def _page(order: Order, *, chosen: list[str], reason: str = "", wrong: str | None = None) -> str:
    return render_template(
        "orders/refund.html",
        order=order,
        told=returns.for_buyer(order) if order.paid_at is not None else [],
        chosen=chosen,
        reason=reason,
        wrong=wrong,
        reason_max=refunds.REASON_MAX,
    )


def _own(order_id: str) -> Order:
    """The viewer's own order, or what this browser ordered as a guest; nobody else's, whatever they may read."""
    order = visitor.order_for(None, order_id)
    if order is None and current_user.is_authenticated:
        found = db.session.get(Order, order_id)
        order = found if found is not None and found.account_id == current_user.id else None
    if order is None:
        raise NotFound(_("There is no such order."))
    return order


def _prove_first(order: Order) -> Any:
    """A guest has nothing to prove it with but this browser; the money goes back only where it came from."""
    if order.account_id is None:
        return None
    chosen = request.values.getlist("line")[: len(order.lines)]
    return login.prove_first(url_for("orders.after_sales.refund", order_id=order.id, line=chosen))

"""Staff's pages about orders: find one, see all of it, give its money back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import login
from app.audit import queries as audit_queries
from app.audit import service as audit
from app.core.auth import Permission, access
from app.core.db import db, transaction
from app.core.errors import NotFound, WavecrateError
from app.core.money import parse_money
from app.orders import refunds, remedies, settlement, staff_queries
from app.orders.after_sales import say_what_came_of
from app.orders.locks import locked
from app.orders.models import Order, OrderRefund, OrderState, RefundOrigin
from app.orders.staff_queries import Dossier

blueprint = Blueprint("staff", __name__, url_prefix="/staff/orders")


@dataclass
class RefundForm:
    """What was typed: kept for the page where it could not be done."""

    what: str = "all"
    lines: list[str] = field(default_factory=list)
    amount: str = ""
    reason: str = ""
    seen: int | None = None  # what could be given back when the page was shown

    @classmethod
    def sent(cls) -> RefundForm:
        """As the request has it."""
        return cls(
            what=request.form.get("what", ""),
            lines=request.form.getlist("line"),
            amount=request.form.get("amount", "")[:40],
            reason=" ".join(request.form.get("reason", "").replace("\0", "").split()),
            seen=request.form.get("seen", type=int),
        )


@blueprint.get("")
@access(Permission.ORDERS_READ)
def find() -> str:
    """Orders by number, e-mail, payment and the like; without words, the newest."""
    state = request.args.get("state", "")
    wanted = staff_queries.Wanted(
        words=request.args.get("q", "").replace("\0", "").strip()[:254] or None,
        state=OrderState(state) if state in set(OrderState) else None,
    )
    found = staff_queries.search(wanted, request.args.get("page", 1, type=int))
    return render_template("orders/staff_find.html", wanted=wanted, found=found, OrderState=OrderState)


@blueprint.get("/<order_id>")
@access(Permission.ORDERS_READ)
def show(order_id: str) -> str:
    """Everything about one order."""
    return _page(_order(order_id), RefundForm())


@blueprint.post("/<order_id>/refund")
@access(Permission.ORDERS_REFUND)
def refund(order_id: str) -> Any:
    """Give back everything, chosen lines, or an amount."""
    there = url_for("orders.staff.show", order_id=_order(order_id).id)
    asked = login.prove_first(there)
    if asked is not None:
        return asked
    form = RefundForm.sent()
    try:
        with transaction():
            made = _ask(order_id, form)
    except WavecrateError as error:
        return _page(_order(order_id), form, wrong=str(error)), error.status
    say_what_came_of(settlement.try_to_carry_out(made.id))
    return redirect(there, 303)


def _ask(order_id: str, form: RefundForm) -> OrderRefund:
    order = locked(order_id)
    assert order is not None
    most = refunds.refundable(order)
    if form.seen != sum(most.values()):
        raise refunds.NotRefundable(
            _("Something was given back since this page was loaded. Look at what is left, then repeat it if need be.")
        )
    if not form.reason:
        raise WavecrateError(_("Say why the money goes back: the buyer may ask, and so may a colleague."))
    if form.what == "lines":
        wanted = {line_id: most.get(line_id, 0) for line_id in form.lines}
    elif form.what == "amount":
        wanted = refunds.spread(order, parse_money(form.amount.replace(",", "."), order.currency))
    else:
        wanted = most
    made = refunds.ask(order, wanted, reason=form.reason, origin=RefundOrigin.STAFF, asked_by=current_user.id)
    audit.record(
        current_user.id,
        "order.refund",
        f"order:{order.id}",
        {"refund": made.id, "minor": made.amount_minor, "currency": made.currency, "lines": made.lines},
    )
    return made


def _page(order: Order, form: RefundForm, wrong: str | None = None) -> str:
    logged = None
    if current_user.may(Permission.AUDIT_READ):
        logged = audit_queries.search(audit_queries.Wanted(subject=f"order:{order.id}")).items
    return render_template(
        "orders/staff_order.html",
        order=order,
        file=Dossier(order),
        form=form,
        wrong=wrong,
        logged=logged,
        name_of=audit_queries.name_of,
        case_title=remedies.title,
        reason_max=refunds.REASON_MAX,
        OrderState=OrderState,
        Permission=Permission,
    )


def _order(order_id: str) -> Order:
    found = db.session.get(Order, order_id)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> NotFound:
    return NotFound(_("There is no such order."))

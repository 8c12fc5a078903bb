"""Giving money back: what can be, by whose wish, and the row that is there before the gateway is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from flask_babel import gettext as _
from sqlalchemy import select

from app.core import clock, queue
from app.core.db import db
from app.core.errors import Conflict
from app.core.money import Money
from app.core.store import settings
from app.licenses import queries as licenses
from app.orders import cases, correspondence, entitlement, queries
from app.orders.models import CaseKind, Order, OrderLine, OrderRefund, RefundOrigin, RefundState
from app.payments.contract import Payment, Refund
from app.pricing.rounding import apportion

CARRY_OUT = "orders.refund"
REASON_MAX = 500
_NEWS = timedelta(days=7)
GIVEN_BACK_BEFORE = "all of it was given back before"


class NotRefundable(Conflict):
    """This can't be given back; the message says why, and what else can be done."""


def ask(
    order: Order, lines: Mapping[str, int], *, reason: str, origin: RefundOrigin, asked_by: str | None = None
) -> OrderRefund:
    """Have so much of these lines (minor units by line id) given back; `order` is locked.

    From here on their licenses count without that money, so that nothing is fetched between the wish and the money. A
    job carries it out once the transaction is committed. Raises NotRefundable where it is more than can be.
    """
    if order.payment_id is None or order.paid_at is None:
        raise NotRefundable(_("Nothing was paid for this order, so there is nothing to give back."))
    wanted = {line_id: minor for line_id, minor in lines.items() if minor}
    if not wanted or any(minor < 0 for minor in wanted.values()):
        raise NotRefundable(_("Choose what to give back: there is nothing left of this, or nothing was chosen."))
    most = refundable(order)
    for line_id, minor in wanted.items():
        if minor > most.get(line_id, 0):
            raise NotRefundable(
                _(
                    "No more than %(most)s can be given back of this. Load the page again.",
                    most=f"{Money(most.get(line_id, 0), order.currency).decimal} {order.currency}",
                )
            )
    amount = Money(sum(wanted.values()), order.currency)
    made = _row(order, order.payment_id, wanted, amount, reason, origin, asked_by)
    entitlement.apply(order)
    return made


def ask_stray(
    order: Order,
    payment: Payment,
    reason: str,
    *,
    origin: RefundOrigin = RefundOrigin.DUPLICATE,
    asked_by: str | None = None,
) -> OrderRefund | None:
    """Have a payment that bought nothing given back whole; None where it is on its way, or there is nothing left.

    The shop itself tries once; a person may try again what failed.
    """
    rest = payment.captured.minor - payment.refunded.minor - payment.disputed.minor
    before = [each.state for each in queries.refunds_of(order.id) if each.payment_id == payment.id]
    counted = before if origin == RefundOrigin.DUPLICATE else [each for each in before if each == RefundState.ASKED]
    if rest <= 0 or counted:
        return None
    return _row(order, payment.id, {}, Money(rest, payment.captured.currency), reason, origin, asked_by)


def refundable(order: Order) -> dict[str, int]:
    """What can be given back of each line, in minor units: what is paid and not on its way back, nor held by a bank,
    nor taken off another purchase since ("complete the album")."""
    remaining = entitlement.left(order)
    credited: dict[str, int] = {}
    for other in queries.crediting(order):
        # What was taken off an album that has been given back itself was taken off nothing.
        if other.order.paid_at is not None and entitlement.left(other.order)[other.id] <= 0:
            continue
        for credit in other.credits:
            credited[credit["line"]] = credited.get(credit["line"], 0) + credit["minor"]
    return {
        line.id: max(0, min(remaining[line.id], line.price_minor - credited.get(line.id, 0))) for line in order.lines
    }


def spread(order: Order, amount: Money) -> dict[str, int]:
    """An amount over the order's lines, as far as each can be given back; raise NotRefundable for more than that."""
    most = refundable(order)
    if amount.currency != order.currency or not 0 < amount.minor <= sum(most.values()):
        raise NotRefundable(
            _(
                "Give back an amount up to %(most)s.",
                most=f"{Money(sum(most.values()), order.currency).decimal} {order.currency}",
            )
        )
    return apportion(amount.minor, most)


def by_customer(order: Order) -> dict[str, int]:
    """What the buyer may have back by themselves, whole lines only: within REFUND_DAYS of paying or, of what is not
    out yet, until it is; and nothing of it downloaded, no rental begun, no gift claimed."""
    if order.paid_at is None:
        return {}
    most = refundable(order)
    return {
        line.id: most[line.id]
        for line in order.lines
        if 0 < most[line.id] == line.price_minor and _is_unused(order, line)
    }


def carried_out(refund: OrderRefund, order: Order, made: Refund | None) -> None:
    """Note what the gateway made of it; `order` is locked and its books are up to date."""
    if refund.state != RefundState.ASKED:
        return
    refund.settled_at = clock.now()
    if made is None:
        refund.state, refund.error = RefundState.FAILED, GIVEN_BACK_BEFORE
    else:
        _settle(refund, order, made)
    db.session.flush()
    entitlement.apply(order)


def refused(refund: OrderRefund, order: Order, why: str) -> None:
    """The gateway won't: what was paid stays paid, and a person must look."""
    if refund.state != RefundState.ASKED:
        return
    refund.state, refund.error, refund.settled_at = RefundState.FAILED, why[:REASON_MAX], clock.now()
    db.session.flush()
    _raise(refund, order)
    entitlement.apply(order)


def heard(order: Order, payment: Payment) -> None:
    """Rows follow what the gateway says of the refunds it made for them, whoever hears it first. The buyer is told of
    those that were made at the gateway itself, too; not of what is heard of for the first time long after."""
    rows = {each.id: each for each in queries.refunds_of(order.id)}
    for made in payment.refunds:
        row = rows.get(made.key or "")
        if row is not None and row.payment_id == payment.id:
            _settle(row, order, made)
        elif row is None and made.state.returned and clock.now() - made.created < _NEWS:
            correspondence.refunded(order, None, made.amount, reference=made.id)
    db.session.flush()


def unfinished(limit: int) -> list[str]:
    """Refunds the gateway still has to be asked for, oldest first."""
    return list(
        db.session.scalars(
            select(OrderRefund.id)
            .where(OrderRefund.state == RefundState.ASKED)
            .order_by(OrderRefund.created_at, OrderRefund.id)
            .limit(limit)
        )
    )


def _row(
    order: Order,
    payment_id: str,
    lines: Mapping[str, int],
    amount: Money,
    reason: str,
    origin: RefundOrigin,
    asked_by: str | None,
) -> OrderRefund:
    made = OrderRefund(
        order_id=order.id,
        payment_id=payment_id,
        origin=origin,
        asked_by=asked_by,
        reason=reason[:REASON_MAX],
        currency=amount.currency,
        amount_minor=amount.minor,
        lines=dict(lines),
        state=RefundState.ASKED,
    )
    db.session.add(made)
    db.session.flush()
    queue.defer(CARRY_OUT, queue_name=queue.DEFAULT, args={"refund_id": made.id})
    return made


def _settle(row: OrderRefund, order: Order, made: Refund) -> None:
    before = row.state
    row.gateway_id, row.settled_at = made.id, row.settled_at or clock.now()
    row.state = RefundState.DONE if made.state.returned else RefundState.FAILED
    if row.state == RefundState.FAILED and before != RefundState.FAILED:
        row.error = "the buyer's bank sent it back"
        db.session.flush()
        _raise(row, order)
    elif row.state == RefundState.DONE and before != RefundState.DONE:
        correspondence.refunded(order, row, row.amount)


def _raise(row: OrderRefund, order: Order) -> None:
    cases.raise_case(
        CaseKind.REFUND_REFUSED,
        f"refund:{row.id}",
        order_id=order.id,
        payment_id=row.payment_id,
        facts={"amount": f"{row.amount.decimal} {row.currency}", "reason": row.reason, "error": row.error or ""},
    )


def _is_unused(order: Order, line: OrderLine) -> bool:
    held = licenses.granted([key for key, _release, _track in line.grants]).values()
    now = clock.now()
    assert order.paid_at is not None
    for each in held:
        in_time = now < order.paid_at + timedelta(days=settings().refund_days) or now < each.begins_at
        if each.downloaded_at or each.first_played_at or not in_time or (line.is_gift and each.account_id):
            return False
    return bool(held)

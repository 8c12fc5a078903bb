"""What a buyer may send back by themselves, line by line, and in words why the rest can't be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask_babel import format_date
from flask_babel import gettext as _

from app.core import clock
from app.core.money import Money
from app.core.store import settings
from app.ledger import queries as ledger
from app.ledger.models import Book
from app.licenses import queries as licenses
from app.licenses.models import License
from app.orders import entitlement, queries, refunds
from app.orders.models import Order, OrderLine, RefundState


@dataclass(frozen=True, slots=True)
class Returnable:
    """A line as the buyer is shown it: what comes back for it, or (`why`) why nothing does."""

    line: OrderLine
    amount: Money
    why: str | None = None
    awaited: bool = False  # it is not out yet: giving it back cancels a pre-order


def for_buyer(order: Order) -> list[Returnable]:
    """Every line of a paid order, in its order."""
    allowed = refunds.by_customer(order)
    remaining = entitlement.left(order)
    held = licenses.granted([key for line in order.lines for key, _release, _track in line.grants])
    told = []
    for line in order.lines:
        mine = [held[key] for key, _release, _track in line.grants if key in held]
        awaited = any(clock.now() < each.begins_at for each in mine)
        amount = Money(allowed.get(line.id, 0), order.currency)
        why = None if line.id in allowed else _why_not(order, line, remaining[line.id], mine)
        told.append(Returnable(line, amount, why, awaited))
    return told


def _why_not(order: Order, line: OrderLine, left: int, held: list[License]) -> str:
    if line.price_minor == 0:
        return _("This was free.")
    if left < line.price_minor:
        return _where_its_money_is(order, line, left)
    taker = next(
        (each for each in queries.crediting(order) if any(credit["line"] == line.id for credit in each.credits)), None
    )
    if taker is not None:
        return _(
            "Its price was taken off “%(title)s”, which you bought later. Give that back first.", title=taker.title
        )
    downloaded = min((each.downloaded_at for each in held if each.downloaded_at), default=None)
    if downloaded is not None:
        return _("It was downloaded on %(day)s.", day=format_date(downloaded, "long"))
    if any(each.first_played_at for each in held):
        return _("The rental has begun.")
    if line.is_gift and any(each.account_id for each in held):
        return _("The gift has been claimed.")
    assert order.paid_at is not None
    until = order.paid_at + timedelta(days=settings().refund_days)
    return _(
        "You could have the money back within %(days)s days, until %(day)s.",
        days=settings().refund_days,
        day=format_date(until, "long"),
    )


def _where_its_money_is(order: Order, line: OrderLine, left: int) -> str:
    if any(each.state == RefundState.ASKED and line.id in each.lines for each in queries.refunds_of(order.id)):
        return _("Its money is on its way back to you.")
    money = ledger.line_money(order.id).get(line.id, {})
    if money.get(Book.DISPUTES) or money.get(Book.LOSSES):
        return _("Your bank questions this payment: they decide about the money.")
    if left <= 0:
        return _("Its money was given back.")
    return _("A part of it was given back already. Answer the e-mail with your receipt about the rest.")

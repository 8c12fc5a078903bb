"""What the gateway says of a payment, written into the ledger. Each movement once, whatever is heard how often.

The gateway's account of a payment only grows (a refund that fails stays, as failed), so an older answer that arrives
after a newer one writes nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.core.money import Money
from app.ledger import queries as ledger
from app.ledger.models import Book, EntryKind
from app.ledger.service import Post, write
from app.orders import queries
from app.orders.models import Order
from app.payments.contract import Dispute, DisputeState, Payment, Refund
from app.pricing.rounding import apportion

_EARNED = (Book.GIFTS, Book.SALES)
_SOLD = (*_EARNED, Book.TAX)


def sold(order: Order, at: datetime) -> None:
    """The buyer owes what the order comes to; each line's net is earned (a gift's once claimed), its tax owed."""
    posts = [Post(Book.BUYERS, order.total)]
    for line in order.lines:
        earned = Book.GIFTS if line.is_gift else Book.SALES
        posts.append(Post(earned, Money(-line.net_minor, order.currency), line.id))
        posts.append(Post(Book.TAX, Money(-line.tax_minor, order.currency), line.id))
    write(EntryKind.ORDER, f"order:{order.id}", posts, at=at, order_id=order.id, payment_id=order.payment_id)


def follow(order: Order | None, payment: Payment) -> None:
    """Bring the books to what the gateway says of a payment that succeeded; `order`, locked, is the one it names.

    The order's own payment settles what the buyer owes. Any other has bought nothing: it waits on UNAPPLIED until it
    is given back. Where a refund doesn't say which lines it is for, all share it.
    """
    own = order is not None and order.payment_id == payment.id
    order_id = order.id if order is not None else None
    if order is not None and own:
        sold(order, payment.created)
    write(
        EntryKind.PAYMENT,
        f"payment:{payment.id}",
        [
            Post(Book.GATEWAY, payment.captured),
            Post(Book.BUYERS if own else Book.UNAPPLIED, _less(payment.captured)),
        ],
        at=payment.created,
        order_id=order_id,
        payment_id=payment.id,
        facts={"method": payment.method or ""},
    )
    if payment.fee is not None:
        write(
            EntryKind.FEE,
            f"fee:{payment.id}",
            [Post(Book.FEES, payment.fee), Post(Book.GATEWAY, _less(payment.fee))],
            at=payment.created,
            order_id=order_id,
            payment_id=payment.id,
        )
    for refund in sorted(payment.refunds, key=lambda each: (each.created, each.id)):
        _refund(order if own else None, order_id, refund)
    for dispute in sorted(payment.disputes, key=lambda each: (each.created, each.id)):
        _dispute(order if own else None, order_id, dispute)


def behind(order: Order) -> dict[str, int]:
    """The money that stands behind each line, in minor units; nothing where a line is not in it."""
    return {line_id: sum(accounts.values()) for line_id, accounts in ledger.line_money(order.id).items()}


def _refund(order: Order | None, order_id: str | None, refund: Refund) -> None:
    key = f"refund:{refund.id}"
    if ledger.entry(key) is None:
        write(
            EntryKind.REFUND,
            key,
            [Post(Book.GATEWAY, _less(refund.amount)), *_given_back(order, refund)],
            at=refund.created,
            order_id=order_id,
            payment_id=refund.payment_id,
            facts={"key": refund.key or ""},
        )
    if not refund.state.returned:
        _reverse(EntryKind.REFUND_FAILED, key, f"refund_failed:{refund.id}", refund.created)


def _given_back(order: Order | None, refund: Refund) -> list[Post]:
    if order is None:
        return [Post(Book.UNAPPLIED, refund.amount)]
    money = ledger.line_money(order.id)
    # What a bank holds of a line doesn't count here: given back and disputed, it is gone twice until that is decided.
    room = {line_id: sum(max(0, held.get(book, 0)) for book in _SOLD) for line_id, held in money.items()}
    wished = next((each.lines for each in queries.refunds_of(order.id) if each.id == refund.key), {})
    if sum(wished.values()) != refund.amount.minor:
        wished = {}
    shares = {line_id: min(minor, room.get(line_id, 0)) for line_id, minor in wished.items()}
    # What wasn't wished of a line, or is gone from it already, is gone from the others.
    room = {line_id: minor - shares.get(line_id, 0) for line_id, minor in room.items()}
    rest = refund.amount.minor - sum(shares.values())
    spread = apportion(min(rest, sum(room.values())), room)
    over = rest - sum(spread.values())
    posts = []
    for line_id, held in money.items():
        minor = shares.get(line_id, 0) + spread[line_id]
        earned, tax = (sum(max(0, held.get(book, 0)) for book in books) for books in (_EARNED, (Book.TAX,)))
        taxed = apportion(minor, {"tax": tax, "net": earned})["tax"] if minor else 0
        from_gifts = min(max(0, held.get(Book.GIFTS, 0)), minor - taxed)
        for book, part in ((Book.TAX, taxed), (Book.GIFTS, from_gifts), (Book.SALES, minor - taxed - from_gifts)):
            posts.append(Post(book, Money(part, order.currency), line_id))
    return [*posts, Post(Book.LOSSES, Money(over, order.currency))]


def _dispute(order: Order | None, order_id: str | None, dispute: Dispute) -> None:
    if dispute.state is DisputeState.INQUIRY:
        return
    key = f"dispute:{dispute.id}"
    if ledger.entry(key) is None:
        posts = [Post(Book.GATEWAY, _less(dispute.amount))]
        shares = _shares(dispute.amount.minor, ledger.line_money(order.id)) if order is not None else {}
        currency = dispute.amount.currency
        posts += [Post(Book.DISPUTES, Money(minor, currency), line_id) for line_id, minor in shares.items()]
        posts.append(Post(Book.DISPUTES, Money(dispute.amount.minor - sum(shares.values()), currency)))
        write(
            EntryKind.DISPUTE,
            key,
            posts,
            at=dispute.created,
            order_id=order_id,
            payment_id=dispute.payment_id,
            facts={"reason": dispute.reason},
        )
    if dispute.state is DisputeState.WON:
        _reverse(EntryKind.DISPUTE_WON, key, f"dispute_won:{dispute.id}", dispute.created)
    elif dispute.state is DisputeState.LOST:
        taken = ledger.entry(key)
        assert taken is not None
        held = [each for each in taken.postings if each.account == Book.DISPUTES]
        write(
            EntryKind.DISPUTE_LOST,
            f"dispute_lost:{dispute.id}",
            [
                post
                for each in held
                for post in (
                    Post(Book.DISPUTES, Money(-each.minor, each.currency), each.line_id),
                    Post(Book.LOSSES, Money(each.minor, each.currency), each.line_id),
                )
            ],
            at=dispute.created,
            order_id=order_id,
            payment_id=dispute.payment_id,
        )


def _reverse(kind: EntryKind, key: str, under: str, at: datetime) -> None:
    """What an entry moved is moved back."""
    before = ledger.entry(key)
    assert before is not None
    write(
        kind,
        under,
        [Post(Book(each.account), Money(-each.minor, each.currency), each.line_id) for each in before.postings],
        at=at,
        order_id=before.order_id,
        payment_id=before.payment_id,
    )


def _shares(minor: int, money: Mapping[str, Mapping[Book, int]]) -> dict[str, int]:
    """An amount over the lines that still have money behind them, never more than they have."""
    left = {line_id: max(0, sum(accounts.values())) for line_id, accounts in money.items()}
    return apportion(min(minor, sum(left.values())), left)


def _less(amount: Money) -> Money:
    return Money(-amount.minor, amount.currency)

"""From a payment to licenses: the one way either happens, whoever brings the news and however often."""

from __future__ import annotations

import logging
from collections.abc import Sequence, Set

from flask_babel import gettext as _
from sqlalchemy import func, select

from app.cart import service as carts
from app.catalog.models import OfferKind
from app.core import clock
from app.core.db import db
from app.discovery import events
from app.discovery.models import EventKind
from app.licenses import service as licenses
from app.licenses.models import License
from app.orders import books, cases, claims, correspondence, entitlement, queries, refunds
from app.orders.locks import locked
from app.orders.models import CaseKind, Order, OrderLine, OrderState, RefundOrigin
from app.payments.contract import CheckoutStatus, Payment
from app.pricing import coupons
from app.pricing import service as pricing
from app.pricing.contract import Agreement

log = logging.getLogger(__name__)

Thing = tuple[str | None, str | None]
"""What a license is for: (release, None) or (None, track)."""


def follow(order: Order | None, payment: Payment, checkout: CheckoutStatus | None, *, live: bool) -> None:
    """Take in what the gateway says of a payment, just now: grant, give back, and write the books. Repeats change
    nothing more.

    `order`, locked, is the one that the payment names; `checkout` is the payment page that it came by, where that was
    asked as well; `live` is whether the shop's own key moves real money. Where amount, currency, order or that differ
    from the order's snapshot, nothing is granted and a case is raised.
    """
    if not payment.succeeded:
        return
    wrong = _difference(order, payment, checkout, live=live)
    if wrong is not None:
        _mismatch(order, payment, wrong, live=live)
        return
    assert order is not None
    first = order.payment_id is None
    if first:
        _pay(order, payment)
    elif order.payment_id != payment.id and refunds.ask_stray(order, payment, "paid twice for one order"):
        log.warning("order %s (%s) was paid twice; %s goes back", order.number, order.id, payment.id)
    _keep_books(order, payment)
    for dispute in payment.disputes:
        cases.raise_case(
            CaseKind.DISPUTE,
            f"dispute:{dispute.id}",
            order_id=order.id,
            payment_id=payment.id,
            facts={"amount": f"{dispute.amount.decimal} {dispute.amount.currency}", "reason": dispute.reason},
        )
    returning = [] if first else _returning(order)
    _give_back_what_was_owned(order, order.lines if first else returning)
    entitlement.apply(order)
    _give_back_what_came_between(order, returning)


def free(order: Order) -> None:
    """An order that costs nothing is paid as soon as it is placed."""
    if order.total_minor or order.paid_at is not None:
        raise ValueError(f"order {order.id} is not free, or was given already")
    _grant(order)


def _pay(order: Order, payment: Payment) -> None:
    # A cancelled order whose page was paid at the last moment is paid all the same: the buyer's money was taken.
    order.payment_id, order.paid_by = payment.id, payment.method
    _grant(order)
    kept = pricing.add_card_country(order.id, payment.card_country)
    if kept is not None and kept.agreement == Agreement.CONFLICT:
        cases.raise_case(
            CaseKind.COUNTRY,
            f"country:{order.id}",
            order_id=order.id,
            payment_id=payment.id,
            facts={"billing": kept.billing_country or "", "card": kept.card_country or ""},
        )


def _grant(order: Order) -> None:
    order.state, order.paid_at, order.checkout_url = OrderState.PAID, clock.now(), None
    coupons.take(order.id)
    for line in order.lines:
        owner = None if line.is_gift else order.account_id
        rental = None
        if line.offer.rental_days is not None and line.offer.rental_hours is not None:
            rental = (line.offer.rental_days, line.offer.rental_hours)
        for key, release_id, track_id in line.grants:
            licenses.grant(owner, release_id=release_id, track_id=track_id, grant_key=key, rental=rental)
        if owner is not None:
            releases = [release.id for release in line.offer.releases]
            events.note_together(owner, releases, EventKind.PURCHASE, track_id=line.offer.track_id)
    carts.clear_bought(order.account_id, order.email, [(line.offer, line.gift_to) for line in order.lines])
    db.session.flush()
    claims.make_for(order)
    correspondence.receipt(order)
    log.info("order %s (%s) paid: %s", order.number, order.id, order.total)


def _keep_books(order: Order, payment: Payment) -> None:
    """Write down what moved of a payment that bought the order, in money and with it."""
    books.follow(order, payment)
    claims.earn(order)
    refunds.heard(order, payment)


def _difference(
    order: Order | None, payment: Payment, checkout: CheckoutStatus | None, *, live: bool
) -> dict[str, str] | None:
    """What of the payment isn't as the order's snapshot says; None: it is."""
    if order is None:
        return {"expected": "an order of this shop", "found": payment.order_id or "none"}
    expected = (str(order.total.decimal), order.currency, "live" if live else "test", order.id)
    told = [
        (
            str(payment.captured.decimal),
            payment.captured.currency,
            "live" if payment.livemode else "test",
            payment.order_id,
        )
    ]
    if checkout is not None:
        total, mode = checkout.total, "live" if checkout.livemode else "test"
        told.append((str(total.decimal), total.currency, mode, checkout.order_id))
    for found in told:
        if found != expected:
            return {"expected": " ".join(expected), "found": " ".join(part or "no order" for part in found)}
    return None


def _mismatch(order: Order | None, payment: Payment, wrong: dict[str, str], *, live: bool) -> None:
    if order is not None and order.payment_id == payment.id:
        _keep_books(order, payment)  # it was right when it was paid, and the books go on
        entitlement.apply(order)
        return
    raised = cases.raise_case(
        CaseKind.MISMATCH,
        f"payment:{payment.id}",
        order_id=order.id if order else None,
        payment_id=payment.id,
        facts=wrong,
    )
    if raised:
        log.error("payment %s is not what was ordered, nothing granted: %s", payment.id, wrong)
    if payment.livemode == live:
        books.follow(order, payment)
    if order is not None:
        refunds.heard(order, payment)
        cancel(order)


def cancel(order: Order) -> None:
    """Give up an order that wasn't paid; any other stays as it is. `order` is locked."""
    if order.state == OrderState.PENDING:
        order.state, order.checkout_url = OrderState.CANCELLED, None
        coupons.release(order.id)
        db.session.flush()


def _give_back_what_was_owned(order: Order, lines: Sequence[OrderLine]) -> None:
    """A line that gives nothing the buyer hasn't otherwise is given back, as far as it can be, and once."""
    twice = _bought_twice(order, lines)
    if not twice:
        return
    tried = {
        line_id
        for each in queries.refunds_of(order.id)
        if each.origin == RefundOrigin.DUPLICATE
        for line_id in each.lines
    }
    most = refunds.refundable(order)
    wanted = {line.id: most[line.id] for line in twice if most[line.id] > 0 and line.id not in tried}
    if wanted:
        refunds.ask(order, wanted, reason=_("Bought twice"), origin=RefundOrigin.DUPLICATE)


def _give_back_what_came_between(order: Order, returned: Sequence[OrderLine]) -> None:
    """What the buyer bought while these lines' licenses were gone, and has twice now that they are back."""
    remaining = entitlement.left(order)
    back = set[Thing]().union(*(_given_by(line) for line in returned if remaining[line.id] > 0))
    if not back:
        return
    for order_id in queries.paid_after(order):
        later = locked(order_id)
        assert later is not None
        _give_back_what_was_owned(later, [line for line in later.lines if _covered(line, back)])


def _returning(order: Order) -> list[OrderLine]:
    """Lines whose money is back, and whose licenses are about to be: a dispute was won, or a refund failed. What they
    give may have been bought anew meanwhile."""
    remaining = entitlement.left(order)
    keys = [key for line in order.lines if remaining[line.id] > 0 for key, _release, _track in line.grants]
    fallen = select(License.grant_key).where(License.grant_key.in_(keys), License.revoked_at.is_not(None))
    of_lines = {key.partition(":")[0] for key in db.session.scalars(fallen)}
    return [line for line in order.lines if line.id in of_lines]


def _bought_twice(order: Order, lines: Sequence[OrderLine]) -> list[OrderLine]:
    """Of lines that stand, or are about to, those whose every thing the buyer has for good without them: by another
    purchase, or by one of these lines that isn't named itself."""
    remaining = entitlement.left(order)
    staying = [
        line
        for line in lines
        if not line.is_gift
        and line.offer.kind != OfferKind.RENTAL
        and (line.price_minor == 0 or remaining[line.id] > 0)
    ]
    held, twice = _held_without(order, lines), []
    for line in [each for each in staying if each.price_minor]:
        others = held.union(*(_given_by(each) for each in staying if each is not line))
        if _covered(line, others) == _given_by(line):
            staying.remove(line)
            twice.append(line)
    return twice


def _given_by(line: OrderLine) -> set[Thing]:
    """What each license of the line is for."""
    return {(release_id, track_id) for _key, release_id, track_id in line.grants}


def _covered(line: OrderLine, held: Set[Thing]) -> set[Thing]:
    """What of the line is held already, by itself or with its album."""
    album = line.offer.subject_release.id
    return {thing for thing in _given_by(line) if thing in held or (thing[1] and (album, None) in held)}


def _held_without(order: Order, lines: Sequence[OrderLine]) -> set[Thing]:
    """What the buyer holds for good but for these lines. Purchases take turns (`locks`), so of two of one thing the
    first doesn’t see the second."""
    mine = select(License.grant_key, License.release_id, License.track_id).where(
        License.revoked_at.is_(None), License.rental_days.is_(None)
    )
    if order.account_id is not None:
        mine = mine.where(License.account_id == order.account_id)
    else:
        sold = (
            select(OrderLine.id)
            .join(Order, Order.id == OrderLine.order_id)
            .where(Order.account_id.is_(None), Order.paid_at.is_not(None))
            .where(func.lower(Order.email) == order.email.lower())
            .where(OrderLine.gift_to.is_(None))
        )
        mine = mine.where(func.split_part(License.grant_key, ":", 1).in_(sold))
    granted = {key for line in lines for key, _release, _track in line.grants}
    return {(each.release_id, each.track_id) for each in db.session.execute(mine) if each.grant_key not in granted}

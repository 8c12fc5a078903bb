"""`wavecrate ledger verify`: the books proved by themselves, then held against the gateway's own list.

Nothing is changed. What differs is looked at twice, for money moves while this reads; and what began a short while ago
may be under way and is only counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from app.core import clock
from app.core.db import db, transaction
from app.core.errors import NotFound
from app.core.money import Money
from app.ledger import queries as ledger
from app.ledger.models import Entry, EntryKind
from app.ledger.queries import PaymentTotals
from app.orders import cases, entitlement, proving, settlement
from app.orders.locks import locked
from app.orders.models import CaseKind, Order
from app.orders.proving import Difference, Fault, Told
from app.payments import stripe_gateway as gateway
from app.payments.contract import Payment

UNDER_WAY = timedelta(minutes=30)  # by then the sweep has asked several times
_NIGHTLY = timedelta(days=180)  # a bank can dispute a payment for about four months
_BATCH = 100
_NAMED = 50


@dataclass
class Proof:
    """What was looked at and what differs. `under_way` counts payments too young to tell."""

    since: datetime | None
    entries: int = 0
    orders: int = 0
    payments: int = 0
    under_way: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether all is as it should be."""
        return not self.differences

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        told = asdict(self)
        return told | {"since": self.since.isoformat() if self.since else None, "clean": self.clean}


def prove(since: datetime | None = None, on_progress: Told = lambda _done, _total, _name: None) -> Proof:
    """Look through the shop's own rows; orders paid and payments begun `since` then, entries all. Opens a transaction
    of its own."""
    made = Proof(since)
    db.session.rollback()
    with transaction():
        # One moment of it all, however long it takes and whatever is sold meanwhile.
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
        made.entries, made.orders = proving.entries(), proving.counted(since)
        made.differences += [*proving.guards(), *proving.sums(), *proving.orders(since, on_progress)]
    return made


def compare(made: Proof, on_progress: Told = lambda _done, _total, _name: None) -> Proof:
    """Hold the books against the gateway's list and add what differs. Raises PaymentUnavailable where it doesn't
    answer; what was found until then stays in `made`."""
    since = made.since
    with transaction():
        in_books = set(db.session.scalars(_booked(since)))
    listed, suspects = set(), []
    payments = gateway.list_payments(since or datetime.fromtimestamp(0, UTC))
    while batch := list(islice(payments, _BATCH)):
        ours = [each for each in batch if each.succeeded and each.livemode == gateway.livemode()]
        with transaction():
            totals = ledger.of_payments([each.id for each in ours])
        for each in ours:
            listed.add(each.id)
            known = totals.get(each.id)
            if known is None and each.order_id is None:
                continue  # whatever else the account is used for
            made.payments += 1
            if next(_differences(each, known), None) is not None:
                suspects.append(each)
        on_progress(made.payments, max(len(in_books), made.payments), batch[-1].id)
    for each in suspects:
        _look_again(made, each)
    for payment_id in sorted(in_books - listed):
        made.differences.append(
            Difference(
                Fault.NOT_AT_GATEWAY,
                payment_id,
                _("The books have a payment that the payment service doesn’t list."),
                _(
                    "See that the shop’s key is of the account that took it: there a payment is never deleted. If it"
                    " is, somebody wrote into the ledger past the shop."
                ),
            )
        )
    return made


def follow(name: str) -> None:
    """Bring the books of a payment (its id) or an order (its number) to what the gateway says, and its licenses to
    what the books say: the remedy for most differences. Raises NotFound, or PaymentUnavailable."""
    if not name.isdigit():
        settlement.follow_payment(name)
        return
    with transaction():
        order_id = db.session.scalar(select(Order.id).where(Order.number == int(name)))
    if order_id is None:
        raise NotFound(_("There is no such order."))
    settlement.settle(order_id)
    with transaction():
        order = locked(order_id)
        assert order is not None
        entitlement.apply(order)


def nightly() -> Proof:
    """Prove and compare the last half year, and raise a case for what differs; the same differences raise one."""
    made = compare(prove(clock.now() - _NIGHTLY))
    if not made.clean:
        told = sorted(f"{each.subject}: {each.says} {each.remedy}" for each in made.differences)
        digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]
        with transaction():
            cases.raise_case(
                CaseKind.BOOKS,
                f"books:{digest}",
                facts={
                    "expected": _("no differences"),
                    "found": str(len(told)),
                    "differences": told[:_NAMED],
                },
            )
    return made


def _booked(since: datetime | None) -> Any:
    wanted = select(Entry.payment_id).where(Entry.kind == EntryKind.PAYMENT)
    return wanted.where(Entry.at >= since) if since else wanted


def _look_again(made: Proof, payment: Payment) -> None:
    now = gateway.read_payment(payment.id)
    with transaction():
        known = ledger.of_payments([payment.id]).get(payment.id)
    found = list(_differences(now, known))
    if found and clock.now() - now.created < UNDER_WAY:
        made.under_way += 1
    else:
        made.differences += found


def _differences(payment: Payment, known: PaymentTotals | None) -> Iterator[Difference]:
    """What of a payment the books have otherwise."""
    remedy = _("Run “wavecrate ledger follow %(payment)s”.", payment=payment.id)
    if known is None:
        order = payment.order_id or _("none")
        yield Difference(
            Fault.NOT_IN_BOOKS,
            payment.id,
            _(
                "The payment service has %(amount)s that the books don’t, for order %(order)s.",
                amount=f"{payment.captured.decimal} {payment.captured.currency}",
                order=order,
            ),
            remedy,
        )
        return
    booked = known.currency or payment.captured.currency
    pairs = [
        (_("captured"), payment.captured, Money(known.captured, booked)),
        (_("given back"), payment.refunded, Money(known.refunded, booked)),
        (_("held by banks"), payment.disputed, Money(known.disputed, booked)),
        (_("fee"), payment.fee, known.fee or (Money(0, payment.fee.currency) if payment.fee else None)),
    ]
    for what, theirs, ours in pairs:
        if theirs is not None and ours is not None and theirs != ours:
            yield Difference(
                Fault.AMOUNTS,
                payment.id,
                _(
                    "%(what)s: the payment service says %(theirs)s, the books say %(ours)s.",
                    what=what,
                    theirs=f"{theirs.decimal} {theirs.currency}",
                    ours=f"{ours.decimal} {ours.currency}",
                ),
                remedy,
            )

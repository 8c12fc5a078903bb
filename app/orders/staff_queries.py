"""Orders as staff look for them, and all there is to know about one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import ColumnElement, func, or_, select

from app.accounts.models import Account
from app.core.db import Identified, db
from app.core.money import Money
from app.core.paging import Page, page_of
from app.ledger import queries as ledger
from app.ledger.models import Entry, EntryKind
from app.ledger.queries import PaymentTotals
from app.letters import queries as letters
from app.letters.models import Letter
from app.licenses import queries as licenses
from app.licenses.models import License
from app.orders import books, entitlement, queries, refunds
from app.orders.models import Case, Claim, Order, OrderLine, OrderRefund, OrderState

PAGE_SIZE = 50
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is None doesn't matter."""

    words: str | None
    state: OrderState | None


def search(wanted: Wanted, page: int) -> Page[Order]:
    """Orders, newest first, by number, a part of the buyer's e-mail (then or now), an id: of the account, the order, a
    payment, a payment page or a refund."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.words:
        conditions.append(_named(wanted.words))
    if wanted.state:
        conditions.append(Order.state == wanted.state)
    return page_of(select(Order).where(*conditions), Order.number.desc(), number=page, size=PAGE_SIZE)


def _named(words: str) -> ColumnElement[bool]:
    if words.isascii() and words.isdigit() and int(words) <= _LARGEST:
        return Order.number == int(words)
    by_id = or_(
        Order.id == words,
        Order.account_id == words,
        Order.payment_id == words,
        Order.checkout_id == words,
        Order.id.in_(select(Entry.order_id).where(Entry.payment_id == words, Entry.order_id.is_not(None))),
        Order.id.in_(select(OrderRefund.order_id).where(OrderRefund.gateway_id == words)),
    )
    if len(words) < 3:
        return by_id
    like = words.lower()
    accounts = select(Account.id).where(Account.email.contains(like, autoescape=True))
    written = func.lower(Order.email).contains(like, autoescape=True)
    return or_(by_id, written, Order.account_id.in_(accounts))


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A line with what became of it."""

    line: OrderLine
    behind: Money  # the money that stands behind it
    refundable: Money
    licenses: list[tuple[str, License | None]]  # by grant key; None: never granted


@dataclass(frozen=True)
class Dossier:
    """Everything about one order. Each part is read when it is asked for: not all staff may see all of it."""

    order: Order

    @cached_property
    def buyer(self) -> Account | None:
        """The account; None for a guest's."""
        return db.session.get(Account, self.order.account_id) if self.order.account_id else None

    @cached_property
    def lines(self) -> list[LineFacts]:
        """The lines, in their order."""
        order = self.order
        money, most = books.behind(order), refunds.refundable(order)
        held = licenses.granted([key for line in order.lines for key, _release, _track in line.grants])
        return [
            LineFacts(
                line=line,
                behind=Money(money.get(line.id, 0), order.currency),
                refundable=Money(most[line.id], order.currency),
                licenses=[(key, held.get(key)) for key, _release, _track in line.grants],
            )
            for line in order.lines
        ]

    @property
    def refundable(self) -> Money:
        """What can be given back of all of it."""
        return Money(sum(each.refundable.minor for each in self.lines), self.order.currency)

    @cached_property
    def left(self) -> Money:
        """What is paid and neither given back, nor asked to be, nor held by a bank."""
        return Money(sum(max(0, each) for each in entitlement.left(self.order).values()), self.order.currency)

    @cached_property
    def refunds(self) -> list[OrderRefund]:
        """What was given back, or is to be."""
        return queries.refunds_of(self.order.id)

    @cached_property
    def payments(self) -> list[tuple[str, PaymentTotals]]:
        """The payments that came in for it, as the books have them: its own first."""
        named = [self.order.payment_id, *ledger.payments_of(self.order.id)]
        return [(each, ledger.of_payment(each)) for each in dict.fromkeys(named) if each]

    @cached_property
    def entries(self) -> list[Entry]:
        """What the ledger has about it."""
        return ledger.of_order(self.order.id)

    @cached_property
    def claims(self) -> list[Claim]:
        """What waits, or waited, for its owner."""
        return list(
            db.session.scalars(select(Claim).where(Claim.order_id == self.order.id).order_by(Claim.created_at)).unique()
        )

    @cached_property
    def cases(self) -> list[Case]:
        """What a person had to look at, or has to."""
        return list(db.session.scalars(select(Case).where(Case.order_id == self.order.id).order_by(Case.number)))

    @cached_property
    def letters(self) -> Sequence[Letter]:
        """What the shop wrote about it."""
        mine: list[Identified] = [self.order, *self.refunds, *self.claims, *self.cases]
        about = [each.id for each in mine]
        about += [each.key.partition(":")[2] for each in self.entries if each.kind == EntryKind.REFUND]
        return letters.about(about, since=self.order.created_at)

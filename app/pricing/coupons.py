"""Coupons: made by staff, checked for a buyer, and reserved, taken or given back with an order.

Nothing here commits. An order's use of a coupon goes reserved → taken, or reserved → released; each step is written
under a condition that the database holds, never after a count, and each can be repeated.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.core import clock, codes, ids
from app.core.db import db
from app.core.errors import Conflict, WavecrateError
from app.core.money import MOST_MINOR, Money
from app.pricing.contract import CurrencyTerms, Reduction, Refusal
from app.pricing.models import Coupon, CouponCode, CouponScope, CouponTally, CouponTerms, CouponUse, UseState

log = logging.getLogger(__name__)

MOST_CODES = 10_000


class BadCoupon(WavecrateError):
    """A coupon like that can't be made; the message says what to change."""


class CouponRefused(Conflict):
    """This buyer can't use that code now; the message says why."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Who uses a coupon: an account, a guest by e-mail, or an account with its e-mail, which then count as one.

    `has_ordered`: whether they have a paid order already.
    """

    account_id: str | None = None
    email: str | None = None
    has_ordered: bool = False

    @property
    def keys(self) -> list[str]:
        """Under what names their uses are counted, always in one order."""
        email = (self.email or "").strip().lower()
        return sorted(key for key in (self.account_id, _hashed(email) if email else None) if key)


@dataclass(frozen=True, slots=True)
class CouponWish:
    """A coupon as staff want it. A percentage, or an amount off in `terms`; the rest are conditions."""

    name: str
    percent: Decimal | None = None
    terms: Sequence[CurrencyTerms] = ()
    release_ids: Sequence[str] = ()
    label_ids: Sequence[str] = ()
    account_ids: Sequence[str] = ()
    first_order_only: bool = False
    max_uses: int | None = None
    max_uses_each: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def create(wish: CouponWish) -> Coupon:
    """Make a coupon, without a code yet; raise BadCoupon where it contradicts itself."""
    name = " ".join(wish.name.split())[:80]
    if not name:
        raise BadCoupon(_("Give the coupon a name, to find it by."))
    amounts = [term for term in wish.terms if term.off is not None]
    if (wish.percent is None) == (not amounts):
        raise BadCoupon(_("A coupon takes off a percentage or an amount: give one of the two."))
    if amounts and len(amounts) < len(wish.terms):
        raise BadCoupon(_("Give the amount in every currency that has a least order."))
    if len({term.currency for term in wish.terms}) < len(wish.terms):
        raise BadCoupon(_("Name each currency once."))
    if wish.percent is not None and not 0 < wish.percent <= 100:
        raise BadCoupon(_("A percentage is more than 0 and not more than 100."))
    if wish.percent is not None and wish.percent != wish.percent.quantize(Decimal("0.01")):
        raise BadCoupon(_("A percentage has two decimals at most."))
    numbers = [wish.max_uses, wish.max_uses_each, *(n for term in wish.terms for n in (term.off, term.least))]
    if any(number is not None and not 0 < number <= MOST_MINOR for number in numbers):
        raise BadCoupon(_("Limits and amounts are more than nothing. Leave empty what there is none of."))
    if wish.starts_at and wish.ends_at and wish.ends_at <= wish.starts_at:
        raise BadCoupon(_("The coupon would end before it begins."))
    made = Coupon(
        id=ids.new_id(),
        name=name,
        percent=wish.percent,
        first_order_only=wish.first_order_only,
        max_uses=wish.max_uses,
        max_uses_each=wish.max_uses_each,
        starts_at=wish.starts_at,
        ends_at=wish.ends_at,
        uses=0,
        terms=[CouponTerms(currency=t.currency, off_minor=t.off, least_minor=t.least) for t in wish.terms],
        scopes=[
            *(CouponScope(release_id=each) for each in dict.fromkeys(wish.release_ids)),
            *(CouponScope(label_id=each) for each in dict.fromkeys(wish.label_ids)),
            *(CouponScope(account_id=each) for each in dict.fromkeys(wish.account_ids)),
        ],
    )
    db.session.add(made)
    db.session.flush()
    return made


def add_code(coupon: Coupon, text: str) -> CouponCode:
    """Give the coupon a code that everybody may use, like SUMMER25; raise BadCoupon if it is another's."""
    code = codes.normal(text)
    if not 3 <= len(code) <= 40 or not (code.isascii() and code.isalnum()):
        raise BadCoupon(_("A code has 3 to 40 letters A to Z and digits."))
    made = db.session.scalar(
        insert(CouponCode)
        .values(id=ids.new_id(), created_at=clock.now(), coupon_id=coupon.id, code=code, single_use=False)
        .on_conflict_do_nothing(index_elements=[CouponCode.code])
        .returning(CouponCode)
    )
    if made is None:
        raise BadCoupon(_("There is a coupon with that code already. Choose another code."))
    return made


def make_codes(coupon: Coupon, count: int) -> list[str]:
    """Make so many codes, each good for one order; return them."""
    if not 1 <= count <= MOST_CODES:
        raise BadCoupon(_("Make 1 to %(most)s codes at a time.", most=MOST_CODES))
    made: list[str] = []
    while len(made) < count:  # once, unless chance repeats one of 2**80 codes
        rows = [
            {
                "id": ids.new_id(),
                "created_at": clock.now(),
                "coupon_id": coupon.id,
                "code": codes.new(),
                "single_use": True,
            }
            for _number in range(count - len(made))
        ]
        adding = insert(CouponCode).values(rows).on_conflict_do_nothing(index_elements=[CouponCode.code])
        made += db.session.scalars(adding.returning(CouponCode.code))
    return made


def disable(coupon: Coupon) -> None:
    """No new order can be made with it; those that were keep it."""
    if coupon.disabled_at is None:
        coupon.disabled_at = clock.now()
        db.session.flush()


def enable(coupon: Coupon) -> None:
    """It holds again."""
    coupon.disabled_at = None
    db.session.flush()


def check(code: str, customer: Customer, *, given_up: Collection[str] = ()) -> Reduction:
    """What the code does for this buyer, for a quote; raise CouponRefused, which says why not.

    It promises nothing: between here and `reserve` another may be faster. `given_up` are orders that are closed before
    the next is made: what they hold is not held.
    """
    found = _fit(code, customer)
    coupon = found.coupon
    freed = db.session.scalars(
        select(CouponUse).where(
            CouponUse.coupon_id == coupon.id,
            CouponUse.state == UseState.RESERVED,
            CouponUse.order_id.in_(list(given_up)),
        )
    ).all()
    if coupon.max_uses is not None and coupon.uses - len(freed) >= coupon.max_uses:
        raise _used_up()
    each = _most_each(coupon)
    if each is not None:
        counted = select(CouponTally.customer, CouponTally.uses).where(
            CouponTally.coupon_id == coupon.id, CouponTally.customer.in_(customer.keys)
        )
        for key, uses in db.session.execute(counted):
            if uses - sum(key in use.customers for use in freed) >= each:
                raise _yours_before()
    others = CouponUse.order_id.not_in([use.order_id for use in freed])
    held = select(CouponUse.order_id).where(_in_force(found), others)
    if found.single_use and db.session.scalar(held.limit(1)):
        raise _used_up()
    return Reduction(
        code=found.code,
        percent=coupon.percent,
        currencies=tuple(CurrencyTerms(term.currency, term.off_minor, term.least_minor) for term in coupon.terms),
        release_ids=frozenset(scope.release_id for scope in coupon.scopes if scope.release_id),
        label_ids=frozenset(scope.label_id for scope in coupon.scopes if scope.label_id),
    )


def reserve(order_id: str, code: str, customer: Customer, discount: Money) -> CouponUse:
    """Hold the coupon for an order; raise CouponRefused, with nothing written, if it can't be had (any more).

    Of two orders after one single-use code, or after the last use of a limit, one gets it and the other is refused.
    Repeated for the same order, it changes nothing.
    """
    held = db.session.get(CouponUse, order_id, populate_existing=True)
    if held is not None:
        return _same(held, code)
    found = _fit(code, customer)
    coupon, keys, each = found.coupon, customer.keys, _most_each(found.coupon)
    if each is not None and not keys:
        raise CouponRefused(_("This code is counted per customer. Sign in, or give your e-mail address first."))
    with db.session.begin_nested():
        made = db.session.scalar(
            insert(CouponUse)
            .values(
                order_id=order_id,
                coupon_id=coupon.id,
                code_id=found.id,
                single_use=found.single_use,
                customers=keys,
                state=UseState.RESERVED,
                discount_minor=discount.minor,
                currency=discount.currency,
                reserved_at=clock.now(),
            )
            .on_conflict_do_nothing()
            .returning(CouponUse)
        )
        if made is None:  # the order has one since, from another tab; or somebody else has the code
            held = db.session.get(CouponUse, order_id, populate_existing=True)
            if held is None:
                raise _used_up()
            return _same(held, code)
        counted = (
            update(Coupon)
            .where(Coupon.id == coupon.id, Coupon.disabled_at.is_(None))
            .where(Coupon.max_uses.is_(None) | (Coupon.uses < Coupon.max_uses))
            .values(uses=Coupon.uses + 1)
            .returning(Coupon.id)
        )
        if db.session.scalar(counted.execution_options(synchronize_session=False)) is None:
            raise _used_up()
        for key in keys:
            tallied = insert(CouponTally).values(coupon_id=coupon.id, customer=key, uses=1)
            counting = tallied.on_conflict_do_update(
                index_elements=[CouponTally.coupon_id, CouponTally.customer],
                set_={"uses": CouponTally.uses + 1},
                where=CouponTally.uses < each if each is not None else None,
            ).returning(CouponTally.customer)
            if db.session.scalar(counting) is None:
                raise _yours_before()
    return made


def take(order_id: str) -> bool:
    """The order was paid: its coupon is used. True if this call did it; False for a repeat, or without a coupon.

    An order that was given up and paid all the same keeps its discount, for the money came; by then the coupon may be
    somebody else's, so that use is LATE and outside of the limits.
    """
    if _turn(order_id, UseState.RESERVED, UseState.TAKEN) is not None:
        return True
    late = _turn(order_id, UseState.RELEASED, UseState.LATE)
    if late is not None:
        log.warning("order %s was paid after its coupon %s had been given back", order_id, late.coupon_id)
    return late is not None


def release(order_id: str) -> bool:
    """The order came to nothing: its coupon can be used again. True if this call did it. What is taken stays taken."""
    given_back = _turn(order_id, UseState.RESERVED, UseState.RELEASED)
    if given_back is None:
        return False
    less = update(Coupon).where(Coupon.id == given_back.coupon_id).values(uses=Coupon.uses - 1)
    db.session.execute(less.execution_options(synchronize_session=False))
    for key in sorted(given_back.customers):
        less = update(CouponTally).where(CouponTally.coupon_id == given_back.coupon_id, CouponTally.customer == key)
        db.session.execute(less.values(uses=CouponTally.uses - 1).execution_options(synchronize_session=False))
    return True


def forget(email: str) -> None:
    """Count no longer under the hash of this address: it could be guessed whose it was."""
    key = _hashed(email.strip().lower())
    db.session.execute(
        update(CouponUse)
        .where(CouponUse.customers.contains([key]))
        .values(customers=func.array_remove(CouponUse.customers, key))
        .execution_options(synchronize_session=False)
    )
    db.session.execute(delete(CouponTally).where(CouponTally.customer == key))


def refusal_text(refusal: Refusal, reduction: Reduction, currency: str) -> str:
    """Why a coupon takes nothing off, in words."""
    if refusal is Refusal.CURRENCY:
        return _("This code is not for orders in %(currency)s.", currency=currency)
    if refusal is Refusal.BELOW_LEAST:
        least = next(terms.least for terms in reduction.currencies if terms.currency == currency)
        amount = Money(least or 0, currency)
        return _("This code is for orders of %(least)s %(currency)s or more.", least=amount.decimal, currency=currency)
    return _("This code is for other things than these.")


def _fit(text: str, customer: Customer) -> CouponCode:
    """The code, if everything but limits is right for this buyer at this moment."""
    found = db.session.scalar(
        select(CouponCode).where(CouponCode.code == codes.normal(text)).execution_options(populate_existing=True)
    )
    if found is None:
        raise CouponRefused(_("There is no code “%(code)s”. Check its letters and digits.", code=text.strip()[:60]))
    coupon, now = found.coupon, clock.now()
    if coupon.disabled_at is not None or (coupon.ends_at is not None and now >= coupon.ends_at):
        raise CouponRefused(_("This code is over."))
    if coupon.starts_at is not None and now < coupon.starts_at:
        raise CouponRefused(_("This code does not hold yet."))
    accounts = {scope.account_id for scope in coupon.scopes if scope.account_id}
    if accounts and customer.account_id not in accounts:
        raise CouponRefused(_("This code is for somebody else. If it is yours, sign in first."))
    if coupon.first_order_only and customer.has_ordered:
        raise CouponRefused(_("This code is for a first order."))
    return found


def _most_each(coupon: Coupon) -> int | None:
    # Two first orders may be on their way at once; one of them has the coupon.
    return 1 if coupon.first_order_only else coupon.max_uses_each


def _in_force(code: CouponCode) -> ColumnElement[bool]:
    return (CouponUse.code_id == code.id) & CouponUse.state.in_((UseState.RESERVED, UseState.TAKEN))


def _same(held: CouponUse, code: str) -> CouponUse:
    if held.state == UseState.RELEASED or held.code.code != codes.normal(code):
        raise CouponRefused(_("This order was made with another code, or given up. Order again."))
    return held


def _turn(order_id: str, before: UseState, after: UseState) -> CouponUse | None:
    turning = update(CouponUse).where(CouponUse.order_id == order_id, CouponUse.state == before)
    return db.session.scalar(
        turning.values(state=after, settled_at=clock.now())
        .returning(CouponUse)
        .execution_options(populate_existing=True)
    )


def _hashed(email: str) -> str:
    return hashlib.sha256(f"e-mail {email}".encode()).hexdigest()


def _used_up() -> CouponRefused:
    return CouponRefused(_("This code has been used up."))


def _yours_before() -> CouponRefused:
    return CouponRefused(_("You have used this code before."))

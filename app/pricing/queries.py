"""Coupons as staff see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select

from app.core import clock
from app.core.db import db
from app.core.money import Money
from app.core.paging import Page, page_of
from app.pricing.models import Coupon, CouponCode, CouponUse, UseState

PAGE_SIZE = 50
_IN_FORCE = (UseState.RESERVED, UseState.TAKEN, UseState.LATE)


@dataclass(frozen=True, slots=True)
class Row:
    """A coupon, the code that everybody may use (if it has one), and how many single-use codes it has."""

    coupon: Coupon
    code: str | None
    singles: int


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code as it is exported: `state` is "free", or what became of it in an order; "shared" if it has no end."""

    code: str
    state: str
    order_id: str | None
    at: datetime | None


def coupons(page: int = 1) -> Page[Row]:
    """A page of coupons, the newest first."""
    found = page_of(select(Coupon), Coupon.created_at.desc(), Coupon.id.asc(), number=page, size=PAGE_SIZE)
    return Page(rows(found.items), found.number, found.total, found.size)


def coupon(coupon_id: str) -> Coupon | None:
    """The coupon, or None."""
    return db.session.get(Coupon, coupon_id)


def rows(found: list[Coupon]) -> list[Row]:
    """Coupons with their codes."""
    ids = [each.id for each in found]
    shared: dict[str, str] = {}
    for coupon_id, code in db.session.execute(
        select(CouponCode.coupon_id, CouponCode.code)
        .where(CouponCode.coupon_id.in_(ids), CouponCode.single_use.is_(False))
        .order_by(CouponCode.created_at.desc())
    ):
        shared[coupon_id] = code
    counted = db.session.execute(
        select(CouponCode.coupon_id, func.count())
        .where(CouponCode.coupon_id.in_(ids), CouponCode.single_use)
        .group_by(CouponCode.coupon_id)
    )
    singles = {row[0]: row[1] for row in counted}
    return [Row(each, shared.get(each.id), singles.get(each.id, 0)) for each in found]


def given(coupon_id: str) -> list[Money]:
    """What a coupon has taken off orders that were paid, by currency."""
    sums = db.session.execute(
        select(CouponUse.currency, func.sum(CouponUse.discount_minor))
        .where(CouponUse.coupon_id == coupon_id, CouponUse.state.in_((UseState.TAKEN, UseState.LATE)))
        .group_by(CouponUse.currency)
        .order_by(CouponUse.currency)
    )
    return [Money(int(total), currency) for currency, total in sums]


def codes(coupon_id: str) -> Iterator[CodeRow]:
    """Every code of a coupon, in the order they were made."""
    in_force = and_(CouponUse.code_id == CouponCode.id, CouponCode.single_use, CouponUse.state.in_(_IN_FORCE))
    query = (
        select(CouponCode.code, CouponCode.single_use, CouponUse.state, CouponUse.order_id, CouponUse.reserved_at)
        .outerjoin(CouponUse, in_force)
        .where(CouponCode.coupon_id == coupon_id)
        .order_by(CouponCode.created_at, CouponCode.code)
    )
    for code, single_use, state, order_id, at in db.session.execute(query):
        yield CodeRow(code, state or ("free" if single_use else "shared"), order_id, at)


def standing(found: Coupon) -> str:
    """ "disabled", "over", "used up", "not yet" or "holds", at this moment."""
    now = clock.now()
    if found.disabled_at is not None:
        return "disabled"
    if found.ends_at is not None and found.ends_at <= now:
        return "over"
    if found.max_uses is not None and found.uses >= found.max_uses:
        return "used up"
    return "not yet" if found.starts_at is not None and found.starts_at > now else "holds"

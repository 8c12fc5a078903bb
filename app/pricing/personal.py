"""What coupons say of a person. Their uses stay, as the order's; under what address they were counted does not."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.accounts import leaving
from app.accounts.models import Account
from app.core import codes
from app.core.db import db
from app.pricing import coupons
from app.pricing.models import Coupon, CouponScope, CouponUse


def _export(account: Account) -> dict[str, list[dict[str, Any]]]:
    keys = coupons.Customer(account.id, account.email).keys
    uses = db.session.scalars(
        select(CouponUse).where(CouponUse.customers.overlap(keys)).order_by(CouponUse.reserved_at, CouponUse.order_id)
    )
    meant = db.session.scalars(
        select(Coupon).join(CouponScope).where(CouponScope.account_id == account.id).order_by(Coupon.created_at)
    )
    return {
        "used": [
            {
                "code": codes.spelled(one.code.code),
                "order": one.order_id,
                "at": one.reserved_at.isoformat(),
                "state": one.state,
                "off_minor": one.discount_minor,
                "currency": one.currency,
            }
            for one in uses
        ],
        "for_you": [{"name": one.name, "made_at": one.created_at.isoformat()} for one in meant],
    }


def _forget(account: Account) -> None:
    """A coupon for this account alone goes on to be for it alone: nobody signs in to it any more."""
    coupons.forget(account.email)


leaving.on_export["coupons"] = _export
leaving.on_close.append(_forget)

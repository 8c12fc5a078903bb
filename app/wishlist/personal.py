"""What wishlists hold of a person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.accounts import leaving
from app.accounts.models import Account
from app.core.db import db
from app.wishlist import service
from app.wishlist.models import Wish


def _export(account: Account) -> list[dict[str, Any]]:
    wishes = db.session.scalars(select(Wish).where(Wish.account_id == account.id).order_by(Wish.created_at))
    return [{"title": one.release.title, "since": one.created_at.isoformat()} for one in wishes.unique()]


def _forget(account: Account) -> None:
    service.forget(account.id)


leaving.on_export["wishlist"] = _export
leaving.on_close.append(_forget)

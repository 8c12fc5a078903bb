"""What licenses say of a person. They stay, as what was sold: the account they name opens no more."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.accounts import leaving
from app.accounts.models import Account
from app.core.db import db
from app.licenses.models import License


def _export(account: Account) -> list[dict[str, Any]]:
    held = db.session.scalars(select(License).where(License.account_id == account.id).order_by(License.created_at))
    return [
        {
            "release": one.release_id,
            "track": one.track_id,
            "since": one.created_at.isoformat(),
            "ended_at": one.revoked_at.isoformat() if one.revoked_at else None,
        }
        for one in held
    ]


leaving.on_export["licenses"] = _export

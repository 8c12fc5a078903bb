"""Who is who among what is shown, by pseudonym: the unit that trials deal ways to."""

from __future__ import annotations

import hashlib
import hmac

from app.accounts.models import Account
from app.core.db import db
from app.core.store import settings
from app.discovery import tastes
from app.discovery.models import Mode


def unit_of(account_id: str | None) -> str | None:
    """The pseudonym under which the person's rows are kept: None for a guest, and for whom nothing may be kept.

    That takes the consent which plays and views take (`discovery.tastes`); of people who run the shop nothing is kept.
    """
    if account_id is None or is_staff(account_id):
        return None
    said = tastes.of(account_id)
    return units_of(account_id)[0] if said.mode == Mode.ON and said.listening else None


def units_of(account_id: str) -> list[str]:
    """Every pseudonym the person may have rows under: by the present SECRET_KEY first, then by the one before.

    An HMAC: without the key nobody finds out whose it is by trying accounts.
    """
    keys = [settings().secret_key, settings().secret_key_previous]
    named = b"shelves:" + account_id.encode()
    return [hmac.new(key.get_secret_value().encode(), named, hashlib.sha256).hexdigest()[:32] for key in keys if key]


def is_staff(account_id: str | None) -> bool:
    """Whether the person runs the shop: what they look at says nothing of buyers."""
    account = db.session.get(Account, account_id) if account_id else None
    return account is not None and account.is_staff

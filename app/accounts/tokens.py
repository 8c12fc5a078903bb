"""The links in letters: made, followed once, forgotten."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, cast

from flask_babel import gettext as _
from sqlalchemy import CursorResult, delete, select, update

from app.accounts.errors import BadToken
from app.accounts.models import AccountToken, TokenPurpose
from app.core import clock
from app.core.db import db

GOOD_FOR = timedelta(hours=1)


def issue(purpose: TokenPurpose, email: str, account_id: str | None) -> tuple[AccountToken, str]:
    """A new token, and the text of it, which is kept nowhere; every older one for the same ends here."""
    now = clock.now()
    db.session.execute(
        update(AccountToken)
        .where(AccountToken.purpose == purpose, AccountToken.email == email, AccountToken.used_at.is_(None))
        .where(AccountToken.account_id.is_not_distinct_from(account_id))
        .values(used_at=now)
    )
    text = secrets.token_urlsafe(32)
    made = AccountToken(
        purpose=purpose,
        account_id=account_id,
        email=email,
        token_hash=_hash(text),
        created_at=now,
        expires_at=now + GOOD_FOR,
    )
    db.session.add(made)
    db.session.flush()
    return made, text


def look_at(purpose: TokenPurpose, text: str) -> AccountToken:
    """The token, left as it is; raise BadToken for one that is not good, whatever the reason."""
    return _find(purpose, text, lock=False)


def redeem(purpose: TokenPurpose, text: str) -> AccountToken:
    """The token, which is used up by this; raise BadToken as `look_at` does. Of two at once, one gets it."""
    found = _find(purpose, text, lock=True)
    found.used_at = clock.now()
    db.session.flush()
    return found


def end_all(account_id: str) -> None:
    """Whatever links went out to the account open nothing any more."""
    db.session.execute(
        update(AccountToken)
        .where(AccountToken.account_id == account_id, AccountToken.used_at.is_(None))
        .values(used_at=clock.now())
        .execution_options(synchronize_session="fetch")
    )


def forget(before: datetime) -> int:
    """Drop tokens that ended before that moment; return how many."""
    gone = db.session.execute(delete(AccountToken).where(AccountToken.expires_at < before))
    return int(cast("CursorResult[Any]", gone).rowcount)


def _find(purpose: TokenPurpose, text: str, *, lock: bool) -> AccountToken:
    query = select(AccountToken).where(
        AccountToken.purpose == purpose,
        AccountToken.token_hash == _hash(text),
        AccountToken.used_at.is_(None),
        AccountToken.expires_at > clock.now(),
    )
    if lock:
        query = query.with_for_update()
    found = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise BadToken(
            _("This link was used already, or is more than an hour old, or a newer one was sent. Ask for a new one.")
        )
    return found


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()

"""Where a person is signed in: rows, so that each can be ended from anywhere and at once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, or_, select, true, update

from app.accounts.models import Account, AccountSession
from app.core import clock
from app.core.db import db

# Without "keep me signed in" a session ends a day after it was last used; with it, after two months; in any case it
# ends half a year after the sign-in, and a day after it where its person is staff.
_IDLE, _IDLE_REMEMBERED = timedelta(days=1), timedelta(days=60)
LONGEST, LONGEST_STAFF = timedelta(days=180), timedelta(days=1)
# How long a person who showed who they are need not do so again before something that matters.
PROOF_HOLDS = timedelta(minutes=15)
# A page is no reason to write: the time it was last seen is kept to a few minutes.
_TOUCH_EVERY = timedelta(minutes=5)


def begin(
    account: Account,
    *,
    remembered: bool,
    address: str | None,
    user_agent: str | None,
    second_factor: bool = False,
) -> tuple[AccountSession, str]:
    """Sign the account in; return the session and the token for its cookie, which is kept nowhere else."""
    token, now = secrets.token_urlsafe(32), clock.now()
    made = AccountSession(
        account_id=account.id,
        token_hash=_hash(token),
        remembered=remembered,
        created_at=now,
        seen_at=now,
        expires_at=_expiry(account, now, now, remembered),
        address=address,
        user_agent=_short(user_agent),
        proved_at=now,
        second_factor_at=now if second_factor else None,
    )
    db.session.add(made)
    db.session.flush()
    return made, token


def find(token: str) -> tuple[AccountSession, Account] | None:
    """The session whose token it is and its account, if both are in force."""
    if len(token) > 100:
        return None
    row = db.session.execute(
        select(AccountSession, Account)
        .join(Account, Account.id == AccountSession.account_id)
        .where(
            AccountSession.token_hash == _hash(token),
            AccountSession.revoked_at.is_(None),
            AccountSession.expires_at > clock.now(),
            Account.closed_at.is_(None),
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def needs_touch(session: AccountSession) -> bool:
    """Whether it is time to note that it is used."""
    return clock.now() - session.seen_at > _TOUCH_EVERY


def touch(session: AccountSession, account: Account, *, address: str | None, user_agent: str | None) -> None:
    """Note that it is used, from where; it goes on from now."""
    now = clock.now()
    session.seen_at = now
    session.expires_at = _expiry(account, session.created_at, now, session.remembered)
    session.address, session.user_agent = address, _short(user_agent)
    db.session.flush()


def prove(session: AccountSession, *, second_factor: bool = False) -> None:
    """Its person has just shown who they are."""
    session.proved_at = clock.now()
    if second_factor:
        session.second_factor_at = session.proved_at
    db.session.flush()


def is_proved(session: AccountSession) -> bool:
    """Whether that was so lately that it need not be shown again."""
    return session.proved_at is not None and clock.now() - session.proved_at < PROOF_HOLDS


def of_account(account_id: str) -> list[AccountSession]:
    """Where the person is signed in now, the one used last first; where a second factor is missing one is not in."""
    return list(
        db.session.scalars(
            select(AccountSession)
            .join(Account, Account.id == AccountSession.account_id)
            .where(
                or_(~Account.second_factor, AccountSession.second_factor_at.is_not(None)),
                AccountSession.account_id == account_id,
                AccountSession.revoked_at.is_(None),
                AccountSession.expires_at > clock.now(),
            )
            .order_by(AccountSession.seen_at.desc(), AccountSession.id)
        )
    )


def user_agents(account: Account) -> set[str | None]:
    """Every browser the person has signed in with, as it named itself; where a second factor was missing is not in."""
    return set(
        db.session.scalars(
            select(AccountSession.user_agent).where(
                AccountSession.account_id == account.id,
                true() if not account.second_factor else AccountSession.second_factor_at.is_not(None),
            )
        )
    )


def revoke(account_id: str, session_id: str) -> bool:
    """Sign out one of the person's sessions; True if it was in force."""
    return _revoke(account_id, AccountSession.id == session_id) > 0


def revoke_all(account_id: str, *, but: str | None = None) -> int:
    """Sign out all of the person's sessions, or all but one (its id); return how many."""
    return _revoke(account_id, *(() if but is None else (AccountSession.id != but,)))


def forget(before: datetime) -> int:
    """Drop sessions that ended before that moment; return how many."""
    gone = db.session.execute(
        delete(AccountSession).where(or_(AccountSession.expires_at < before, AccountSession.revoked_at < before))
    )
    return int(cast("CursorResult[Any]", gone).rowcount)


def _revoke(account_id: str, *which: Any) -> int:
    ended = db.session.execute(
        update(AccountSession)
        .where(AccountSession.account_id == account_id, AccountSession.revoked_at.is_(None), *which)
        .values(revoked_at=clock.now())
        .execution_options(synchronize_session="fetch")
    )
    return int(cast("CursorResult[Any]", ended).rowcount)


def _expiry(account: Account, begun: datetime, now: datetime, remembered: bool) -> datetime:
    idle = now + (_IDLE_REMEMBERED if remembered else _IDLE)
    return min(idle, begun + (LONGEST_STAFF if account.is_staff else LONGEST))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _short(user_agent: str | None) -> str | None:
    cleaned = "".join(character for character in user_agent or "" if character.isprintable())
    return cleaned[:300] or None

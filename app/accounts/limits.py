"""How often something may be tried: a sliding window over tries, kept in PostgreSQL so that all processes count alike.

A try is noted in a transaction of its own before the work it is for, or a refused sign-in would not count.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, cast

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import CursorResult, delete, func, select, text

from app.accounts.models import RateHit
from app.core import clock
from app.core.db import db
from app.core.errors import WavecrateError


class TooMany(WavecrateError):
    """It was tried too often; `retry_after` is in how many seconds it may be tried again."""

    status = 429

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        minutes = math.ceil(retry_after / 60)
        super().__init__(
            _("That was tried too often.")
            + " "
            + ngettext("Try again in one minute.", "Try again in %(num)s minutes.", minutes)
        )


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries in so many seconds: for one account (or e-mail address), and from one network address."""

    name: str
    per_account: int
    per_address: int
    seconds: int


SIGN_IN = Limit("sign-in", 10, 100, 15 * 60)
LETTER = Limit("letter", 5, 20, 60 * 60)  # whatever sends one: registration, reset, a new address
REDEEM = Limit("redeem", 20, 60, 60 * 60)  # following a letter's link
CODE = Limit("code", 8, 60, 15 * 60)  # six digits, or a recovery code
PROVE = Limit("prove", 10, 100, 15 * 60)  # the password again, before something that matters


def note(limit: Limit, *, account: str | None, address: str | None, scale: int = 1) -> None:
    """Count one try; raise TooMany, and count nothing, where there have been enough.

    `account` is whatever names the person tried for, known to the shop or not; `address` the network address, of
    IPv6 its /64. `scale` multiplies what one network address may.
    """
    wanted = []
    if account is not None:
        wanted.append((_bucket(limit, "account", account), limit.per_account))
    if address is not None:
        wanted.append((_bucket(limit, "address", _network(address)), limit.per_address * scale))
    now = clock.now()
    since = now - timedelta(seconds=limit.seconds)
    for bucket, _most in sorted(wanted):  # always in one order: two tries never wait for each other
        db.session.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": int.from_bytes(bucket[:8], "big", signed=True)}
        )
    for bucket, most in wanted:
        of_bucket = select(RateHit.at).where(RateHit.bucket == bucket, RateHit.at > since)
        # The window has room again when the oldest of the last `most` tries has left it.
        oldest = db.session.scalar(of_bucket.order_by(RateHit.at.desc()).offset(most - 1).limit(1))
        if oldest is not None:
            wait = (oldest - since).total_seconds()
            raise TooMany(max(1, math.ceil(wait)))
    for bucket, _most in wanted:
        db.session.add(RateHit(bucket=bucket, at=now))
    db.session.flush()


def clear(limit: Limit, *, account: str) -> None:
    """Forget an account's tries: it has just shown who it is."""
    db.session.execute(delete(RateHit).where(RateHit.bucket == _bucket(limit, "account", account)))


def tries(limit: Limit, *, account: str) -> int:
    """How many tries count against the account now."""
    since = clock.now() - timedelta(seconds=limit.seconds)
    bucket = _bucket(limit, "account", account)
    asked = select(func.count()).select_from(RateHit).where(RateHit.bucket == bucket, RateHit.at > since)
    return db.session.scalar(asked) or 0


def forget(before: datetime) -> int:
    """Drop tries from before that moment; return how many."""
    gone = db.session.execute(delete(RateHit).where(RateHit.at < before))
    return int(cast("CursorResult[Any]", gone).rowcount)


def _bucket(limit: Limit, kind: str, name: str) -> bytes:
    return hashlib.sha256(f"{limit.name}\n{kind}\n{name}".encode()).digest()


def _network(address: str) -> str:
    """An IPv6 customer has a /64 to try from: it counts as one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network(f"{address}/64", strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)

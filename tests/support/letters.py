"""What the shop would write to people, read before it is sent: the one place where a letter's link stands in full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from app.accounts import notices, registration
from app.accounts.notices import Notice, Told
from app.core.db import db, transaction


@contextmanager
def collected() -> Iterator[list[Told]]:
    """Everything that this process has told within."""
    told: list[Told] = []
    carry = told.append
    notices.on_notice.append(carry)
    try:
        yield told
    finally:
        notices.on_notice.remove(carry)


def path_of(told: Told) -> str:
    """Where its link leads, without the host."""
    parts = urlsplit(told.facts["link"])
    return parts.path + (f"?{parts.query}" if parts.query else "")


def invitation(email: str, onward: str | None = None) -> str:
    """The path of a letter that leads to an account: as if it had been asked for once more, just now."""
    with collected() as told:
        db.session.rollback()
        with transaction():
            registration.ask_for_account(email, locale="en", onward=onward)
    assert told[-1].notice == Notice.REGISTER, f"{email} has an account"
    return path_of(told[-1])

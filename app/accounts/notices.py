"""What a person must be told by letter. Who carries the letters adds itself here; accounts knows nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Notice(StrEnum):
    """The occasions. In brackets what `facts` hold; `link` is an absolute address that opens once, within an hour."""

    REGISTER = "register"  # somebody wants an account with this address (link)
    ALREADY_REGISTERED = "already_registered"  # the same, and there is one: a link to a new password (link, name)
    RESET = "reset"  # a link to a new password (link, name)
    UNKNOWN = "unknown"  # a new password was asked for an address without an account (link to register)
    CHANGE_EMAIL = "change_email"  # this is to be the person's address from now on (link, name)
    EMAIL_IN_USE = "email_in_use"  # the same, but another account has it: nothing to do (no link)
    EMAIL_CHANGED = "email_changed"  # to the old address: it is the account's no longer (name, new_email)
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (name)
    SECOND_FACTOR_CHANGED = "second_factor_changed"  # (name, what)
    CLOSED = "closed"  # the account is deleted (name)


@dataclass(frozen=True, slots=True)
class Told:
    """One thing to tell one person; `key` is the same if it is told again, so that nobody gets it twice."""

    notice: Notice
    to: str
    locale: str
    key: str
    account_id: str | None = None
    facts: dict[str, str] = field(default_factory=dict)


# Called in the transaction in which it came to pass.
on_notice: list[Callable[[Told], None]] = []


def tell(told: Told) -> None:
    """Have it told."""
    for callback in on_notice:
        callback(told)

"""What a person must be told. Who carries it adds itself here (`by_letter`); the rest of the room knows no letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Notice(StrEnum):
    """The occasions, by the kind of letter. In brackets what `facts` hold; `link` opens once, within an hour."""

    REGISTER = "register"  # somebody wants an account with this address (link)
    ALREADY_REGISTERED = "already_registered"  # the same, and there is one: a link to a new password (link, name)
    RESET = "reset_password"
    UNKNOWN = "no_account"  # a new password was asked for an address without an account (link to register)
    CHANGE_EMAIL = "change_email"  # this is to be the person's address from now on (link, name)
    EMAIL_IN_USE = "email_in_use"  # the same, but another account has it: nothing to do (no link)
    EMAIL_CHANGED = "email_changed"  # to the old address: it is the account's no longer (name, new_email)
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (name)
    SECOND_FACTOR_CHANGED = "second_factor_changed"  # (name, what)
    NEW_SIGN_IN = "new_sign_in"  # from a device that was not seen before (name, device, address)
    CLOSED = "closed"  # the account is deleted (name)


@dataclass(frozen=True, slots=True)
class Told:
    """One thing to tell one person; `key` is the same if it is told again, so that nobody gets it twice."""

    notice: Notice
    to: str
    locale: str | None  # None: the shop's own
    key: str
    account_id: str | None = None
    facts: dict[str, str] = field(default_factory=dict)


# Called in the transaction in which it came to pass.
on_notice: list[Callable[[Told], None]] = []


def tell(told: Told) -> None:
    """Have it told."""
    for callback in on_notice:
        callback(told)

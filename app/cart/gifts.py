"""What a giver says of a gift, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from flask_babel import gettext as _

from app.accounts.errors import BadAccount
from app.accounts.service import normalise_email
from app.core import clock
from app.core.errors import WavecrateError

MOST_DAYS = 365
FROM_MAX, MESSAGE_MAX = 100, 1000


class BadGift(WavecrateError):
    """A gift that can't be sent so; `field` names what to change, the message says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Gift:
    """To whom, on which day (UTC; None: when it is paid), from whom, and what the giver says."""

    to: str
    on: date | None = None
    sender: str | None = None
    message: str | None = None


def read(to: str, on: str = "", sender: str = "", message: str = "") -> Gift:
    """A gift of what somebody typed; raise BadGift."""
    try:
        address = normalise_email(to)
    except BadAccount as error:
        raise BadGift("to", str(error)) from None
    named = " ".join(_printable(sender).split())
    if len(named) > FROM_MAX:
        raise BadGift("sender", _("Write at most %(most)s characters.", most=FROM_MAX))
    said = "\n".join(_printable(line).rstrip() for line in message.strip().splitlines())
    if len(said) > MESSAGE_MAX:
        raise BadGift("message", _("Write at most %(most)s characters.", most=MESSAGE_MAX))
    return Gift(address, _day(on), named or None, said or None)


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise BadGift("on", _("This is no date. Write it like 2026-12-24.")) from None
    today = clock.now().date()
    if day < today:
        raise BadGift("on", _("That day is past. Choose today or a later one, or leave it empty."))
    if day > today + timedelta(days=MOST_DAYS):
        raise BadGift("on", _("A gift can wait for a year at most. Choose an earlier day."))
    return day if day > today else None


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)

"""What can be wrong with what a person says of themselves."""

from __future__ import annotations

from app.core.errors import Conflict, NotFound, WavecrateError


class BadAccount(WavecrateError):
    """An account, or a change of one, that cannot stand; the message says what to change."""


class BadPassword(BadAccount):
    """A password nobody should have; the message says why."""


class EmailTaken(Conflict):
    """There is an account with this e-mail address already."""


class BadToken(NotFound):
    """A letter's link that was used, is too old, or was followed by a newer one."""

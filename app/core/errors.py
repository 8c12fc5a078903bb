"""Errors a person can act on."""

from __future__ import annotations


class WavecrateError(Exception):
    """Something went wrong that the caller can mend; `str(error)` says how, in the reader's language."""

    status = 400


class NotFound(WavecrateError):
    """There is no such thing, or it is not for this person to see."""

    status = 404


class Forbidden(WavecrateError):
    """The person is known and may not do this."""

    status = 403


class Conflict(WavecrateError):
    """The world moved on since the page was shown."""

    status = 409

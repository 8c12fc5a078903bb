"""What pages call what a person did and decided."""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import gettext as _

from app.discovery.models import EventKind, Mode, Verdict


def because(kinds: Iterable[EventKind]) -> str:
    """What the person did with a release, in one line; empty for what only takes something back."""
    said = {
        EventKind.VIEW: _("looked at"),
        EventKind.PREVIEW: _("previewed"),
        EventKind.PLAY: _("played"),
        EventKind.FINISH: _("heard to the end"),
        EventKind.WISHLIST: _("wished for"),
        EventKind.CART: _("put in the cart"),
        EventKind.PURCHASE: _("bought"),
        EventKind.DOWNLOAD: _("downloaded"),
        EventKind.RATING: _("rated"),
        EventKind.ELSEWHERE: _("owned elsewhere"),
    }
    return " · ".join(said[kind] for kind in kinds if kind in said)


def said(verdict: Verdict, title: str) -> str:
    """What came of hiding a release."""
    if verdict == Verdict.DISMISSED:
        return _("“%(title)s” is not for you: no shelf shows it again.", title=title)
    return _("You own “%(title)s” elsewhere: no shelf shows it again, but it counts as liked.", title=title)


def left_out(out: bool, title: str) -> str:
    """What came of taking a release out of a taste, or putting it back."""
    if out:
        return _("“%(title)s” does not shape what you are shown any more.", title=title)
    return _("“%(title)s” shapes what you are shown again.", title=title)


def rated(stars: int, title: str) -> str:
    """What came of a rating; 0 stars took it back."""
    if not stars:
        return _("Your rating of “%(title)s” is taken back.", title=title)
    return _("You gave “%(title)s” %(stars)s of 5 stars.", title=title, stars=stars)


def mode_set(mode: Mode) -> str:
    """What came of switching recommendations on, to pause, or off."""
    return {
        Mode.ON: _("Recommendations are on."),
        Mode.PAUSED: _("Paused: nothing new is learned from now on."),
        Mode.OFF: _("Recommendations are off. Shelves show what is popular."),
    }[mode]


def listening_set(allowed: bool) -> str:
    """What came of giving consent, or withdrawing it."""
    if allowed:
        return _("What you play and view shapes your recommendations from now on.")
    return _("What you play and view does not count.")

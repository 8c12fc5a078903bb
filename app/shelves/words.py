"""What shelves are called, and the line on a card that says why it is there."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import ngettext

from app.catalog.models import Artist, Release
from app.core.i18n import locale_code
from app.shelves.shelf import Because, Completing, Pick, Shelf, ShelfName, Source, Tie


def title(shelf: Shelf) -> str:
    """What stands on the shelf's divider."""
    if shelf.name == ShelfName.BECAUSE and isinstance(shelf.about, Release) and shelf.tie is not None:
        return because(Because(shelf.about, shelf.tie))
    name = shelf.about.name_in(locale_code()) if isinstance(shelf.about, Artist) else ""
    about = {
        ShelfName.MORE_BY: _("More by %(name)s", name=name),
        ShelfName.NEAR: _("Near %(name)s", name=name),
    }
    return (headings() | about)[shelf.name]


def headings() -> dict[ShelfName, str]:
    """Of the shelves that are called the same on every page."""
    return {
        ShelfName.FOR_YOU: _("For you"),
        ShelfName.FANS: _("Fans also bought"),
        ShelfName.NEW: _("New for you"),
        ShelfName.OFF_BEATEN: _("Off the beaten track"),
        ShelfName.COMPLETE: _("Complete your collection"),
        ShelfName.POPULAR: _("Popular now"),
        ShelfName.NEW_MUSIC: _("New music"),
        ShelfName.FILMS: _("Films"),
    }


def why(pick: Pick) -> str:
    """Why it is shown, in one line; empty where the shelf's name says it all."""
    if pick.completing is not None:
        return completing(pick.completing)
    if pick.source == Source.EDITOR:
        return _("Our editors put it here")
    return because(pick.because[0]) if pick.because else ""


def because(reason: Because) -> str:
    """One reason; it is true of the person."""
    title = reason.release.title_in(locale_code())
    return {
        Tie.OWN: _("Because you own %(title)s", title=title),
        Tie.BOUGHT: _("Because you bought %(title)s", title=title),
        Tie.ELSEWHERE: _("Because you own %(title)s elsewhere", title=title),
        Tie.PLAYED: _("Because you played %(title)s", title=title),
        Tie.RATED: _("Because you rated %(title)s", title=title),
        Tie.WISHED: _("Because you wished for %(title)s", title=title),
        Tie.CART: _("Because you put %(title)s in the cart", title=title),
        Tie.PREVIEWED: _("Because you previewed %(title)s", title=title),
        Tie.LOOKED: _("Because you looked at %(title)s", title=title),
    }[reason.tie]


def completing(found: Completing) -> str:
    """What is there of it, and what the rest costs."""
    if found.artist is not None:
        name = found.artist.name_in(locale_code())
        return _("You own %(held)s of %(all)s by %(name)s", held=found.held, all=found.of, name=name)
    held = ngettext("You have %(num)s track of %(all)s", "You have %(num)s tracks of %(all)s", found.held, all=found.of)
    if found.cost is None:
        return held
    if not found.cost.minor:
        return _("%(held)s: the rest costs nothing", held=held)
    return _("%(held)s: the rest for %(cost)s", held=held, cost=found.cost.format(locale_code()))

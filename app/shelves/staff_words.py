"""What staff pages call shelves, sources and what was done."""

from __future__ import annotations

from flask_babel import gettext as _

from app.shelves.experiments import Metric, TrialState
from app.shelves.shelf import ShelfName, Source
from app.shelves.words import headings


def shelf(name: str | None) -> str:
    """A shelf by its heading; None is all of them."""
    said = headings() | {
        ShelfName.BECAUSE: _("Because you own or played …"),
        ShelfName.MORE_BY: _("More by the artist"),
        ShelfName.NEAR: _("Artists near this one"),
        ShelfName.RADIO: _("Radio"),
    }
    return said[ShelfName(name)] if name is not None else _("Every shelf that takes boosts")


def source(name: str) -> str:
    """What put a release on a shelf."""
    return {
        Source.MODEL: _("The model"),
        Source.POPULAR: _("Popularity"),
        Source.CATALOGUE: _("The catalogue"),
        Source.EDITOR: _("Editors (pinned)"),
    }[Source(name)]


def boost(halves: int) -> str:
    """How strong a boost is."""
    return {
        2: _("Up, by the whole spread of the scores"),
        1: _("Up, by half the spread of the scores"),
        -1: _("Down, by half the spread of the scores"),
        -2: _("Down, by the whole spread of the scores"),
    }[halves]


def metric(name: str) -> str:
    """What a trial is decided by."""
    return {Metric.CLICKS: _("Cards followed per person"), Metric.PURCHASES: _("Purchases per person")}[Metric(name)]


def state(name: TrialState) -> str:
    """How far a trial has come."""
    return {
        TrialState.DRAFT: _("Not begun"),
        TrialState.RUNNING: _("Under way"),
        TrialState.ENDED: _("Ended"),
    }[name]

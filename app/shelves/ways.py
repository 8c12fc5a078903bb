"""What can be tried on people: each question of how shelves are made, and the ways the code knows to answer it.

A way that is here is in the code that makes shelves, and nowhere else is one named.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from app.recommender.diversity import TRADE
from app.shelves.shelf import ShelfName


class Question(StrEnum):
    """What is asked of the code; a trial compares two or more answers."""

    DIVERSITY = "diversity"
    FIRST = "first-shelf"


@dataclass(frozen=True, slots=True)
class Way:
    """One answer. `value` is what the code takes: a number, or a word it knows."""

    name: str
    value: float | str
    says: str | LazyString


@dataclass(frozen=True, slots=True)
class Choice:
    """A question's ways, the usual one first, and the shelves that it shapes."""

    says: str | LazyString
    ways: tuple[Way, ...]
    shelves: frozenset[ShelfName]

    @property
    def usual(self) -> Way:
        """What everybody gets where nothing is tried."""
        return self.ways[0]

    def way(self, name: str) -> Way:
        """The way of that name; KeyError where there is none."""
        return {way.name: way for way in self.ways}[name]


_PERSONAL = frozenset({ShelfName.FOR_YOU, ShelfName.BECAUSE, ShelfName.NEW, ShelfName.OFF_BEATEN})

QUESTIONS: dict[Question, Choice] = {
    # λ of maximal marginal relevance: how much of the score, against likeness to what stands there already.
    Question.DIVERSITY: Choice(
        _("How alike the releases on a shelf may be"),
        (
            Way("usual", TRADE, _("As different as usual (λ 0.8)")),
            Way("alike", 1.0, _("What suits best, however alike (λ 1)")),
            Way("different", 0.6, _("More different (λ 0.6)")),
        ),
        _PERSONAL,
    ),
    Question.FIRST: Choice(
        _("Which shelf comes first on the front page"),
        (
            Way("for-you", "for-you", _("“For you”, by the model")),
            Way("popular", "popular", _("“Popular now”, the same for everybody")),
        ),
        frozenset({ShelfName.FOR_YOU, ShelfName.POPULAR}),
    ),
}

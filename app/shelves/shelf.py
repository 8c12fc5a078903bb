"""The words that every shelf is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.catalog.models import Artist, Release
from app.core.money import Money


class ShelfName(StrEnum):
    """Which shelf; it stands in addresses, in what was shown, and in what editors decide."""

    FOR_YOU = "for-you"
    BECAUSE = "because"  # because you own, or played, one release
    FANS = "fans-also-bought"  # on a release's page
    MORE_BY = "more-by"  # more by this artist
    NEAR = "near"  # artists near this one
    NEW = "new-for-you"
    OFF_BEATEN = "off-the-beaten-track"  # less popular, same taste
    COMPLETE = "complete-your-collection"
    POPULAR = "popular"
    NEW_MUSIC = "new-music"  # the newest, for everybody
    FILMS = "films"
    RADIO = "radio"


PERSONAL = frozenset({ShelfName.FOR_YOU, ShelfName.BECAUSE, ShelfName.NEW, ShelfName.OFF_BEATEN, ShelfName.COMPLETE})
"""The shelves that only somebody whose taste is known, and may be used, is shown."""


class Source(StrEnum):
    """What put a release on a shelf."""

    MODEL = "model"
    POPULAR = "popular"
    CATALOGUE = "catalogue"  # the same artist, the rest of what is half owned, what is newest
    EDITOR = "editor"  # pinned


class Tie(StrEnum):
    """What a person has to do with a release that is named as a reason, the closest first."""

    OWN = "own"
    BOUGHT = "bought"
    ELSEWHERE = "elsewhere"  # owns it elsewhere
    PLAYED = "played"
    RATED = "rated"
    WISHED = "wished"
    CART = "cart"
    PREVIEWED = "previewed"
    LOOKED = "looked"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A release that may come onto a shelf. `score`: higher is better, comparable within the shelf alone."""

    release_id: str
    score: float
    source: Source


@dataclass(frozen=True, slots=True)
class Because:
    """A release of the person's own that moved a score, and what they have to do with it."""

    release: Release
    tie: Tie


@dataclass(frozen=True, slots=True)
class Completing:
    """What a release completes: an album of which `held` of `of` tracks are owned, or, with `artist`, what they made.

    `cost` is what the rest costs now, as the cart will show it; None where the price is the buyer's to name.
    """

    held: int
    of: int
    artist: Artist | None = None
    cost: Money | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """A release on a shelf. `because`: the person's own releases that moved it there most, the strongest first."""

    release: Release
    score: float
    source: Source
    because: tuple[Because, ...] = ()
    completing: Completing | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """How it is kept that a shelf was shown: under which person's pseudonym, if any, and of which trial."""

    unit: str | None = None
    trial_id: str | None = None
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """A shelf as a person sees it; `about` is the release or artist it starts from, `tie` what the person has to do
    with that release."""

    name: ShelfName
    picks: tuple[Pick, ...]
    about: Release | Artist | None = None
    tie: Tie | None = None
    kept: Kept = Kept()

    @property
    def id(self) -> str:
        """What its heading is called within a page."""
        return (
            f"shelf-{self.name}-{self.about.id}"
            if self.name == ShelfName.BECAUSE and self.about
            else (f"shelf-{self.name}")
        )

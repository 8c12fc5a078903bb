"""The words that every shelf is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.catalog.models import Artist, Release


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
    RADIO = "radio"


class Source(StrEnum):
    """What put a release on a shelf."""

    MODEL = "model"
    POPULAR = "popular"
    CATALOGUE = "catalogue"  # the same artist, the rest of what is half owned, what is newest
    EDITOR = "editor"  # pinned


@dataclass(frozen=True, slots=True)
class Candidate:
    """A release that may come onto a shelf. `score`: higher is better, comparable within the shelf alone."""

    release: Release
    score: float
    source: Source


@dataclass(frozen=True, slots=True)
class Pick:
    """A release on a shelf. `because`: the person's own releases that moved it there most, the strongest first."""

    release: Release
    score: float
    source: Source
    because: tuple[Release, ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """A shelf as a person sees it; `about` is the release or artist it starts from."""

    name: ShelfName
    picks: tuple[Pick, ...]
    about: Release | Artist | None = None

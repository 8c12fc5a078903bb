"""What the rows need of the object store. Each room tells its own; upkeep compares the whole with what is there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HoldingKind(StrEnum):
    """What a row holds an object as; it decides what can be done where the object is lost."""

    MASTER = "master"
    RENDITION = "rendition"  # made of the master, so it can be made again
    ARCHIVE = "archive"  # made again when somebody asks for it
    COVER = "cover"
    UNFINISHED = "unfinished"  # somebody is at work on it: it may or may not be there, and is nobody else's business


@dataclass(frozen=True, slots=True)
class Holding:
    """One object that a row needs; a `key` ending in a slash is a stream's folder, and all its playlists name.

    `size` is in bytes; a stream's is the sum over its segments. `row` is the id that the room's own repair takes,
    `name` what a person calls the thing.
    """

    kind: HoldingKind
    key: str
    row: str
    name: str
    size: int | None = None

"""Where others take part in what is shown: one place for each, in the order of the three functions."""

from __future__ import annotations

from collections.abc import Sequence

from app.shelves.shelf import Candidate, Shelf, ShelfName


def boosted(name: ShelfName, candidates: list[Candidate], account_id: str | None) -> list[Candidate]:
    """The candidates of a shelf with editors' boosts on their scores, before any are chosen."""
    return candidates


def pinned(name: ShelfName, chosen: list[Candidate], account_id: str | None) -> list[Candidate]:
    """What was chosen, with what editors pinned to the shelf; a pin still has to be one that the person may be shown,
    and on no shelf above."""
    return chosen


def shown(account_id: str | None, shelves: Sequence[Shelf]) -> None:
    """Shelves are on their way to somebody: for whoever counts that. Within the entry point, before it answers."""

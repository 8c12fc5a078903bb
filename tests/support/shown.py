"""What shelves would choose from, without caps and diversity: for tests of what the model and the event log come to."""

from __future__ import annotations

from app.catalog import queries as catalog
from app.catalog.models import Release
from app.discovery import ranking
from app.shelves import candidates, neighbours, viewer
from app.shelves.shelf import Candidate


def popular(limit: int, account_id: str | None = None, country: str | None = None) -> list[Release]:
    """What is popular, then what is new."""
    return _releases(candidates.popular(viewer.of(account_id, country), filled=True), limit)


def for_you(account_id: str, limit: int, country: str | None = None) -> list[Release]:
    """What suits the person, filled up with what is popular."""
    liked = _releases(candidates.liked(viewer.of(account_id, country), ranking.of(account_id)), limit)
    return [*liked, *(one for one in popular(limit + len(liked), account_id, country) if one not in liked)][:limit]


def fans_also_bought(release_id: str, account_id: str | None, limit: int, country: str | None = None) -> list[Release]:
    """What the people who like the release like, too."""
    return _releases(neighbours.fans(viewer.of(account_id, country), ranking.of(account_id), release_id), limit)


def _releases(found: list[Candidate], limit: int) -> list[Release]:
    return catalog.releases_by_ids([one.release_id for one in found[:limit]])

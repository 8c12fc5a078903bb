"""The nightly round of shelves. `defer("shelves.count")` counts again where releases stand."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.db import transaction
from app.core.queue import DEFAULT, periodic, queue_context, task
from app.discovery import queries as discovery
from app.discovery import tastes
from app.licenses import queries as licenses
from app.shelves import editing, exposures, reports
from app.shelves import standing as why
from app.shelves.shelf import Pick, Shelf, ShelfName, Source

EVERY_NIGHT = "23 2 * * *"
EARLY = "47 2 * * *"


@periodic(cron=EVERY_NIGHT)
@task(name="shelves.sweep", queue=DEFAULT, lock="shelves.sweep", queueing_lock="shelves.sweep")
def sweep(timestamp: int = 0) -> None:
    """Keep the reports of trials that are over, then make counts of what is old."""
    with queue_context():
        with transaction():
            reports.close_over()
        with transaction():
            exposures.prune()


@periodic(cron=EARLY)
@task(name="shelves.count", queue=DEFAULT, lock="shelves.count", queueing_lock="shelves.count")
def count(timestamp: int = 0) -> None:
    """Count where which release stands on the shelves of people drawn by lot."""
    with queue_context(), transaction():
        at = editing.today()
        why.take(lambda account_id: _shelves_of(account_id, at))


def _shelves_of(account_id: str, at: editing.Today) -> Iterator[Shelf]:
    picks = [Pick(release, 0.0, Source.MODEL) for release in discovery.for_you(account_id, 6)]
    never = tastes.hidden(account_id) | licenses.owned_release_ids(account_id)
    yield Shelf(ShelfName.FOR_YOU, tuple(editing.pinned(ShelfName.FOR_YOU, picks, never, at)))

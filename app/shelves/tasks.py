"""The nightly round of shelves. `defer("shelves.count")` counts again where releases stand."""

from __future__ import annotations

from app.accounts import addresses
from app.core.db import transaction
from app.core.queue import DEFAULT, periodic, queue_context, task
from app.shelves import exposures, queries, reports, standing
from app.shelves.shelf import Shelf

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
        standing.take(_shelves_of)


def _shelves_of(account_id: str) -> list[Shelf]:
    """All that the front page has for them at home, to its end."""
    home = addresses.home_of(account_id)
    front = queries.home(account_id, home)
    if front.more_without is None:
        return front.shelves
    return [*front.shelves, *queries.more(account_id, home, front.more_without)]

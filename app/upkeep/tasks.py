"""The nightly round. `defer("upkeep.sweep")` asks for one now."""

from __future__ import annotations

from app.core.queue import DEFAULT, periodic, queue_context, task
from app.upkeep import rounds

EVERY_NIGHT = "43 3 * * *"


@periodic(cron=EVERY_NIGHT)
@task(name="upkeep.sweep", queue=DEFAULT, lock="upkeep.sweep", queueing_lock="upkeep.sweep")
def sweep(timestamp: int = 0, *, at_once: bool = False) -> None:
    """Remove what nothing needs and forget plays that are long over; cut short anywhere, the next one goes on.

    `at_once` keeps nothing back, however young: for when nothing else runs.
    """
    with queue_context():
        rounds.sweep(at_once=at_once)

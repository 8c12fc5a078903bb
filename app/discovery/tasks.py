"""The training that runs by the clock. `defer("discovery.train", args={"always": true})` asks for one at once."""

from __future__ import annotations

from app.core.db import transaction
from app.core.queue import DEFAULT, periodic, queue_context, task
from app.core.store import settings
from app.discovery import service

EVERY_TEN_MINUTES = "*/10 * * * *"


# One at a time, and never two waiting: a model trained twice over the same events is the same model.
@periodic(cron=EVERY_TEN_MINUTES)
@task(name="discovery.train", queue=DEFAULT, lock="discovery.train", queueing_lock="discovery.train")
def train(timestamp: int | None = None, *, always: bool = False) -> None:
    """Train where something happened since the last time; cut short anywhere, it leaves the old model in use.

    `timestamp` is the moment the clock asked for, from the queue; it makes no difference.
    """
    with queue_context():
        if always or service.is_stale():
            with transaction():
                service.train(settings().recommender_factors, settings().recommender_device)

"""The worker's part of ingest reports: a stored master is fetched and listened to."""

from __future__ import annotations

import logging
from typing import Any

from procrastinate import JobContext

from app.core import queue, workplace
from app.core.db import transaction
from app.core.store import media_store
from app.media import ingest
from transcoder import quality
from transcoder.errors import TranscoderError

log = logging.getLogger("wavecrate.media")


@queue.task(name=ingest.TASK, queue=queue.DEFAULT, retry=queue.BACKOFF, pass_context=True)
def inspect(context: JobContext, sha256: str) -> None:
    """Listen to a master and keep what was found; the database is not held meanwhile."""
    with queue.queue_context():
        with transaction():
            probe = ingest.wanted(sha256)
        if probe is None:
            return
        try:
            report = quality.inspect_stored(sha256, probe, media_store(), workplace.folder())
        except Exception as error:
            for_good = isinstance(error, TranscoderError) and not error.retryable
            if not for_good and context.job.attempts < (queue.BACKOFF.max_attempts or 0):
                raise  # the store, or room on the disk, may be back the next time
            log.exception("inspecting %s", sha256)
            with transaction():
                ingest.give_up(sha256, str(error))
            return
        with transaction():
            ingest.record(sha256, report)


# Not a third time: whatever else ran in the worker that is lost was lost with it, and transcoding gives up after three.
_MOST_LOST = 2


@queue.on_lost(ingest.TASK, most=_MOST_LOST)
def _give_up(args: dict[str, Any]) -> None:
    ingest.give_up(args["sha256"], f"The worker was lost {_MOST_LOST} times while it listened to this master.")


@queue.periodic(cron="*/10 * * * *")
@queue.task(name="media.inspect_missed", queue=queue.DEFAULT, queueing_lock="media.inspect_missed")
def inspect_missed(timestamp: int = 0) -> None:
    """Every ten minutes: masters that nobody has listened to, and no message speaks of, are put on the queue."""
    with queue.queue_context(), transaction():
        count = ingest.enqueue_missed()
    if count:
        log.info("%s masters are to be listened to", count)

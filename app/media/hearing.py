"""The worker's part of hearing tracks that were transcoded before anybody listened."""

from __future__ import annotations

import logging
from typing import Any

from procrastinate import JobContext

from app.core import queue, workplace
from app.core.db import transaction
from app.core.store import media_store
from app.media import sounds
from transcoder import hearing
from transcoder.errors import TranscoderError

log = logging.getLogger("wavecrate.media")


@queue.task(name=sounds.TASK, queue=queue.DEFAULT, retry=queue.BACKOFF, pass_context=True)
def hear(context: JobContext, track_id: str) -> None:
    """Hear the published master of a track and keep what it sounds like; the database is not held meanwhile."""
    with queue.queue_context():
        with transaction():
            asked = sounds.wanted(track_id)
        if asked is None:
            return
        sha256, probe = asked
        try:
            features = hearing.hear_stored(sha256, probe, media_store(), workplace.folder())
        except Exception as error:
            for_good = isinstance(error, TranscoderError) and not error.retryable
            if not for_good and context.job.attempts < (queue.BACKOFF.max_attempts or 0):
                raise  # the store, or room on the disk, may be back the next time
            log.exception("hearing track %s", track_id)
            with transaction():
                sounds.give_up(track_id, sha256, str(error))
            return
        with transaction():
            sounds.record(track_id, sha256, features)


_MOST_LOST = 2


@queue.on_lost(sounds.TASK, most=_MOST_LOST)
def _give_up(args: dict[str, Any]) -> None:
    asked = sounds.wanted(args["track_id"])
    if asked is not None:
        sounds.give_up(args["track_id"], asked[0], f"The worker was lost {_MOST_LOST} times while it heard this track.")


@queue.periodic(cron="*/10 * * * *")
@queue.task(name="media.hear_missed", queue=queue.DEFAULT, queueing_lock="media.hear_missed")
def hear_missed(timestamp: int = 0) -> None:
    """Every ten minutes: published tracks that nobody has heard, and no message speaks of, are put on the queue."""
    with queue.queue_context(), transaction():
        count = sounds.enqueue_missed()
    if count:
        log.info("%s tracks are to be heard", count)

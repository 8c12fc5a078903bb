"""The desk of a running job: what the transcoder says becomes rows, each in a short transaction of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from app.core import queue
from app.core.db import transaction
from app.media import chunks, service
from media_store import keys
from transcoder import contract
from transcoder.errors import ChunkTaken, EncodeFailed

log = logging.getLogger("wavecrate.media")

_PROGRESS_SECONDS = 0.5
_BEAT_SECONDS = 2.0  # at most, and always several times before the worker would count as lost


class JobDesk:
    """The desk of one attempt at a job, or of a helper of it; `taker` is how the rows call who works on a chunk."""

    def __init__(self, message: contract.TranscodeJob, *, taker: str, silent_seconds: float) -> None:
        self._job_id, self._attempt = message.job_id, message.attempt
        self._prefix = keys.stream_prefix(message.stream_address)
        self._taker, self._silent = taker, silent_seconds
        self._has_job = taker == chunks.owner(message.attempt)
        self._beat_seconds = min(_BEAT_SECONDS, silent_seconds / 4)
        self._stage, self._told_at = "", 0.0
        self._beaten: dict[int, float] = {}
        self._lock = threading.Lock()

    def progress(self, stage: str, fraction: float) -> None:
        """Write it to the job's row: at each new stage, else at most twice a second. Raises Superseded."""
        now = time.monotonic()
        with self._lock:
            if stage == self._stage and now - self._told_at < _PROGRESS_SECONDS:
                return
            self._stage, self._told_at = stage, now
        with queue.queue_context(), transaction():
            service.report_progress(self._job_id, self._attempt, stage, fraction)

    def hold(self) -> None:
        """Raises Superseded once a later attempt has the job."""
        with queue.queue_context(), transaction():
            service.hold(self._job_id, self._attempt)

    def on_air(self, stream: contract.MadeRendition) -> None:
        """Put the stream in force where the track has none. Raises Superseded."""
        with queue.queue_context(), transaction():
            service.on_air(self._job_id, self._attempt, stream)

    def share(self, cut: Sequence[contract.Chunk]) -> None:
        """Offer the chunks to every worker. Raises Superseded."""
        with queue.queue_context(), transaction():
            service.hold(self._job_id, self._attempt)
            chunks.share(self._job_id, cut)

    def take(self) -> contract.Chunk | None:
        """The next free chunk. Raises EncodeFailed where one has been tried too often, or Superseded."""
        with queue.queue_context(), transaction():
            if self._has_job:
                service.hold(self._job_id, self._attempt)
            why = chunks.exhausted(self._job_id, silent_seconds=self._silent)
            if why is not None:
                raise EncodeFailed(f"A part of the film could not be encoded by any worker. {why}")
            return chunks.take(self._job_id, taker=self._taker, prefix=self._prefix, silent_seconds=self._silent)

    def beat(self, number: int) -> None:
        """Say that the chunk is worked on, often enough. Raises ChunkTaken once it is another's."""
        now = time.monotonic()
        with self._lock:
            if now - self._beaten.get(number, 0.0) < self._beat_seconds:
                return
            self._beaten[number] = now
        with queue.queue_context(), transaction():
            if not chunks.beat(self._job_id, number, taker=self._taker):
                raise ChunkTaken(f"Another worker has chunk {number} now.")

    def done(self, report: contract.ChunkReport) -> None:
        """Take a finished chunk."""
        with queue.queue_context(), transaction():
            chunks.done(self._job_id, report, taker=self._taker)

    def failed(self, number: int, reason: str) -> None:
        """Put the chunk back for another try, and keep why."""
        log.warning("job %s, chunk %s: %s", self._job_id, number, reason)
        with queue.queue_context(), transaction():
            chunks.give_back(self._job_id, number, reason, taker=self._taker)

    def reports(self) -> list[contract.ChunkReport]:
        """What is done so far, by whomever."""
        with queue.queue_context(), transaction():
            return chunks.reports(self._job_id)

"""What workers do with masters, and the sweep that picks up what a lost worker left."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from procrastinate import JobContext

from app.core import queue
from app.core.db import transaction
from app.core.store import media_store, settings
from app.media import retagging, service
from app.settings import var_dir
from media_store.errors import StoreError
from transcoder import contract, worker
from transcoder.errors import TranscoderError

_PROGRESS_SECONDS = 0.5

log = logging.getLogger("wavecrate.media")

# Transcode jobs of this process and their attempts, to be given back when it leaves.
_at_work: dict[str, int] = {}


def workdir() -> Path:
    """Where masters are worked on: under `WAVECRATE_VAR`."""
    return var_dir() / "work"


@queue.task(name=service.TASK, queue=queue.TRANSCODE, retry=queue.BACKOFF)
def transcode(job_id: str) -> None:
    """Turn a master into renditions and publish them; the database is not held while FFmpeg works."""
    with queue.queue_context():
        with transaction():
            job = service.claim(job_id)
            message = service.message_for(job, settings()) if job else None
        if message is None:
            return
        _at_work[job_id] = message.attempt
        try:
            report = worker.run(message, media_store(), workdir(), _Reporter(message))
            with transaction():
                service.publish(report)
        except service.Superseded:
            log.warning("job %s, attempt %s: another attempt has taken over", job_id, message.attempt)
        except (TranscoderError, StoreError) as error:
            _failed(message, str(error), retryable=getattr(error, "retryable", True), error=error)
        except Exception as error:
            log.exception("job %s, attempt %s", job_id, message.attempt)
            _failed(message, f"Something broke in the transcoder: {error}", retryable=True, error=error)
        finally:
            _at_work.pop(job_id, None)


@queue.on_leave
def _give_back() -> None:
    with transaction():
        for job_id, attempt in list(_at_work.items()):
            service.give_back(job_id, attempt)


@queue.task(name=service.RETAG, queue=queue.DEFAULT, retry=queue.BACKOFF)
def retag(release_id: str) -> None:
    """Write the catalogue's present words into downloads that were tagged with earlier ones."""
    with queue.queue_context():
        with transaction():
            stale = service.stale_downloads(release_id)
        for each in stale:
            old_key = each.rendition.key
            made = retagging.retagged(each, media_store(), workdir())
            with transaction():
                service.replace_download(each.rendition.id, old_key, made)


def _failed(message: contract.TranscodeJob, reason: str, *, retryable: bool, error: Exception) -> None:
    with transaction():
        again = service.fail(message.job_id, message.attempt, reason, retryable=retryable)
    log.warning("job %s, attempt %s: %s", message.job_id, message.attempt, reason)
    if again:
        raise error  # the queue tries again, a little later each time


class _Reporter:
    """Writes progress to the job's row: at each new stage, else at most twice a second."""

    def __init__(self, message: contract.TranscodeJob) -> None:
        self._job_id, self._attempt = message.job_id, message.attempt
        self._stage, self._at = "", 0.0

    def __call__(self, stage: str, fraction: float) -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._at < _PROGRESS_SECONDS:
            return
        self._stage, self._at = stage, now
        with transaction():
            service.report_progress(self._job_id, self._attempt, stage, fraction)


@queue.periodic(cron="* * * * *")
@queue.task(name="media.sweep", queue=queue.DEFAULT, queueing_lock="media.sweep", pass_context=True)
async def sweep(context: JobContext, timestamp: int = 0) -> None:
    """Every minute: give jobs of workers whose heartbeat stopped, and jobs no message speaks of, back to the queue."""
    with queue.queue_context():
        silent = settings().worker_stalled_seconds
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=silent):
        log.warning("job %s (%s): its worker is lost, giving it to another", job.id, job.task_name)
        await manager.retry_job(job)
    await asyncio.to_thread(_requeue_lost, silent)


def _requeue_lost(silent: float) -> None:
    with queue.queue_context(), transaction():
        for job_id in service.requeue_lost(silent):
            log.warning("transcode job %s was forgotten by the queue, put back", job_id)

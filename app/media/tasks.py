"""What workers do with masters, and the sweep that picks up what a lost worker left."""

from __future__ import annotations

import asyncio
import logging

from procrastinate import JobContext

from app.core import ids, metrics, queue, workplace
from app.core.db import transaction
from app.core.store import media_store, settings
from app.media import chunks, retagging, service, subtitles
from app.media.desk import JobDesk
from media_store.errors import StoreError
from transcoder import contract, worker
from transcoder.errors import TranscoderError

log = logging.getLogger("wavecrate.media")

# Transcode jobs of this process and their attempts, to be given back when it leaves.
_at_work: dict[str, int] = {}
# Films this process helps with, by the helper's name.
_helping: dict[str, str] = {}


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
            report = worker.run(
                message, media_store(), workplace.folder(), _desk(message, chunks.owner(message.attempt))
            )
            with transaction():
                service.publish(report)
            metrics.TRANSCODES.labels(message.probe.kind, "done").inc()
            metrics.encoded(message.probe.kind, message.probe.duration, report.timings["encode"])
        except service.Superseded:
            metrics.TRANSCODES.labels(message.probe.kind, "overtaken").inc()
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
        for name, job_id in list(_helping.items()):
            chunks.hand_over(job_id, taker=name)


@queue.task(name=service.RETAG, queue=queue.DEFAULT, retry=queue.BACKOFF)
def retag(release_id: str) -> None:
    """Write the catalogue's present words into downloads that were tagged with earlier ones."""
    with queue.queue_context():
        with transaction():
            stale = service.stale_downloads(release_id)
        for each in stale:
            old_key = each.rendition.key
            made = retagging.retagged(each, media_store(), workplace.folder())
            with transaction():
                service.replace_download(each.rendition.id, old_key, made)


@queue.task(name=subtitles.TASK, queue=queue.DEFAULT, retry=queue.BACKOFF)
def attach_subtitles(track_id: str) -> None:
    """Put what editors sent for a film into its stream, and take out what they removed."""
    with queue.queue_context():
        with transaction():
            asked = subtitles.wanted(track_id)
        if asked is None:
            return  # the stream asks again when it is there
        attached = subtitles.put_in(asked, media_store(), workplace.folder())
        with transaction():
            subtitles.note(asked, attached)


def _failed(message: contract.TranscodeJob, reason: str, *, retryable: bool, error: Exception) -> None:
    with transaction():
        kind = "store" if isinstance(error, StoreError) else getattr(error, "kind", "broken")
        again = service.fail(message.job_id, message.attempt, reason, kind=kind, retryable=retryable)
    metrics.TRANSCODES.labels(message.probe.kind, "again" if again else "failed").inc()
    log.warning("job %s, attempt %s: %s", message.job_id, message.attempt, reason)
    if again:
        raise error  # the queue tries again, a little later each time


def _desk(message: contract.TranscodeJob, taker: str) -> JobDesk:
    return JobDesk(message, taker=taker, silent_seconds=settings().worker_stalled_seconds)


@queue.task(name=chunks.HELP, queue=queue.TRANSCODE)
def help_with(job_id: str) -> None:
    """Take chunks of a film that another worker has the job of. Where nothing is left to take, nothing happens."""
    with queue.queue_context():
        with transaction():
            message = service.message_to_help(job_id, settings())
        if message is None:
            return
        name = ids.new_id()
        _helping[name] = job_id
        try:
            worker.help_with(message, media_store(), workplace.folder(), _desk(message, name), name)
        except service.Superseded:
            log.info("job %s: help is no longer wanted", job_id)
        except (TranscoderError, StoreError) as error:
            # The chunk is back on the desk; whoever has the job decides what becomes of it.
            log.warning("job %s, helping: %s", job_id, error)
        finally:
            _helping.pop(name, None)


@queue.periodic(cron="* * * * *")
@queue.task(name="media.sweep", queue=queue.DEFAULT, queueing_lock="media.sweep", pass_context=True)
async def sweep(context: JobContext, timestamp: int = 0) -> None:
    """Every minute: give jobs of workers whose heartbeat stopped, and jobs no message speaks of, back to the queue."""
    with queue.queue_context():
        silent = settings().worker_stalled_seconds
    await queue.take_up_lost(context.app, silent)
    await asyncio.to_thread(_requeue_lost, silent)


def _requeue_lost(silent: float) -> None:
    with queue.queue_context(), transaction():
        for job_id in service.requeue_lost(silent):
            log.warning("transcode job %s was forgotten by the queue, put back", job_id)

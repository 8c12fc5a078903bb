"""The worker process: a slot for transcoding, which uses every core by itself, one for letters, two for the rest."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.middleware import AsyncCallNext
from procrastinate.worker import Worker

from app.core import logs, metrics, queue, workplace
from app.factory import create_app
from app.settings import Settings, load_settings
from transcoder import isolation

# The modules whose import registers tasks.
TASKS = (
    "app.media.tasks",
    "app.media.inspecting",
    "app.media.hearing",
    "app.studio.tasks",
    "app.downloads.tasks",
    "app.discovery.tasks",
    "app.shelves.tasks",
    "app.upkeep.tasks",
    "app.orders.tasks",
    "app.letters.tasks",
)
SLOTS = {queue.TRANSCODE: 1, queue.DEFAULT: 2, queue.LETTERS: 1}

log = logging.getLogger("wavecrate.worker")


def run(*, alone: bool = False, settings: Settings | None = None) -> None:
    """Work until SIGTERM or SIGINT, then give running jobs a moment and leave.

    A job cut short is taken up again by the next worker: at once when that one is `alone` (nobody else can
    be working, so whatever is marked as running was left behind), else when its heartbeat is found silent.
    """
    settings = settings or load_settings()
    logs.configure(settings)
    if settings.metrics_port:
        token = settings.metrics_token
        metrics.serve(settings.metrics_host, settings.metrics_port, token.get_secret_value() if token else None)
    if settings.ffmpeg_binary:
        os.environ["FFMPEG_BINARY"] = settings.ffmpeg_binary  # where the transcoder, which knows no settings, looks
    unprotected = isolation.notice()
    if unprotected:
        log.warning(unprotected)
    else:
        log.info("masters are opened in namespaces of their own, without a network")
    workplace.folder()  # now, so that the disk is clear of what a lost worker left before anything is fetched
    queue.bind(create_app(settings))
    for module in TASKS:
        import_module(module)
    asyncio.run(_work(settings, alone))


async def _work(settings: Settings, alone: bool) -> None:
    # Connections: per slot one to listen, one to work, one for heartbeats.
    connector = PsycopgConnector(conninfo=settings.libpq_url, min_size=2, max_size=12)
    with queue.queue.replace_connector(connector) as app:
        async with app.open_async():
            if alone:
                await _take_over(app)
            slots = [
                asyncio.create_task(
                    app.run_worker_async(
                        queues=[name],
                        name=f"{name}-{os.getpid()}",
                        concurrency=concurrency,
                        install_signal_handlers=False,
                        fetch_job_polling_interval=2.0,
                        delete_jobs="successful",
                        worker_middleware=[_observe],
                        update_heartbeat_interval=settings.worker_heartbeat_seconds,
                        stalled_worker_timeout=settings.worker_stalled_seconds,
                    ),
                    name=f"the slot of {name}",
                )
                for name, concurrency in SLOTS.items()
            ]
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            log.info("ready")
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([stopped, *slots], return_when=asyncio.FIRST_COMPLETED)
            await _end(slots, settings.worker_grace_seconds, in_order=stop.is_set())


async def _end(slots: Sequence[asyncio.Task[None]], grace_seconds: float, *, in_order: bool) -> None:
    """Give what runs a moment, hand over what is left, and end the process, whatever breaks on the way.

    A worker that lost one of its slots ends too, and the log says of what: whoever started it starts another.
    """
    try:
        for slot in slots:
            slot.cancel()
        ended, _unended = await asyncio.wait(slots, timeout=grace_seconds)
        for slot in ended:
            if not slot.cancelled() and (error := slot.exception()) is not None:
                log.error("%s came to an unforeseen end", slot.get_name(), exc_info=error)
        await asyncio.to_thread(queue.leave)
    except BaseException:
        log.exception("could not hand over what is unfinished; it is taken up when its heartbeat is found silent")
    finally:
        try:
            workplace.leave()
        finally:
            # Tasks run in threads, which cannot be cancelled; leaving ends them, and through the kernel their children.
            os._exit(0 if in_order else 1)


async def _observe(call_next: AsyncCallNext, context: JobContext, _worker: Worker) -> Any:
    """Around every job: what is logged says which it is, and its end is counted."""
    task, began, outcome = context.job.task_name, time.monotonic(), "failed"
    with logs.about(job=str(context.job.id), task=task):
        try:
            result = await call_next()
            outcome = "done"
            return result
        finally:
            seconds = time.monotonic() - began
            metrics.JOBS.labels(task, outcome).inc()
            metrics.JOB_SECONDS.labels(task).observe(seconds)
            log.info("%s in %.2f s", outcome, seconds)


async def _take_over(app: App) -> None:
    await app.job_manager.prune_stalled_workers(0)
    await queue.take_up_lost(app, 0)

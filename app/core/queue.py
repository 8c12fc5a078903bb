"""The job queue: Procrastinate on the shop's own PostgreSQL.

A job is deferred on the session's own connection, so it exists exactly when the rows it speaks of do.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask, has_app_context
from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from sqlalchemy import text

from app.core.db import db, transaction

log = logging.getLogger("wavecrate.queue")

TRANSCODE = "transcode"
DEFAULT = "default"
LETTERS = "letters"  # of its own: nobody waits for a password while two ZIPs are packed

queue = App(connector=PsycopgConnector())
task = queue.task
periodic = queue.periodic

BACKOFF = RetryStrategy(max_attempts=5, exponential_wait=4)
# For what must outlast the longest outage: soon at first, after a day every forty minutes, and never given up.
PATIENCE = RetryStrategy(wait=5, linear_wait=30)

_flask: Flask | None = None


def bind(flask_app: Flask) -> None:
    """Name the app whose settings, database and store the tasks of this process work with."""
    global _flask
    _flask = flask_app


@contextmanager
def queue_context() -> Iterator[None]:
    """What a task runs in: the bound app's context and a database session of its own.

    Within a context that is already open (a test calling the task's function) that one is used.
    """
    if has_app_context():
        yield
        return
    if _flask is None:
        raise RuntimeError("no app is bound to the queue: call app.core.queue.bind() where the worker starts")
    with _flask.app_context():  # its end removes the session
        yield


_leaving: list[Callable[[], None]] = []


def on_leave(hand_over: Callable[[], None]) -> Callable[[], None]:
    """Have the function called, in a queue context, when this process leaves in good order with work unfinished."""
    _leaving.append(hand_over)
    return hand_over


def leave() -> None:
    """Hand over what is unfinished; the process ends right after."""
    with queue_context():
        for hand_over in _leaving:
            hand_over()


_given_up: dict[str, tuple[int, Callable[[dict[str, Any]], None]]] = {}


def on_lost(task_name: str, *, most: int) -> Callable[[Callable[[dict[str, Any]], None]], Callable[..., None]]:
    """Have the function called with a job's arguments, in a transaction, instead of giving the job to yet another
    worker, when the worker of its attempt number `most` is lost: the job may be what kills them."""

    def register(give_up: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
        _given_up[task_name] = most, give_up
        return give_up

    return register


async def take_up_lost(app: App, silent_seconds: float) -> None:
    """Give the jobs of workers whose heartbeat has stopped for so long to others, or give them up (see `on_lost`)."""
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=silent_seconds):
        try:
            await _take_up(app, job)
        except UniqueViolation:
            # A queueing lock lets one of its jobs wait, and one does: it will do the lost one's work, but not before
            # that one is out of its way.
            log.warning("job %s (%s): its worker is lost, the next of its kind waits already", job.id, job.task_name)
            await app.job_manager.finish_job(job, Status.ABORTED, delete_job=True)
        except ConnectorException:  # another worker was quicker; and whatever it is, it isn't the next job's concern
            log.exception("job %s (%s): could not be taken from its lost worker", job.id, job.task_name)


async def _take_up(app: App, job: Job) -> None:
    most, give_up = _given_up.get(job.task_name, (None, None))
    if most is None or give_up is None or job.attempts + 1 < most:
        log.warning("job %s (%s): its worker is lost, giving it to another", job.id, job.task_name)
        await app.job_manager.retry_job(job)
    else:
        log.error("job %s (%s): lost with its worker, attempt %s: given up", job.id, job.task_name, most)
        await asyncio.to_thread(_end_lost, give_up, dict(job.task_kwargs))
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=False)


def _end_lost(give_up: Callable[[dict[str, Any]], None], args: dict[str, Any]) -> None:
    with queue_context(), transaction():
        give_up(args)


_DEFER = text(
    """
    SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[
        ROW(:queue, :task, :priority, :lock, NULL, CAST(:args AS jsonb), NULL)
            ::procrastinate_job_to_defer_v1
    ]))
    """
)


def defer(
    task_name: str,
    *,
    queue_name: str = DEFAULT,
    lock: str | None = None,
    priority: int = 0,
    args: dict[str, Any] | None = None,
) -> int:
    """Put a job on the queue within the open transaction; return its id. A rollback takes it back."""
    row = db.session.execute(
        _DEFER,
        {
            "queue": queue_name,
            "task": task_name,
            "lock": lock,
            "priority": priority,
            "args": json.dumps(args or {}),
        },
    )
    return int(row.scalar_one())


def waiting_args(task_name: str) -> list[dict[str, Any]]:
    """The arguments of every job of that task that waits or runs."""
    rows = db.session.execute(
        text("SELECT args FROM procrastinate_jobs WHERE task_name = :task AND status IN ('todo', 'doing')"),
        {"task": task_name},
    )
    return list(rows.scalars())


@dataclass(frozen=True, slots=True)
class Depth:
    """How a queue stands: jobs that are due, put off (a retry's pause), running, and failed for good.

    `oldest_seconds` is how long the one that is due longest has waited; 0 where none is.
    """

    queue: str
    waiting: int
    later: int
    running: int
    failed: int
    oldest_seconds: float


def depths() -> list[Depth]:
    """Every queue that is known or has had a job, by name."""
    rows = db.session.execute(_DEPTHS).all()
    found = {row.queue_name: Depth(*row) for row in rows}
    return [found.get(name) or Depth(name, 0, 0, 0, 0, 0.0) for name in sorted({*found, TRANSCODE, DEFAULT, LETTERS})]


_DEPTHS = text(
    """
    SELECT queue_name,
           count(*) FILTER (WHERE status = 'todo' AND due) AS waiting,
           count(*) FILTER (WHERE status = 'todo' AND NOT due) AS later,
           count(*) FILTER (WHERE status = 'doing') AS running,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           coalesce(extract(epoch FROM now() - min(since) FILTER (WHERE status = 'todo' AND due)), 0)::float8
    FROM (
        SELECT queue_name, status::text AS status, coalesce(scheduled_at <= now(), true) AS due,
               coalesce(scheduled_at, (SELECT min(at) FROM procrastinate_events
                                       WHERE job_id = jobs.id AND type = 'deferred')) AS since
        FROM procrastinate_jobs AS jobs WHERE status IN ('todo', 'doing', 'failed')
    ) AS job
    GROUP BY queue_name
    """
)

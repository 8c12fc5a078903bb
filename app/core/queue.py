"""The job queue: Procrastinate on the shop's own PostgreSQL.

A job is deferred on the session's own connection, so it exists exactly when the rows it speaks of do.
"""

from __future__ import annotations

import json
from typing import Any

from procrastinate import App, PsycopgConnector, RetryStrategy
from sqlalchemy import text

from app.core.db import db

TRANSCODE = "transcode"
DEFAULT = "default"

queue = App(connector=PsycopgConnector())
task = queue.task
periodic = queue.periodic

BACKOFF = RetryStrategy(max_attempts=5, exponential_wait=4)

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

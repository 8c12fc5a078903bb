"""What becomes of a job whose worker is lost again and again, and of a worker that has lost its footing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from media_samples import make_audio
from sqlalchemy import text
from support import rows
from support.drain import drain

from app.catalog.models import Track
from app.core import queue
from app.core.db import db, transaction
from app.media import ingest, service
from app.settings import ROOT, Settings
from transcoder.probe import probe_file

_LOST = text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL WHERE task_name = :task")
_PERIODIC = text(
    "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, status)"
    " VALUES ('default', 'orders.sweep', 'orders.sweep', 'orders.sweep', '{}',"
    "  CAST(:state AS procrastinate_job_status))"
)
_STATE = text("SELECT status::text FROM procrastinate_jobs WHERE task_name = :task")


@pytest.fixture
def track(app: Flask, tmp_path: Path) -> Track:
    track = rows.release().tracks[0]
    probe = probe_file(make_audio(tmp_path / "m.wav", seconds=1))
    with transaction():
        service.enqueue_master(track, sha256="a" * 64, size=1, filename="m.wav", probe=probe)
    return track


def lose_worker(app: Flask, settings: Settings, task: str) -> str:
    """Let the worker of the task's job be killed and the minute's sweep come by; return how the job stands then."""
    with transaction():
        db.session.execute(_LOST, {"task": task})
        queue.defer("media.sweep", queue_name="swept", args={"timestamp": 0})
    drain(app, settings, "app.media.tasks", "app.media.inspecting", queue_name="swept")
    db.session.expire_all()
    return str(db.session.execute(_STATE, {"task": task}).scalar_one())


def test_a_master_that_costs_workers_when_listened_to_is_given_up_where_the_editor_sees_it(
    app: Flask, settings: Settings, track: Track
) -> None:
    assert lose_worker(app, settings, ingest.TASK) == "todo"
    assert ingest.reports_of([track.id])[track.id].state == "waiting"
    assert lose_worker(app, settings, ingest.TASK) == "failed"
    assert ingest.reports_of([track.id])[track.id].state == "failed"
    with transaction():
        assert ingest.enqueue_missed() == 0


def test_of_two_jobs_that_one_queueing_lock_lets_wait_alone_the_lost_one_makes_way(
    app: Flask, settings: Settings, track: Track
) -> None:
    with transaction():
        for state in ("doing", "todo"):  # the worker was killed at its sweep, and the next minute's waits
            db.session.execute(_PERIODIC, {"state": state})
    assert lose_worker(app, settings, ingest.TASK) == "todo"  # what stands behind it isn't forgotten for it
    assert db.session.scalars(_STATE, {"task": "orders.sweep"}).all() == ["todo"]


def test_a_transcode_counts_its_own_attempts(app: Flask, settings: Settings, track: Track) -> None:
    for _often in range(service.MAX_ATTEMPTS + 1):
        assert lose_worker(app, settings, service.TASK) == "todo"


_A_SLOT_DIES = """
import asyncio, logging, threading
from flask import Flask
from app import worker
from app.core import queue

@queue.on_leave
def hand_over():
    raise RuntimeError("the database is gone for good")

async def slot():
    raise ConnectionError("server closed the connection unexpectedly")

async def main():
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)  # a task that cannot be cancelled
    died = asyncio.create_task(slot(), name="the slot of transcode")
    await asyncio.wait([died])
    await worker._end([died], 1, in_order=False)

logging.basicConfig()
queue.bind(Flask("shop"))
asyncio.run(main())
"""


def test_a_worker_whose_slot_died_says_of_what_and_ends_though_it_cannot_hand_over() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _A_SLOT_DIES], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 1
    assert "the slot of transcode came to an unforeseen end" in ended.stderr
    assert "server closed the connection unexpectedly" in ended.stderr
    assert "the database is gone for good" in ended.stderr

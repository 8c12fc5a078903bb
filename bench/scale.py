"""How work spreads: short masters per minute with 1, 2 and 4 workers, and what the queue itself costs. `--json`.

Real worker processes, a PostgreSQL and an S3 server of this run's own. Times are compared within the run only: jobs
per minute against one worker's, the queue's cost against a short master's. docs/operations.md says what follows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import psutil
from sqlalchemy import func, select, text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.core import queue
from app.core.db import db, transaction
from app.core.money import Money
from app.engines import processes
from app.engines.postgres import Postgres
from app.factory import create_app
from app.media.models import JobState, Master, Rendition, TranscodeJob
from app.settings import ROOT
from app.studio import importer
from bench.ground import engines

WORKERS = (1, 2, 4)
NOTHING = "bench.nothing"
_RATE = 44100
_IDLE_SECONDS = 10


@queue.task(name=NOTHING, queue=queue.DEFAULT)
def nothing() -> None:
    """What the queue costs is what is left of a job that does nothing."""


def work() -> None:
    """A worker as `wavecrate worker` starts it, that also knows the job that does nothing."""
    from app import worker

    worker.run()


@dataclass
class Machine:
    """The engines, and what the workers are started with."""

    directory: Path
    env: dict[str, str]
    postgres: Postgres

    @contextmanager
    def workers(self, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
        """So many worker processes, ready to work."""
        # Not this module as __main__: a task is known by the module it comes from.
        command = [sys.executable, "-c", "from bench.scale import work; work()"]
        logs = [self.directory / "log" / f"worker-{count}-{number}.log" for number in range(count)]
        started = [processes.start(command, log=log, env=self.env, cwd=ROOT) for log in logs]
        try:
            for process, log in zip(started, logs, strict=True):
                while " ready" not in processes.tail(log, 50):
                    if process.poll() is not None:
                        raise SystemExit(f"A worker did not start:\n{processes.tail(log)}")
                    time.sleep(0.05)
            yield started
        finally:
            for process in started:
                processes.stop(process, 15, grace=10)

    def database_cpu(self) -> float:
        """CPU seconds the database has taken so far, its ended connections included."""
        assert self.postgres.process is not None
        return _cpu(self.postgres.process.pid)


@contextmanager
def machine() -> Iterator[Machine]:
    """Engines of this run's own, empty; the shop's context is open within."""
    with engines() as ground, create_app(ground.settings).app_context():
        yield Machine(ground.directory, dict(os.environ), ground.postgres)
        db.session.remove()
        db.engine.dispose()


def queue_cost(on: Machine, jobs: int) -> list[dict[str, float]]:
    """Jobs that do nothing, by number of workers: how many a second, and the CPU they cost, database apart."""
    told = []
    for count in WORKERS:
        with on.workers(count) as started:
            _settle()
            idle = on.database_cpu()
            time.sleep(_IDLE_SECONDS)
            idle = on.database_cpu() - idle
            database, workers = on.database_cpu(), sum(_cpu(each.pid) for each in started)
            with transaction():
                for _ in range(jobs):
                    queue.defer(NOTHING)
            began = time.monotonic()
            while _left(NOTHING):
                time.sleep(0.02)
            wall = time.monotonic() - began
            told.append(
                {
                    "workers": count,
                    "connections_per_worker": round(_connections() / count, 1),
                    "idle_database_cpu_ms_per_worker_second": round(1000 * idle / _IDLE_SECONDS / count, 2),
                    "memory_mb_per_worker": round(sum(_memory(each.pid) for each in started) / count / 2**20),
                    "jobs_per_second": round(jobs / wall, 1),
                    "database_cpu_ms_per_job": round(1000 * (on.database_cpu() - database) / jobs, 2),
                    "worker_cpu_ms_per_job": round(1000 * (sum(_cpu(e.pid) for e in started) - workers) / jobs, 2),
                    # one slot's time for one job: there are so many slots
                    "ms_per_job": round(1000 * wall * count * _slots() / jobs, 2),
                }
            )
    return told


def masters(on: Machine, jobs: int, seconds: float) -> list[dict[str, float]]:
    """Short masters from enqueued to published, by number of workers."""
    told: list[dict[str, float]] = []
    for count in WORKERS:
        folder = on.directory / f"masters-{count}"
        folder.mkdir()
        files = [_master(folder / f"{number:03}.wav", seconds, seed=1000 * count + number) for number in range(jobs)]
        since = db.session.scalars(select(func.now())).one()
        price = Money(990, "EUR")
        importer.import_paths(files, price=price, track_price=None, publish=True, on_progress=lambda *_said: None)
        with on.workers(count) as started:
            database = on.database_cpu()
            while _unfinished():
                if all(each.poll() is not None for each in started):
                    raise SystemExit("The workers are gone. Their logs say why.")
                time.sleep(0.1)
            worked = sum(_cpu(each.pid) for each in started)
            database = on.database_cpu() - database
        mine = TranscodeJob.created_at >= since
        first, last, done, failed = db.session.execute(
            select(
                func.min(TranscodeJob.started_at),
                func.max(TranscodeJob.finished_at),
                func.count().filter(TranscodeJob.state == JobState.DONE),
                func.count().filter(TranscodeJob.state == JobState.FAILED),
            ).where(mine)
        ).one()
        stored, sent = _stored(since)
        assert first is not None
        assert last is not None
        wall = (last - first).total_seconds()
        told.append(
            {
                "workers": count,
                "jobs": jobs,
                "done": done,
                "failed": failed,
                "jobs_per_minute": round(60 * done / wall, 1),
                "against_one_worker": round(done / wall / (told[0]["done"] / told[0]["seconds"]), 2) if told else 1.0,
                "seconds": round(wall, 2),
                "cores_busy": round(worked / wall, 2),
                "cpu_seconds_per_job": round(worked / jobs, 2),
                "database_cpu_ms_per_job": round(1000 * database / jobs, 1),
                "stored_bytes_per_byte_of_master": round(stored / sent, 2),
            }
        )
    return told


def _master(path: Path, seconds: float, seed: int) -> Path:
    """A few seconds of noise and tone, like no other."""
    random = np.random.default_rng(seed)
    at = np.arange(int(seconds * _RATE)) / _RATE
    sound = 0.2 * np.sin(2 * np.pi * (110 + seed % 880) * at) + 0.05 * random.standard_normal(len(at))
    both = np.stack([sound, np.roll(sound, 40)], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, _RATE, 0, "NONE", "none"))
        file.writeframes((both * 32767).astype("<i2").tobytes())
    return path


def _cpu(pid: int) -> float:
    """CPU seconds of a process, of its children that live, and of those it has seen end."""
    total = 0.0
    try:
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    except psutil.NoSuchProcess:
        pass
    return total


def _memory(pid: int) -> int:
    """Bytes of a process and its children that are in memory."""
    top = psutil.Process(pid)
    return sum(process.memory_info().rss for process in (top, *top.children(recursive=True)))


def _settle() -> None:
    """Let what the workers do when they start (the clock's own jobs) be over."""
    while db.session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")):
        db.session.rollback()
        time.sleep(0.1)
    db.session.rollback()


def _left(task: str) -> int:
    left = len(queue.waiting_args(task))
    db.session.rollback()
    return left


def _connections() -> int:
    """To the database, from everybody but us."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    count = db.session.scalar(text(others))
    db.session.rollback()
    return count or 0


def _stored(since: datetime) -> tuple[int, int]:
    """Bytes of what was made of the masters since then, and of the masters."""
    made = select(func.sum(Rendition.size)).join(Master, Rendition.master_id == Master.id)
    sent = select(func.sum(Master.size))
    mine = Master.created_at >= since
    return int(db.session.scalar(made.where(mine)) or 0), int(db.session.scalar(sent.where(mine)) or 0)


def _unfinished() -> int:
    waiting = TranscodeJob.state.in_([JobState.QUEUED, JobState.RUNNING])
    count = db.session.scalar(select(func.count()).select_from(TranscodeJob).where(waiting))
    db.session.rollback()
    return count or 0


def _slots() -> int:
    from app.worker import SLOTS

    return SLOTS[queue.DEFAULT]


def main() -> None:
    """Measure, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--masters", type=int, default=24, help="short masters for each number of workers")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each is")
    parser.add_argument("--nothings", type=int, default=2000, help="jobs that do nothing, likewise")
    arguments = parser.parse_args()
    with machine() as on:
        idle = queue_cost(on, arguments.nothings)
        real = masters(on, arguments.masters, arguments.seconds)
    wanted, done = arguments.masters * len(WORKERS), sum(int(each["done"]) for each in real)
    database_ms = max(each["database_cpu_ms_per_job"] for each in idle)
    share = idle[0]["ms_per_job"] / 1000 / (real[0]["seconds"] / real[0]["jobs"])
    figures: dict[str, Any] = {
        "cores": psutil.cpu_count(),
        "queue": idle,
        "masters": real,
        "queue_share_of_a_short_master": round(share, 4),
        "jobs_per_second_per_database_core": round(1000 / database_ms),
    }
    goals = [
        {"name": "masters published, of those enqueued", "value": done, "goal": str(wanted), "met": done == wanted}
    ]
    if arguments.json:
        print(json.dumps({"goals": goals, "figures": figures}))
    else:
        _tell(figures, goals)
    sys.exit(not all(goal["met"] for goal in goals))


def _tell(figures: dict[str, Any], goals: list[dict[str, Any]]) -> None:
    print(f"{figures['cores']} cores\n\nJobs that do nothing")
    for row in figures["queue"]:
        print(
            f"  {row['workers']} workers  {row['jobs_per_second']:>8} jobs/s   {row['ms_per_job']:>6} ms each in a slot"
            f"   CPU per job: database {row['database_cpu_ms_per_job']} ms, worker {row['worker_cpu_ms_per_job']} ms"
        )
        print(
            f"{'':<12} each holds {row['connections_per_worker']} connections and {row['memory_mb_per_worker']} MB,"
            f" and idle costs the database {row['idle_database_cpu_ms_per_worker_second']} ms of CPU a second"
        )
    print("\nShort masters")
    for row in figures["masters"]:
        print(
            f"  {row['workers']} workers  {row['jobs_per_minute']:>8} jobs/min  × {row['against_one_worker']:<5}"
            f" {row['cores_busy']} cores busy   CPU per job {row['cpu_seconds_per_job']} s,"
            f" database {row['database_cpu_ms_per_job']} ms   stored ÷ master {row['stored_bytes_per_byte_of_master']}"
        )
    print(f"\nThe queue's own share of a short master: {100 * figures['queue_share_of_a_short_master']:.1f} %")
    print(f"One core of the database hands out {figures['jobs_per_second_per_database_core']} jobs/s\n")
    for goal in goals:
        print(f"{goal['name']:<40} {goal['value']:>8}   goal {goal['goal']:<8} {'met' if goal['met'] else 'MISSED'}")


if __name__ == "__main__":
    main()

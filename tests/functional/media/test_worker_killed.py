"""kill -9 of a worker in mid-transcode: its children go with it, and the next worker finishes the job, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from flask import Flask
from media_samples import make_audio
from support import rows
from support.instance import eventually

from app.core import queue
from app.core.db import db, transaction
from app.media import queries, service
from app.media.models import JobState, Rendition
from app.settings import ROOT, Settings
from media_store import keys
from media_store.s3 import S3Store
from transcoder.package import file_sha256
from transcoder.probe import probe_file


@contextmanager
def worker(settings: Settings, var: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process of its own, as the operator starts it."""
    environment = {
        name.upper(): str(getattr(value, "get_secret_value", lambda value=value: value)())
        for name, value in settings
        if value is not None
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from app.worker import run; run()"],
            cwd=ROOT,
            env=os.environ | environment | {"WAVECRATE_VAR": str(var)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_worker_killed_in_mid_transcode(app: Flask, settings: Settings, store: S3Store, tmp_path: Path) -> None:
    track = rows.release().tracks[0]
    master = make_audio(tmp_path / "long.wav", seconds=60)
    digest = file_sha256(master)
    store.put_file(keys.master(digest), master, "audio/wav")
    with transaction():
        job = service.enqueue_master(
            track, sha256=digest, size=master.stat().st_size, filename=master.name, probe=probe_file(master)
        )

    def state() -> tuple[str, int, float]:
        found = queries.job_of(track.id)
        return found.state, found.attempt, found.progress

    var = tmp_path / "var"
    with worker(settings, var, tmp_path / "first.log") as first:
        eventually(lambda: state()[2] > 0.1 or first.poll() is not None)
        assert first.poll() is None, (tmp_path / "first.log").read_text()
        children = psutil.Process(first.pid).children(recursive=True)
        assert children
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        assert not psutil.wait_procs(children, timeout=10)[1], "FFmpeg outlived its worker"
    assert state()[:2] == (JobState.RUNNING, 1)
    assert queries.stream_of(track.id) is None
    left = set((var / "work").iterdir())
    assert any(list(folder.iterdir()) for folder in left), "killed too late to leave anything"

    with worker(settings, var, tmp_path / "second.log") as second:

        def done() -> bool:
            assert second.poll() is None, (tmp_path / "second.log").read_text()
            if not sweeps_waiting():
                with transaction():  # the minute's sweep, without the wait
                    queue.defer("media.sweep", args={"timestamp": 0})
            return state()[0] == JobState.DONE

        eventually(done)
    assert state()[:2] == (JobState.DONE, 2)
    made = db.session.query(Rendition).filter_by(track_id=track.id).all()
    assert len(made) == len({(r.kind, r.name) for r in made}) == 10
    assert all(store.exists(r.key) for r in made if r.kind != "stream")
    assert not left & set((var / "work").iterdir()), "what the killed worker left is still there"
    assert service.claim(job.id) is None, "nobody does it again"


def sweeps_waiting() -> bool:
    return bool(queue.waiting_args("media.sweep"))

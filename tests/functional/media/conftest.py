"""Whole transcodes on a real store."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import pytest
from support.transcodes import KEY, TAGS, Result, Transcode

from media_store import keys
from media_store.s3 import S3Store
from transcoder import worker
from transcoder.contract import TranscodeJob
from transcoder.desk import LocalDesk
from transcoder.package import file_sha256
from transcoder.probe import probe_file

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def transcode(engines: Any, tmp_path_factory: pytest.TempPathFactory) -> Transcode:
    """Store a master and run a job on it. `store` lets a second job share the first one's; `told` goes into the job."""

    def run(master: Path, *, store: S3Store | None = None, cover: bytes | None = None, **told: Any) -> Result:
        store = store or S3Store(
            endpoint_url=engines.s3.endpoint_url,
            bucket="wavecrate",
            access_key=engines.s3.access_key,
            secret_key=engines.s3.secret_key,
            prefix=f"media{next(_numbers)}/",
        )
        directory = tmp_path_factory.mktemp("job")
        digest = file_sha256(master)
        store.put_file(keys.master(digest), master, "application/octet-stream")
        cover_key = None
        if cover:
            cover_key = keys.cover(hashlib.sha256(cover).hexdigest())
            store.put_bytes(cover_key, cover, "image/jpeg")
        job = TranscodeJob(
            job_id=f"job{next(_numbers)}",
            attempt=told.pop("attempt", 1),
            master_key=keys.master(digest),
            master_sha256=digest,
            probe=probe_file(master),
            tags=TAGS,
            stream_key=KEY,
            cover_key=cover_key,
            x264_preset="ultrafast",
            **told,
        )
        progress: list[tuple[str, float]] = []
        work = directory / "work"
        report = worker.run(job, store, work, LocalDesk(lambda stage, done: progress.append((stage, done))))
        assert not list(work.iterdir()), "the attempt's folder is left behind"
        return Result(report, store, master, directory, progress)

    return run

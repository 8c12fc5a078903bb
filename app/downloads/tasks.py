"""The making of ZIPs, on the queue."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from time import monotonic

from app.core.db import transaction
from app.core.queue import DEFAULT, queue_context, task
from app.core.store import media_store
from app.downloads import service
from app.downloads.archive import Member, pack
from media_store import keys

_REPORT_EVERY = 0.5
"""Seconds between two notes of progress; the page asks once a second."""


@task(name=service.TASK, queue=DEFAULT)
def archive(archive_id: str, members: list[dict[str, str]]) -> None:
    """Pack the members into one ZIP and put it into the store.

    A worker killed at any moment leaves nothing behind but the row, which says "building" until the job, taken up
    again, packs the same bytes under the same key.
    """
    with queue_context():
        with transaction():
            wanted = service.is_wanted(archive_id)
        if not wanted:
            return
        try:
            key, size = _make([Member(**member) for member in members], _reporter(archive_id))
        except Exception as error:
            with transaction():
                service.fail(archive_id, f"{type(error).__name__}: {error}")
            raise
        with transaction():
            service.publish(archive_id, key=key, size=size)


def _make(members: list[Member], on_progress: Callable[[float], None]) -> tuple[str, int]:
    # The file has no name, so that nothing of it outlives this process.
    with tempfile.TemporaryFile(prefix="wavecrate-zip-") as file:
        pack(members, media_store(), file, on_progress)
        size = file.tell()
        file.seek(0)
        key = keys.archive(hashlib.file_digest(file, "sha256").hexdigest())
        # Even where it lies there: an object that nothing has needed for long may be about to be cleared away.
        file.seek(0)
        media_store().put_stream(key, file, "application/zip")
    return key, size


def _reporter(archive_id: str) -> Callable[[float], None]:
    last = monotonic()

    def report(progress: float) -> None:
        nonlocal last
        if monotonic() - last >= _REPORT_EVERY:
            last = monotonic()
            with transaction():
                service.report_progress(archive_id, progress)

    return report

"""The real way from a file to renditions: probe, store, enqueue, claim, transcode, publish."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from app.catalog.models import Track
from app.core.db import transaction
from app.media import service as media
from app.settings import Settings
from media_store import keys
from media_store.interface import MediaStore
from transcoder import probe, worker
from transcoder.desk import LocalDesk


def transcode(
    track: Track,
    master: Path,
    store: MediaStore,
    settings: Settings,
    workdir: Path,
    on_progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
) -> None:
    """Make the master the track's own and publish what becomes of it."""
    sha256 = hashlib.sha256(master.read_bytes()).hexdigest()
    store.put_file(keys.master(sha256), master, "application/octet-stream")
    facts = probe.probe_file(master)
    with transaction():
        row = media.enqueue_master(track, sha256=sha256, size=master.stat().st_size, filename=master.name, probe=facts)
    with transaction():
        claimed = media.claim(row.id)
        assert claimed is not None
        message = media.message_for(claimed, settings)
    report = worker.run(message, store, workdir, LocalDesk(on_progress))
    with transaction():
        media.publish(report)

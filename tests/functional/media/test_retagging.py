"""What an editor changes after the transcode reaches the files people download; the sound stays as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from support import pipeline, rows
from support.drain import drain

from app.catalog import service as catalog
from app.catalog.models import Track
from app.core.db import db, transaction
from app.demo.listening import compare
from app.media import queries
from app.media import service as media
from app.media.models import JobState
from app.settings import Settings
from media_store import keys
from media_store.s3 import S3Store
from tests.media_samples import make_audio
from transcoder.tags import read_tags


@pytest.fixture
def track(app: Flask) -> Track:
    """A release of one track, as an editor's upload makes it: named after the file."""
    return rows.release(title="take 3 final").tracks[0]


def test_a_new_title_and_cover_reach_every_download(
    app: Flask, track: Track, store: S3Store, settings: Settings, tmp_path: Path
) -> None:
    master = make_audio(tmp_path / "master.flac", seconds=1)
    pipeline.transcode(track, master, store, settings, tmp_path / "work")
    before = {name: rendition.key for name, rendition in queries.downloads_of(track.id).items()}
    cover = _jpeg()
    cover_key = keys.cover(hashlib.sha256(cover).hexdigest())
    store.put_bytes(cover_key, cover, "image/jpeg")
    with transaction():
        catalog.update_release(track.release, title="Harbour", title_zh="港", cover_key=cover_key)
        catalog.update_track(track, title="Low Tide", title_zh="退潮")
        media.retag(track.release)
        media.retag(track.release)  # asking twice is asking once more, no harm
    drain(app, settings, "app.media.tasks")
    db.session.expire_all()

    after = queries.downloads_of(track.id)
    assert set(after) == set(before)
    assert all(after[name].key != before[name] for name in before)
    for name, rendition in after.items():
        file = tmp_path / f"{name}.{rendition.suffix}"
        store.get_file(rendition.key, file)
        assert file.stat().st_size == rendition.size
        assert hashlib.sha256(file.read_bytes()).hexdigest() == rendition.facts["sha256"]
        told, picture = read_tags(file)
        assert (told.title, told.title_zh, told.album, told.album_zh) == ("Low Tide", "退潮", "Harbour", "港"), name
        assert picture == cover, name
    assert compare(tmp_path / "flac.flac", master).equal
    with transaction():
        assert media.stale_downloads(track.release_id) == []


def test_a_change_made_while_ffmpeg_worked_is_caught_up_with(
    app: Flask, track: Track, store: S3Store, settings: Settings, tmp_path: Path
) -> None:
    master = make_audio(tmp_path / "master.flac", seconds=1)
    track_id = track.id

    def rename_meanwhile(_stage: str, _fraction: float) -> None:
        # As an editor does: in another process, of which this session hears nothing.
        with psycopg.connect(settings.libpq_url) as editor:
            editor.execute("UPDATE track SET title = 'Renamed meanwhile' WHERE id = %s", (track_id,))

    pipeline.transcode(track, master, store, settings, tmp_path / "work", on_progress=rename_meanwhile)
    drain(app, settings, "app.media.tasks")
    db.session.expire_all()
    rendition = queries.downloads_of(track_id)["flac"]
    file = tmp_path / "after.flac"
    store.get_file(rendition.key, file)
    assert read_tags(file)[0].title == "Renamed meanwhile"


def test_a_worker_that_leaves_in_good_order_does_not_use_up_a_try(
    app: Flask, track: Track, store: S3Store, tmp_path: Path
) -> None:
    from transcoder.probe import probe_file

    master = make_audio(tmp_path / "master.flac", seconds=1)
    with transaction():
        job = media.enqueue_master(track, sha256="a" * 64, size=1, filename="m.flac", probe=probe_file(master))
    for _ in range(media.MAX_ATTEMPTS + 2):
        with transaction():
            claimed = media.claim(job.id)
            assert claimed is not None
            media.give_back(claimed.id, claimed.attempt)
    with transaction():
        claimed = media.claim(job.id)
        assert claimed is not None
        assert (claimed.state, claimed.attempt) == (JobState.RUNNING, media.MAX_ATTEMPTS + 3)


def _jpeg() -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(buffer, "JPEG")
    return buffer.getvalue()

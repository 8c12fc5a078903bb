"""Jobs are claimed once, fenced by their attempt, published whole, and never forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from support import rows

from app.catalog.models import Track
from app.core import clock
from app.core.db import db, transaction
from app.media import queries, service
from app.media.models import JobState, Rendition, TranscodeJob
from media_store.s3 import S3Store
from transcoder.contract import AudioFacts, MadeRendition, Probe, RenditionReport, segment_key

PROBE = Probe("wav", "audio", 200.0, AudioFacts("pcm_s16le", 44100, 2, 16, True), None)


@pytest.fixture
def track(app: Flask) -> Track:
    return rows.release(tracks=2, title_zh="潮汐").tracks[0]


def enqueue(track: Track, sha256: str = "a" * 64) -> TranscodeJob:
    with transaction():
        return service.enqueue_master(track, sha256=sha256, size=10, filename="ebb.wav", probe=PROBE)


def claim(job: TranscodeJob) -> TranscodeJob | None:
    with transaction():
        return service.claim(job.id)


def report(job_id: str, attempt: int, mark: str = "1") -> RenditionReport:
    made = MadeRendition("preview", "preview", f"previews/{mark * 64}.m4a", "audio/mp4", "m4a", 5, {})
    return RenditionReport(job_id, attempt, (made,), {"integrated": -14.0}, {"encode": 1.0})


def queued() -> list[str]:
    return [args["job_id"] for args in service.queue.waiting_args(service.TASK)]


def test_the_same_master_twice_is_one_job_on_the_queue(track: Track) -> None:
    first = enqueue(track)
    assert enqueue(track).id == first.id
    assert queued() == [first.id]
    assert queries.job_of(track.id).state == JobState.QUEUED
    assert len(queries.segment_key(track.id, 0)) == 16


def test_a_rolled_back_upload_leaves_no_job(track: Track) -> None:
    service.enqueue_master(track, sha256="a" * 64, size=10, filename="ebb.wav", probe=PROBE)
    db.session.rollback()
    assert queued() == []
    assert queries.job_of(track.id) is None


def test_the_message_says_what_the_catalogue_says(app: Flask, track: Track) -> None:
    job = claim(enqueue(track))
    message = service.message_for(job, app.extensions["settings"])
    assert message.attempt == 1
    assert message.master_key == "masters/" + "a" * 64
    assert message.probe == PROBE
    assert (message.tags.title, message.tags.title_zh, message.tags.track, message.tags.track_total) == (
        "Tides 1",
        "潮汐 1",
        1,
        2,
    )
    assert segment_key(message.stream_key, 7) == queries.segment_key(track.id, 7)


def test_an_attempt_that_was_overtaken_can_neither_report_nor_publish(track: Track) -> None:
    job = claim(enqueue(track))
    claim(job)
    with pytest.raises(service.Superseded):
        service.report_progress(job.id, 1, "encode", 0.5)
    with pytest.raises(service.Superseded), transaction():
        service.publish(report(job.id, 1))
    assert not service.fail(job.id, 1, "too late")
    assert queries.previews_of([track.id]) == {}
    service.report_progress(job.id, 2, "encode", 0.5)
    db.session.commit()
    with transaction():
        service.publish(report(job.id, 2))
    assert queries.job_of(track.id).state == JobState.DONE
    assert queries.previews_of([track.id])[track.id].key == f"previews/{'1' * 64}.m4a"
    assert claim(job) is None


def test_publishing_a_new_master_swaps_the_renditions_whole(track: Track) -> None:
    old = claim(enqueue(track))
    with transaction():
        service.publish(report(old.id, 1, "1"))
    new = claim(enqueue(track, "b" * 64))
    with transaction():
        service.publish(report(new.id, 1, "2"))
    assert [r.key for r in db.session.query(Rendition)] == [f"previews/{'2' * 64}.m4a"]


def test_an_older_master_that_finishes_last_publishes_nothing(track: Track) -> None:
    old, new = claim(enqueue(track)), claim(enqueue(track, "b" * 64))
    with transaction():
        service.publish(report(new.id, 1, "2"))
    with transaction():
        service.publish(report(old.id, 1, "1"))
    assert queries.previews_of([track.id])[track.id].key == f"previews/{'2' * 64}.m4a"
    assert queries.job_of(track.id).id == new.id


def test_returning_to_an_earlier_master_puts_it_in_force_again(track: Track) -> None:
    first = claim(enqueue(track))
    with transaction():
        service.publish(report(first.id, 1, "1"))
    enqueue(track, "b" * 64)
    assert enqueue(track).id == first.id
    assert queries.job_of(track.id).id == first.id
    assert queries.job_of(track.id).state == JobState.QUEUED


def test_a_failure_is_tried_again_and_then_said(track: Track) -> None:
    job = enqueue(track)
    for attempt in (1, 2):
        claim(job)
        assert service.fail(job.id, attempt, "FFmpeg gave up", retryable=True)
        assert queries.job_of(track.id).state == JobState.QUEUED
    claim(job)
    with transaction():
        assert not service.fail(job.id, 3, "FFmpeg gave up", retryable=True)
    found = queries.job_of(track.id)
    assert (found.state, found.reason) == (JobState.FAILED, "FFmpeg gave up (tried 3 times)")
    enqueue(track)
    assert queries.job_of(track.id).state == JobState.QUEUED
    assert claim(job).attempt == 4


def test_a_master_that_kills_every_worker_ends_failed(track: Track) -> None:
    job = enqueue(track)
    for _ in range(service.MAX_ATTEMPTS):
        assert claim(job)
    assert claim(job) is None
    found = queries.job_of(track.id)
    assert found.state == JobState.FAILED
    assert "lost 3 times" in found.reason


def test_a_job_the_queue_forgot_is_put_back(track: Track) -> None:
    job = claim(enqueue(track))
    db.session.execute(text("DELETE FROM procrastinate_jobs"))
    assert service.requeue_lost(20) == []
    db.session.get(TranscodeJob, job.id).heartbeat_at = clock.now() - timedelta(seconds=30)
    db.session.commit()
    with transaction():
        assert service.requeue_lost(20) == [job.id]
    assert queued() == [job.id]
    with transaction():
        assert service.requeue_lost(0) == []


def test_images_and_previews_are_public_and_nothing_else_is(client: FlaskClient, store: S3Store) -> None:
    body = bytes(range(256)) * 8
    for folder in ("images", "previews", "masters", "downloads"):
        store.put_bytes(f"{folder}/{'c' * 64}.jpg", body, "image/jpeg")
    url = f"/images/{'c' * 64}.jpg"
    whole = client.get(url)
    assert (whole.status_code, whole.data, whole.content_type) == (200, body, "image/jpeg")
    assert "immutable" in whole.headers["Cache-Control"]
    assert client.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    head = client.head(url)
    assert (head.status_code, head.data, head.content_length) == (200, b"", len(body))
    assert client.get(f"/previews/{'c' * 64}.jpg").data == body
    for path in ("masters", "downloads"):
        assert client.get(f"/{path}/{'c' * 64}.jpg").status_code == 404
        assert client.get(f"/images/../{path}/{'c' * 64}.jpg").status_code == 404
        assert client.get(f"/images/%2e%2e%2f{path}%2f{'c' * 64}.jpg").status_code == 404
    assert client.get(f"/images/{'d' * 64}.jpg").status_code == 404


@pytest.mark.parametrize(
    ("header", "status", "span"),
    [
        ("bytes=0-9", 206, (0, 10)),
        ("bytes=2000-", 206, (2000, 2048)),
        ("bytes=-5", 206, (2043, 2048)),
        ("bytes=-9999", 206, (0, 2048)),
        ("bytes=2040-9999", 206, (2040, 2048)),
        ("bytes=5-2", 200, (0, 2048)),
        ("lines=1-2", 200, (0, 2048)),
        ("bytes=0-1,5-6", 200, (0, 2048)),
    ],
)
def test_a_part_of_a_preview(client: FlaskClient, store: S3Store, header: str, status: int, span: tuple) -> None:
    body = bytes(range(256)) * 8
    store.put_bytes(f"previews/{'c' * 64}.m4a", body, "audio/mp4")
    answer = client.get(f"/previews/{'c' * 64}.m4a", headers={"Range": header})
    assert answer.status_code == status
    assert answer.data == body[slice(*span)]
    if status == 206:
        assert answer.headers["Content-Range"] == f"bytes {span[0]}-{span[1] - 1}/2048"
        stale = client.get(f"/previews/{'c' * 64}.m4a", headers={"Range": header, "If-Range": '"another"'})
        assert (stale.status_code, stale.data) == (200, body)


@pytest.mark.parametrize("header", ["bytes=2048-", "bytes=9999-10000", "bytes=-0"])
def test_a_range_outside_the_preview_is_refused(client: FlaskClient, store: S3Store, header: str) -> None:
    store.put_bytes(f"previews/{'c' * 64}.m4a", bytes(2048), "audio/mp4")
    answer = client.get(f"/previews/{'c' * 64}.m4a", headers={"Range": header})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */2048"

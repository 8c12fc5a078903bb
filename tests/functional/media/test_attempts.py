"""What one attempt at a job leaves to the next, and what an attempt that is over can no longer do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from support import rows

from app.catalog.models import Kind, Track
from app.core import clock
from app.core.db import db, transaction
from app.media import chunks, queries, service
from app.media.desk import JobDesk
from app.media.models import ChunkState, FilmChunk, JobState, TranscodeJob
from app.settings import Settings
from media_store import keys
from transcoder import contract, ladder
from transcoder.chunks import plan
from transcoder.errors import ChunkTaken, EncodeFailed

SILENT = 20.0
SOUND = contract.AudioFacts("aac", 48000, 2, 0, False)
PROBE = contract.Probe("mp4", "film", 120.0, SOUND, contract.VideoFacts("h264", 640, 360, (30, 1)))
CUT = plan(PROBE, ladder.film_rungs(PROBE))[1:]


@pytest.fixture
def track(app: Flask) -> Track:
    return rows.release(kind=Kind.FILM).tracks[0]


@pytest.fixture
def job(track: Track) -> TranscodeJob:
    with transaction():
        return service.enqueue_master(track, sha256="a" * 64, size=10, filename="reel.mp4", probe=PROBE)


def begin(job: TranscodeJob, settings: Settings) -> contract.TranscodeJob:
    with transaction():
        claimed = service.claim(job.id)
        assert claimed is not None
        return service.message_for(claimed, settings)


def desk(message: contract.TranscodeJob, taker: str | None = None) -> JobDesk:
    return JobDesk(message, taker=taker or chunks.owner(message.attempt), silent_seconds=SILENT)


def fail(message: contract.TranscodeJob, kind: str) -> bool:
    with transaction():
        return service.fail(message.job_id, message.attempt, "no", kind=kind, retryable=True)


def row_of(number: int) -> FilmChunk:
    db.session.expire_all()
    return db.session.query(FilmChunk).filter_by(number=number).one()


def put_on_air(message: contract.TranscodeJob) -> contract.MadeRendition:
    key = keys.stream_prefix(message.stream_address)
    made = contract.MadeRendition("stream", "stream", key, "application/vnd.apple.mpegurl", "", 5, {"on_air": True})
    desk(message).on_air(made)
    return made


def make_silent(number: int) -> None:
    with transaction():
        row_of(number).heartbeat_at = clock.now() - timedelta(seconds=SILENT + 1)


def test_the_next_attempt_knows_the_ladder_and_what_is_on_air(job: TranscodeJob, settings: Settings) -> None:
    first = begin(job, settings)
    assert (first.ladder, first.whole, first.in_force) == ((), False, False)
    desk(first).share(CUT)
    put_on_air(first)
    assert fail(first, "store")
    second = begin(job, settings)
    assert second.ladder == contract.Chunk.from_dict(CUT[0].to_dict()).ladder
    assert [ladder.FilmRung(**each) for each in second.ladder] == list(ladder.film_rungs(PROBE))
    assert (second.whole, second.in_force) == (False, True)


def test_a_stream_under_another_address_is_not_the_one_in_force(job: TranscodeJob, settings: Settings) -> None:
    first = begin(job, settings)
    put_on_air(first)
    assert fail(first, "store")
    assert not begin(job, settings.model_copy(update={"x264_preset": "slow"})).in_force


def test_what_could_not_be_encoded_in_pieces_is_encoded_whole_from_then_on(
    job: TranscodeJob, settings: Settings
) -> None:
    assert fail(begin(job, settings), "encode")
    assert not queries.job_of(job.master.track_id).reason
    second = begin(job, settings)
    assert second.whole
    assert fail(second, "store")
    third = begin(job, settings)
    assert third.whole
    assert not fail(third, "store")
    assert queries.job_of(job.master.track_id).failure == "store"
    with transaction():
        assert service.remake(job.master.track_id)
    assert not begin(job, settings).whole


def test_a_published_job_has_no_failure(job: TranscodeJob, settings: Settings) -> None:
    assert fail(begin(job, settings), "encode")
    message = begin(job, settings)
    with transaction():
        service.publish(contract.RenditionReport(job.id, message.attempt, (), {}, {}))
    assert (job.state, job.failure) == (JobState.DONE, None)


def test_a_job_that_fails_again_after_a_retry_is_claimed_as_often_as_at_first(
    job: TranscodeJob, settings: Settings
) -> None:
    numbers = []
    for _round in range(2):
        while True:
            message = begin(job, settings)
            numbers.append(message.attempt)
            if not fail(message, "store"):
                break
        with transaction():
            assert service.remake(job.master.track_id)
    assert numbers == [1, 2, 3, 4, 5, 6], "no number is given twice"


def test_deploys_are_no_tries(job: TranscodeJob, settings: Settings) -> None:
    for number in range(chunks.MAX_TRIES + 2):
        message = begin(job, settings)
        assert message.attempt == number + 1
        own, helper = desk(message), desk(message, f"helper{number}")
        own.share(CUT)
        mine, theirs = own.take(), helper.take()
        assert mine is not None
        assert theirs is not None
        with transaction():
            service.give_back(message.job_id, message.attempt)
            chunks.hand_over(message.job_id, taker=f"helper{number}")
        assert {row_of(mine.number).tries, row_of(theirs.number).tries} == {0}
        assert row_of(mine.number).state == row_of(theirs.number).state == ChunkState.WAITING
        for call in (own.take, lambda own=own: own.share(CUT), lambda old=message: put_on_air(old)):
            with pytest.raises(service.Superseded):
                call()


def test_an_overtaken_attempt_leaves_its_successor_s_chunks_alone(job: TranscodeJob, settings: Settings) -> None:
    old = begin(job, settings)
    desk(old).share(CUT)
    taken = desk(old).take()
    assert taken is not None
    new = begin(job, settings)
    desk(new).share(CUT)
    assert desk(new).take() == taken
    with pytest.raises(service.Superseded):
        desk(old).share(CUT[:1])
    with pytest.raises(service.Superseded):
        desk(old).take()
    with pytest.raises(service.Superseded):
        desk(old).hold()
    with pytest.raises(service.Superseded):
        put_on_air(old)
    with pytest.raises(ChunkTaken):
        desk(old).beat(taken.number)
    desk(old).failed(taken.number, "too late")
    desk(old).done(contract.ChunkReport(taken.number, ()))
    assert (row_of(taken.number).state, row_of(taken.number).taken_by) == (ChunkState.RUNNING, chunks.owner(2))
    assert db.session.query(FilmChunk).count() == len(CUT)


def test_a_chunk_that_nobody_could_encode_says_why(job: TranscodeJob, settings: Settings) -> None:
    message = begin(job, settings)
    desk(message).share(CUT)
    for number in range(chunks.MAX_TRIES):
        helper = desk(message, f"helper{number}")
        chunk = helper.take()
        assert chunk is not None
        assert chunk.number == CUT[0].number
        helper.failed(chunk.number, f"FFmpeg stumbled the {number + 1}. time")
    with pytest.raises(EncodeFailed, match=r"by any worker. FFmpeg stumbled the 3\. time"):
        desk(message).take()


def test_a_chunk_whose_last_worker_fell_silent_is_waited_for_no_longer(job: TranscodeJob, settings: Settings) -> None:
    message = begin(job, settings)
    desk(message).share(CUT[:1])
    for number in range(chunks.MAX_TRIES):
        assert desk(message, f"helper{number}").take() == contract.Chunk.from_dict(CUT[0].to_dict())
        assert desk(message).take() is None, "somebody may be at work on it"
        make_silent(CUT[0].number)
    with pytest.raises(EncodeFailed, match="The worker was lost over it"):
        desk(message).take()


def test_only_who_makes_the_very_same_stream_helps(job: TranscodeJob, settings: Settings) -> None:
    other = settings.model_copy(update={"x264_preset": "slow"})
    assert service.message_to_help(job.id, settings) is None, "nobody works on it yet"
    message = begin(job, settings)
    prefix = keys.stream_prefix(message.stream_address)
    desk(message).share(CUT)
    with transaction():
        assert service.message_to_help(job.id, other) is None
        same = service.message_to_help(job.id, settings)
    assert same is not None
    assert same.stream_address == message.stream_address
    assert queries.job_of(job.master.track_id).stream_prefix == prefix
    late = desk(replace(message, x264_preset="slow"), "helper")
    assert late.take() is None, "the job went to a worker of another release since"
    assert desk(same, "helper").take() is not None


def test_chunks_of_another_address_are_made_anew(job: TranscodeJob, settings: Settings) -> None:
    message = begin(job, settings)
    desk(message).share(CUT)
    chunk = desk(message).take()
    assert chunk is not None
    desk(message).done(contract.ChunkReport(chunk.number, ()))
    assert fail(message, "store")
    again = begin(job, settings.model_copy(update={"x264_preset": "slow"}))
    assert again.ladder == ()
    desk(again).share(CUT)
    assert desk(again).reports() == []

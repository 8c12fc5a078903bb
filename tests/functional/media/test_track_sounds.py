"""What tracks sound like goes from the transcoder into rows, follows the master, and is caught up on where it lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from media_samples import make_film
from support import rows
from support.drain import drain
from support.scored import A_MINOR, C_MAJOR, chords, clicks
from support.sounds import write_wav
from support.transcodes import Transcode

from app.catalog.models import Track
from app.core import queue
from app.core.db import db, transaction
from app.media import hearing, service, sounds
from app.media.models import Sound, TranscodeJob
from app.settings import Settings
from media_store import keys
from media_store.s3 import S3Store
from transcoder import contract
from transcoder.contract import AudioFacts, MadeRendition, Probe, RenditionReport, SoundFeatures
from transcoder.package import file_sha256
from transcoder.probe import probe_file

RATE = 44_100
PROBE = Probe("wav", "audio", 20.0, AudioFacts("pcm_s16le", RATE, 2, 16, True), None)
HEARD = SoundFeatures(124.0, 0.9, 9, "minor", 0.8, tuple(float(n) for n in range(len(contract.SOUND_NAMES))))
LOUD = {"integrated": -9.5, "range": 4.0, "true_peak": -1.0}


@pytest.fixture
def track(app: Flask) -> Track:
    return rows.release(tracks=1).tracks[0]


@pytest.fixture
def listen(app: Flask, settings: Settings) -> Callable[[], None]:
    """Have the sweep run, and a real worker do what it put on the queue."""

    def work() -> None:
        db.session.commit()
        hearing.hear_missed()
        drain(app, settings, "app.media.hearing", "app.media.inspecting")
        db.session.expire_all()

    return work


def song(folder: Path, progression: tuple, tempo: float, name: str = "song") -> Path:
    sound = chords(progression, 14, RATE) + clicks(tempo, 14, RATE)
    return write_wav(folder / f"{name}.wav", np.stack([sound, sound], 1), RATE)


def publish(track: Track, mark: str = "a", *, probe: Probe = PROBE, **told: object) -> str:
    """Have a master transcoded, by saying so; returns its SHA-256."""
    sha256 = mark * 64
    with transaction():
        service.enqueue_master(track, sha256=sha256, size=10, filename="a.wav", probe=probe)
    finish(sha256, **told)
    return sha256


def finish(sha256: str, **told: object) -> None:
    with transaction():
        job = db.session.query(TranscodeJob).filter(TranscodeJob.master.has(sha256=sha256)).one()
        claimed = service.claim(job.id)
        made = MadeRendition("stream", "stream", f"streams/{sha256}/", "application/vnd.apple.mpegurl", "", 5, {})
        service.publish(RenditionReport(job.id, claimed.attempt, (made,), LOUD, {"encode": 1.0}, **told))


def sound(track: Track) -> Sound | None:
    return sounds.of_tracks([track.id]).get(track.id)


def waiting() -> list[str]:
    return [args["track_id"] for args in queue.waiting_args(sounds.TASK)]


def test_a_report_is_published_with_what_was_heard(track: Track) -> None:
    publish(track, sound=HEARD)
    told = sound(track)
    assert (told.tempo, told.key, told.mode, told.version) == (124.0, 9, "minor", contract.SOUND_VERSION)
    assert (told.tempo_confidence, told.key_confidence) == (0.9, 0.8)
    assert (told.loudness, told.loudness_range) == (-9.5, 4.0)
    assert tuple(told.vector) == HEARD.vector


def test_a_new_master_takes_the_place_of_the_old_ones_sound(track: Track) -> None:
    publish(track, "a", sound=HEARD)
    with transaction():
        service.enqueue_master(track, sha256="b" * 64, size=10, filename="b.wav", probe=PROBE)
    assert sound(track).tempo == 124.0, "until it is published, listeners hear the old one"
    finish("b" * 64, sound=replace(HEARD, tempo=90.0))
    assert sound(track).tempo == 90.0
    assert db.session.query(Sound).count() == 1


def test_a_new_master_that_was_not_heard_has_not_the_old_ones_sound(track: Track) -> None:
    publish(track, "a", sound=HEARD)
    publish(track, "b")
    assert sound(track) is None


def test_a_report_from_before_there_was_hearing_is_published(track: Track) -> None:
    publish(track, version=2)
    assert sound(track) is None
    with transaction():
        assert sounds.enqueue_missed() == 1


def test_silence_is_a_sound_without_tempo_or_key(track: Track) -> None:
    publish(track, sound=SoundFeatures())
    told = sound(track)
    assert (told.tempo, told.key, told.mode, told.vector) == (None, None, None, [])
    with transaction():
        assert sounds.enqueue_missed() == 0, "it was heard"


def test_what_was_transcoded_before_is_heard_by_the_worker(
    app: Flask, store: S3Store, track: Track, tmp_path: Path, listen: Callable[[], None]
) -> None:
    path = song(tmp_path, A_MINOR, 128)
    sha256 = file_sha256(path)
    store.put_file(keys.master(sha256), path, "audio/wav")
    with transaction():
        service.enqueue_master(track, sha256=sha256, size=1, filename="a.wav", probe=probe_file(path))
    finish(sha256)
    listen()
    told = sound(track)
    assert told.tempo == pytest.approx(128, rel=0.02)
    assert (told.key, told.mode, told.loudness) == (9, "minor", -9.5)
    assert len(told.vector) == len(contract.SOUND_NAMES)
    listen()
    assert sound(track).id == told.id
    assert waiting() == []


def test_another_version_of_hearing_hears_everything_anew(
    app: Flask, store: S3Store, track: Track, tmp_path: Path, listen: Callable[[], None]
) -> None:
    path = song(tmp_path, C_MAJOR, 100)
    sha256 = file_sha256(path)
    store.put_file(keys.master(sha256), path, "audio/wav")
    with transaction():
        service.enqueue_master(track, sha256=sha256, size=1, filename="a.wav", probe=probe_file(path))
    finish(sha256, sound=replace(HEARD, version=0))
    assert sound(track) is None, "other versions' figures are not to be compared"
    listen()
    assert (sound(track).key, sound(track).mode) == (0, "major")


def test_a_master_that_cannot_be_heard_is_tried_once(
    app: Flask, store: S3Store, track: Track, tmp_path: Path, listen: Callable[[], None]
) -> None:
    sha256 = publish(track)
    store.put_bytes(keys.master(sha256), b"something else", "audio/wav")
    listen()
    assert sound(track) is None
    assert "damaged" in db.session.query(Sound).one().reason
    with transaction():
        assert sounds.enqueue_missed() == 0


def test_a_track_is_put_on_the_queue_once_and_only_where_there_is_something_to_hear(track: Track) -> None:
    silent_film = rows.release(title="Mute", tracks=1, kind="film").tracks[0]
    publish(silent_film, "c", probe=replace(PROBE, audio=None))
    with transaction():
        assert sounds.enqueue_missed() == 0
    publish(track)
    with transaction():
        assert sounds.enqueue_missed() == 1
    with transaction():
        assert sounds.enqueue_missed() == 0, "it is on the queue already"
    assert waiting() == [track.id]


def test_a_stream_that_is_still_being_made_is_not_heard_yet(track: Track) -> None:
    with transaction():
        job = service.enqueue_master(track, sha256="a" * 64, size=10, filename="a.wav", probe=PROBE)
        claimed = service.claim(job.id)
        made = MadeRendition("stream", "stream", "streams/x/", "application/vnd.apple.mpegurl", "", 5, {"on_air": True})
        service.on_air(job.id, claimed.attempt, made)
    with transaction():
        assert sounds.enqueue_missed() == 0
    assert sounds.wanted(track.id) is None


def test_what_was_heard_of_a_master_that_is_not_in_force_any_more_is_dropped(track: Track) -> None:
    old = publish(track, "a")
    publish(track, "b", sound=HEARD)
    with transaction():
        sounds.record(track.id, old, replace(HEARD, tempo=60.0))
        sounds.give_up(track.id, old, "whatever")
    assert sound(track).tempo == 124.0


def test_the_transcoding_of_a_song_reports_what_it_sounds_like(transcode: Transcode, tmp_path: Path) -> None:
    path = song(tmp_path, A_MINOR, 120)
    report = transcode(path).report
    assert report.version == contract.VERSION == 3
    assert report.sound.tempo == pytest.approx(120, rel=0.02)
    assert (report.sound.key, report.sound.mode) == (9, "minor")
    assert len(report.sound.vector) == len(contract.SOUND_NAMES)
    assert transcode(path).report.sound == report.sound, "the same master, the same bytes"


def test_the_transcoding_of_a_film_reports_its_first_sound(transcode: Transcode, tmp_path: Path) -> None:
    report = transcode(make_film(tmp_path / "film.mp4", 5)).report
    assert report.sound.vector[0] == pytest.approx(400, abs=150), "330 and 495 Hz"
    assert transcode(make_film(tmp_path / "mute.mp4", 5, audio=False)).report.sound is None


def test_the_transcoding_of_silence_reports_nothing_of_it(transcode: Transcode, tmp_path: Path) -> None:
    report = transcode(write_wav(tmp_path / "silence.wav", np.zeros((6 * RATE, 2)), RATE)).report
    assert report.sound == SoundFeatures()

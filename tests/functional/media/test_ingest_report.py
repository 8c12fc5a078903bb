"""Masters are listened to after they were taken in: what the report says, in which words, and about which tracks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from media_samples import ffmpeg, make_audio
from support import rows
from support.drain import drain
from support.sounds import lossy_copy, song, write_wav

from app.accounts.models import Role
from app.catalog.models import Release, Track
from app.core.db import db, transaction
from app.core.money import Money
from app.media import ingest, ingest_words, inspecting, service
from app.media.models import Inspection, SoundAlike
from app.settings import Settings
from app.studio.importer import import_paths
from media_store import keys
from media_store.s3 import S3Store
from transcoder import quality
from transcoder.contract import TagSet
from transcoder.package import file_sha256
from transcoder.probe import probe_file
from transcoder.quality import Finding, QualityReport
from transcoder.tags import write_tags

RATE = 44_100


Listen = Callable[[], None]


@pytest.fixture
def listen(app: Flask, settings: Settings) -> Listen:
    """Have a real worker do everything that waits on the default queue."""

    def work() -> None:
        db.session.commit()
        drain(app, settings, "app.media.inspecting")
        db.session.expire_all()

    return work


def send(store: S3Store, track: Track, path: Path) -> None:
    """Make a file the track's master, as an upload or an import does."""
    sha256 = file_sha256(path)
    store.put_file(keys.master(sha256), path, "audio/wav")
    with transaction():
        service.enqueue_master(
            track, sha256=sha256, size=path.stat().st_size, filename=path.name, probe=probe_file(path)
        )


def codes(report: ingest.Report) -> list[str]:
    return [finding.code for finding in report.findings]


def test_an_import_is_listened_to_and_the_studio_says_what_was_found(
    app: Flask, client: FlaskClient, settings: Settings, tmp_path: Path, listen: Listen
) -> None:
    sound = song(20, RATE)
    sound[5 * RATE : 5 * RATE + 40] = 1.0
    fine = song(20, RATE, seed=9)
    for number, samples in ((1, sound), (2, fine)):
        path = write_wav(tmp_path / f"{number}.wav", samples, RATE)
        flac = tmp_path / "album" / f"{number}.flac"
        flac.parent.mkdir(exist_ok=True)
        ffmpeg("-i", str(path), "-c:a", "flac", str(flac))
        write_tags(flac, TagSet(title=f"Song {number}", artist="Mira Sol", album="Tides", track=number), None)
    import_paths([tmp_path / "album"], price=Money(990, "EUR"), publish=False)
    release = db.session.query(Release).one()
    ids = [track.id for track in release.tracks]
    assert {report.state for report in ingest.reports_of(ids).values()} == {"waiting"}
    listen()
    reports = ingest.reports_of(ids)
    assert codes(reports[ids[0]]) == ["clipped"]
    assert reports[ids[0]].shames == 1
    assert reports[ids[1]] == ingest.Report("done")

    rows.staff(client, Role.MANAGER, "Edda")
    page = client.get(f"/studio/releases/{release.id}/ingest").text
    assert "the wave is cut off at full scale 1 time, at 0:05" in page
    assert "1 thing to put right" in page
    assert "Nothing to find fault with" in page
    assert "hx-get" not in page
    whole = client.get(f"/studio/releases/{release.id}").text
    assert "the wave is cut off at full scale 1 time, at 0:05" in whole
    client.set_cookie("wavecrate_locale", "zh_Hans")
    assert re.search(r"0:05", client.get(f"/studio/releases/{release.id}/ingest").text)


def test_only_editors_see_a_report(client: FlaskClient, app: Flask) -> None:
    release = rows.release()
    assert client.get(f"/studio/releases/{release.id}/ingest").status_code in (302, 303, 401, 403)


@pytest.mark.parametrize("kind", ["mp3", "quieter and later", "48 kHz"])
def test_the_same_recording_is_known_again(
    app: Flask, store: S3Store, tmp_path: Path, listen: Listen, kind: str
) -> None:
    release, other = rows.release("Tides", tracks=2), rows.release("Collected", tracks=1)
    original = write_wav(tmp_path / "one.wav", song(30, RATE), RATE)
    stranger = write_wav(tmp_path / "two.wav", song(30, RATE, seed=8), RATE)
    if kind == "mp3":
        copy = tmp_path / "copy.mp3"
        ffmpeg("-i", str(original), "-b:a", "128k", str(copy))
    elif kind == "48 kHz":
        copy = tmp_path / "copy.flac"
        ffmpeg("-i", str(original), "-ar", "48000", str(copy))
    else:
        copy = tmp_path / "copy.wav"
        ffmpeg("-i", str(original), "-af", "adelay=1000:all=1,volume=-6dB", str(copy))
    send(store, release.tracks[0], original)
    send(store, release.tracks[1], stranger)
    listen()
    send(store, other.tracks[0], copy)
    listen()
    tracks = [*release.tracks, *other.tracks]
    found = ingest.reports_of([track.id for track in tracks])
    assert [len(found[track.id].twins) for track in tracks] == [0, 0, 1]
    assert found[other.tracks[0].id].twins == (ingest.Twin(release.tracks[0], False),)
    [told] = [each for each in ingest_words.told(found[other.tracks[0].id]) if each.code == "duplicate"]
    assert told.what == "It sounds the same as “Tides 1” on “Tides”."


def test_the_later_master_names_the_earlier_whichever_is_listened_to_first(
    app: Flask, store: S3Store, tmp_path: Path
) -> None:
    release = rows.release("Tides", tracks=3)
    original = write_wav(tmp_path / "one.wav", song(30, RATE), RATE)
    quieter = tmp_path / "quieter.wav"
    ffmpeg("-i", str(original), "-af", "volume=-6dB", str(quieter))
    send(store, release.tracks[0], original)
    send(store, release.tracks[1], quieter)
    send(store, release.tracks[2], original)
    for path in (quieter, original):
        with transaction():
            ingest.record(file_sha256(path), quality.inspect(path, probe_file(path), work_in(tmp_path, path)))
    first, second, third = (ingest.reports_of([track.id for track in release.tracks])[t.id] for t in release.tracks)
    assert first.twins == ()
    assert second.twins == (ingest.Twin(release.tracks[0], False),)
    assert third.twins == (ingest.Twin(release.tracks[0], True), ingest.Twin(release.tracks[1], False))
    # A new master of the first track: nobody sounds like it any more.
    send(store, release.tracks[0], write_wav(tmp_path / "new.wav", song(30, RATE, seed=8), RATE))
    second = ingest.reports_of([release.tracks[1].id])[release.tracks[1].id]
    assert second.twins == ()


def test_recording_twice_changes_nothing(app: Flask) -> None:
    words = tuple(int(word) for word in np.random.default_rng(1).integers(-(2**31), 2**31, 200))
    for _ in range(2):
        for sha256 in ("a" * 64, "b" * 64):
            with transaction():
                ingest.record(sha256, QualityReport((), words))
    assert db.session.query(Inspection).count() == 2
    assert [(pair.one, pair.other) for pair in db.session.query(SoundAlike)] == [("a" * 64, "b" * 64)]


def test_the_same_bytes_are_listened_to_once(
    app: Flask, settings: Settings, store: S3Store, tmp_path: Path, listen: Listen
) -> None:
    release = rows.release(tracks=2)
    path = make_audio(tmp_path / "tone.flac", 3)
    send(store, release.tracks[0], path)
    listen()
    made = db.session.query(Inspection).one().created_at
    send(store, release.tracks[1], path)
    listen()
    assert db.session.query(Inspection).one().created_at == made
    assert ingest.reports_of([release.tracks[1].id])[release.tracks[1].id].twins[0].same_bytes


def test_a_track_at_another_rate_than_its_neighbours_is_told(
    app: Flask, store: S3Store, tmp_path: Path, listen: Listen
) -> None:
    release = rows.release(tracks=3)
    for track, rate in zip(release.tracks, (44_100, 44_100, 48_000), strict=True):
        send(store, track, write_wav(tmp_path / f"{track.id}.wav", song(8, rate, seed=track.position), rate))
    listen()
    found = ingest.reports_of([track.id for track in release.tracks])
    assert [codes(found[track.id]) for track in release.tracks] == [[], [], ["mixed_sample_rates"]]
    # Asked for by itself, it is still compared with its neighbours.
    alone = ingest.reports_of([release.tracks[2].id])[release.tracks[2].id]
    assert alone.findings[0].facts == {"rate": 48_000, "usual": 44_100}


def test_a_lossless_master_that_was_lossy_is_shown_up(
    app: Flask, store: S3Store, tmp_path: Path, listen: Listen
) -> None:
    release = rows.release(tracks=1)
    send(store, release.tracks[0], lossy_copy(write_wav(tmp_path / "a.wav", song(12, RATE), RATE), "mp3", "128k"))
    listen()
    report = ingest.reports_of([release.tracks[0].id])[release.tracks[0].id]
    assert codes(report) == ["lossy_source"]
    assert "about 128 kbit/s" in ingest_words.told(report)[0].what


def test_a_master_that_is_gone_or_broken_is_given_up_with_a_reason(
    app: Flask, store: S3Store, tmp_path: Path, listen: Listen
) -> None:
    release = rows.release(tracks=1)
    path = make_audio(tmp_path / "tone.flac", 2)
    send(store, release.tracks[0], path)
    store.delete(keys.master(file_sha256(path)))
    store.put_bytes(keys.master(file_sha256(path)), b"something else", "audio/flac")
    listen()
    report = ingest.reports_of([release.tracks[0].id])[release.tracks[0].id]
    assert report.state == "failed"
    assert "damaged" in db.session.query(Inspection).one().reason


def test_masters_from_before_there_were_reports_are_caught_up_on(
    app: Flask, store: S3Store, tmp_path: Path, listen: Listen
) -> None:
    release = rows.release(tracks=1)
    send(store, release.tracks[0], make_audio(tmp_path / "tone.flac", 2))
    listen()
    db.session.query(Inspection).update({"version": 0})
    db.session.commit()
    inspecting.inspect_missed()
    assert ingest.reports_of([release.tracks[0].id])[release.tracks[0].id].state == "done"
    with transaction():
        assert ingest.enqueue_missed() == 0, "it is on the queue already"
    listen()
    assert db.session.query(Inspection).one().version == quality.VERSION


FACTS = {
    "clipped": {"runs": 7, "longest": 40, "at": [42.0, 63.5]},
    "over_full_scale": {"true_peak": 0.7},
    "dead_channel": {"channel": "left"},
    "inverted_polarity": {"correlation": -1.0},
    "mono_as_stereo": {"identical": True},
    "dc_offset": {"share": 0.02},
    "silence_at_start": {"seconds": 3.2},
    "silence_at_end": {"seconds": 30.0},
    "hole": {"at": 61.0, "seconds": 4.0, "count": 2},
    "low_sample_rate": {"rate": 32_000},
    "upsampled": {"rate": 96_000, "came_from": 44_100, "cutoff": 21_000.0},
    "lossy_source": {"cutoff": 16_400.0, "kbps": 128, "rate": 44_100},
    "narrow_band": {"cutoff": 11_000.0},
    "padded_depth": {"depth": 24, "used": 16},
    "lossy_master": {"codec": "mp3"},
    "interlaced": {"share": 0.9},
    "variable_frame_rate": {"share": 0.2},
    "mixed_sample_rates": {"rate": 48_000, "usual": 44_100},
}


def test_every_finding_has_its_words(app: Flask) -> None:
    for locale in ("en", "zh_Hans"):
        with app.test_request_context(), force_locale(locale):
            for code in (*quality.CODES, "mixed_sample_rates"):
                report = ingest.Report("done", (Finding(code, "note", FACTS.get(code, {})),))
                [told] = ingest_words.told(report)
                assert told.what, code
                assert told.advice, code
                assert "%(" not in told.what + told.advice
            clipped = ingest.Report("done", (Finding("clipped", "note", FACTS["clipped"]),))
            assert "0:42, 1:03" in ingest_words.told(clipped)[0].what


def work_in(tmp_path: Path, path: Path) -> Path:
    work = tmp_path / f"work-{path.stem}"
    work.mkdir()
    return work

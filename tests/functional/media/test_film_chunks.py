"""A film made in chunks, by one worker or several: the frames of a single run, in step with the sound, on air early."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from flask import Flask
from media_samples import ffmpeg, make_film
from support import rows
from support.transcodes import Result, Transcode

from app.core import queue
from app.core.db import db, transaction
from app.media import chunks, queries, service
from app.media.desk import JobDesk
from app.media.models import FilmChunk, JobState
from app.settings import Settings
from media_store import keys
from media_store.s3 import S3Store
from transcoder import contract, feature, ladder, masters, worker
from transcoder.chunks import plan
from transcoder.desk import LocalDesk
from transcoder.errors import ChunkTaken
from transcoder.package import file_sha256
from transcoder.probe import probe_file

RATE = 30000 / 1001
FRAMES = 1150  # 38.4 s: six segments and a bit
TOP = "v180"  # its upper rung: what holds for a small picture holds for a large one, and is seen sooner


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long GOPs with B-pictures, as masters come: no chunk begins at a key frame of the master."""
    path = tmp_path_factory.mktemp("chunks") / "reel.mp4"
    picture = ("-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=30000/1001:duration={FRAMES / RATE:.6f}")
    sound = ("-f", "lavfi", "-i", f"sine=330:r=48000:d={FRAMES / RATE:.6f}")
    coded = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "250", "-frames:v", str(FRAMES), "-c:a", "aac")
    ffmpeg(*picture, *sound, *coded, "-pix_fmt", "yuv420p", str(path))
    return path


@pytest.fixture(scope="module")
def film(transcode: Transcode, master: Path) -> Result:
    return transcode(master)


def test_chunks_lie_on_the_segments_grid_and_leave_no_frame_out(master: Path) -> None:
    probe = probe_file(master)
    cut = plan(probe, ladder.film_rungs(probe))
    borders = [(each.first_frame, each.end_frame) for each in cut]
    assert borders == [(0, 360), (360, 540), (540, 720), (720, 900), (900, None)]
    assert [(each.first_frame, each.end_frame) for each in plan(probe, ladder.film_rungs(probe), whole=True)] == [
        (0, 360),
        (360, None),
    ]


@pytest.mark.parametrize("hours", [0.5, 2.0, 11.0])
def test_a_long_film_is_cut_into_chunks_that_are_shared_well(master: Path, hours: float) -> None:
    short = probe_file(master)
    probe = contract.Probe(short.container, "film", hours * 3600, short.audio, short.video)
    cut = plan(probe, ladder.film_rungs(probe))
    lengths = {(each.end_frame or 0) - each.first_frame for each in cut[1:-1]}
    assert len(lengths) == 1
    assert 16 <= len(cut) <= 350
    assert max(lengths) <= 20 * 180
    assert all(after.first_frame == before.end_frame for before, after in itertools.pairwise(cut))


def test_every_frame_is_there_once_and_in_its_place(film: Result) -> None:
    for name in (TOP, "v90"):
        if name not in {each["name"] for each in film.made("stream").facts["variants"]}:
            continue
        times = _times(film.played(name))
        assert len(times) == FRAMES
        assert np.diff(sorted(times)) == pytest.approx(1 / RATE, abs=1e-4)


def test_a_frame_of_each_chunk_is_the_master_s_own_and_not_its_neighbour(film: Result) -> None:
    made, meant = _frames(film.played(TOP)), _frames(film.master)
    for number in (0, 359, 360, 361, 719, 720, 721, FRAMES - 2):
        distances = {
            n: np.abs(made[number] - meant[n]).mean() for n in range(max(0, number - 2), number + 3) if n < FRAMES
        }
        assert min(distances, key=lambda n: distances[n]) == number


def test_picture_and_sound_end_within_a_frame_of_each_other(film: Result) -> None:
    picture, sound = film.rung(TOP), film.rung("aac-128")
    assert sum(picture.seconds) == pytest.approx(FRAMES / RATE, abs=0.001)
    assert sum(sound.seconds) == pytest.approx(sum(picture.seconds), abs=1 / RATE)


def test_chunks_make_what_a_single_run_makes(film: Result, transcode: Transcode) -> None:
    whole = transcode(film.master, whole=True)
    assert film.rung(TOP).seconds == whole.rung(TOP).seconds
    assert _times(film.played(TOP)) == _times(whole.played(TOP))
    assert film.rung(TOP).init == whole.rung(TOP).init


def test_pictures_to_jump_by_stand_alone(film: Result) -> None:
    small = film.made("stream").facts["variants"]
    name = min((each for each in small if each["resolution"]), key=lambda each: each["bandwidth"])["name"]
    jumps = film.rung(f"{name}-iframes")
    assert "#EXT-X-I-FRAMES-ONLY" in jumps.text
    assert sum(jumps.seconds) == pytest.approx(FRAMES / RATE, abs=0.001)
    meant = _frames(film.master)
    for number in (0, 5, len(jumps.clear) - 1):
        path = film.directory / f"jump-{number}.mp4"
        path.write_bytes(jumps.init + jumps.clear[number])
        (picture,) = _frames(path, size=meant[0].shape)
        at = round(sum(jumps.seconds[:number]) * RATE)
        assert np.abs(picture - meant[at]).mean() < 12


@pytest.mark.parametrize("suffix", ["mkv", "mov"])
def test_a_film_whose_frames_come_unevenly(transcode: Transcode, tmp_path: Path, suffix: str) -> None:
    """A recording of a screen: seconds pass without a frame, also where a chunk begins."""
    even = make_film(tmp_path / "even.mp4", seconds=26, size="320x180", frame_rate="30", audio=False)
    uneven = tmp_path / f"uneven.{suffix}"
    gaps = "select='not(between(t,11,14.5))*not(between(t,3,4))*lt(mod(n,7),4)'"
    ffmpeg("-i", str(even), "-vf", gaps, "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", str(uneven))
    parts, whole = transcode(uneven), transcode(uneven, whole=True)
    name = parts.made("stream").facts["variants"][0]["name"]
    assert len(_times(parts.played(name))) == len(_times(whole.played(name)))
    made, meant = _frames(parts.played(name)), _frames(whole.played(name))
    assert max(np.abs(a - b).mean() for a, b in zip(made, meant, strict=True)) < 6


def test_the_opening_is_on_air_while_the_rest_is_made(transcode_with: Callable[..., None], master: Path) -> None:
    told: list[tuple[str, dict[str, object], str, str]] = []

    def on_air(stream: contract.MadeRendition, store: S3Store) -> None:
        entry = store.get_bytes(stream.key + "multivariant.m3u8").decode()
        name = stream.facts["variants"][0]["name"]
        told.append((stream.key, stream.facts, entry, store.get_bytes(f"{stream.key}{name}/index.m3u8").decode()))

    report = transcode_with(master, on_air)
    assert len(told) == 1
    key, facts, entry, playlist = told[0]
    assert facts["on_air"] is True
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in playlist
    assert "#EXT-X-ENDLIST" not in playlist
    assert 1 <= playlist.count("#EXTINF") <= 2
    assert "AUDIO=" in entry
    stream = next(each for each in report.renditions if each.kind == "stream")
    assert stream.key == key, "who watches it on air goes on watching the same stream"


def test_a_retry_keeps_the_ladder_that_was_chosen(film: Result, transcode: Transcode) -> None:
    chosen = [asdict(rung) for rung in ladder.film_rungs(probe_file(film.master))]
    chosen[-1]["crf"] += 9
    again = transcode(film.master, attempt=2, ladder=tuple(chosen))
    rates = [
        [v["bandwidth"] for v in made.made("stream").facts["variants"] if v["name"] == chosen[-1]["name"]]
        for made in (film, again)
    ]
    assert rates[1] < rates[0]


def test_what_people_may_be_watching_changes_only_once_all_is_made(
    transcode_with: Callable[..., contract.RenditionReport], master: Path
) -> None:
    told: list[contract.MadeRendition] = []
    report = transcode_with(master, lambda stream, _store: told.append(stream), in_force=True)
    assert told == []
    assert any(each.kind == "stream" for each in report.renditions)


def test_an_opening_that_does_not_lie_in_the_film_s_head_is_made_from_the_whole(
    transcode_with: Callable[..., contract.RenditionReport],
    store: S3Store,
    master: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the guess of how much of a film its opening takes was wrong, it costs time and nothing else."""
    usual = transcode_with(master, lambda _stream, _store: None)
    size = master.stat().st_size
    monkeypatch.setattr(masters, "_SMALL", 0)
    monkeypatch.setattr(masters, "_PEAK", 0)
    monkeypatch.setattr(masters, "_HEAD", size // 10)  # three seconds of twelve
    monkeypatch.setattr(masters, "_TAIL", 64 * 1024)  # its index, behind
    prefixed = tmp_path / "again.mp4"
    prefixed.write_bytes(master.read_bytes() + b"\0\0\0\x08free")  # another master, so another address
    made = transcode_with(prefixed, lambda _stream, _store: None)
    streams = [Result(report, store, master, tmp_path, []) for report in (usual, made)]
    first, second = (stream.rung(TOP, key=bytes(16)) for stream in streams)
    assert first.clear == second.clear


def test_a_dense_film_has_no_head(store: S3Store, tmp_path: Path, master: Path) -> None:
    """At 176 Mbit/s, as ProRes 422 HQ comes, the first 96 MiB may not hold the opening."""
    dense, light = (
        contract.Probe("mov", "film", seconds, None, probe_file(master).video) for seconds in (10.0, 7200.0)
    )
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(10 * 22_000_000)
    store.put_file("masters/" + "ab" * 32, path, "application/octet-stream")
    for probe, expected in ((dense, False), (light, True)):
        job = contract.TranscodeJob("j", 1, "masters/" + "ab" * 32, "ab" * 32, probe, contract.TagSet(), bytes(16))
        assert (masters.fetch_head(job, store, tmp_path) is not None) is expected


def test_a_chunk_that_another_took_is_dropped_and_ends_nothing(film: Result, store: S3Store, tmp_path: Path) -> None:
    class Lost(LocalDesk):
        def beat(self, number: int) -> None:
            raise ChunkTaken("gone")

    probe = probe_file(film.master)
    digest = file_sha256(film.master)
    job = contract.TranscodeJob("j", 1, keys.master(digest), digest, probe, contract.TagSet(), bytes(16))
    desk = Lost()
    slow = replace(job, x264_preset="veryslow")
    chunk = plan(probe, ladder.film_rungs(probe))[1]
    done = feature.work_on(slow, chunk, film.master, store, tmp_path, desk, lambda _fraction: None)
    assert done is False
    assert desk.reports() == []
    assert list(tmp_path.iterdir()) == []


def test_an_attempt_that_was_overtaken_changes_no_playlist(film: Result, store: S3Store, tmp_path: Path) -> None:
    class Overtaken(LocalDesk):
        def hold(self) -> None:
            raise service.Superseded("onair")

    digest = file_sha256(film.master)
    store.put_file(keys.master(digest), film.master, "application/octet-stream")
    job = contract.TranscodeJob(
        "onair",
        1,
        keys.master(digest),
        digest,
        probe_file(film.master),
        contract.TagSet(),
        bytes(16),
        x264_preset="ultrafast",
    )
    with pytest.raises(service.Superseded):
        worker.run(job, store, tmp_path / "work", Overtaken())
    made = list(store.list(keys.stream_prefix(job.stream_address)))
    assert any(key.endswith(".m4s") for key in made)
    assert not [key for key in made if key.endswith(".m3u8")]


@pytest.fixture
def transcode_with(store: S3Store, tmp_path: Path) -> Callable[..., contract.RenditionReport]:
    def run(
        path: Path, on_air: Callable[[contract.MadeRendition, S3Store], None], **told: Any
    ) -> contract.RenditionReport:
        digest = file_sha256(path)
        store.put_file(keys.master(digest), path, "application/octet-stream")
        job = contract.TranscodeJob(
            "onair",
            1,
            keys.master(digest),
            digest,
            probe_file(path),
            contract.TagSet(),
            bytes(16),
            x264_preset="ultrafast",
            **told,
        )
        return worker.run(job, store, tmp_path / "work", LocalDesk(on_air=lambda stream: on_air(stream, store)))

    return run


class _PatientDesk(JobDesk):
    """The desk of a worker that takes no chunk before a helper has made one."""

    def take(self) -> contract.Chunk | None:
        return super().take() if self.reports() else None


def test_two_workers_make_one_film(
    app: Flask, store: S3Store, settings: Settings, master: Path, tmp_path: Path
) -> None:
    queue.bind(app)
    release = rows.release()
    track = release.tracks[0]
    store.put_file(keys.master(file_sha256(master)), master, "application/octet-stream")
    with transaction():
        row = service.enqueue_master(
            track, sha256=file_sha256(master), size=master.stat().st_size, filename="reel.mp4", probe=probe_file(master)
        )
    with transaction():
        claimed = service.claim(row.id)
        assert claimed is not None
        message = service.message_for(claimed, settings)
    shared = threading.Event()
    seen_by: set[str] = set()

    class Desk(_PatientDesk):
        def share(self, cut: object) -> None:
            super().share(cut)  # type: ignore[arg-type]
            shared.set()

        def reports(self) -> list[contract.ChunkReport]:
            with queue.queue_context(), transaction():
                seen_by.update(
                    each.taken_by for each in db.session.query(FilmChunk).filter_by(state="done") if each.taken_by
                )
            return super().reports()

    def help_out() -> None:
        shared.wait(60)
        helper = JobDesk(message, taker="helper", silent_seconds=20)
        worker.help_with(message, store, tmp_path / "there", helper, "helper")

    other = threading.Thread(target=help_out)
    other.start()
    desk = Desk(message, taker=chunks.owner(1), silent_seconds=20)
    report = worker.run(message, store, tmp_path / "here", desk)
    other.join()
    with transaction():
        service.publish(report)
    assert "helper" in seen_by
    db.session.expire_all()
    assert queries.job_of(track.id).state == JobState.DONE
    assert db.session.query(FilmChunk).count() == 0
    stream = queries.stream_of(track.id)
    assert not stream.facts.get("on_air")
    result = Result(report, store, master, tmp_path, [])
    rung = result.rung(TOP, key=message.stream_key)
    path = tmp_path / "played.mp4"
    path.write_bytes(rung.init + b"".join(rung.clear))
    assert len(_times(path)) == FRAMES


def _times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def _frames(path: Path, size: tuple[int, ...] = (90, 160)) -> list[np.ndarray]:
    height, width = size[:2]
    with av.open(str(path)) as container:
        return [frame.reformat(width, height, "gray").to_ndarray().astype(float) for frame in container.decode(video=0)]

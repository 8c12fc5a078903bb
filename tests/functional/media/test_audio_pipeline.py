"""A sound master becomes a stream and files, and both give the master's samples back."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from media_samples import ffmpeg, make_audio, make_image
from support.transcodes import Result, Transcode, likeness, samples, write_music

from transcoder.package import file_sha256
from transcoder.probe import probe_file
from transcoder.tags import read_tags


@pytest.fixture(scope="module")
def cd(transcode: Transcode, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A CD-quality master, 13 s: two whole segments and a short one."""
    master = write_music(tmp_path_factory.mktemp("cd") / "ebb.wav", seconds=13, rate=44100, bits=16)
    return transcode(master, cover=make_image())


@pytest.mark.parametrize("name", ["flac", "alac", "wav"])
def test_a_lossless_download_has_exactly_the_samples_of_the_master(cd: Result, name: str) -> None:
    path = cd.fetch(cd.downloads[name])
    assert np.array_equal(samples(path), samples(cd.master))
    probe = probe_file(path)
    assert (probe.audio.sample_rate, probe.audio.bit_depth, probe.audio.lossless) == (44100, 16, True)


@pytest.mark.parametrize("name", ["mp3-320", "mp3-v0", "aac-256", "vorbis", "opus"])
def test_a_lossy_download_sounds_like_the_master(cd: Result, name: str) -> None:
    path = cd.fetch(cd.downloads[name])
    heard = samples(path, 44100)
    assert abs(len(heard) - len(samples(cd.master))) < 4096
    assert likeness(samples(cd.master), heard) > 0.99


def test_a_download_is_tagged_and_says_its_digests(cd: Result) -> None:
    for name, made in cd.downloads.items():
        path = cd.fetch(made)
        tags, cover = read_tags(path)
        assert (tags.title, tags.title_zh, tags.artist, tags.track) == ("Ebb", "退潮", "Mira Sol", 1), name
        assert cover, name
        assert made.size == path.stat().st_size
        assert made.facts["sha256"] == file_sha256(path)
        assert made.key == f"downloads/{made.facts['sha256']}.{made.suffix}"
        assert 0 <= made.facts["crc32"] < 2**32


def test_the_decrypted_flac_stream_is_exactly_the_master(cd: Result) -> None:
    assert np.array_equal(samples(cd.played("flac")), samples(cd.master))


@pytest.mark.parametrize("name", ["aac-64", "aac-128", "aac-256"])
def test_an_aac_stream_sounds_like_the_master(cd: Result, name: str) -> None:
    assert likeness(samples(cd.master), samples(cd.played(name))) > 0.98


def test_segments_are_named_timed_and_sealed(cd: Result) -> None:
    for name in ("aac-64", "aac-128", "aac-256", "flac"):
        rung = cd.rung(name)
        assert rung.names == ["00001.m4s", "00002.m4s", "00003.m4s"]
        assert sum(rung.seconds) == pytest.approx(13, abs=0.06)
        assert rung.seconds[0] == pytest.approx(6, abs=0.11)
        assert all(b"moof" in part for part in rung.clear)
        assert rung.text.index("#EXT-X-MAP") < rung.text.index("#EXT-X-KEY")
        assert 'URI="../key/0.key"' in rung.text
    assert not [key for key in cd.store.list(cd.made("stream").key) if key.endswith(".key")]


def test_declared_bandwidths_are_what_is_sent(cd: Result) -> None:
    text = cd.multivariant()
    found = re.findall(r"BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+),CODECS=\"([^\"]+)\"\n(\S+)/index.m3u8", text)
    assert [(codec, name) for _p, _a, codec, name in found] == [
        ("mp4a.40.2", "aac-64"),
        ("mp4a.40.2", "aac-128"),
        ("mp4a.40.2", "aac-256"),
        ("fLaC", "flac"),
    ]
    for peak, average, _codec, name in found:
        rung = cd.rung(name)
        whole = [8 * size / seconds for size, seconds in zip(rung.sizes, rung.seconds, strict=True) if seconds > 3]
        assert max(whole) == pytest.approx(int(peak), rel=0.1)
        assert 8 * sum(rung.sizes) / sum(rung.seconds) == pytest.approx(int(average), rel=0.1)


def test_running_a_finished_job_again_changes_nothing(cd: Result, transcode: Transcode) -> None:
    before = sorted(cd.store.list(""))
    again = transcode(cd.master, store=cd.store, cover=make_image(), attempt=2)
    assert [(r.name, r.key, r.size) for r in again.report.renditions] == [
        (r.name, r.key, r.size) for r in cd.report.renditions
    ]
    assert sorted(cd.store.list("")) == before


def test_progress_runs_forward_through_every_stage(cd: Result) -> None:
    stages, fractions = zip(*cd.progress, strict=True)
    assert list(dict.fromkeys(stages)) == ["fetch", "encode", "package", "store"]
    assert list(fractions) == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len(fractions) > 8
    assert set(cd.report.timings) == {"fetch", "encode", "package", "store"}


def test_the_preview_is_a_file_of_its_own(cd: Result) -> None:
    preview = cd.fetch(cd.made("preview"))
    assert probe_file(preview).duration == pytest.approx(6.5, abs=0.1)
    data = preview.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it loads
    heard = np.abs(samples(preview)[:, 0] / 2**31)
    assert heard[:200].max() < 0.1 < heard[20000:40000].max()


def test_a_long_master_is_previewed_for_thirty_seconds(transcode: Transcode, tmp_path: Path) -> None:
    result = transcode(make_audio(tmp_path / "long.flac", seconds=66, rate=8000, channels=1))
    assert probe_file(result.fetch(result.made("preview"))).duration == pytest.approx(30, abs=0.1)


def test_loudness_and_peaks_are_those_of_the_sound(transcode: Transcode, tmp_path: Path) -> None:
    """EBU Tech 3341, case 1: a 1 kHz stereo sine at -23 dBFS measures -23 LUFS. Here its second half is silent."""
    level = 10 ** (-23 / 20)
    sine = f"aevalsrc='{level}*sin(2*PI*1000*t)*lt(t,8)|{level}*sin(2*PI*1000*t)*lt(t,8)':s=48000:d=16"
    path = tmp_path / "sine.wav"
    ffmpeg("-f", "lavfi", "-i", sine, "-c:a", "pcm_s24le", str(path))
    result = transcode(path)
    loudness = result.report.loudness
    assert loudness["integrated"] == pytest.approx(-23, abs=0.2)
    assert loudness["true_peak"] == pytest.approx(-23, abs=0.3)
    peaks = result.made("stream").facts["peaks"]
    assert len(peaks) == 400
    assert set(peaks[5:195]) <= {17, 18, 19}
    assert set(peaks[205:]) == {0}


def test_a_high_resolution_master_keeps_its_rate_in_files_and_its_depth_in_the_stream(
    transcode: Transcode, tmp_path: Path
) -> None:
    result = transcode(write_music(tmp_path / "hires.wav", seconds=7, rate=96000, bits=24))
    for name in ("flac", "alac", "wav"):
        path = result.fetch(result.downloads[name])
        audio = probe_file(path).audio
        assert (audio.sample_rate, audio.bit_depth) == (96000, 24)
        assert np.array_equal(samples(path), samples(result.master))
    streamed = result.played("flac")
    heard = samples(streamed)
    assert len(heard) == 7 * 48000
    assert np.any(heard & 0xFF00), "the stream has no more than 16 bits"
    assert likeness(samples(result.master, 48000), heard) > 0.999


def test_a_lossy_master_is_never_sold_as_lossless(transcode: Transcode, tmp_path: Path) -> None:
    master = make_audio(tmp_path / "old.mp3", seconds=7, extra=("-b:a", "128k"))
    result = transcode(master)
    assert set(result.downloads) == {"mp3-v0", "aac-256", "vorbis", "opus"}
    assert {v["name"] for v in result.made("stream").facts["variants"]} == {"aac-64", "aac-128", "aac-256"}
    copy = result.downloads["mp3-v0"]
    assert copy.facts["copied"]
    ours = samples(result.fetch(copy))
    assert likeness(samples(master), ours) > 0.9999
    assert abs(len(ours) - len(samples(master))) <= 1152


@pytest.mark.parametrize("name", ["own.ogg", "own.opus", "own.m4a"])
def test_the_format_of_a_lossy_master_is_its_own_sound(transcode: Transcode, tmp_path: Path, name: str) -> None:
    master = make_audio(tmp_path / name, seconds=3)
    result = transcode(master)
    (copied,) = [made for made in result.downloads.values() if made.facts["copied"]]
    ours, theirs = samples(result.fetch(copied)), samples(master)
    assert np.array_equal(ours[: len(theirs)], theirs[: len(ours)])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mono.wav", {"channels": 1}),
        ("phone.wav", {"rate": 8000, "channels": 1}),
        ("odd.flac", {"rate": 37800}),
        ("short.wav", {"seconds": 0.3}),
        ("six.flac", {"channels": 6}),
        ("deep.wav", {"codec": "pcm_s32le"}),
        ("float.wav", {"codec": "pcm_f32le"}),
        ("apple.aiff", {"codec": "pcm_s24be"}),
    ],
)
def test_unusual_masters_become_whole_ladders(transcode: Transcode, tmp_path: Path, name: str, options: dict) -> None:
    master = make_audio(tmp_path / name, **({"seconds": 2} | options))
    result = transcode(master)
    assert len(result.downloads) == 8
    for rung in ("aac-64", "aac-256", "flac"):
        assert len(samples(result.played(rung))) > 0
    assert len(result.made("stream").facts["peaks"]) == 400
    wav = samples(result.fetch(result.downloads["wav"]))
    assert np.array_equal(wav, samples(master))

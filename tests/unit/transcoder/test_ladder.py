"""Which rungs and files a master becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcoder import downloads, ladder
from transcoder.contract import AudioFacts, Probe, VideoFacts


def audio(rate: int = 44100, depth: int = 16, channels: int = 2, codec: str = "flac", lossless: bool = True) -> Probe:
    return Probe("flac", "audio", 200.0, AudioFacts(codec, rate, channels, depth, lossless), None)


def film(width: int, height: int, rate: tuple[int, int] = (24, 1), duration: float = 60.0) -> Probe:
    return Probe("mp4", "film", duration, None, VideoFacts("h264", width, height, rate))


@pytest.mark.parametrize(
    ("rate", "depth", "aac", "flac"),
    [
        (44100, 16, 44100, (44100, 16)),
        (48000, 24, 48000, (48000, 24)),
        (96000, 24, 48000, (48000, 24)),
        (88200, 16, 48000, (48000, 24)),
        (192000, 32, 48000, (48000, 24)),
        (22050, 16, 44100, (22050, 16)),
    ],
)
def test_rates_and_depths_of_the_sound(rate: int, depth: int, aac: int, flac: tuple[int, int]) -> None:
    rungs = {rung.name: rung for rung in ladder.audio_rungs(audio(rate, depth))}
    assert list(rungs) == ["aac-64", "aac-128", "aac-256", "flac"]
    assert {rung.sample_rate for name, rung in rungs.items() if name != "flac"} == {aac}
    assert (rungs["flac"].sample_rate, rungs["flac"].bit_depth) == flac


def test_a_lossy_master_has_no_lossless_rung_and_no_lossless_file() -> None:
    probe = audio(codec="mp3", lossless=False, depth=0)
    assert [rung.name for rung in ladder.audio_rungs(probe)] == ["aac-64", "aac-128", "aac-256"]
    names = {each.name: each.copied for each in downloads.audio_formats(probe, size=128_000 * 200 // 8)}
    assert names == {"mp3-v0": True, "aac-256": False, "vorbis": False, "opus": False}
    assert "mp3-320" in {each.name for each in downloads.audio_formats(probe, size=320_000 * 200 // 8)}


def test_a_lossless_master_becomes_all_eight_files() -> None:
    assert tuple(each.name for each in downloads.audio_formats(audio(), 1)) == downloads.NAMES[:8]


@pytest.mark.parametrize(
    ("size", "rungs"),
    [
        ((3840, 2160), [(1920, 1080), (1280, 720), (854, 480), (640, 360)]),
        ((1920, 1080), [(1920, 1080), (1280, 720), (854, 480), (640, 360)]),
        ((1920, 800), [(1920, 800), (1280, 534), (854, 356), (640, 266)]),
        ((1080, 1920), [(1080, 1920), (720, 1280), (480, 854), (360, 640)]),
        ((640, 480), [(640, 480), (480, 360)]),
        ((640, 360), [(640, 360), (426, 240)]),
        ((321, 241), [(320, 240), (160, 120)]),
        ((96, 96), [(96, 96)]),
    ],
)
def test_sizes_of_the_picture(size: tuple[int, int], rungs: list[tuple[int, int]]) -> None:
    assert [(rung.width, rung.height) for rung in ladder.film_rungs(film(*size))] == rungs


@given(st.integers(16, 5000), st.integers(16, 5000))
def test_every_picture_is_even_and_never_larger_than_its_source(width: int, height: int) -> None:
    rungs = ladder.film_rungs(film(width, height))
    assert rungs
    for rung in rungs:
        assert rung.width % 2 == rung.height % 2 == 0
        assert rung.width <= width + 1
        assert rung.height <= height + 1
    assert len({rung.name for rung in rungs}) == len(rungs)


@pytest.mark.parametrize(
    ("rate", "frames"), [((24, 1), 48), ((25, 1), 50), ((30000, 1001), 60), ((24000, 1001), 48), ((25, 2), 25)]
)
def test_an_idr_every_two_seconds(rate: tuple[int, int], frames: int) -> None:
    assert ladder.gop_frames(rate) == frames
    assert 3 * frames * rate[1] / rate[0] >= ladder.SEGMENT_SECONDS


def test_senseless_frame_rates_are_tamed() -> None:
    assert ladder.frame_rate(film(640, 360, (1000, 1))) == (60, 1)
    assert ladder.frame_rate(film(640, 360, (0, 1))) == (25, 1)
    assert ladder.frame_rate(film(640, 360, (60000, 1001))) == (60000, 1001)


@given(st.floats(0.1, 20000))
def test_a_preview_lies_within_its_master(duration: float) -> None:
    start, length = ladder.preview_window(duration)
    assert start >= 0
    assert start + length <= duration + 1e-6
    assert length == min(30.0, duration / 2)


@given(st.floats(0.5, 20000))
def test_a_strip_has_room_for_its_pictures(duration: float) -> None:
    strip = ladder.thumbnail_strip(film(1280, 720, duration=duration))
    assert strip.count <= 101
    assert (strip.count - 1) * strip.interval < duration <= strip.count * strip.interval
    assert strip.columns * strip.rows >= strip.count
    assert (strip.width, strip.height) == (160, 90)

"""A film becomes aligned rungs, a sound group, pictures and one file."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import ffmpeg, make_film
from PIL import Image
from support.transcodes import Result, Transcode, samples

from transcoder.probe import probe_file


@pytest.fixture(scope="module")
def film(transcode: Transcode, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Fifteen seconds of 720p at an NTSC rate: two whole segments and a half."""
    master = tmp_path_factory.mktemp("film") / "reel.mp4"
    return transcode(make_film(master, seconds=15, size="1280x720", frame_rate="30000/1001"))


RUNGS = ("v720", "v480", "v360")


def test_the_ladder_goes_up_to_the_height_of_the_source(film: Result) -> None:
    text = film.multivariant()
    assert re.findall(r"RESOLUTION=(\S+?),VIDEO-RANGE=SDR,FRAME-RATE=29.970,AUDIO=\"(\S+?)\",\S+\n(\S+)/", text) == [
        ("640x360", "aac-128", "v360"),
        ("854x480", "aac-128", "v480"),
        ("1280x720", "aac-256", "v720"),
    ]
    assert all(
        re.fullmatch(r"avc1\.[0-9a-f]{6},mp4a\.40\.2", c)
        for c in re.findall(r'CODECS="([^"]+)",RESOLUTION=\S+FRAME-RATE', text)
    )
    assert re.search(r'CODECS="mp4a\.40\.2",AUDIO="aac-128"\naac-128/index.m3u8', text), "sound alone for thin lines"
    assert 'TYPE=AUDIO,GROUP-ID="aac-128"' in text


def test_progress_runs_forward_and_the_download_s_muxing_is_part_of_it(film: Result) -> None:
    fractions = [fraction for _stage, fraction in film.progress]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert [fraction for stage, fraction in film.progress if stage == "encode"][-1] == pytest.approx(0.9)


def test_segments_are_aligned_across_the_rungs(film: Result) -> None:
    rungs = [film.rung(name) for name in RUNGS]
    assert rungs[0].seconds == pytest.approx([6.006, 6.006, 3.003], abs=0.0005)
    assert rungs[0].seconds == rungs[1].seconds == rungs[2].seconds
    sound = film.rung("aac-128").seconds
    assert [sum(sound[: n + 1]) for n in range(2)] == pytest.approx([6.006, 12.012], abs=0.05)


@pytest.mark.parametrize("name", RUNGS)
def test_every_segment_begins_with_an_idr_picture_and_has_one_every_two_seconds(film: Result, name: str) -> None:
    rung = film.rung(name)
    for part, seconds in zip(rung.clear, rung.seconds, strict=True):
        times = []
        with av.open(io.BytesIO(rung.init + part), format="mp4") as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            assert _holds_idr(bytes(packets[0]))
            times = [float(packet.pts * packet.time_base) for packet in packets if packet.is_keyframe]
            assert all(_holds_idr(bytes(packet)) == packet.is_keyframe for packet in packets)
        assert np.diff(times) == pytest.approx(2.002, abs=0.001)
        assert len(times) == round(seconds / 2.002 + 0.49)


def _holds_idr(packet: bytes) -> bool:
    offset = 0
    while offset < len(packet):
        size = struct.unpack_from(">I", packet, offset)[0]
        if packet[offset + 4] & 0x1F == 5:
            return True
        offset += 4 + size
    return False


def test_declared_bandwidths_are_what_picture_and_sound_take(film: Result) -> None:
    variants = film.made("stream").facts["variants"]
    assert len(variants) == 4
    for variant in [each for each in variants if each["resolution"]]:
        picture, sound = film.rung(variant["name"]), film.rung(variant["audio"])
        average = sum(8 * sum(r.sizes) / sum(r.seconds) for r in (picture, sound))
        peak = sum(max(8 * a / b for a, b in zip(r.sizes, r.seconds, strict=True)) for r in (picture, sound))
        assert variant["average_bandwidth"] == pytest.approx(average, rel=0.1)
        assert variant["bandwidth"] == pytest.approx(peak, rel=0.1)


def test_the_film_to_keep_is_the_master_s_own_picture(film: Result) -> None:
    path = film.fetch(film.downloads["mp4"])
    assert film.downloads["mp4"].facts["copied"]
    assert np.array_equal(_frame(path, 5), _frame(film.master, 5))
    assert np.array_equal(samples(path), samples(film.master))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_poster_and_thumbnail_strip_are_pictures_of_the_film(film: Result) -> None:
    poster = Image.open(film.fetch(film.made("poster")))
    assert poster.size == (1280, 720)
    assert np.asarray(poster).std() > 30
    strip = film.made("thumbnails")
    picture = Image.open(film.fetch(strip))
    facts = strip.facts
    assert (facts["columns"], facts["count"], facts["interval"], facts["width"], facts["height"]) == (8, 8, 2, 160, 90)
    assert picture.size == (facts["columns"] * facts["width"], facts["rows"] * facts["height"])
    third = np.asarray(picture.crop((320, 0, 480, 90)).convert("L"), float)
    frame = Image.fromarray(_frame(film.master, 4)).resize((160, 90)).convert("L")
    assert np.corrcoef(third.ravel(), np.asarray(frame, float).ravel())[0, 1] > 0.97


def test_the_preview_plays_picture_and_sound(film: Result) -> None:
    probe = probe_file(film.fetch(film.made("preview")))
    assert (probe.kind, probe.video.height, probe.audio.codec) == ("film", 480, "aac")
    assert probe.duration == pytest.approx(3 * 2.002, abs=0.05)
    assert film.made("preview").key.endswith(".mp4")


def test_the_preview_s_pictures_are_the_stream_s_own(film: Result) -> None:
    preview = film.fetch(film.made("preview"))
    with av.open(str(preview)) as container:
        shown = [np.asarray(frame.to_image().convert("L"), float) for frame in container.decode(video=0)]
    assert len(shown) == 180
    for number in (0, 90, 179):  # from the second IDR picture on
        master = Image.fromarray(_frame(film.master, (60 + number) * 1.001 / 30)).resize((854, 480)).convert("L")
        assert np.corrcoef(shown[number].ravel(), np.asarray(master, float).ravel())[0, 1] > 0.97


def test_film_is_deterministic(film: Result, transcode: Transcode) -> None:
    again = transcode(film.master, store=film.store, attempt=2)
    assert [r.key for r in again.report.renditions] == [r.key for r in film.report.renditions]


def test_a_silent_upright_film_of_odd_size(transcode: Transcode, tmp_path: Path) -> None:
    """Shot on a telephone: stored lying down, with a note to turn it, in a codec the shop does not stream."""
    flat = make_film(tmp_path / "flat.mkv", seconds=3, size="853x479", audio=False, codec="ffv1")
    turned = tmp_path / "turned.mov"
    coded = tmp_path / "coded.mp4"
    ffmpeg("-i", str(flat), "-c:v", "mpeg4", "-q:v", "3", str(coded))
    ffmpeg("-display_rotation", "90", "-i", str(coded), "-c", "copy", str(turned))
    result = transcode(turned)
    facts = result.made("stream").facts
    assert facts["peaks"] == []
    assert [(v["name"], v["audio"]) for v in facts["variants"]] == [("v240", None), ("v360", None)]
    for variant in facts["variants"]:
        width, height = variant["resolution"]
        assert height > width
        assert width % 2 == height % 2 == 0
        assert all(codec.startswith("avc1") for codec in variant["codecs"])
    assert "TYPE=AUDIO" not in result.multivariant()
    whole = probe_file(result.fetch(result.downloads["mp4"]))
    assert (whole.video.codec, whole.audio) == ("h264", None)
    assert not result.downloads["mp4"].facts["copied"]
    assert (
        Image.open(result.fetch(result.made("poster"))).size[1]
        > Image.open(result.fetch(result.made("poster"))).size[0]
    )


def test_sound_that_starts_late_stays_in_step(transcode: Transcode, tmp_path: Path) -> None:
    plain = make_film(tmp_path / "plain.mp4", seconds=4)
    late = tmp_path / "late.mkv"
    shifted = ("-itsoffset", "1", "-i", str(plain), "-map", "0:v", "-map", "1:a", "-c", "copy", "-t", "4")
    ffmpeg("-i", str(plain), *shifted, str(late))
    result = transcode(late)
    heard = np.abs(samples(result.played("aac-128"))[:, 0] / 2**31)
    assert heard[: int(0.9 * 48000)].max() < 0.01
    assert heard[int(1.2 * 48000) : int(1.5 * 48000)].max() > 0.1


def _frame(path: Path, second: float) -> np.ndarray:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time >= second - 0.001:
                return frame.to_ndarray(format="rgb24")
    raise AssertionError("the film is over")

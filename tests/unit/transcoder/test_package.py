"""Sealing, measuring and describing a stream."""

from __future__ import annotations

import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from transcoder import boxes, loudness, package, playlist, waveform
from transcoder.contract import Stretch, segment_key
from transcoder.errors import EncodeFailed

KEY = bytes(range(16))


@given(st.binary(max_size=200), st.integers(0, 2**64))
def test_a_sealed_segment_opens_with_its_key_and_number(data: bytes, sequence: int) -> None:
    sealed = package.encrypt_segment(data, KEY, sequence)
    assert len(sealed) % 16 == 0
    assert len(sealed) > len(data)
    assert package.decrypt_segment(sealed, KEY, sequence) == data


def test_the_iv_is_the_media_sequence_number() -> None:
    sealed = package.encrypt_segment(b"sixteen bytes ..", KEY, 7)
    raw = Cipher(algorithms.AES(KEY), modes.CBC(bytes(15) + b"\x07")).decryptor().update(sealed)
    assert raw == b"sixteen bytes .." + bytes([16]) * 16


def test_a_media_playlist_as_text() -> None:
    text = playlist.media_playlist(
        [playlist.Segment("00001.m4s", 6.006, 0), playlist.Segment("00002.m4s", 1.5, 0)], target_duration=6
    )
    assert text == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:6\n"
        "#EXT-X-MEDIA-SEQUENCE:1\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MAP:URI="init.mp4"\n'
        '#EXT-X-KEY:METHOD=AES-128,URI="../key/0.key"\n'
        "#EXTINF:6.006000,\n00001.m4s\n"
        "#EXTINF:1.500000,\n00002.m4s\n"
        "#EXT-X-ENDLIST\n"
    )


def test_a_multivariant_playlist_as_text() -> None:
    text = playlist.multivariant(
        [
            playlist.Variant(
                "v720/index.m3u8", 3_000_000, 2_500_000, ("avc1.64001f", "mp4a.40.2"), (1280, 720), 23.976, "aac-256"
            ),
            playlist.Variant(
                "v360/index.m3u8", 900_000, 800_000, ("avc1.64001e", "mp4a.40.2"), (640, 360), 23.976, "aac-128"
            ),
        ],
        [
            playlist.Media("AUDIO", "aac-128", "Original", "aac-128/index.m3u8", default=True, channels=2),
            playlist.Media("AUDIO", "aac-256", 'Dub "best"', "aac-256/index.m3u8", language="zh", channels=2),
            playlist.Media("SUBTITLES", "subs", "English", "subs-0/index.m3u8", language="en", forced=True),
        ],
        [playlist.IFrames("v360-iframes/index.m3u8", 90_000, 80_000, ("avc1.64001e",), (640, 360))],
    )
    assert text == (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac-128",NAME="Original",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="aac-128/index.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac-256",NAME="Dub best",LANGUAGE="zh",DEFAULT=NO,AUTOSELECT=YES,'
        'CHANNELS="2",URI="aac-256/index.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,'
        'FORCED=YES,URI="subs-0/index.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,CODECS="avc1.64001e,mp4a.40.2",'
        'RESOLUTION=640x360,VIDEO-RANGE=SDR,FRAME-RATE=23.976,AUDIO="aac-128",CLOSED-CAPTIONS=NONE\n'
        "v360/index.m3u8\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2500000,CODECS="avc1.64001f,mp4a.40.2",'
        'RESOLUTION=1280x720,VIDEO-RANGE=SDR,FRAME-RATE=23.976,AUDIO="aac-256",CLOSED-CAPTIONS=NONE\n'
        "v720/index.m3u8\n"
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,AVERAGE-BANDWIDTH=80000,CODECS="avc1.64001e",'
        'RESOLUTION=640x360,VIDEO-RANGE=SDR,URI="v360-iframes/index.m3u8"\n'
    )


def test_a_playlist_on_air_grows_as_an_event_and_names_a_key_a_minute() -> None:
    numbers = range(9, 13)
    segments = [playlist.Segment(f"{n:05}.m4s", 6.0, playlist.key_number(n, 6.0)) for n in numbers]
    text = playlist.media_playlist(segments, target_duration=6, ended=False)
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in text
    assert "#EXT-X-ENDLIST" not in text
    keys = [line for line in text.splitlines() if "key/" in line or line.endswith(".m4s")]
    assert keys == [
        '#EXT-X-KEY:METHOD=AES-128,URI="../key/0.key"',
        "00009.m4s",
        "00010.m4s",
        '#EXT-X-KEY:METHOD=AES-128,URI="../key/1.key"',
        "00011.m4s",
        "00012.m4s",
    ]
    # One key for a minute of media, however long the segments are: pictures to jump by come every two seconds.
    assert [playlist.key_number(n, 2.0) for n in (1, 30, 31)] == [0, 0, 1]


def test_the_keys_of_a_stream_differ_and_are_its_own() -> None:
    keys = {segment_key(KEY, number) for number in range(100)} | {segment_key(KEY[::-1], number) for number in range(9)}
    assert len(keys) == 109
    assert {len(key) for key in keys} == {16}
    assert KEY not in keys


def _stretch(first: int, count: int, init: str = "a") -> Stretch:
    return Stretch("v360", first, (6.0,) * count, (100,) * count, init)


def test_stretches_of_several_workers_join_only_where_nothing_is_missing() -> None:
    assert package.joined([_stretch(4, 2), _stretch(1, 3)]) == _stretch(1, 5)
    with pytest.raises(EncodeFailed, match="Segment 4 of v360 is missing"):
        package.joined([_stretch(5, 2), _stretch(1, 3)])
    with pytest.raises(EncodeFailed, match="encoders differ"):
        package.joined([_stretch(1, 3), _stretch(4, 2, "b")])


def test_the_peak_is_of_runs_that_are_neither_too_short_nor_too_long() -> None:
    assert package.measure([6000, 9000, 800], [6, 6, 0.1], 6) == (12852, 10446)
    assert package.measure([100], [0.5], 6) == (1600, 1600)


@pytest.mark.parametrize(("seconds", "target"), [([6.02, 5.97, 0.2], 6), ([0.2], 1), ([6.5, 6.0], 7), ([8.3], 8)])
def test_no_segment_is_longer_than_the_target(seconds: list[float], target: int) -> None:
    assert package.target_seconds(seconds) == target


def test_damaged_boxes_are_named() -> None:
    with pytest.raises(boxes.BadBoxes, match="moov"):
        boxes.read_init(struct.pack(">I4s", 8, b"ftyp"))
    with pytest.raises(boxes.BadBoxes, match="past the end"):
        boxes.read_init(struct.pack(">I4s", 99, b"moov"))


def test_loudness_of_silence_is_a_number() -> None:
    summary = "Summary:\n  Integrated loudness:\n    I: -70.0 LUFS\n    Threshold: 0.0 LUFS\n\n  Loudness range:\n"
    summary += "    LRA: 0.0 LU\n    Threshold: 0.0 LUFS\n\n  True peak:\n    Peak: -inf dBFS\n"
    assert loudness.parse(summary) == {"integrated": -70.0, "range": 0.0, "true_peak": -144.0}
    with pytest.raises(EncodeFailed):
        loudness.parse("nothing of the kind")


def test_peaks_keep_the_loudest_of_each_window() -> None:
    text = "\n".join(f"lavfi.astats.Overall.Peak_level={level}" for level in ("-inf", "0.0", "-6.0", "-120"))
    assert waveform.parse(text, values=2) == [255, 128]
    assert waveform.parse(text, values=8) == [0, 0, 255, 255, 128, 128, 0, 0]
    assert waveform.parse("") == []

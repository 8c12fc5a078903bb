"""Sealing, measuring and describing a stream."""

from __future__ import annotations

import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from transcoder import boxes, loudness, package, playlist, waveform
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
        [("00001.m4s", 6.006), ("00002.m4s", 1.5)], target_duration=6, key_uri="../key/0.key"
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
            playlist.AudioGroup("aac-128", "aac-128/index.m3u8", 2),
            playlist.AudioGroup("aac-256", "aac-256/index.m3u8", 2),
        ],
    )
    assert text == (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac-128",NAME="Original",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
        'URI="aac-128/index.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac-256",NAME="Original",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
        'URI="aac-256/index.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,CODECS="avc1.64001e,mp4a.40.2",'
        'RESOLUTION=640x360,FRAME-RATE=23.976,AUDIO="aac-128"\n'
        "v360/index.m3u8\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2500000,CODECS="avc1.64001f,mp4a.40.2",'
        'RESOLUTION=1280x720,FRAME-RATE=23.976,AUDIO="aac-256"\n'
        "v720/index.m3u8\n"
    )


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

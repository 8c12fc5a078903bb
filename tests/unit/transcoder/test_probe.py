"""Probing real files: what they are, and why some are refused."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path

import pytest
from media_samples import ffmpeg, make_audio, make_film, make_image, truncate

from transcoder.contract import Probe
from transcoder.errors import NotMedia
from transcoder.probe import probe_file


def refusal(path: Path, name: str | None = None) -> str:
    with pytest.raises(NotMedia) as caught:
        probe_file(path, name)
    assert "/" not in str(caught.value).replace("16/", "")  # a reason never tells where the file lies
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "codec", "container", "found", "depth"),
    [
        ("a.wav", "pcm_s16le", "wav", "pcm_s16le", 16),
        ("a.wav", "pcm_s24le", "wav", "pcm_s24le", 24),
        ("a.wav", "pcm_f32le", "wav", "pcm_f32le", 24),
        ("a.wav", "pcm_u8", "wav", "pcm_u8", 8),
        ("a.WAV", "pcm_s16le", "wav", "pcm_s16le", 16),
        ("a.aiff", "pcm_s24be", "aiff", "pcm_s24be", 24),
        ("a.flac", "flac", "flac", "flac", 16),
        ("a.m4a", "alac", "mp4", "alac", 16),
        ("a.m4a", "aac", "mp4", "aac", 0),
        ("a.mp3", "libmp3lame", "mp3", "mp3", 0),
        ("a.ogg", "libvorbis", "ogg", "vorbis", 0),
        ("a.ogg", "flac", "ogg", "flac", 16),
        ("a.opus", "libopus", "ogg", "opus", 0),
        ("a.mka", "flac", "matroska", "flac", 16),
    ],
)
def test_audio_is_measured(tmp_path: Path, name: str, codec: str, container: str, found: str, depth: int) -> None:
    probe = probe_file(make_audio(tmp_path / name, seconds=1, rate=48000, channels=2, codec=codec))
    assert (probe.container, probe.kind, probe.video) == (container, "audio", None)
    assert probe.audio is not None
    assert (probe.audio.codec, probe.audio.sample_rate, probe.audio.channels) == (found, 48000, 2)
    assert (probe.audio.bit_depth, probe.audio.lossless) == (depth, depth > 0)
    assert probe.duration == pytest.approx(1, abs=0.05)
    assert Probe.from_dict(json.loads(json.dumps(probe.to_dict()))) == probe


@pytest.mark.parametrize("suffix", [".flac", ".m4a"])
def test_twenty_four_bits_and_high_rates_are_told(tmp_path: Path, suffix: str) -> None:
    codec = {".flac": "flac", ".m4a": "alac"}[suffix]
    sample_format = {".flac": "s32", ".m4a": "s32p"}[suffix]
    path = make_audio(tmp_path / f"a{suffix}", 1, 96000, 1, codec, extra=("-sample_fmt", sample_format))
    facts = probe_file(path).audio
    assert facts is not None
    assert (facts.bit_depth, facts.sample_rate, facts.channels) == (24, 96000, 1)


@pytest.mark.parametrize("name", ["f.mp4", "f.mov", "f.mkv"])
def test_film_is_measured(tmp_path: Path, name: str) -> None:
    probe = probe_file(make_film(tmp_path / name, seconds=2, size="320x180", frame_rate="30000/1001"))
    assert probe.kind == "film"
    assert probe.video is not None
    assert (probe.video.codec, probe.video.width, probe.video.height) == ("h264", 320, 180)
    assert probe.video.frame_rate == (30000, 1001)
    assert probe.audio is not None
    assert probe.audio.codec == "aac"
    assert probe.duration == pytest.approx(2, abs=0.1)


def test_a_silent_film_is_a_film(tmp_path: Path) -> None:
    probe = probe_file(make_film(tmp_path / "f.mp4", seconds=1, size="160x90", audio=False))
    assert (probe.kind, probe.audio) == ("film", None)


def test_rotation_and_square_pixels_are_applied(tmp_path: Path) -> None:
    upright = make_film(tmp_path / "a.mp4", seconds=1, size="320x180")
    ffmpeg("-display_rotation", "90", "-i", str(upright), "-c", "copy", str(tmp_path / "turned.mp4"))
    turned = probe_file(tmp_path / "turned.mp4").video
    assert turned is not None
    assert (turned.width, turned.height) == (180, 320)
    wide = probe_file(make_film(tmp_path / "w.mp4", 1, "320x180", extra=("-vf", "setsar=2/1"))).video
    assert wide is not None
    assert (wide.width, wide.height) == (640, 180)


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.m4a"])
def test_a_cover_does_not_make_a_film(tmp_path: Path, name: str) -> None:
    path = make_audio(tmp_path / name, 1)
    (tmp_path / "cover.png").write_bytes(make_image(image_format="PNG"))
    with_cover = tmp_path / f"covered{path.suffix}"
    copying = ["-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic"]
    ffmpeg("-i", str(path), "-i", str(tmp_path / "cover.png"), *copying, str(with_cover))
    assert probe_file(with_cover).kind == "audio"


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.flac", "a.m4a", "a.mp3", "a.ogg", "a.opus", "f.mp4", "f.mkv"])
@pytest.mark.parametrize("share", [0.3, 0.97])
def test_a_file_cut_off_is_named_truncated(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    if name[0] == "f":
        make_film(path, seconds=2, size="160x90")
    else:
        make_audio(path, 2)
    assert "truncated" in refusal(truncate(path, share))


def test_a_streamable_film_cut_off_is_named_truncated(tmp_path: Path) -> None:
    path = make_film(tmp_path / "f.mp4", seconds=2, size="160x90", extra=("-movflags", "+faststart"))
    assert "truncated" in refusal(truncate(path, 0.8))


def _running_on(path: Path, *, sound: float = 2, words: float = 2) -> Path:
    """A film of two seconds of picture, whose sound or subtitles go on after it."""
    said = path.with_suffix(".srt")
    said.write_text(f"1\n00:00:00,000 --> 00:00:{words:06.3f}\n…\n".replace(".", ","))
    inputs = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=24:duration=2"]
    inputs += ["-f", "lavfi", "-i", f"sine=duration={sound}", "-i", str(said)]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    codecs += ["-cluster_time_limit", "5000"] if path.suffix == ".mkv" else []
    ffmpeg(*inputs, *codecs, "-c:s", "srt" if path.suffix == ".mkv" else "mov_text", str(path))
    return path


@pytest.mark.parametrize("name", ["f.mkv", "f.mp4"])
@pytest.mark.parametrize("longer", ["sound", "words"])
def test_a_film_whose_sound_or_subtitles_run_on_is_whole(tmp_path: Path, name: str, longer: str) -> None:
    assert probe_file(_running_on(tmp_path / name, **{longer: 8})).duration == pytest.approx(2, abs=0.01)


def test_a_film_written_live_and_cut_off_is_named_truncated(tmp_path: Path) -> None:
    """Its segment says no size, and its header still tells how long it was to be."""
    path = _running_on(tmp_path / "f.mkv", sound=8)
    data = bytearray(path.read_bytes())
    segment = data.index(b"\x18\x53\x80\x67") + 4
    data[segment : segment + 8] = b"\x01" + b"\xff" * 7
    path.write_bytes(data)
    assert probe_file(path).duration == pytest.approx(2, abs=0.01)
    path.write_bytes(data[: data.rindex(b"\x1f\x43\xb6\x75")])  # without its last cluster
    assert "truncated: 5 of 8 seconds" in refusal(path)


def test_damage_in_the_middle_of_a_flac_is_heard(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.flac", 3)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    path.write_bytes(data)
    assert "damaged" in refusal(path)


def test_a_wav_written_to_a_pipe_has_no_length_and_is_taken(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.wav", 1)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(data)
    assert probe_file(path).duration == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("is_named", "holds", "says"),
    [
        ("song.flac", "a.mp3", "is named .flac but holds MP3"),
        ("song.wav", "a.flac", "is named .wav but holds FLAC"),
        ("song.mp3", "a.ogg", "is named .mp3 but holds Ogg"),
        ("song.opus", "a.ogg", "is named .opus but holds vorbis"),
        ("song", "a.mp3", "let it end in .mp3"),
        ("song.txt", "a.wav", "let it end in .wav"),
    ],
)
def test_a_name_that_lies_is_caught(tmp_path: Path, is_named: str, holds: str, says: str) -> None:
    path = make_audio(tmp_path / holds, 0.5)
    assert says in refusal(path, is_named)
    shutil.move(path, tmp_path / is_named)
    assert says in refusal(tmp_path / is_named)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:6\nfile:///etc/passwd\n", "is a playlist"),
        (b"\xef\xbb\xbf#EXTM3U\n", "is a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is a playlist"),
        (b"<?xml version='1.0'?>\n<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'/>", "is a playlist"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an image"),
        (b"Dear label,\nthe master follows.\n", "is text"),
        ("主唱：林海\n".encode(), "is text"),
        (b"PK\x03\x04" + bytes(64), "is a ZIP archive"),
        (b"\x7fELF" + bytes(64), "is a program"),
        (b"MZ" + bytes(64), "is a program"),
        (b"%PDF-1.7\n", "is a PDF document"),
        (b"\0" * 4096, "nothing but zeros"),
        (bytes(range(128, 256)) * 32, "no sound or film that the shop knows"),
        (b"RIFF\x24\0\0\0AVI LIST", "is an AVI film"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01webm", "is a WebM file"),
        (b"fLaC", "cannot be opened as FLAC"),
        (b"ID3\x04\0\0\0\0\x0f\x7f", "no sound or film|nothing but zeros|is text"),
    ],
)
def test_what_is_no_media_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "song.flac"
    path.write_bytes(content)
    reason = refusal(path)
    assert any(one in reason for one in says.split("|")), reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ogg", b"OggS" + bytes(10)),
        ("a.wav", b"RIFF\xff\0\0\0WAVEfmt "),
        ("a.mp4", b"\0\0\0\x18ftypisom" + bytes(12)),
        ("a.mkv", b"\x1aE\xdf\xa3\x84matr"),
        ("a.aiff", b"FORM\0\0\0\xffAIFFCOMM\0"),
    ],
)
def test_a_header_and_little_more_is_truncated(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert "truncated" in refusal(tmp_path / name)


def _ogg_pages(data: bytes) -> list[bytes]:
    pages, at = [], 0
    while at < len(data):
        segments = data[at + 26]
        end = at + 27 + segments + sum(data[at + 27 : at + 27 + segments])
        pages.append(data[at:end])
        at = end
    return pages


def _ogg_page_again(page: bytes, sequence: int) -> bytes:
    """The page as a later one of the stream: no longer its first, with a checksum that holds (RFC 3533, CRC-32)."""
    made = bytearray(page)
    made[5], made[18:22], made[22:26] = 0, sequence.to_bytes(4, "little"), bytes(4)
    crc = 0
    for byte in made:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 1 << 31 else crc << 1) & 0xFFFFFFFF
    made[22:26] = crc.to_bytes(4, "little")
    return bytes(made)


def test_vorbis_headers_that_come_twice_are_named(tmp_path: Path) -> None:
    """Three tracks of a real game's soundtrack are so: a tag editor wrote new headers and left the old ones."""
    path = make_audio(tmp_path / "a.ogg", 1)
    pages = _ogg_pages(path.read_bytes())
    again = [_ogg_page_again(page, 2 + number) for number, page in enumerate(pages[:2])]
    path.write_bytes(b"".join([*pages[:2], *again, *pages[2:]]))
    assert "headers twice" in refusal(path)


def test_one_flipped_bit_in_a_flac_is_heard(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.flac", 1)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_images_are_refused(tmp_path: Path, image_format: str) -> None:
    path = tmp_path / "cover.mp4"
    path.write_bytes(make_image(image_format=image_format))
    assert "is an image" in refusal(path)


def test_folders_and_missing_files_and_pipes_are_named(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)
    assert "cannot be read: No such file" in refusal(tmp_path / "gone.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert "not a regular file" in refusal(tmp_path / "pipe.wav")


def test_a_name_that_looks_like_a_protocol_is_only_a_name(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "plain.wav", 0.5)
    odd = path.rename(tmp_path / "concat:a|b%d 音乐.wav")
    assert probe_file(odd).duration == pytest.approx(0.5, abs=0.01)


def test_a_wav_with_other_sound_inside_is_refused(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.wav", 0.5, codec="libmp3lame")
    assert "WAV file with mp3 inside" in refusal(path)


def test_a_wav_of_no_length_is_refused(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.wav", 0.5)
    data = path.read_bytes()
    at = data.index(b"data")
    path.write_bytes(data[: at + 4] + bytes(4))
    assert "no sound" in refusal(path)


def test_more_channels_than_a_room_has_are_refused(tmp_path: Path) -> None:
    assert "9 channels" in refusal(make_audio(tmp_path / "a.wav", 0.2, 8000, 9))
    assert "samples a second" in refusal(make_audio(tmp_path / "b.wav", 0.2, 4000, 1))


def test_a_picture_too_small_is_refused(tmp_path: Path) -> None:
    assert "picture of 8 × 8" in refusal(make_film(tmp_path / "f.mkv", 1, "8x8", codec="ffv1"))


def test_an_mp3_with_tags_before_and_after_is_whole(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.mp3", 2, metadata={"title": "长" * 400}, extra=("-write_id3v1", "1"))
    assert probe_file(path).duration == pytest.approx(2, abs=0.06)

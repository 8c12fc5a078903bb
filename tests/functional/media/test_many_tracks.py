"""A film with several sounds, subtitles and chapters keeps them all, in the stream and in the download."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import ffmpeg, make_many_tracks
from support.transcodes import KEY, Result, Transcode, samples

from transcoder import captions, package, playlist
from transcoder.contract import segment_key
from transcoder.probe import probe_file

LINES = ["<i>Où</i> est la mer ?", "第二行 &amp; more"]


@pytest.fixture(scope="module")
def film(transcode: Transcode, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Eight seconds, whose second sound is shorter than the picture and the third longer."""
    return transcode(make_many_tracks(tmp_path_factory.mktemp("many") / "reel.mkv", 8, "1280x720"))


def pitch(path: Path) -> int:
    """What sounds, in Hz, to the nearest ten."""
    heard = samples(path)[:, 0][24000 : 24000 + 48000].astype(float)
    return round(int(np.argmax(np.abs(np.fft.rfft(heard)))) / 10) * 10


def test_every_sound_is_in_every_group(film: Result) -> None:
    media = [line for line in film.multivariant().splitlines() if "TYPE=AUDIO" in line]
    told = [re.findall(r'(GROUP-ID|NAME|LANGUAGE|DEFAULT|AUTOSELECT|CHANNELS|URI)="?([^",]+)', line) for line in media]
    assert [dict(each) for each in told] == [
        {
            "GROUP-ID": group,
            "NAME": name,
            "LANGUAGE": language,
            "DEFAULT": default,
            "AUTOSELECT": auto,
            "CHANNELS": channels,
            "URI": f"{group}{suffix}/index.m3u8",
        }
        for group in ("aac-128", "aac-256")
        for name, language, default, auto, channels, suffix in (
            ("English", "en", "YES", "YES", "2", ""),
            ("中文", "zh", "NO", "YES", "1", "-1"),
            ("导演评论", "en", "NO", "NO", "2", "-2"),
        )
    ]


@pytest.mark.parametrize(("name", "hertz"), [("aac-128", 220), ("aac-256-1", 440), ("aac-128-2", 660)])
def test_each_sound_is_its_own(film: Result, name: str, hertz: int) -> None:
    assert pitch(film.played(name)) == hertz


def test_all_renditions_are_of_one_length(film: Result) -> None:
    lengths = {name: sum(film.rung(name).seconds) for name in ("v720", "aac-128", "aac-128-1", "aac-256-2")}
    assert max(lengths.values()) - min(lengths.values()) < 0.022, lengths


def test_subtitles_are_sealed_segments_of_the_films_length(film: Result) -> None:
    text = film.multivariant()
    assert re.findall(r'TYPE=SUBTITLES,GROUP-ID="subs",NAME="([^"]+)",LANGUAGE="(\w+)"', text) == [
        ("Français", "fr"),
        ("中文", "zh"),
    ]
    assert "transcribes-spoken-dialog" in text.split('NAME="中文",LANGUAGE="zh",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO')[1]
    variants = [line for line in text.splitlines() if line.startswith("#EXT-X-STREAM-INF") and "RESOLUTION" in line]
    assert [line.count('SUBTITLES="subs"') for line in variants] == [1] * len(variants)
    stream = film.made("stream")
    listed = film.store.get_bytes(stream.key + "subs-0/index.m3u8").decode()
    names = re.findall(r"^\d+\.vtt$", listed, re.MULTILINE)
    assert names == ["00001.vtt", "00002.vtt"]
    assert sum(map(float, re.findall(r"#EXTINF:([\d.]+)", listed))) == pytest.approx(8, abs=0.01)
    key = segment_key(KEY, playlist.key_number(1, 6))
    clear = package.decrypt_segment(film.store.get_bytes(stream.key + "subs-0/00001.vtt"), key, 1).decode()
    assert clear.startswith("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n")
    cues = captions.read(clear.encode()).cues
    assert [(cue.start, cue.end) for cue in cues] == [(0.5, 1.5), (1.8, 3.0)]
    assert [cue.text for cue in cues] == LINES
    assert [each["name"] for each in stream.facts["texts"]] == ["Français", "中文"]


def test_chapters_are_told_to_the_player(film: Result) -> None:
    assert [each["title"] for each in film.made("stream").facts["chapters"]] == ["Opening", "第二章"]


@pytest.mark.parametrize("picture", ["own", "ours"])
def test_the_download_has_everything(film: Result, transcode: Transcode, tmp_path: Path, picture: str) -> None:
    made = film
    if picture == "ours":
        foreign = tmp_path / "foreign.mkv"
        ffmpeg(
            "-i", str(film.master), "-map", "0", "-c:v", "ffv1", "-c:a", "flac", "-c:s", "copy", "-t", "3", str(foreign)
        )
        made = transcode(foreign)
    path = made.fetch(made.downloads["mp4"])
    assert made.downloads["mp4"].facts["copied"] == (picture == "own")
    probe = probe_file(path)
    assert probe.video.codec == "h264"
    assert [(each.language, each.title) for each in probe.sounds] == [
        ("en", "English"),
        ("zh", "中文"),
        ("en", "导演评论"),
    ]
    assert [each.language for each in probe.texts] == ["fr", "zh"]
    assert [chapter.title for chapter in probe.chapters] == ["Opening", "第二章"]
    for track, hertz in enumerate((220, 440, 660)):
        alone = tmp_path / f"{track}.wav"
        ffmpeg("-i", str(path), "-map", f"0:a:{track}", str(alone))
        assert pitch(alone) == hertz
    with av.open(str(path)) as container:
        said = b"".join(bytes(packet) for packet in container.demux(subtitles=0))
    assert "第二行 & more".encode() in said


def test_chapters_of_a_sound_master_survive_in_its_files(transcode: Transcode, tmp_path: Path) -> None:
    parts = tmp_path / "parts.txt"
    parts.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=Prelude\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=5000\ntitle=赋格\n"
    )
    master = tmp_path / "suite.mka"
    tone = "aevalsrc=0.3*sin(2*PI*330*t)|0.3*sin(2*PI*440*t):s=44100:d=5"
    ffmpeg("-f", "lavfi", "-i", tone, "-i", str(parts), "-map_chapters", "1", "-c:a", "flac", str(master))
    made = transcode(master)
    assert [each["title"] for each in made.made("stream").facts["chapters"]] == ["Prelude", "赋格"]
    for name in ("flac", "alac", "aac-256", "mp3-320", "vorbis", "opus"):
        probe = probe_file(made.fetch(made.downloads[name]))
        assert [(chapter.title, chapter.start) for chapter in probe.chapters] == [("Prelude", 0), ("赋格", 2)], name
    assert len(samples(made.played("aac-256"))) > 5 * 44100 - 1

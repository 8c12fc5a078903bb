"""Subtitles cut into segments, and put into a multivariant playlist that exists."""

from __future__ import annotations

from pathlib import Path

from transcoder import package, playlist, subtitles
from transcoder.captions import Cue, read
from transcoder.contract import segment_key

KEY = bytes(range(16))


def test_cues_stand_in_every_segment_they_reach_into(tmp_path: Path) -> None:
    cues = [Cue(1, 2, "one"), Cue(5, 13, "long"), Cue(12, 13, "three"), Cue(90, 99, "after the end")]
    stretch, members = subtitles.seal(cues, tmp_path / "subs-0", KEY, segment_seconds=6.0, duration=14.5)
    assert stretch.seconds == (6.0, 6.0, 2.5)
    assert [member.name for member in members] == [f"subs-0/0000{n}.vtt" for n in (1, 2, 3)]
    texts = []
    for number, member in enumerate(members, start=1):
        key = segment_key(KEY, playlist.key_number(number, 6.0))
        texts.append(package.decrypt_segment(member.path.read_bytes(), key, number).decode())
        assert stretch.sizes[number - 1] == member.path.stat().st_size
    assert all(text.startswith("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n") for text in texts)
    assert [[cue.text for cue in read(text.encode()).cues] for text in texts] == [
        ["one", "long"],
        ["long"],
        ["long", "three"],
    ]
    assert {cue for text in texts for cue in read(text.encode()).cues} == set(cues[:3])


def test_a_segment_without_words_is_there_all_the_same(tmp_path: Path) -> None:
    stretch, members = subtitles.seal([Cue(13, 14, "late")], tmp_path / "subs-0", KEY, segment_seconds=6, duration=18.0)
    assert stretch.seconds == (6, 6, 6)
    assert len(members) == 3


MULTIVARIANT = playlist.multivariant(
    [playlist.Variant("v720/index.m3u8", 9, 8, ("avc1.64001f",), (1280, 720), 24.0, "aac-128")],
    [playlist.Media("AUDIO", "aac-128", "Original", "aac-128/index.m3u8", channels=2)],
)


def test_listed_anew_changes_subtitles_and_nothing_else() -> None:
    english, chinese = (
        subtitles.media(f"subs-{n}", name, tag) for n, name, tag in ((0, "English", "en"), (1, "中", "zh"))
    )
    once = subtitles.listed_anew(MULTIVARIANT, [english])
    assert '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en"' in once
    assert 'AUDIO="aac-128",SUBTITLES="subs",CLOSED-CAPTIONS=NONE' in once
    both = subtitles.listed_anew(once, [english, chinese])
    assert both.count("TYPE=SUBTITLES") == 2
    assert both == subtitles.listed_anew(MULTIVARIANT, [english, chinese])
    assert subtitles.listed_anew(both, []) == MULTIVARIANT
    written = playlist.multivariant(
        [playlist.Variant("v720/index.m3u8", 9, 8, ("avc1.64001f",), (1280, 720), 24.0, "aac-128", "subs")],
        [playlist.Media("AUDIO", "aac-128", "Original", "aac-128/index.m3u8", channels=2), english, chinese],
    )
    assert both == written

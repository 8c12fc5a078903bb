"""What a film says of its sounds, subtitles and chapters, from either container, in one language of tags."""

from __future__ import annotations

from pathlib import Path

import pytest
from media_samples import make_many_tracks

from transcoder import ladder
from transcoder.contract import Chapter, Probe, SoundTrack, TextTrack
from transcoder.probe import probe_file


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_every_track_is_told(tmp_path: Path, name: str) -> None:
    probe = probe_file(make_many_tracks(tmp_path / name, seconds=4))
    assert probe.sounds == (
        SoundTrack(0, "en", "", 2, default=True),
        SoundTrack(1, "zh", "", 1),
        SoundTrack(2, "en", "导演评论", 2, role="commentary"),
    )
    assert probe.texts == (TextTrack(0, "fr", "", default=True), TextTrack(1, "zh", "", captions=True))
    assert probe.chapters == (Chapter(0.0, 1.5, "Opening"), Chapter(1.5, 4.0, "第二章"))
    assert Probe.from_dict(probe.to_dict()) == probe


def test_every_track_is_in_every_group_of_sound(tmp_path: Path) -> None:
    rungs = ladder.audio_rungs(probe_file(make_many_tracks(tmp_path / "film.mkv", seconds=2)))
    assert [rung.name for rung in rungs] == [
        *("aac-128", "aac-128-1", "aac-128-2"),
        *("aac-256", "aac-256-1", "aac-256-2"),
    ]
    assert [(rung.group, rung.track, rung.language, rung.title, rung.default) for rung in rungs[:3]] == [
        ("aac-128", 0, "en", "English", True),
        ("aac-128", 1, "zh", "中文", False),
        ("aac-128", 2, "en", "导演评论", False),
    ]

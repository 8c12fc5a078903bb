"""File names that every file system takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.models import Artist, Release, Track
from app.downloads import naming


@pytest.mark.parametrize(
    ("given_", "plain"),
    [
        ("Tides", "Tides"),
        ("潮汐", "潮汐"),
        ("AC/DC", "AC DC"),
        ("../../etc/passwd", "etc passwd"),
        ("..", "_"),
        ("", "_"),
        ('What? "This": <that>|*', "What This that"),
        ("a\r\nb\x00c\u202ed", "a b c d"),
        (" . dots and spaces . ", "dots and spaces"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("Cafe\u0301", "Café"),
    ],
)
def test_one_component_of_a_path(given_: str, plain: str) -> None:
    assert naming.plain(given_) == plain


@given(st.text(max_size=400))
def test_any_title_makes_one_safe_component(title: str) -> None:
    name = naming.plain(title)
    assert name not in {"", ".", ".."}
    assert not set('/\\:*?"<>|\0\n') & set(name)
    assert len(name.encode()) <= 201
    assert name == name.strip(" .")


def _release(places: list[tuple[int, int]], kind: str = "audio") -> Release:
    release = Release(title="Album", artist=Artist(name="Artist"), kind=kind)
    release.tracks = [Track(disc=disc, position=position, title="Title") for disc, position in places]
    return release


def test_the_number_names_the_disc_where_there_are_several() -> None:
    assert naming.file_name(_release([(1, 3), (1, 4)]).tracks[0], "flac", "en") == "03 Artist – Title.flac"
    assert naming.file_name(_release([(1, 3), (2, 1)]).tracks[0], "flac", "en") == "1-03 Artist – Title.flac"
    assert naming.member_name(_release([(1, 3), (2, 1)]).tracks[1], "flac", "en") == "2-01 Title.flac"
    assert naming.file_name(_release([(1, 1)], "film").tracks[0], "mp4", "en") == "Artist – Title.mp4"

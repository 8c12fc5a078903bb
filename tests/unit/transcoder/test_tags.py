"""Tags there and back in every format, and files whose tags are a mess."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import mutagen
import pytest
from media_samples import ffmpeg, make_audio, make_film, make_image
from mutagen import flac, id3, mp3, mp4

from transcoder.contract import TagSet
from transcoder.probe import probe_file
from transcoder.tag_fields import clean_text, isrc, number, year
from transcoder.tags import read_tags, write_tags

FULL = TagSet(
    title="Night Ferry: Árbol “№ 7”",
    title_zh="夜航船",
    artist="Lin Hai & Friends",
    artist_zh="林海",
    album="Harbour / Lights",
    album_zh="港湾灯火",
    album_artist="Various",
    label="Quay Records",
    genre="Ambient",
    year=2024,
    track=3,
    track_total=12,
    disc=1,
    disc_total=2,
    isrc="CNA012400001",
    comment="由本店制作 – thank you",
)
FORMATS = [
    ("a.flac", None),
    ("a.m4a", "aac"),
    ("a.m4a", "alac"),
    ("a.wav", None),
    ("a.aiff", None),
    ("a.mp3", None),
    ("a.ogg", None),
    ("a.ogg", "flac"),
    ("a.opus", None),
    ("a.mp4", "film"),
]


def sample(path: Path, codec: str | None) -> Path:
    return make_film(path, 1, "160x90") if codec == "film" else make_audio(path, 1, codec=codec)


@pytest.mark.parametrize(("name", "codec"), FORMATS)
def test_everything_comes_back(tmp_path: Path, name: str, codec: str | None) -> None:
    path, cover = sample(tmp_path / name, codec), make_image()
    before = probe_file(path)
    write_tags(path, FULL, cover)
    assert read_tags(path) == (FULL, cover)
    assert probe_file(path) == before  # a cover makes no film, and nothing of the sound is lost


@pytest.mark.parametrize(("name", "codec"), FORMATS)
def test_writing_replaces_what_was_there(tmp_path: Path, name: str, codec: str | None) -> None:
    path = sample(tmp_path / name, codec)
    write_tags(path, FULL, make_image())
    write_tags(path, TagSet(title="仅此"), None)
    assert read_tags(path) == (TagSet(title="仅此"), None)


@pytest.mark.parametrize(("name", "codec"), FORMATS)
def test_the_same_tags_make_the_same_bytes(tmp_path: Path, name: str, codec: str | None) -> None:
    first = sample(tmp_path / name, codec)
    second = tmp_path / f"again{first.suffix}"
    shutil.copyfile(first, second)
    write_tags(second, TagSet(title="something longer that leaves room behind " * 5), make_image((64, 64)))
    for path in (first, second):
        write_tags(path, FULL, make_image())
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)}
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.m4a", "a.ogg", "a.opus", "a.wav", "a.mka", "f.mkv", "f.mov"])
def test_what_ffmpeg_wrote_is_read(tmp_path: Path, name: str) -> None:
    wrote = {"title": "夜航", "artist": "林海", "album": "港湾", "date": "2021-03-04", "track": "2/9"}
    path = tmp_path / name
    if name[0] == "f":
        extra = [part for key, value in wrote.items() for part in ("-metadata", f"{key}={value}")]
        make_film(path, 1, "160x90", extra=tuple(extra))
    else:
        make_audio(path, 1, metadata=wrote)
    tags, _cover = read_tags(path)
    assert (tags.title, tags.artist, tags.album) == ("夜航", "林海", "港湾")
    assert tags.year == 2021
    if name not in ("f.mov",):  # QuickTime has no place for it
        assert tags.track == 2


def test_the_front_cover_is_preferred(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.flac", 1)
    back, front = make_image(colour="#800000"), make_image(colour="#008000", image_format="PNG")
    file = flac.FLAC(path)
    for kind, data in ((4, back), (3, front)):
        picture = flac.Picture()
        picture.type, picture.mime, picture.data = kind, "image/x", data
        file.add_picture(picture)
    file.save()
    assert read_tags(path)[1] == front


def test_a_cover_that_ffmpeg_embedded_is_found(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.mp3", 1)
    (tmp_path / "c.jpg").write_bytes(make_image())
    joined = tmp_path / "b.mp3"
    ffmpeg("-i", str(path), "-i", str(tmp_path / "c.jpg"), "-map", "0", "-map", "1", "-c", "copy", str(joined))
    assert read_tags(joined)[1] == make_image()


def test_absurd_tags_are_tamed(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.flac", 1)
    file = flac.FLAC(path)
    file["title"] = ["  Line\none\x00\x1b[2J " + "x" * 100_000]
    file["artist"] = ["A", "B", "A", " "]
    file["tracknumber"] = ["99999999999/-3"]
    file["discnumber"] = ["two"]
    file["date"] = ["the year 20244"]
    file["isrc"] = ["not-an-isrc"]
    file["metadata_block_picture"] = ["%%% not base64 %%%"]
    file.save()
    tags, cover = read_tags(path)
    assert tags.title is not None
    assert tags.title.startswith("Line one")
    assert len(tags.title) == 300
    assert "\x1b" not in tags.title
    assert tags.artist == "A, B"
    assert (tags.track, tags.disc, tags.year, tags.isrc, cover) == (None, None, None, None, None)


def test_of_several_titles_the_one_in_the_name_is_taken(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "hr3-icy lands.ogg", 1)
    file = mutagen.File(path)
    file["title"] = ["Caves", "Icy Lands", "Jungle", ""]
    file.save()
    assert read_tags(path)[0].title == "Icy Lands"
    assert read_tags(path.rename(tmp_path / "other.ogg"))[0].title == "Caves"


def test_chinese_that_claims_to_be_latin_is_read(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.mp3", 1)
    tags = id3.ID3()
    tags.add(id3.TIT2(encoding=0, text=["夜航船".encode("gb2312").decode("latin-1")]))
    tags.add(id3.TPE1(encoding=0, text=["Motörhead Créée"]))
    tags.add(id3.TCON(encoding=0, text=["(26)"]))
    tags.save(path)
    found, _cover = read_tags(path)
    assert (found.title, found.artist, found.genre) == ("夜航船", "Motörhead Créée", "Ambient")


def test_a_broken_tag_is_no_tag(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.mp3", 1, extra=("-id3v2_version", "0"))
    path.write_bytes(b"ID3\x03\x00\x80\x00\x00\x00\x20TIT2\xff\xff\xff\xff" + bytes(22) + path.read_bytes())
    assert read_tags(path)[0].title is None
    (tmp_path / "text.mp3").write_text("no media at all")
    assert read_tags(tmp_path / "text.mp3") == (TagSet(), None)
    (tmp_path / "empty.flac").touch()
    assert read_tags(tmp_path / "empty.flac") == (TagSet(), None)


def test_formats_without_tags_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="carry no tags"):
        write_tags(make_audio(tmp_path / "a.mka", 1), FULL, None)


def test_other_programs_find_the_tags(tmp_path: Path) -> None:
    path = make_audio(tmp_path / "a.mp3", 1, tags=FULL, cover=make_image())
    plain = mp3.MP3(path)
    assert plain.tags is not None
    assert plain.tags.version == (2, 3, 0)
    assert str(plain.tags["TXXX:TITLE_ZH"]) == "夜航船"
    path = make_audio(tmp_path / "a.m4a", 1, tags=FULL)
    atoms = mp4.MP4(path).tags
    assert atoms is not None
    assert atoms["----:com.apple.iTunes:TITLE_ZH"][0] == "夜航船".encode()
    assert mutagen.File(make_audio(tmp_path / "a.opus", 1, tags=FULL))["tracktotal"] == ["12"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3/12", (3, 12)),
        ("03", (3, None)),
        ("3 of 12", (3, 12)),
        ("0/0", (None, None)),
        ("", (None, None)),
        ("A", (None, None)),
    ],
)
def test_numbers(text: str, expected: tuple[int | None, int | None]) -> None:
    assert number(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2024-05-01", 2024), ("01.05.1998", 1998), ("1998", 1998), ("20240501", 2024), ("0000", None), ("9999", None)],
)
def test_years(text: str, expected: int | None) -> None:
    assert year(text) == expected


def test_isrc_and_text() -> None:
    assert isrc("cn-a01-24-00001") == "CNA012400001"
    assert isrc("CNA01") is None
    assert clean_text(" \u200bA\tB\ud800 ") == "\u200bA B"
    assert clean_text("\x00\x01") is None

"""Which files make which release: from their tags, else from where they lie."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from transcoder.contract import Probe, TagSet

VARIOUS = "Various Artists"
UNKNOWN = "Unknown Artist"

_DISC_FOLDER = re.compile(r"(?:cd|disc|disk|dvd)[\s_-]*(\d{1,2})", re.IGNORECASE)
# "03 - Title", "03. Title", "1-03 Title", "03_Title": a number that the name begins with is not part of the title.
_NUMBERED = re.compile(r"(?:(?P<disc>\d)-)?(?P<track>\d{1,3})(?:\s*[-–._)]+\s*|\s+)(?=\S)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that was examined and found good: what it is, what it says of itself, and its fingerprint."""

    path: Path
    name: str
    size: int
    sha256: str
    probe: Probe
    tags: TagSet
    cover: bytes | None
    folder: str | None  # the folder it was found in, where a folder was given; None for a file given by itself

    @property
    def is_film(self) -> bool:
        """Whether there is a picture in it."""
        return self.probe.kind == "film"

    @property
    def title(self) -> str:
        """Its title, else what its name says."""
        return self.tags.title or title_from_name(self.name)

    @property
    def place(self) -> tuple[int, int | None]:
        """Its disc, and its number there if it has one."""
        match = _NUMBERED.match(Path(self.name).stem)
        disc = self.tags.disc or disc_of_folder(self.folder) or (int(match["disc"] or 1) if match else 1)
        return max(1, disc), self.tags.track or (int(match["track"]) or None if match and not self.tags.title else None)


@dataclass(slots=True)
class Group:
    """The files of one release, in track order. `key` finds it again at the next import."""

    key: str
    title: str
    artist: str
    is_film: bool = False
    is_album: bool = False
    files: list[Candidate] = field(default_factory=list)

    def first(self, name: str) -> str | None:
        """The first value that any of the files has for a tag."""
        return next((value for file in self.files if (value := getattr(file.tags, name))), None)

    @property
    def year(self) -> int | None:
        """The year it came out."""
        return next((file.tags.year for file in self.files if file.tags.year), None)

    @property
    def title_zh(self) -> str | None:
        """The Chinese title."""
        return self.first("album_zh" if self.is_album else "title_zh")

    @property
    def artist_zh(self) -> str | None:
        """The artist's Chinese name, from a file that names the same artist."""
        return next((f.tags.artist_zh for f in self.files if f.tags.artist == self.artist and f.tags.artist_zh), None)

    @property
    def genre(self) -> str | None:
        """The first of the genres it is filed under."""
        named = self.first("genre")
        return re.split(r"[;,]", named)[0].strip() or None if named else None


def group(candidates: Iterable[Candidate]) -> list[Group]:
    """Put files into releases, in the order in which each release first appears.

    By album artist and album; where no album artist is given, the files of one folder that name the same album are
    one release, of their common artist or of various. Without an album tag the folder's name is the album, and a
    file given by itself is a single. Each film is a release.
    """
    gathered: dict[tuple[str, ...], list[Candidate]] = {}
    for one in candidates:
        gathered.setdefault(_together(one), []).append(one)
    return [_group(files) for files in gathered.values()]


def fold(text: str) -> str:
    """Text as names are compared: case, width, accents' encoding and spacing don't matter."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def title_from_name(name: str) -> str:
    """A title from a file's name: without suffix, leading number and underscores."""
    stem = Path(name).stem
    match = _NUMBERED.match(stem)
    bare = (stem[match.end() :] if match else stem).replace("_", " ").strip(" -.")
    return unicodedata.normalize("NFC", bare or stem or name)


def natural(text: str) -> list[tuple[int, int, str]]:
    """A sorting key in which 2 comes before 10."""
    parts = re.findall(r"\d+|\D+", text.casefold())
    return [(0, int(part[:18]), "") if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts]


def _together(one: Candidate) -> tuple[str, ...]:
    if one.is_film:
        return ("film", one.sha256)
    album = album_of(one)
    if album is None:
        return ("single", one.sha256)
    if one.tags.album_artist:
        return ("album", fold(one.tags.album_artist), fold(album))
    return ("folder", _album_folder(one.folder) or "", fold(album), "" if one.folder else fold(one.tags.artist or ""))


def album_of(one: Candidate) -> str | None:
    """The album the file is on: its tag, else the folder's name; None for a single."""
    if one.tags.album:
        return one.tags.album
    folder = _album_folder(one.folder)
    return Path(folder).name or None if folder else None


def _album_folder(folder: str | None) -> str | None:
    """The folder of an album, one up from "CD 2"."""
    if folder is not None and _DISC_FOLDER.fullmatch(Path(folder).name):
        return str(Path(folder).parent)
    return folder


def disc_of_folder(folder: str | None) -> int | None:
    """The disc that a folder's name says it is, such as 2 for \"CD 2\"; None for any other folder."""
    match = _DISC_FOLDER.fullmatch(Path(folder).name) if folder else None
    return int(match[1]) or None if match else None


def _group(files: list[Candidate]) -> Group:
    first = files[0]
    ordered = sorted(files, key=_order)
    artists = list(dict.fromkeys(file.tags.artist for file in ordered if file.tags.artist))
    artist = first.tags.album_artist or (artists[0] if len({fold(a) for a in artists}) == 1 else None)
    artist = artist or (VARIOUS if artists else UNKNOWN)
    if first.is_film:
        key = _key("film", first.sha256)
        return Group(key, first.title, first.tags.artist or artist, is_film=True, files=ordered)
    album = album_of(first)
    if album is not None:
        return Group(_key("album", artist, album), album, artist, is_album=True, files=ordered)
    # Two untitled demos by nobody in particular are not the same single.
    key = _key("single", artist, first.title, *([] if artists else [first.sha256]))
    return Group(key, first.title, artist, files=ordered)


def _order(file: Candidate) -> tuple[int, int, list[tuple[int, int, str]]]:
    disc, number = file.place
    return disc, number if number is not None else 10_000, natural(file.name)


def _key(kind: str, *names: str) -> str:
    return hashlib.sha256("\0".join([kind, *map(fold, names)]).encode()).hexdigest()

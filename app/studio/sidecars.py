"""Subtitles that lie beside a film and are called like it: `Film.srt`, `Film.en.srt`, `Film.zh-Hans.sdh.vtt`."""

from __future__ import annotations

from pathlib import Path

from app.catalog.models import Track
from app.media import subtitles
from transcoder import captions
from transcoder.accepted import SUFFIXES as MASTERS

_SUFFIXES = (".srt", ".vtt")
# What players and other shops write into the name of captions, which tell sounds too.
_CAPTIONS = ("sdh", "cc")


def beside(master: Path) -> list[Path]:
    """The files of subtitles that belong to the master at that path."""
    try:
        return sorted(each for each in master.parent.iterdir() if _belongs(each, master.stem) and each.is_file())
    except OSError:
        return []


def belongs_to_a_master(path: Path) -> bool:
    """Whether a file is the subtitles of a master that lies beside it."""
    if path.suffix.lower() not in _SUFFIXES:
        return False
    masters = (each for each in path.parent.iterdir() if each.suffix.lower() in MASTERS)
    return any(_belongs(path, each.stem) for each in masters)


def take(track: Track, path: Path, master: Path) -> None:
    """Add the file to what the master became, with what its name tells. Raises as `subtitles.add` does, and OSError."""
    told = [part for part in path.stem[len(master.stem) :].split(".") if part]
    hearing = any(part.casefold() in _CAPTIONS for part in told)
    language = "-".join(part for part in told if part.casefold() not in _CAPTIONS)
    with path.open("rb") as file:
        data = file.read(captions.MAX_BYTES + 1)
    subtitles.add(track, data, filename=path.name, language=language, name="", hearing=hearing)


def _belongs(path: Path, stem: str) -> bool:
    return path.suffix.lower() in _SUFFIXES and (path.stem == stem or path.stem.startswith(f"{stem}."))

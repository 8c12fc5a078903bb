"""What a downloaded file is called, on any file system and in any script."""

from __future__ import annotations

import re
import unicodedata

from app.catalog.models import Release, Track

# 255 bytes is the longest name most file systems take; a number, a suffix and a browser's " (1)" need room.
_LONGEST = 200
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)  # on Windows


def plain(text: str, longest: int = _LONGEST) -> str:
    """The text as one component of a path: nothing a file system minds, and at most so many bytes of UTF-8."""
    text = unicodedata.normalize("NFC", text)
    kept = "".join(" " if c in '/\\:*?"<>|' or unicodedata.category(c)[0] == "C" else c for c in text)
    kept = re.sub(r"\s+", " ", kept).strip(" .")
    while len(kept.encode()) > longest:
        kept = kept[:-1]
    kept = kept.strip(" .") or "_"
    return f"_{kept}" if _RESERVED.fullmatch(kept) else kept


def number(track: Track) -> str:
    """The track's place: `01`, or `2-01` on a release of several discs."""
    several = any(other.disc > 1 for other in track.release.tracks)
    return f"{track.disc}-{track.position:02}" if several else f"{track.position:02}"


def file_name(track: Track, suffix: str, locale: str) -> str:
    """`01 Artist – Title.flac`; a film goes without the number."""
    named = f"{track.credited_artist.name_in(locale)} – {track.title_in(locale)}"
    stem = plain(
        named if len(track.release.tracks) == 1 and track.release.kind == "film" else f"{number(track)} {named}"
    )
    return f"{stem}.{suffix}"


def folder(release: Release, locale: str) -> str:
    """`Artist – Album`: the folder within a ZIP, and the ZIP's own name."""
    return plain(f"{release.artist.name_in(locale)} – {release.title_in(locale)}")


def member_name(track: Track, suffix: str, locale: str) -> str:
    """`01 Title.flac`, within the folder."""
    return f"{plain(f'{number(track)} {track.title_in(locale)}')}.{suffix}"

"""Tags as fields: where each family of formats keeps them, and what text they may hold once they are ours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from transcoder.contract import TagSet

TEXT_LIMIT = 300
COMMENT_LIMIT = 2000
COVER_LIMIT = 20 * 1024**2
FRONT_COVER = 3

FREEFORM = "----:com.apple.iTunes:"

# TagSet field -> where each family of formats keeps it. Vorbis comments are also what Matroska's and libav's
# names come down to in lower case; the first that is there wins, and the first is the one written.
VORBIS: dict[str, tuple[str, ...]] = {
    "title": ("title",),
    "title_zh": ("title_zh",),
    "artist": ("artist", "performer"),
    "artist_zh": ("artist_zh",),
    "album": ("album",),
    "album_zh": ("album_zh",),
    "album_artist": ("albumartist", "album artist", "album_artist"),
    "label": ("label", "organization", "publisher"),
    "genre": ("genre",),
    "year": ("date", "year", "originaldate", "date_released", "creation_time"),
    "track": ("tracknumber", "track", "part_number"),
    "track_total": ("tracktotal", "totaltracks"),
    "disc": ("discnumber", "disc"),
    "disc_total": ("disctotal", "totaldiscs"),
    "isrc": ("isrc",),
    "comment": ("comment", "description"),
}
ID3 = {
    "title": "TIT2",
    "artist": "TPE1",
    "album": "TALB",
    "album_artist": "TPE2",
    "label": "TPUB",
    "genre": "TCON",
    "isrc": "TSRC",
}
MP4 = {
    "title": "\xa9nam",
    "artist": "\xa9ART",
    "album": "\xa9alb",
    "album_artist": "aART",
    "genre": "\xa9gen",
    "year": "\xa9day",
    "comment": "\xa9cmt",
}
RIFF_INFO = {
    b"INAM": "title",
    b"IART": "artist",
    b"IPRD": "album",
    b"IGNR": "genre",
    b"ICRD": "date",
    b"ITRK": "tracknumber",
    b"IPRT": "tracknumber",
    b"ICMT": "comment",
}
CHINESE = ("title_zh", "album_zh", "artist_zh")
_NUMBERS = ("track", "disc")


def clean_text(value: object, limit: int = TEXT_LIMIT) -> str | None:
    """Tag text in one line: NFC, without control and format characters, cut at `limit`; None where nothing is left."""
    text = unicodedata.normalize("NFC", str(value))[: limit * 4]
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _UNSEEN)
    return " ".join(kept.split())[:limit].rstrip() or None


_UNSEEN = {"Cc", "Cs", "Co", "Cn"}


def number(value: object) -> tuple[int | None, int | None]:
    """A place and a total from "3", "03/12" or "3 of 12"; None for what isn't there or makes no sense."""
    parts = [int(part) for part in re.findall(r"\d{1,6}", str(value))[:2]]
    sane = [part if 1 <= part <= 999 else None for part in parts]
    place, total = [*sane, None, None][:2]
    return place, total


def year(value: object) -> int | None:
    """The year in a date, however it is written."""
    match = re.search(r"(?<!\d)(1[5-9]\d\d|2[01]\d\d)(?!\d{1,3}(?!\d))", str(value))
    return int(match[1]) if match else None


def isrc(value: object) -> str | None:
    """An ISRC in its twelve characters (ISO 3901), or None where it is none."""
    code = re.sub(r"[\s-]", "", str(value)).upper()
    return code if re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", code) else None


def tag_set(found: Mapping[str, str]) -> TagSet:
    """Tags from what a file was found to say, by the names of TagSet's fields: what makes no sense is left out."""
    values: dict[str, Any] = {}
    for name in ("title", "artist", "album", "album_artist", "label", "genre", *CHINESE):
        values[name] = clean_text(found[name]) if found.get(name) else None
    for name in _NUMBERS:
        place, total = number(found.get(name) or "")
        values[name] = place
        values[f"{name}_total"] = total or number(found.get(f"{name}_total") or "")[0]
    values["year"] = year(found.get("year") or "")
    values["isrc"] = isrc(found.get("isrc") or "")
    values["comment"] = clean_text(found["comment"], COMMENT_LIMIT) if found.get("comment") else None
    return TagSet(**values)

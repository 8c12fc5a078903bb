"""Tags and covers: what a file says of itself, and what a download is to say.

Reading never fails on what a tag holds: what makes no sense is left out. Writing is deterministic, the same
tags make the same bytes, because downloads are addressed by their content.
"""

from __future__ import annotations

import base64
import re
import struct
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import mutagen
from mutagen import flac, id3, mp4

from transcoder.contract import TagSet
from transcoder.probe import container_metadata

TEXT_LIMIT = 300
COMMENT_LIMIT = 2000
COVER_LIMIT = 20 * 1024**2
FRONT_COVER = 3

_FREEFORM = "----:com.apple.iTunes:"

# TagSet field -> where each family of formats keeps it. Vorbis comments are also what Matroska's and libav's
# names come down to in lower case; the first that is there wins, and the first is the one written.
_VORBIS: dict[str, tuple[str, ...]] = {
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
_ID3 = {
    "title": "TIT2",
    "artist": "TPE1",
    "album": "TALB",
    "album_artist": "TPE2",
    "label": "TPUB",
    "genre": "TCON",
    "isrc": "TSRC",
}
_MP4 = {
    "title": "\xa9nam",
    "artist": "\xa9ART",
    "album": "\xa9alb",
    "album_artist": "aART",
    "genre": "\xa9gen",
    "year": "\xa9day",
    "comment": "\xa9cmt",
}
_RIFF_INFO = {
    b"INAM": "title",
    b"IART": "artist",
    b"IPRD": "album",
    b"IGNR": "genre",
    b"ICRD": "date",
    b"ITRK": "tracknumber",
    b"IPRT": "tracknumber",
    b"ICMT": "comment",
}
_CHINESE = ("title_zh", "album_zh", "artist_zh")
_NUMBERS = ("track", "disc")


def read_tags(path: Path) -> tuple[TagSet, bytes | None]:
    """What the file says of itself, and its front cover as stored (any image format, at most 20 MiB)."""
    try:
        file = mutagen.File(path)
    except Exception:  # a tag can be broken in more ways than mutagen has names for; the sound is still good
        file = None
    found: dict[str, Any] = {}
    cover: bytes | None = None
    try:
        if isinstance(file, mp4.MP4):
            found, cover = _from_mp4(file.tags or {})
        elif file is not None and isinstance(file.tags, id3.ID3):
            found, cover = _from_id3(file.tags)
        elif file is not None and file.tags is not None:
            found, cover = _from_vorbis(file)
        if not found:
            found = _plain(_riff_info(path) or container_metadata(path))
    except Exception:  # likewise: whatever was understood so far is kept
        found = found or {}
    return _tag_set(found), cover if cover and len(cover) <= COVER_LIMIT else None


def write_tags(path: Path, tags: TagSet, cover_jpeg: bytes | None) -> None:
    """Replace the tags of a finished .flac, .m4a, .mp4, .wav, .aiff, .mp3, .ogg or .opus by these, and its cover.

    The same file, tags and cover always make the same bytes. Raises ValueError for any other format.
    """
    file = mutagen.File(path)
    if isinstance(file, mp4.MP4):
        _write_mp4(file, tags, cover_jpeg)
    elif isinstance(file, flac.FLAC):
        _write_flac(file, tags, cover_jpeg)
    elif file is not None and (isinstance(file.tags, id3.ID3) or hasattr(file, "ID3") or _takes_id3(file)):
        _write_id3(file, tags, cover_jpeg)
    elif file is not None and file.tags is not None:
        _write_ogg(file, tags, cover_jpeg)
    else:
        raise ValueError(f"{path.suffix} files carry no tags")


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


def _tag_set(found: Mapping[str, Any]) -> TagSet:
    values: dict[str, Any] = {}
    for name in ("title", "artist", "album", "album_artist", "label", "genre", *_CHINESE):
        values[name] = clean_text(found[name]) if found.get(name) else None
    for name in _NUMBERS:
        place, total = number(found.get(name) or "")
        values[name] = place
        values[f"{name}_total"] = total or number(found.get(f"{name}_total") or "")[0]
    values["year"] = year(found.get("year") or "")
    values["isrc"] = isrc(found.get("isrc") or "")
    values["comment"] = clean_text(found["comment"], COMMENT_LIMIT) if found.get("comment") else None
    return TagSet(**values)


def _joined(values: object) -> str:
    """Several values (two artists) as one line."""
    if isinstance(values, str):
        return values
    if isinstance(values, Iterable):
        return ", ".join(dict.fromkeys(str(value) for value in list(values)[:10] if str(value).strip()))
    return str(values)


def _plain(comments: Mapping[str, str]) -> dict[str, Any]:
    """From names as Vorbis comments have them."""
    lower = {name.lower(): value for name, value in comments.items()}
    found: dict[str, Any] = {}
    for field, names in _VORBIS.items():
        value = next((lower[name] for name in names if lower.get(name)), None)
        if value is not None:
            found[field] = _joined(value)
    return found


def _from_vorbis(file: Any) -> tuple[dict[str, Any], bytes | None]:
    pictures = list(getattr(file, "pictures", []))
    for encoded in (file.tags or {}).get("metadata_block_picture", [])[:8]:
        try:
            pictures.append(flac.Picture(base64.b64decode(encoded)))
        except Exception:  # noqa: S112  # a cover that can't be read is no cover
            continue
    comments = {name: _joined(values) for name, values in _grouped(file.tags)}
    if "title" in comments:
        comments["title"] = _likely_title(file.tags["title"], str(file.filename))
    return _plain(comments), _front(pictures)


def _likely_title(titles: list[str], path: str) -> str:
    """Of several titles the one that the file is named after, else the first.

    Taggers that add where they should replace leave a file with the titles of all the files before it.
    """
    name = Path(path).stem.casefold()
    words = [(len(title), title) for title in titles if re.sub(r"\W", "", title.casefold()) in re.sub(r"\W", "", name)]
    return max(words)[1] if words and max(words)[0] else titles[0]


def _grouped(tags: Any) -> list[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = {}
    for name, value in tags:
        if name.lower() != "metadata_block_picture":
            grouped.setdefault(name.lower(), []).append(value)
    return list(grouped.items())


def _front(pictures: list[Any]) -> bytes | None:
    """The front cover, else the first picture there is."""
    ranked = sorted(pictures, key=lambda picture: picture.type != FRONT_COVER)
    return bytes(ranked[0].data) if ranked and ranked[0].data else None


def _from_id3(tags: id3.ID3) -> tuple[dict[str, Any], bytes | None]:
    found: dict[str, Any] = {}
    for field, frame_name in _ID3.items():
        frame = tags.get(frame_name)
        if frame is not None:
            # "Electronic" may be stored as "(52)" or "52": mutagen's `genres` knows the list.
            found[field] = _repaired(frame, _joined(frame.genres if field == "genre" else frame.text))
    for field, frame_name in (("track", "TRCK"), ("disc", "TPOS")):
        if frame_name in tags:
            found[field] = str(tags[frame_name])
    found["year"] = next((str(tags[name]) for name in ("TDRC", "TDRL", "TDOR", "TYER") if name in tags), None)
    for frame in tags.getall("TXXX"):
        if frame.desc.lower() in _VORBIS:
            found.setdefault(frame.desc.lower(), _joined(frame.text))
    comments = [frame for frame in tags.getall("COMM") if not frame.desc.startswith("iTun")]
    if comments:
        found["comment"] = _repaired(comments[0], _joined(comments[0].text))
    return {name: value for name, value in found.items() if value}, _front(tags.getall("APIC"))


def _repaired(frame: Any, text: str) -> str:
    """Chinese that an old program wrote in GB 2312 and declared to be Latin-1, read as what it is.

    Only where every byte beyond ASCII pairs up into at least two characters: Western accents don't.
    """
    if frame.encoding != id3.Encoding.LATIN1 or text.isascii():
        return text
    try:
        chinese = text.encode("latin-1").decode("gb2312")
    except UnicodeError:
        return text
    return chinese if sum("\u4e00" <= c <= "\u9fff" for c in chinese) >= 2 else text


def _from_mp4(tags: Any) -> tuple[dict[str, Any], bytes | None]:
    found: dict[str, Any] = {}
    for field, atom in _MP4.items():
        if tags.get(atom):
            found[field] = _joined(tags[atom])
    for field, atom in (("track", "trkn"), ("disc", "disk")):
        if tags.get(atom):
            found[field] = "/".join(str(part) for part in tags[atom][0])
    for field in ("label", "isrc", *_CHINESE):
        values = tags.get(_FREEFORM + field.upper()) or tags.get(_FREEFORM + field)
        if values:
            found[field] = bytes(values[0]).decode("utf-8", "replace")
    covers = tags.get("covr") or []
    return found, bytes(covers[0]) if covers else None


def _riff_info(path: Path) -> dict[str, str]:
    """The LIST/INFO chunk of a WAV, which mutagen leaves alone."""
    found: dict[str, str] = {}
    with path.open("rb") as file:
        if file.read(4) not in (b"RIFF", b"RF64") or not file.seek(8) or file.read(4) != b"WAVE":
            return found
        while len(header := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", header)
            if name == b"LIST" and length <= 1024**2:
                body = file.read(length)
                at = 4
                while body[:4] == b"INFO" and at + 8 <= len(body):
                    key, size = struct.unpack("<4sI", body[at : at + 8])
                    value = body[at + 8 : at + 8 + size].split(b"\0")[0]
                    if key in _RIFF_INFO and value:
                        found.setdefault(_RIFF_INFO[key], _decoded(value))
                    at += 8 + size + (size & 1)
                file.seek(length & 1, 1)
            else:
                file.seek(length + (length & 1), 1)
    return found


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("gb18030", "replace")


def _comments(tags: TagSet) -> list[tuple[str, str]]:
    """The tags as Vorbis comments, always in the same order."""
    return [
        (names[0].upper(), str(value))
        for field, names in _VORBIS.items()
        if (value := getattr(tags, field)) is not None
    ]


def _picture(cover_jpeg: bytes) -> flac.Picture:
    picture = flac.Picture()
    picture.type, picture.mime, picture.data, picture.desc = FRONT_COVER, "image/jpeg", cover_jpeg, ""
    return picture


def _no_padding(_info: object) -> int:
    return 0


def _write_flac(file: Any, tags: TagSet, cover_jpeg: bytes | None) -> None:
    file.clear_pictures()
    if file.tags is None:
        file.add_tags()
    file.tags[:] = _comments(tags)
    if cover_jpeg:
        file.add_picture(_picture(cover_jpeg))
    file.save(padding=_no_padding)


def _write_ogg(file: Any, tags: TagSet, cover_jpeg: bytes | None) -> None:
    file.tags[:] = _comments(tags)
    if cover_jpeg:
        file.tags.append(("METADATA_BLOCK_PICTURE", base64.b64encode(_picture(cover_jpeg).write()).decode()))
    file.save(padding=_no_padding)


def _takes_id3(file: Any) -> bool:
    return type(file).__name__ in ("WAVE", "AIFF", "MP3")


def _write_id3(file: Any, tags: TagSet, cover_jpeg: bytes | None) -> None:
    if file.tags is None:
        file.add_tags()
    frames = file.tags
    frames.clear()
    encoding = id3.Encoding.UTF16  # the widest that ID3v2.3, which every player reads, can say
    for field, frame_name in _ID3.items():
        value = getattr(tags, field)
        if value is not None:
            frames.add(id3.Frames[frame_name](encoding=encoding, text=[value]))
    for place, total, frame in ((tags.track, tags.track_total, id3.TRCK), (tags.disc, tags.disc_total, id3.TPOS)):
        if place is not None:
            frames.add(frame(encoding=id3.Encoding.LATIN1, text=[f"{place}/{total}" if total else str(place)]))
    if tags.year is not None:
        frames.add(id3.TDRC(encoding=id3.Encoding.LATIN1, text=[str(tags.year)]))
    for field in _CHINESE:
        value = getattr(tags, field)
        if value is not None:
            frames.add(id3.TXXX(encoding=encoding, desc=field.upper(), text=[value]))
    if tags.comment is not None:
        frames.add(id3.COMM(encoding=encoding, lang="XXX", desc="", text=[tags.comment]))
    if cover_jpeg:
        frames.add(id3.APIC(encoding=0, mime="image/jpeg", type=FRONT_COVER, desc="", data=cover_jpeg))
    frames.update_to_v23()
    file.save(v2_version=3, padding=_no_padding)


def _write_mp4(file: Any, tags: TagSet, cover_jpeg: bytes | None) -> None:
    if file.tags is None:
        file.add_tags()
    atoms = file.tags
    atoms.clear()
    for field, atom in _MP4.items():
        value = getattr(tags, field)
        if value is not None:
            atoms[atom] = [str(value)]
    for place, total, atom in ((tags.track, tags.track_total, "trkn"), (tags.disc, tags.disc_total, "disk")):
        if place is not None:
            atoms[atom] = [(place, total or 0)]
    for field in ("label", "isrc", *_CHINESE):
        value = getattr(tags, field)
        if value is not None:
            atoms[_FREEFORM + field.upper()] = [mp4.MP4FreeForm(value.encode(), dataformat=mp4.AtomDataType.UTF8)]
    if cover_jpeg:
        atoms["covr"] = [mp4.MP4Cover(cover_jpeg, imageformat=mp4.MP4Cover.FORMAT_JPEG)]
    file.save(padding=_no_padding)

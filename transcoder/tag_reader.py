"""Reading what a master says of itself, with mutagen, in the sandboxed child that `transcoder.probe` starts.

Reading never fails on what a tag holds: what makes no sense is left out. What comes back is text as it was found, for
the parent to clean: the child has seen hostile bytes.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, BinaryIO

import mutagen
from mutagen import aiff, flac, id3, mp3, mp4, oggflac, oggopus, oggvorbis, wave

from transcoder import tag_fields
from transcoder.sniff import Sniffed

# Of mutagen's formats only those that the content can be.
_KINDS: dict[str, list[Any]] = {
    "wav": [wave.WAVE],
    "aiff": [aiff.AIFF],
    "flac": [flac.FLAC],
    "mp3": [mp3.MP3],
    "ogg": [oggvorbis.OggVorbis, oggopus.OggOpus, oggflac.OggFLAC],
    "mp4": [mp4.MP4],
    "mov": [mp4.MP4],
}


def info(file: BinaryIO, sniffed: Sniffed) -> Any:
    """What mutagen reads in the header of a sound file; None for other formats."""
    return getattr(_open(file, sniffed), "info", None)


def read(file: BinaryIO, sniffed: Sniffed, name: str) -> tuple[dict[str, str], bytes | None]:
    """What the file says, by the names of TagSet's fields, and its front cover as stored. `name` is the file's own."""
    found: dict[str, str] = {}
    cover: bytes | None = None
    try:
        opened = _open(file, sniffed)
        if isinstance(opened, mp4.MP4):
            found, cover = _from_mp4(opened.tags or {})
        elif opened is not None and isinstance(opened.tags, id3.ID3):
            found, cover = _from_id3(opened.tags)
        elif opened is not None and opened.tags is not None:
            found, cover = _from_vorbis(opened, name)
        if not found and sniffed.container == "wav":
            found = plain(_riff_info(file))
    except Exception:  # a tag can be broken in more ways than mutagen has names for; the sound is still good
        found = found or {}
    return found, cover if cover and len(cover) <= tag_fields.COVER_LIMIT else None


def _open(file: BinaryIO, sniffed: Sniffed) -> Any:
    kinds = _KINDS.get(sniffed.container)
    if kinds is None:
        return None
    file.seek(0)
    # It scores kinds by the suffix too, and knows them by their own.
    return mutagen.File(fileobj=file, filename=f"master{sniffed.format.suffixes[0]}", options=kinds)


def _joined(values: object) -> str:
    """Several values (two artists) as one line."""
    if isinstance(values, str):
        return values
    if isinstance(values, Iterable):
        return ", ".join(dict.fromkeys(str(value) for value in list(values)[:10] if str(value).strip()))
    return str(values)


def plain(comments: Mapping[str, str]) -> dict[str, str]:
    """From names as Vorbis comments have them."""
    lower = {name.lower(): value for name, value in comments.items()}
    found: dict[str, str] = {}
    for field, names in tag_fields.VORBIS.items():
        value = next((lower[name] for name in names if lower.get(name)), None)
        if value is not None:
            found[field] = _joined(value)
    return found


def _from_vorbis(file: Any, name: str) -> tuple[dict[str, str], bytes | None]:
    pictures = list(getattr(file, "pictures", []))
    for encoded in (file.tags or {}).get("metadata_block_picture", [])[:8]:
        try:
            pictures.append(flac.Picture(base64.b64decode(encoded)))
        except Exception:  # noqa: S112  # a cover that can't be read is no cover
            continue
    comments = {name: _joined(values) for name, values in _grouped(file.tags)}
    if "title" in comments:
        comments["title"] = _likely_title(file.tags["title"], name)
    return plain(comments), _front(pictures)


def _likely_title(titles: list[str], name: str) -> str:
    """Of several titles the one that the file is named after, else the first.

    Taggers that add where they should replace leave a file with the titles of all the files before it.
    """
    stem = re.sub(r"\W", "", PurePath(name).stem.casefold())
    words = [(len(title), title) for title in titles if re.sub(r"\W", "", title.casefold()) in stem]
    return max(words)[1] if words and max(words)[0] else titles[0]


def _grouped(tags: Any) -> list[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = {}
    for name, value in tags:
        if name.lower() != "metadata_block_picture":
            grouped.setdefault(name.lower(), []).append(value)
    return list(grouped.items())


def _front(pictures: list[Any]) -> bytes | None:
    """The front cover, else the first picture there is."""
    ranked = sorted(pictures, key=lambda picture: picture.type != tag_fields.FRONT_COVER)
    return bytes(ranked[0].data) if ranked and ranked[0].data else None


def _from_id3(tags: id3.ID3) -> tuple[dict[str, str], bytes | None]:
    found: dict[str, str] = {}
    for field, frame_name in tag_fields.ID3.items():
        frame = tags.get(frame_name)
        if frame is not None:
            # "Electronic" may be stored as "(52)" or "52": mutagen's `genres` knows the list.
            found[field] = _repaired(frame, _joined(frame.genres if field == "genre" else frame.text))
    for field, frame_name in (("track", "TRCK"), ("disc", "TPOS")):
        if frame_name in tags:
            found[field] = str(tags[frame_name])
    found["year"] = next((str(tags[name]) for name in ("TDRC", "TDRL", "TDOR", "TYER") if name in tags), "")
    for frame in tags.getall("TXXX"):
        if frame.desc.lower() in tag_fields.VORBIS:
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


def _from_mp4(tags: Any) -> tuple[dict[str, str], bytes | None]:
    found: dict[str, str] = {}
    for field, atom in tag_fields.MP4.items():
        if tags.get(atom):
            found[field] = _joined(tags[atom])
    for field, atom in (("track", "trkn"), ("disc", "disk")):
        if tags.get(atom):
            found[field] = "/".join(str(part) for part in tags[atom][0])
    for field in ("label", "isrc", *tag_fields.CHINESE):
        values = tags.get(tag_fields.FREEFORM + field.upper()) or tags.get(tag_fields.FREEFORM + field)
        if values:
            found[field] = bytes(values[0]).decode("utf-8", "replace")
    covers = tags.get("covr") or []
    return found, bytes(covers[0]) if covers else None


def _riff_info(file: BinaryIO) -> dict[str, str]:
    """The LIST/INFO chunk of a WAV, which mutagen leaves alone."""
    found: dict[str, str] = {}
    file.seek(12)  # past RIFF, its size and WAVE
    while len(header := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", header)
        if name == b"LIST" and length <= 1024**2:
            body = file.read(length)
            at = 4
            while body[:4] == b"INFO" and at + 8 <= len(body):
                key, size = struct.unpack("<4sI", body[at : at + 8])
                value = body[at + 8 : at + 8 + size].split(b"\0")[0]
                if key in tag_fields.RIFF_INFO and value:
                    found.setdefault(tag_fields.RIFF_INFO[key], _decoded(value))
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

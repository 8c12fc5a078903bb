"""Tags and covers: what a file says of itself, and what a download is to say.

Reading never fails on what a tag holds: what makes no sense is left out. Writing is deterministic, the same
tags make the same bytes, because downloads are addressed by their content.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mutagen
from mutagen import flac, id3, mp4

from transcoder import gapless, probe, tag_fields
from transcoder.contract import Chapter, TagSet
from transcoder.errors import NotMedia


def read_tags(path: Path, name: str | None = None) -> tuple[TagSet, bytes | None]:
    """What the file says of itself, and its front cover as stored (any image format, at most 20 MiB).

    Read in a sandboxed child; `name` is the file's own name where `path` is a copy. No media, no tags.
    """
    try:
        looked = probe.look_over(path, name, measure=False)
    except NotMedia:
        return TagSet(), None
    return looked.tags, looked.cover


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


def write_chapters(path: Path, chapters: Sequence[Chapter]) -> None:
    """Write chapters into a .flac or .ogg, as Vorbis comments: FFmpeg does it for every format but these."""
    file: Any = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    for number, chapter in enumerate(chapters, start=1):
        minutes, rest = divmod(round(chapter.start * 1000), 60_000)
        at = f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
        file.tags[f"CHAPTER{number:03}"] = at
        file.tags[f"CHAPTER{number:03}NAME"] = chapter.title
    file.save(padding=_no_padding)


# Chapters as FFmpeg puts them into Vorbis comments and ID3: they belong to the sound and stay as they are.
_CHAPTER = re.compile(r"CHAPTER\d{3}(NAME)?")
_CHAPTER_FRAMES = ("CHAP", "CTOC")


def _chapters(comments: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, value in comments if _CHAPTER.fullmatch(name.upper())]


def _comments(tags: TagSet) -> list[tuple[str, str]]:
    """The tags as Vorbis comments, always in the same order."""
    return [
        (names[0].upper(), str(value))
        for field, names in tag_fields.VORBIS.items()
        if (value := getattr(tags, field)) is not None
    ]


def _picture(cover_jpeg: bytes) -> flac.Picture:
    picture = flac.Picture()
    picture.type, picture.mime, picture.data, picture.desc = tag_fields.FRONT_COVER, "image/jpeg", cover_jpeg, ""
    return picture


def _no_padding(_info: object) -> int:
    return 0


def _write_flac(file: Any, tags: TagSet, cover_jpeg: bytes | None) -> None:
    file.clear_pictures()
    if file.tags is None:
        file.add_tags()
    file.tags[:] = _comments(tags) + _chapters(file.tags)
    if cover_jpeg:
        file.add_picture(_picture(cover_jpeg))
    file.save(padding=_no_padding)


def _write_ogg(file: Any, tags: TagSet, cover_jpeg: bytes | None) -> None:
    file.tags[:] = _comments(tags) + _chapters(file.tags)
    if cover_jpeg:
        file.tags.append(("METADATA_BLOCK_PICTURE", base64.b64encode(_picture(cover_jpeg).write()).decode()))
    file.save(padding=_no_padding)


def _takes_id3(file: Any) -> bool:
    return type(file).__name__ in ("WAVE", "AIFF", "MP3")


def _write_id3(file: Any, tags: TagSet, cover_jpeg: bytes | None) -> None:
    if file.tags is None:
        file.add_tags()
    frames = file.tags
    kept = [frame for name in _CHAPTER_FRAMES for frame in frames.getall(name)]
    frames.clear()
    for frame in kept:
        frames.add(frame)
    encoding = id3.Encoding.UTF16  # the widest that ID3v2.3, which every player reads, can say
    for field, frame_name in tag_fields.ID3.items():
        value = getattr(tags, field)
        if value is not None:
            frames.add(id3.Frames[frame_name](encoding=encoding, text=[value]))
    for place, total, frame in ((tags.track, tags.track_total, id3.TRCK), (tags.disc, tags.disc_total, id3.TPOS)):
        if place is not None:
            frames.add(frame(encoding=id3.Encoding.LATIN1, text=[f"{place}/{total}" if total else str(place)]))
    if tags.year is not None:
        frames.add(id3.TDRC(encoding=id3.Encoding.LATIN1, text=[str(tags.year)]))
    for field in tag_fields.CHINESE:
        value = getattr(tags, field)
        if value is not None:
            frames.add(id3.TXXX(encoding=encoding, desc=field.upper(), text=[value]))
    if tags.comment is not None:
        frames.add(id3.COMM(encoding=encoding, lang="XXX", desc="", text=[tags.comment]))
    if cover_jpeg:
        frames.add(id3.APIC(encoding=0, mime="image/jpeg", type=tag_fields.FRONT_COVER, desc="", data=cover_jpeg))
    frames.update_to_v23()
    file.save(v2_version=3, padding=_no_padding)


def _write_mp4(file: Any, tags: TagSet, cover_jpeg: bytes | None) -> None:
    if file.tags is None:
        file.add_tags()
    atoms = file.tags
    atoms.clear()
    for field, atom in tag_fields.MP4.items():
        value = getattr(tags, field)
        if value is not None:
            atoms[atom] = [str(value)]
    for place, total, atom in ((tags.track, tags.track_total, "trkn"), (tags.disc, tags.disc_total, "disk")):
        if place is not None:
            atoms[atom] = [(place, total or 0)]
    for field in ("label", "isrc", *tag_fields.CHINESE):
        value = getattr(tags, field)
        if value is not None:
            atoms[tag_fields.FREEFORM + field.upper()] = [
                mp4.MP4FreeForm(value.encode(), dataformat=mp4.AtomDataType.UTF8)
            ]
    note = gapless.itunes_note(Path(file.filename))
    if note is not None:
        atoms[gapless.ATOM] = [mp4.MP4FreeForm(note.encode(), dataformat=mp4.AtomDataType.UTF8)]
    if cover_jpeg:
        atoms["covr"] = [mp4.MP4Cover(cover_jpeg, imageformat=mp4.MP4Cover.FORMAT_JPEG)]
    file.save(padding=_no_padding)

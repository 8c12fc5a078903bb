"""Whether a file is all there: what its own structure declares against the bytes it has.

Each check reads headers only. Sources: RIFF/RF64 (EBU Tech 3306), AIFF-C (Apple 1991), ISO/IEC 14496-12 boxes,
RFC 3533 (Ogg pages), RFC 8794 (EBML), and the Xing/Info header as LAME writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO

from transcoder.errors import N_, NotMedia
from transcoder.sniff import Sniffed

_OGG_PAGE_MAX = 27 + 255 + 255 * 255
_UNKNOWN_SIZE = 0xFFFFFFFF


def check_whole(file: BinaryIO, sniffed: Sniffed) -> None:
    """Raise NotMedia where the file declares more than it holds. FLAC and MP3 are counted while decoding."""
    check = _CHECKS.get(sniffed.container)
    if check is None:
        return
    size = file.seek(0, 2)
    file.seek(sniffed.start)
    try:
        check(file, size)
    except struct.error:
        raise NotMedia(N_("is truncated: it ends in the middle of a header")) from None


def xing_frames(file: BinaryIO, start: int) -> int | None:
    """How many frames an MP3 says it has after the frame that says so, or None where it doesn't say."""
    file.seek(start)
    frame = file.read(512)
    for magic in (b"Xing", b"Info"):
        at = frame.find(magic, 4, 64)
        if at != -1 and len(frame) >= at + 12 and frame[at + 7] & 1:
            return int.from_bytes(frame[at + 8 : at + 12], "big")
    return None


def _cut_off(has: int, wants: int) -> NotMedia:
    share = max(0, min(99, has * 100 // max(1, wants)))
    return NotMedia(
        N_("is truncated: it holds %(has)s of the %(wants)s bytes it declares (%(share)s %%)"),
        has=has,
        wants=wants,
        share=share,
    )


def _riff(file: BinaryIO, size: int) -> None:
    _chunks(file, size, "<", b"data")


def _aiff(file: BinaryIO, size: int) -> None:
    _chunks(file, size, ">", b"SSND")


def _chunks(file: BinaryIO, size: int, order: str, sound: bytes) -> None:
    """Walk an IFF file's chunks (RIFF little-endian, AIFF big-endian); each must end within the file."""
    magic = file.read(12)[:4]
    long_size: int | None = None
    seen_sound = False
    while True:
        at = file.tell()
        if size - at < 8:
            break
        name, length = struct.unpack(order + "4sI", file.read(8))
        if name == b"ds64":
            long_size = struct.unpack("<QQ", file.read(16))[1]
            file.seek(at + 8)
        if name == sound:
            seen_sound = True
            if length == _UNKNOWN_SIZE:
                if magic == b"RIFF" or long_size is None:
                    return  # written to a pipe: the sound runs to the end of the file, however long that is
                length = long_size
        if at + 8 + length > size:
            # What follows the sound may be cut without harm to it, yet a file that is not whole is not a master.
            raise _cut_off(size, at + 8 + length)
        file.seek(at + 8 + length + (length & 1))
    if not seen_sound:
        raise NotMedia(N_("is truncated: it ends before the sound begins"))


def _iso(file: BinaryIO, size: int) -> None:
    """Walk the top-level boxes of an MP4 or QuickTime file."""
    seen: set[bytes] = set()
    at = 0
    while size - at >= 8:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
        elif length == 0:
            length = size - at
        if length < 8:
            if seen >= {b"moov", b"mdat"} and name == b"\0\0\0\0":
                break  # zeros at the end, as some recorders leave
            raise NotMedia(N_("is damaged: its structure breaks off at byte %(at)s"), at=at)
        if at + length > size:
            raise _cut_off(size, at + length)
        seen.add(name)
        at += length
    if b"moov" not in seen:
        raise NotMedia(N_("is truncated: the index that a finished recording has is missing"))


def _ogg(file: BinaryIO, size: int) -> None:
    """The last page must be whole and say that its stream ends there (RFC 3533, header type flag 4)."""
    start = max(0, size - 2 * _OGG_PAGE_MAX)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS")
    # The four letters may occur by chance in a packet; a page header has version 0 and a known flag byte.
    while at != -1 and not (len(tail) > at + 5 and tail[at + 4] == 0 and tail[at + 5] < 8):
        at = tail.rfind(b"OggS", 0, at)
    if at == -1 or len(tail) < at + 27:
        raise NotMedia(N_("is truncated: its last page is cut off"))
    segments = tail[at + 26]
    lengths = tail[at + 27 : at + 27 + segments]
    end = at + 27 + segments + sum(lengths)
    if len(lengths) < segments or end > len(tail):
        raise NotMedia(N_("is truncated: its last page is cut off"))
    if not tail[at + 5] & 4:
        raise NotMedia(N_("is truncated: the page that ends the stream is missing"))


def repeats_vorbis_headers(file: BinaryIO) -> bool:
    """Whether a second set of Vorbis headers follows the first, as some taggers leave behind; FFmpeg won't open it."""
    file.seek(0)
    return file.read(4 * _OGG_PAGE_MAX).count(b"\x01vorbis") > 1


def _matroska(file: BinaryIO, size: int) -> None:
    """The segment, the last top-level element of any weight, must end within the file."""
    at = 0
    while at < size:
        file.seek(at)
        name, name_length = _vint(file, keep_marker=True)
        length, length_length = _vint(file, keep_marker=False)
        body = at + name_length + length_length
        if length == (1 << 7 * length_length) - 1:
            return  # unknown size: written live, checked by its frames
        if body + length > size:
            raise _cut_off(size, body + length)
        if name == 0x18538067:
            return
        at = body + length
    raise NotMedia(N_("is truncated: it ends before the sound begins"))


def _vint(file: BinaryIO, *, keep_marker: bool) -> tuple[int, int]:
    first = file.read(1)
    if not first or first[0] == 0:
        raise NotMedia(N_("is damaged: its structure breaks off at byte %(at)s"), at=file.tell())
    length = 9 - first[0].bit_length()
    value = first[0] if keep_marker else first[0] & ((1 << (8 - length)) - 1)
    rest = file.read(length - 1)
    if len(rest) < length - 1:
        raise NotMedia(N_("is truncated: it ends in the middle of a header"))
    return value << 8 * (length - 1) | int.from_bytes(rest, "big"), length


_CHECKS: dict[str, Callable[[BinaryIO, int], None]] = {
    "wav": _riff,
    "aiff": _aiff,
    "mp4": _iso,
    "mov": _iso,
    "ogg": _ogg,
    "matroska": _matroska,
}

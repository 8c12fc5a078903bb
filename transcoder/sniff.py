"""What a file is, told from its first bytes before any decoder opens it.

A decoder that guesses would follow a playlist to another file or to the network; one that is told the format
the magic bytes name cannot.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from transcoder.accepted import CALLED, CONTAINERS, SUFFIXES, Container
from transcoder.errors import N_, NotMedia

_HEAD = 4096

# What arrives instead of media, by its first bytes.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", N_("a ZIP archive")),
    (b"PK\x05\x06", N_("a ZIP archive")),
    (b"Rar!\x1a\x07", N_("an archive")),
    (b"7z\xbc\xaf\x27\x1c", N_("an archive")),
    (b"\x1f\x8b", N_("an archive")),
    (b"BZh", N_("an archive")),
    (b"\xfd7zXZ\x00", N_("an archive")),
    (b"\x28\xb5\x2f\xfd", N_("an archive")),
    (b"MZ", N_("a program")),
    (b"\x7fELF", N_("a program")),
    (b"\xcf\xfa\xed\xfe", N_("a program")),
    (b"\xca\xfe\xba\xbe", N_("a program")),
    (b"#!", N_("a program")),
    (b"\x89PNG", N_("an image")),
    (b"\xff\xd8\xff", N_("an image")),
    (b"GIF8", N_("an image")),
    (b"BM", N_("an image")),
    (b"II*\x00", N_("an image")),
    (b"MM\x00*", N_("an image")),
    (b"8BPS", N_("an image")),
    (b"%PDF", N_("a PDF document")),
    (b"\xd0\xcf\x11\xe0", N_("an office document")),
    (b"SQLite format 3", N_("a database")),
    (b"MThd", N_("a MIDI file: notes without sound")),
    (b"FLV\x01", N_("a Flash video")),
    (b"\x30\x26\xb2\x75", N_("a Windows Media file")),
    (b"wvpk", N_("a WavPack file")),
    (b"MAC ", N_("a Monkey's Audio file")),
    (b"DSD ", N_("a DSD file")),
    (b"FRM8", N_("a DSD file")),
    (b"caff", N_("a Core Audio file")),
    (b"\x00\x00\x01\xba", N_("an MPEG programme stream")),
    (b"\x00\x00\x01\xb3", N_("an MPEG programme stream")),
)
_IMAGE_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"crx ")
_PLAYLISTS = ("#extm3u", "ffconcat", "[playlist]", "<?wpl", "<asx", "<mpd", "<smil", "<playlist")


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A file whose content is one of CONTAINERS; `start` is where it begins after an ID3 tag put before it."""

    container: str
    start: int = 0

    @property
    def format(self) -> Container:
        """Its row in the table of what is accepted."""
        return CONTAINERS[self.container]

    @property
    def called(self) -> str:
        """How people call the container."""
        return self.format.called


def sniff(path: Path, name: str | None = None) -> Sniffed:
    """The container a file holds; raise NotMedia where it is none the shop takes or its name says another.

    `name` is what its owner called it, where `path` is a copy under another name.
    """
    found = look(path)
    suffix = Path(name or path.name).suffix.lower()
    if suffix not in SUFFIXES:
        # A name that promises nothing can't be checked against the content, and players go by it.
        raise NotMedia(
            N_("holds %(kind)s but its name does not say so; let it end in %(right)s"),
            kind=found.called,
            right=found.format.suffixes[0],
        )
    promised = next(key for key, container in CONTAINERS.items() if suffix in container.suffixes)
    # MP4 grew out of QuickTime; writers name one as the other without harm.
    if promised != found.container and {promised, found.container} != {"mp4", "mov"}:
        raise NotMedia(N_("is named %(suffix)s but holds %(kind)s"), suffix=suffix, kind=found.called)
    return found


def look(path: Path) -> Sniffed:
    """The container a file holds, whatever it is called; raise NotMedia where it is none the shop takes."""
    head, size = _read_head(path)
    if size == 0:
        raise NotMedia(N_("is empty"))
    found = _container(path, head)
    if found is None:
        raise _not_taken(head)
    return found


def _read_head(path: Path) -> tuple[bytes, int]:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise NotMedia(N_("is a folder"))
        if not stat.S_ISREG(status.st_mode):
            raise NotMedia(N_("is not a regular file"))
        with path.open("rb") as file:
            return file.read(_HEAD), status.st_size
    except OSError as error:
        raise NotMedia(N_("cannot be read: %(why)s"), why=error.strerror or str(error)) from None


def _container(path: Path, head: bytes) -> Sniffed | None:
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        # An ID3v2 tag before the content: its size is four 7-bit bytes, its own header and footer not counted.
        start = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + (10 if head[5] & 0x10 else 0)
        with path.open("rb") as file:
            file.seek(start)
            head = file.read(_HEAD)
        stripped = head.lstrip(b"\0")  # some writers pad after the tag
        start += len(head) - len(stripped)
        head = stripped
    kind = _magic(head)
    return Sniffed(kind, start) if kind else None


def _magic(head: bytes) -> str | None:
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS":
        return "ogg"
    if head[:4] == b"\x1aE\xdf\xa3":
        if b"webm" in head[:64]:
            raise NotMedia(N_("is a WebM file; the shop takes %(taken)s"), taken=CALLED)
        return "matroska"
    if head[4:8] == b"ftyp":
        if head[8:12] in _IMAGE_BRANDS:
            return None
        return "mov" if head[8:12] == b"qt  " else "mp4"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"pnot") or (head[4:8] in (b"free", b"skip") and head[0] == 0):
        return "mov"
    if len(head) >= 4 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[2] >> 4 not in (0, 15):
        return "mp3"  # frame sync, layer III, and a bit rate that is one
    return None


def _not_taken(head: bytes) -> NotMedia:
    kind = next((name for magic, name in _OTHERS if head.startswith(magic)), None)
    if head[4:8] == b"ftyp" or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        kind = N_("an image")
    elif head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        kind = N_("an AVI film")
    elif len(head) > 3 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        kind = N_("a bare AAC stream")
    elif kind is None:
        kind = _text_kind(head)
    if kind is not None:
        return NotMedia(N_("is %(kind)s; the shop takes %(taken)s"), kind=kind, taken=CALLED)
    if not head.strip(b"\0"):
        return NotMedia(N_("holds nothing but zeros"))
    return NotMedia(N_("is no sound or film that the shop knows; it takes %(taken)s"), taken=CALLED)


def _text_kind(head: bytes) -> str | None:
    """What kind of text it is, or None where it is no text."""
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = head[: len(head) & ~1].decode(encoding, "ignore").lstrip().lower()
    if any(c < " " and c not in "\t\n\r\f" for c in text) or (encoding != "utf-16" and _mostly_not_text(head)):
        return None
    if text.startswith(_PLAYLISTS) or ("<mpd" in text and text.startswith("<?xml")):
        return N_("a playlist, which names media but holds none")
    if "<svg" in text[:1000]:
        return N_("an image")
    return N_("text")


def _mostly_not_text(head: bytes) -> bool:
    return len(head.decode("utf-8", "ignore").encode()) < len(head) * 0.9

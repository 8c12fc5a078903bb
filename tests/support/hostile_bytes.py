"""Containers written by hand, to say what no muxer would: MP4 boxes, Matroska elements, pictures, sparse files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path


def box(name: bytes, payload: bytes) -> bytes:
    """An ISO 14496-12 box."""
    return struct.pack(">I4s", len(payload) + 8, name) + payload


def element(name: bytes, payload: bytes) -> bytes:
    """An EBML element (RFC 8794) with a size of eight bytes."""
    return name + struct.pack(">Q", 1 << 56 | len(payload)) + payload


def rebuilt(data: bytes, instead: dict[bytes, bytes]) -> bytes:
    """An MP4 with some boxes of its index exchanged, every size around them put right."""
    made, at = b"", 0
    while at + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        length = length or len(data) - at
        if name in instead:
            made += instead[name]
        elif name in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
            made += box(name, rebuilt(data[at + 8 : at + length], instead))
        else:
            made += data[at : at + length]
        at += length
    return made


def iso(moov: bytes) -> bytes:
    """An MP4 with this index and next to nothing else."""
    return box(b"ftyp", b"isom\0\0\0\0isom") + box(b"moov", moov) + box(b"mdat", bytes(64))


def matroska(tracks: bytes, more: bytes = b"", linked: bytes = b"") -> bytes:
    """A Matroska file of these tracks, `more` elements in its segment and `linked` ones in its description."""
    head = element(b"\x1aE\xdf\xa3", element(b"\x42\x82", b"matroska"))
    about = element(b"\x15\x49\xa9\x66", element(b"\x2a\xd7\xb1", b"\x0f\x42\x40") + linked)
    return head + element(b"\x18\x53\x80\x67", about + element(b"\x16\x54\xae\x6b", tracks) + more)


def cluster(frame: bytes) -> bytes:
    """A cluster that holds one frame of track 1."""
    return element(b"\x1f\x43\xb6\x75", element(b"\xe7", b"\0") + element(b"\xa3", b"\x81\0\0\x80" + frame))


def png_track(width: int, height: int) -> bytes:
    """A track of PNG pictures that says one size itself and another in its codec's header."""
    # The picture's own header says how large it is; the track calls it small.
    size = element(b"\xb0", b"\x40") + element(b"\xba", b"\x30")
    private = element(
        b"\x63\xa2", struct.pack("<IIIHH4sIIIII", 40, width % (1 << 31), height, 1, 24, b"MPNG", 0, 0, 0, 0, 0)
    )
    kind = element(b"\x86", b"V_MS/VFW/FOURCC")
    return element(b"\xae", element(b"\xd7", b"\1") + element(b"\x83", b"\1") + kind + private + element(b"\xe0", size))


def png(width: int, height: int) -> bytes:
    """A black picture of this size: a few kilobytes that unpack to a hundred megabytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + width * 3)) for _ in range(height)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


def table() -> bytes:
    """A table of samples that says it has 2^31 entries."""
    return b"".join(
        box(name, bytes(4) + struct.pack(">II", 1, (1 << 31) - 1)) for name in (b"stsz", b"stco", b"stts", b"ctts")
    )


def sparse(path: Path, head: bytes, size: int) -> None:
    """A WAV of `size` bytes that takes no room on the disk: zeros that nobody wrote."""
    with path.open("wb") as file:
        file.write(head[:4] + struct.pack("<I", size - 8) + head[8:36] + b"data" + struct.pack("<I", size - 44))
        file.truncate(size)

"""Masters on the worker's disk: fetched whole, or so much of a long film that its opening can be encoded at once."""

from __future__ import annotations

import struct
from pathlib import Path

from media_store.interface import MediaStore
from transcoder import ladder, package, sandbox
from transcoder.contract import TranscodeJob
from transcoder.errors import MasterChanged

# A master smaller than this is there within a second or two.
_SMALL = 192 * 1024**2
# Of a larger one these bytes are fetched for the opening: what lies in front, and where indexes may lie behind.
_HEAD, _TAIL = 96 * 1024**2, 16 * 1024**2
_MOST_INDEX = 256 * 1024**2
# The beginning is to hold the opening (s) even where it takes so many times the bytes of the film's average.
_OPENING_SECONDS, _PEAK = 2 * ladder.SEGMENT_SECONDS + 3, 2


def fetch(job: TranscodeJob, store: MediaStore, folder: Path) -> Path:
    """The whole master as a file in `folder`, compared with its checksum. Raises MasterChanged or DiskFull."""
    sandbox.require_disk(folder, _disk_needed(job, store.head(job.master_key).size))
    master = folder / "master"
    store.get_file(job.master_key, master)
    found = package.file_sha256(master)
    if found != job.master_sha256:
        master.unlink()
        raise MasterChanged(
            f"The stored master's SHA-256 is {found}, not {job.master_sha256}: it was damaged. Upload it again."
        )
    return master


def fetch_head(job: TranscodeJob, store: MediaStore, folder: Path) -> Path | None:
    """A sparse file of the master's length that holds its beginning and its index.

    None where the whole is small, or so dense that the opening might reach beyond what is fetched: there a decoder
    would find zeros, which some formats take for silence. Nothing vouches for the checksum yet.
    """
    size = store.head(job.master_key).size
    if size <= _SMALL or _PEAK * _OPENING_SECONDS * size / job.probe.duration > _HEAD:
        return None
    head = folder / "head"
    with head.open("wb") as file:
        file.truncate(size)
        for start, end in [(0, _HEAD), (size - _TAIL, size), *_index(job, store, size)]:
            file.seek(start)
            for piece in store.open(job.master_key, (start, end - 1)).chunks:
                file.write(piece)
    return head


def _index(job: TranscodeJob, store: MediaStore, size: int) -> list[tuple[int, int]]:
    """Where an MP4 or QuickTime file keeps its index (moov), by walking its boxes; nothing for other files."""
    if job.probe.container not in ("mp4", "mov"):
        return []
    at = 0
    for _box in range(64):
        if at + 16 > size:
            break
        header = b"".join(store.open(job.master_key, (at, at + 15)).chunks)
        length, kind = struct.unpack_from(">I4s", header)
        if length == 1:
            length = struct.unpack_from(">Q", header, 8)[0]
        elif length == 0:
            length = size - at
        if kind == b"moov":
            return [(at, min(size, at + length))] if length <= _MOST_INDEX else []
        if length < 8:
            break
        at += length
    return []


def _disk_needed(job: TranscodeJob, size: int) -> int:
    """Bytes: the master, its lossless copies, and what is encoded before it is stored."""
    kbps = 2000 + sum(rung.max_kbps for rung in ladder.film_rungs(job.probe))
    seconds = min(job.probe.duration, 900.0) if job.probe.kind == "film" else job.probe.duration
    return 32 * 1024**2 + (3 if job.probe.kind == "film" else 5) * size + int(2 * kbps * 1000 / 8 * seconds)

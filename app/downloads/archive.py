"""Pack files of the store into a ZIP: stored, not deflated, and the same bytes for the same members."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from media_store.errors import StoreError
from media_store.interface import MediaStore

# The earliest date a ZIP can carry: when it was packed is nobody's business and would change its hash.
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Member:
    """One file to pack: its path within the ZIP, and the object it is read from."""

    path: str
    key: str


def fingerprint(members: Sequence[Member]) -> str:
    """A hash (SHA-256, hex) that changes when any member does: keys are content-addressed."""
    said = json.dumps([[member.path, member.key] for member in members], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()


def pack(members: Sequence[Member], store: MediaStore, target: IO[bytes], on_progress: Callable[[float], None]) -> None:
    """Write the ZIP to `target`, reading a chunk at a time; report progress from 0 to 1.

    Raises StoreError where a member is missing or breaks off.
    """
    sizes = [store.head(member.key).size for member in members]
    total, done = sum(sizes) or 1, 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for member, size in zip(members, sizes, strict=True):
            entry = zipfile.ZipInfo(member.path, _DATE)
            entry.create_system, entry.external_attr = _UNIX, 0o644 << 16
            entry.file_size = size  # known before, so that a member over 2 GiB gets its ZIP64 fields
            written = 0
            with packed.open(entry, "w") as file:
                for chunk in store.open(member.key).chunks:
                    file.write(chunk)
                    written += len(chunk)
                    on_progress((done + written) / total)
            if written != size:
                raise StoreError(f"{member.key} ended after {written} of {size} bytes.")
            done += size

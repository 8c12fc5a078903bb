"""What a stream consists of: its playlists name the rest."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from media_store.errors import ObjectMissing
from media_store.interface import MediaStore, StoredObject

ENTRY = "multivariant.m3u8"
_SEGMENTS = (".m4s", ".vtt")
_BLOCK = 16  # of AES: an encrypted segment is a whole number of them
_URI = re.compile(r'[:,]URI="([^"]+)"')


def compare(
    store: MediaStore, folder: str, objects: Sequence[StoredObject], size: int | None
) -> tuple[list[str], list[tuple[str, str]], list[StoredObject]]:
    """A published stream beside what lies in its folder: keys that are missing, keys whose size cannot be right and
    why, and objects that nothing names.

    `size` is what all segments have together, in bytes; None where that is not known.
    """
    named = members(store, folder)
    there = {each.key: each for each in objects}
    missing = sorted(named - set(there))
    wrong = []
    for key in sorted(named & set(there)):
        found = there[key].size
        if not found or (key.endswith(_SEGMENTS) and found % _BLOCK):
            wrong.append((key, f"{found} bytes are no whole encrypted segment"))
    segments = sum(each.size for each in objects if each.key in named and each.key.endswith(_SEGMENTS))
    # More is no fault: subtitles may have come later.
    if size is not None and not missing and not wrong and segments < size:
        whole = sum(each.size for each in objects if each.key in named)
        if whole < size:  # rows of earlier releases counted playlists too
            wrong.append((folder + ENTRY, f"the segments have {segments} bytes together instead of {size}"))
    return missing, wrong, [each for each in objects if each.key not in named]


def members(store: MediaStore, folder: str) -> set[str]:
    """The keys of everything a player may ask for, from the entry playlist down; keys of encryption are no objects."""
    found, unread = {folder + ENTRY}, [ENTRY]
    while unread:
        name = unread.pop()
        try:
            text = store.get_bytes(folder + name).decode(errors="replace")
        except ObjectMissing:
            continue
        for uri in _uris(text):
            member = posixpath.normpath(posixpath.join(posixpath.dirname(name), uri))
            key = folder + member
            if member.startswith(("..", "/")) or member.endswith(".key") or key in found:
                continue
            found.add(key)
            if member.endswith(".m3u8"):
                unread.append(member)
    return found


def _uris(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    plain = [line for line in lines if line and not line.startswith("#")]
    return plain + [uri for line in lines if line.startswith("#EXT-X-") for uri in _URI.findall(line)]

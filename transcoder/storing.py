"""Putting what was made into the store, and getting parts of it back."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from media_store import keys
from media_store.interface import MediaStore
from transcoder import package, playlist, stream
from transcoder.contract import Stretch, segment_key

_AT_ONCE = 8


def put_files(
    store: MediaStore, uploads: Sequence[tuple[str, Path, str]], on_progress: Callable[[float], None] | None = None
) -> None:
    """Store files, given as (key, path, content type), several at once; `on_progress` gets the fraction done."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = [pool.submit(store.put_file, *upload) for upload in uploads]
        try:
            for count, upload in enumerate(as_completed(waiting), start=1):
                upload.result()
                if on_progress:
                    on_progress(count / len(uploads))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def put_members(
    store: MediaStore,
    address: str,
    members: Sequence[package.Member],
    on_progress: Callable[[float], None] | None = None,
) -> None:
    """Store segments and init sections of a stream."""
    prefix = keys.stream_prefix(address)
    uploads = [(keys.stream_member(prefix, each.name), each.path, each.content_type) for each in members]
    put_files(store, uploads, on_progress)


def put_playlists(store: MediaStore, address: str, texts: Mapping[str, str]) -> None:
    """Store playlists in place of those before: the media playlists first, what names them last."""
    prefix = keys.stream_prefix(address)
    for name in sorted(texts, key=lambda each: each == stream.ENTRY):
        data = io.BytesIO(texts[name].encode())
        store.put_stream(keys.stream_member(prefix, name), data, stream.PLAYLIST_TYPE)


def fetch_clear(
    store: MediaStore,
    address: str,
    stream_key: bytes,
    stretch: Stretch,
    into: Path,
    *,
    segment_seconds: float,
    numbers: Sequence[int] | None = None,
) -> Path:
    """Write a stored rung, or the segments of it with those numbers, into one file in the clear; return the file."""
    prefix = keys.stream_prefix(address)
    every = range(stretch.first, stretch.first + len(stretch.seconds))

    def clear(number: int) -> bytes:
        data = store.get_bytes(keys.stream_member(prefix, f"{stretch.name}/{number:05}.m4s"))
        key = segment_key(stream_key, playlist.key_number(number, segment_seconds))
        return package.decrypt_segment(data, key, number)

    with into.open("wb") as file, ThreadPoolExecutor(_AT_ONCE) as pool:
        file.write(store.get_bytes(keys.stream_member(prefix, f"{stretch.name}/{package.INIT}")))
        wanted = list(every if numbers is None else numbers)
        for begin in range(0, len(wanted), 4 * _AT_ONCE):  # a few at a time: a whole rung does not fit into memory
            for data in pool.map(clear, wanted[begin : begin + 4 * _AT_ONCE]):
                file.write(data)
    return into

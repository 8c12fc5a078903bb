"""One job from master to report: fetch, encode, tag, package, store.

Everything is made in a folder of this attempt's own and stored under keys that are known before: content addresses,
and the stream's own, which says what it is made from. So a job that is run twice, or killed anywhere, changes nothing
that exists.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from media_store import keys
from media_store.errors import StoreError
from media_store.interface import MediaStore
from transcoder import commands, downloads, encode, feature, ladder, masters, on_air, package, storing, tags
from transcoder import stream as streams
from transcoder.contract import Chunk, MadeRendition, RenditionReport, TranscodeJob
from transcoder.desk import Desk, beating
from transcoder.errors import DiskFull, TranscoderError

# Where each stage ends on the way from 0 to 1.
_FETCHED, _ENCODED, _PACKAGED = 0.03, 0.86, 0.90


def run(job: TranscodeJob, store: MediaStore, workdir: Path, desk: Desk) -> RenditionReport:
    """Do the job; return what was made, all of it stored.

    The desk hears the stage (fetch, encode, package, store) and the fraction of the whole job, 0 to 1; whatever it
    raises ends the job and its children. Raises TranscoderError with a reason a person understands, or StoreError.
    """
    work = workdir / f"{job.job_id}-{job.attempt}"
    try:
        with _enough_disk(work):
            work.mkdir(parents=True, exist_ok=True)
            if job.probe.kind == "film":
                encoded, playlists, timings = _film(job, store, work, desk)
            else:
                encoded, playlists, timings = _audio(job, store, work, desk)
            with _timed(timings, "store"):
                desk.progress("store", _PACKAGED)
                _tag(job, store, encoded)
                renditions = _store(job, store, encoded, playlists, desk)
        desk.progress("store", 1.0)
        return RenditionReport(
            job_id=job.job_id,
            attempt=job.attempt,
            renditions=tuple(renditions),
            loudness=encoded.loudness,
            timings={stage: round(seconds, 3) for stage, seconds in timings.items()},
            sound=encoded.features,
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)


def help_with(job: TranscodeJob, store: MediaStore, workdir: Path, desk: Desk, name: str) -> int:
    """Take chunks of a film that another worker has the job of, until none is left; return how many were done.

    `name` tells this helper's folder from others'. Raises as `run` does.
    """
    work = workdir / f"{job.job_id}-help-{name}"
    done = 0
    try:
        with _enough_disk(work):
            chunk: Chunk | None = desk.take()
            if chunk is None:
                return 0
            work.mkdir(parents=True, exist_ok=True)
            master = _fetched_for(chunk, job, store, work, desk)
            while chunk is not None:
                done += feature.work_on(job, chunk, master, store, work, desk, lambda _fraction: None)
                chunk = desk.take()
        return done
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _fetched_for(chunk: Chunk, job: TranscodeJob, store: MediaStore, work: Path, desk: Desk) -> Path:
    """The master, fetched by who has taken a chunk of it already: a large one takes a while."""
    try:
        with beating(desk, chunk.number):
            return masters.fetch(job, store, work)
    except (TranscoderError, StoreError, OSError) as error:
        desk.failed(chunk.number, str(error))
        raise


_Made = tuple[encode.Encoded, streams.Playlists, dict[str, float]]


def _film(job: TranscodeJob, store: MediaStore, work: Path, desk: Desk) -> _Made:
    film = feature.Feature(job, store, work, desk)
    encoded, playlists = film.run()
    return encoded, playlists, film.timings


def _audio(job: TranscodeJob, store: MediaStore, work: Path, desk: Desk) -> _Made:
    timings: dict[str, float] = {}
    with _timed(timings, "fetch"):
        desk.progress("fetch", 0.0)
        master = masters.fetch(job, store, work)
    with _timed(timings, "encode"):
        desk.progress("encode", _FETCHED)
        encoded = encode.encode_audio(
            master,
            job.probe,
            work,
            cpu_count=job.cpu_count,
            on_progress=lambda done: desk.progress("encode", _FETCHED + done * (_ENCODED - _FETCHED)),
        )
        master.unlink()
    with _timed(timings, "package"):
        desk.progress("package", _ENCODED)
        rungs: list[streams.Rendered] = []
        members: list[package.Member] = []
        for rung in ladder.audio_rungs(job.probe):
            clear = work / commands.STREAM / rung.name
            seconds = ladder.segment_seconds(job.probe)
            sealed = package.seal(clear, work / "sealed" / rung.name, job.stream_key, segment_seconds=seconds)
            shutil.rmtree(clear)
            rungs.append(streams.Rendered(sealed.stretch, sealed.init))
            members += sealed.members
        playlists = streams.compose(rungs, segment_seconds=ladder.segment_seconds(job.probe))
    with _timed(timings, "store"):
        storing.put_members(store, job.stream_address, members)
        storing.put_playlists(store, job.stream_address, playlists.texts)
    return encoded, playlists, timings


@contextmanager
def _enough_disk(work: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(
            f"The worker's disk ran full at {work}. Free some space there; the job is then tried again."
        ) from error


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    timings[stage] = timings.get(stage, 0.0) + time.monotonic() - started


def _tag(job: TranscodeJob, store: MediaStore, encoded: encode.Encoded) -> None:
    cover = store.get_bytes(job.cover_key) if job.cover_key else None
    for path in encoded.files.values():
        if path.suffix in (".flac", ".ogg") and job.probe.chapters:
            tags.write_chapters(path, job.probe.chapters)
        tags.write_tags(path, job.tags, cover)


def _store(
    job: TranscodeJob, store: MediaStore, encoded: encode.Encoded, playlists: streams.Playlists, desk: Desk
) -> list[MadeRendition]:
    facts: dict[str, Any] = {"peaks": encoded.peaks, "loudness": encoded.loudness}
    uploads: list[tuple[str, Path, str]] = []
    made = [on_air.rendition(job, playlists, **facts)]

    def add(kind: Any, name: str, path: Path, key: Callable[[str, str], str], content_type: str, **facts: Any) -> None:
        digest, crc = downloads.digests(path)
        suffix = path.suffix.removeprefix(".")
        address = key(digest, suffix)
        uploads.append((address, path, content_type))
        facts = {"sha256": digest, "crc32": crc} | facts
        made.append(MadeRendition(kind, name, address, content_type, suffix, path.stat().st_size, facts))

    film = job.probe.kind == "film"
    seconds = ladder.preview_window(job.probe.duration)[1]
    add("preview", "preview", encoded.preview, keys.preview, "video/mp4" if film else "audio/mp4", duration=seconds)
    tagged = job.tags.fingerprint(job.cover_key)
    for name, path in encoded.files.items():
        facts = {"copied": name in encoded.copied, "tagged": tagged}
        add("download", name, path, keys.download, downloads.content_type(name), **facts)
    if encoded.poster:
        add("poster", "poster", encoded.poster, keys.cover, "image/jpeg")
    if encoded.strip:
        strip = ladder.thumbnail_strip(job.probe)
        facts = {field: getattr(strip, field) for field in ("columns", "rows", "count", "width", "height", "interval")}
        add("thumbnails", "thumbnails", encoded.strip, keys.cover, "image/jpeg", **facts)

    storing.put_files(store, uploads, lambda done: desk.progress("store", _PACKAGED + (1 - _PACKAGED) * done))
    return made

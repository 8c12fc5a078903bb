"""One job from master to report: fetch, encode, tag, package, store.

Everything is made in a folder of this attempt's own and stored under content-addressed keys, the stream's members
before anything names them. So a job that is run twice, or killed anywhere, changes nothing that exists.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from media_store import keys
from media_store.interface import MediaStore
from transcoder import commands, downloads, encode, ladder, package, sandbox, tags
from transcoder.contract import MadeRendition, RenditionReport, TranscodeJob
from transcoder.errors import DiskFull, MasterChanged

OnProgress = Callable[[str, float], None]

# Where each stage ends on the way from 0 to 1.
_FETCHED, _ENCODED, _PACKAGED = 0.03, 0.86, 0.90
_UPLOADS_AT_ONCE = 8


def run(job: TranscodeJob, store: MediaStore, workdir: Path, on_progress: OnProgress) -> RenditionReport:
    """Do the job; return what was made, all of it stored.

    `on_progress` gets the stage (fetch, encode, package, store) and the fraction of the whole job, 0 to 1; whatever
    it raises ends the job and its children. Raises TranscoderError with a reason a person understands, or StoreError.
    """
    work = workdir / f"{job.job_id}-{job.attempt}"
    _clear_earlier(job, workdir)
    timings: dict[str, float] = {}
    try:
        with _enough_disk(work):
            work.mkdir(parents=True, exist_ok=True)
            with _timed(timings, "fetch"):
                on_progress("fetch", 0.0)
                master = _fetch(job, store, work)
            with _timed(timings, "encode"):
                on_progress("encode", _FETCHED)
                encoded = encode.encode(
                    master,
                    job.probe,
                    work,
                    x264_preset=job.x264_preset,
                    cpu_count=job.cpu_count,
                    on_progress=lambda done: on_progress("encode", _FETCHED + done * (_ENCODED - _FETCHED)),
                )
                master.unlink()
            with _timed(timings, "package"):
                on_progress("package", _ENCODED)
                _tag(job, store, encoded)
                stream = _package(job, encoded, work)
            with _timed(timings, "store"):
                on_progress("store", _PACKAGED)
                renditions = _store(job, store, encoded, stream, on_progress)
        on_progress("store", 1.0)
        return RenditionReport(
            job_id=job.job_id,
            attempt=job.attempt,
            renditions=tuple(renditions),
            loudness=encoded.loudness,
            timings={stage: round(seconds, 3) for stage, seconds in timings.items()},
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _clear_earlier(job: TranscodeJob, workdir: Path) -> None:
    """Remove what a killed attempt at this job left on the disk."""
    for attempt in range(1, job.attempt):
        shutil.rmtree(workdir / f"{job.job_id}-{attempt}", ignore_errors=True)


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
    timings[stage] = time.monotonic() - started


def _fetch(job: TranscodeJob, store: MediaStore, work: Path) -> Path:
    sandbox.require_disk(work, _disk_needed(job, store.head(job.master_key).size))
    master = work / "master"
    store.get_file(job.master_key, master)
    found = package.file_sha256(master)
    if found != job.master_sha256:
        raise MasterChanged(
            f"The stored master's SHA-256 is {found}, not {job.master_sha256}: it was damaged. Upload it again."
        )
    return master


def _disk_needed(job: TranscodeJob, size: int) -> int:
    """Bytes: the master and its lossless copies, and every rung twice, in the clear and encrypted."""
    kbps = 2000 + sum(rung.max_kbps for rung in ladder.film_rungs(job.probe))
    return 32 * 1024**2 + 5 * size + int(2 * kbps * 1000 / 8 * job.probe.duration)


def _tag(job: TranscodeJob, store: MediaStore, encoded: encode.Encoded) -> None:
    cover = store.get_bytes(job.cover_key) if job.cover_key else None
    for path in encoded.files.values():
        tags.write_tags(path, job.tags, cover)


def _package(job: TranscodeJob, encoded: encode.Encoded, work: Path) -> package.Stream:
    packed = work / "stream"
    rungs = []
    for name in encoded.rungs:
        clear = work / commands.STREAM / name
        rungs.append(package.package_rung(clear, packed / name, job.stream_key))
        shutil.rmtree(clear)
    rate = ladder.frame_rate(job.probe) if job.probe.video else None
    sounds = {rung.name: rung.audio for rung in ladder.film_rungs(job.probe)}
    return package.assemble(rungs, sounds, rate[0] / rate[1] if rate else None, packed)


def _store(
    job: TranscodeJob, store: MediaStore, encoded: encode.Encoded, stream: package.Stream, on_progress: OnProgress
) -> list[MadeRendition]:
    prefix = keys.stream_prefix(stream.manifest_sha256)
    uploads = [(keys.stream_member(prefix, m.name), m.path, m.content_type) for m in stream.members]
    made = [_stream_rendition(prefix, encoded, stream)]

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

    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
        waiting = [pool.submit(store.put_file, *upload) for upload in uploads]
        try:
            for count, upload in enumerate(as_completed(waiting), start=1):
                upload.result()
                on_progress("store", _PACKAGED + (1 - _PACKAGED) * count / len(uploads))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return made


def _stream_rendition(prefix: str, encoded: encode.Encoded, stream: package.Stream) -> MadeRendition:
    variants = [
        {
            "name": variant.uri.split("/")[0],
            "bandwidth": variant.bandwidth,
            "average_bandwidth": variant.average_bandwidth,
            "codecs": list(variant.codecs),
            "resolution": list(variant.resolution) if variant.resolution else None,
            "frame_rate": variant.frame_rate,
            "audio": variant.audio,
        }
        for variant in stream.variants
    ]
    facts = {
        "variants": variants,
        "codecs": sorted({codec for variant in stream.variants for codec in variant.codecs}),
        "peaks": encoded.peaks,
        "loudness": encoded.loudness,
        "members": len(stream.members),
    }
    return MadeRendition("stream", "stream", prefix, package.PLAYLIST_TYPE, "m3u8", stream.size, facts)

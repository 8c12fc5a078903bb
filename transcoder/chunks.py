"""Chunks: a long film's pictures cut on the segments' grid, so that any number of workers can share them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from media_store.interface import MediaStore
from transcoder import commands, film, ladder, package, playlist, sandbox, storing
from transcoder.contract import Chunk, ChunkReport, Probe, Stretch, TranscodeJob
from transcoder.errors import EncodeFailed

# The first chunk is on air before the rest is begun; it is as long as a player wants to have before it starts.
OPENING_SEGMENTS = 2
# A film is cut into about so many chunks, none longer than MOST_SEGMENTS: small enough to be shared well, and large
# enough that decoding from the key frame before each does not count.
_CHUNKS, _LEAST_SEGMENTS, MOST_SEGMENTS = 16, 1, 20


def plan(probe: Probe, rungs: Sequence[ladder.FilmRung], *, whole: bool = False) -> list[Chunk]:
    """Cut a film: the opening, then chunks of equal length. `whole` leaves everything behind the opening in one."""
    rate = ladder.frame_rate(probe)
    segment = ladder.segment_frames(rate)
    total = max(1, round(probe.duration * rate[0] / rate[1]))
    segments = -(-total // segment)
    rest = segments - OPENING_SEGMENTS
    length = rest if whole else min(MOST_SEGMENTS, max(_LEAST_SEGMENTS, -(-rest // _CHUNKS)))
    # A last segment of a few frames may turn out not to be there, so it never stands alone.
    cuts = [0, *range(OPENING_SEGMENTS, segments - 1, max(1, length))]
    told = tuple(asdict(rung) for rung in rungs)
    ends = [*(cut * segment for cut in cuts[1:]), None]
    return [Chunk(n, cut * segment, end, told) for n, (cut, end) in enumerate(zip(cuts, ends, strict=True))]


def encode(
    job: TranscodeJob,
    chunk: Chunk,
    master: Path,
    store: MediaStore,
    work: Path,
    *,
    on_progress: Callable[[float], None],
    only: Collection[str] | None = None,
    skipping: Collection[str] = (),
    strictly: bool = False,
) -> ChunkReport:
    """Encode, encrypt and store one chunk under the job's stream; `only` and `skipping` choose rungs.

    `on_progress` is called twice a second or more often, and ends the work by what it raises. `strictly` takes no
    damaged frame of the master for a frame.

    Raises EncodeFailed where FFmpeg gives up or made other frames than it should, TimedOut, DiskFull or StoreError.
    """
    rungs = [ladder.FilmRung(**each) for each in chunk.ladder]
    if only is not None:
        skipping = {rung.name for rung in rungs} - set(only)
    rungs_made = [rung for rung in rungs if rung.name not in skipping]
    folder = Path(tempfile.mkdtemp(prefix=f"chunk-{chunk.number}-", dir=work))
    for rung in rungs_made:
        (folder / commands.STREAM / rung.name).mkdir(parents=True)
    try:
        run = film.chunk_command(
            master,
            job.probe,
            rungs,
            job.x264_preset,
            first_frame=chunk.first_frame,
            end_frame=chunk.end_frame,
            skipping=skipping,
            strictly=strictly,
        )
        wall = 120 + 60 * run.seconds
        sandbox.run_all([run], cwd=folder, at_once=1, wall_seconds=wall, on_progress=on_progress)
        stretches: list[Stretch] = []
        members: list[package.Member] = []
        for rung in rungs_made:
            for sealed in _seal(job, chunk, folder, rung, iframes=rung.name == rungs[-1].name):
                _check(chunk, sealed.stretch, job.probe)
                stretches.append(sealed.stretch)
                members += sealed.members
        storing.put_members(store, job.stream_address, members, lambda _fraction: on_progress(1.0))
        return ChunkReport(chunk.number, tuple(stretches))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _seal(
    job: TranscodeJob, chunk: Chunk, folder: Path, rung: ladder.FilmRung, *, iframes: bool
) -> list[package.Sealed]:
    rate = ladder.frame_rate(job.probe)
    start = chunk.first_frame * rate[1] / rate[0]
    clear = folder / commands.STREAM / rung.name
    made = [
        package.seal(
            clear,
            folder / "sealed" / rung.name,
            job.stream_key,
            segment_seconds=ladder.segment_seconds(job.probe),
            first=playlist.FIRST_SEQUENCE + chunk.first_frame // ladder.segment_frames(rate),
            start=start,
        )
    ]
    if iframes:
        gop = ladder.gop_frames(rate)
        made.append(
            package.seal_iframes(
                clear,
                folder / "sealed" / f"{rung.name}{package.IFRAMES}",
                job.stream_key,
                idr_seconds=gop * rate[1] / rate[0],
                first=playlist.FIRST_SEQUENCE + chunk.first_frame // gop,
                start=start,
            )
        )
    return made


def _check(chunk: Chunk, stretch: Stretch, probe: Probe) -> None:
    """A chunk holds exactly its frames, or the next one would begin too early or too late."""
    if chunk.end_frame is None:
        return
    rate = ladder.frame_rate(probe)
    wanted = chunk.end_frame - chunk.first_frame
    made = round(sum(stretch.seconds) * rate[0] / rate[1])
    if made != wanted:
        raise EncodeFailed(f"{stretch.name} has {made} frames from {chunk.first_frame} on instead of {wanted}.")

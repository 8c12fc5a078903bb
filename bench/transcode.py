"""What a job costs beside its bound and beside the shapes its peers have. `--json` prints the goals.

One run, one master each, all of it on this machine. Audio: our job (the worker's own code, storing on an S3 server of
this run's) against the same FFmpeg commands one after the other, as stores do that run one command per output. The
bound is the CPU seconds of the encodes shared evenly by the cores; on two cores twice the serial speed is the most
there is, on more cores the ratio grows with them.

Film: our job against PeerTube's shape (github.com/Chocobozzz/PeerTube, packages/ffmpeg: `ffmpeg-vod.ts`,
`shared/presets.ts`): for every resolution one command that decodes the master, scales from its size, encodes the
picture with all threads and the sound anew, and muxes fragments of MP4; one job at a time, as it comes installed. The
encoder's settings are ours in both. VMAF (v0.6.1) is of each rung enlarged to the master's size.

CPU is that of children that ended (getrusage) and, for this process, of its own threads.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.engines.s3 import SeaweedFS
from bench import material
from media_store import keys
from media_store.s3 import S3Store
from transcoder import downloads, film, ladder, package, playlist, sandbox, sound, stream, worker
from transcoder.contract import Chunk, MadeRendition, RenditionReport, TagSet, TranscodeJob, segment_key
from transcoder.desk import LocalDesk
from transcoder.probe import probe_file

CORES = os.cpu_count() or 1
_KEY = bytes(range(16))
_ON_AIR_SECONDS = 10.0


@dataclass
class Cost:
    """Wall seconds, and CPU seconds of children and of this process."""

    wall: float = 0.0
    children: float = 0.0
    own: float = 0.0

    @property
    def cpu(self) -> float:
        """All of it."""
        return self.children + self.own


@contextmanager
def measured() -> Iterator[Cost]:
    """What happens inside, filled in at its end."""
    cost = Cost()
    wall, own = time.monotonic(), time.process_time()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    yield cost
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost.wall, cost.own = time.monotonic() - wall, time.process_time() - own
    cost.children = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@dataclass
class Job:
    """A job of ours, done: what it cost in all and by part."""

    cost: Cost
    report: RenditionReport
    packaging: float
    on_air: float
    rungs: tuple[ladder.FilmRung, ...] = ()


class _Desk(LocalDesk):
    """Notes when the film is on air and how its rungs are to be made."""

    def __init__(self) -> None:
        super().__init__(on_air=self._noted)
        self.aired = 0.0
        self.rungs: tuple[ladder.FilmRung, ...] = ()

    def _noted(self, _stream: MadeRendition) -> None:
        self.aired = time.monotonic()

    def share(self, chunks: Sequence[Chunk]) -> None:
        """Also keep the rungs."""
        if chunks:
            self.rungs = tuple(ladder.FilmRung(**each) for each in chunks[0].ladder)
        super().share(chunks)


@dataclass
class _Packaging:
    """CPU seconds of the packaging, summed over the job's threads."""

    seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time the packager's functions wherever the job calls them."""
        saved = [(module, name, getattr(module, name)) for module, name in _PACKAGERS]
        for module, name, function in saved:
            setattr(module, name, self._timing(function))
        try:
            yield
        finally:
            for module, name, function in saved:
                setattr(module, name, function)

    def _timing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*args: Any, **options: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*args, **options)
            finally:
                with self._lock:
                    self.seconds += time.thread_time() - began

        return timing


_PACKAGERS = ((package, "seal"), (package, "seal_iframes"), (stream, "compose"))


def our_job(master: Path, store: S3Store, folder: Path, preset: str) -> Job:
    """Do the worker's job on a master that is in the store."""
    probe = probe_file(master)
    digest = package.file_sha256(master)
    store.put_file(keys.master(digest), master, "application/octet-stream")
    job = TranscodeJob(
        job_id="bench",
        attempt=1,
        master_key=keys.master(digest),
        master_sha256=digest,
        probe=probe,
        tags=TagSet(title="Bench"),
        stream_key=_KEY,
        x264_preset=preset,
        cpu_count=CORES,
    )
    desk, packaging = _Desk(), _Packaging()
    with packaging.timed(), measured() as cost:
        began = time.monotonic()
        report = worker.run(job, store, folder, desk)
    rungs = desk.rungs or ladder.film_rungs(probe)
    return Job(cost, report, packaging.seconds, desk.aired - began if desk.aired else 0.0, rungs)


# ---- Sound ----------------------------------------------------------------------------------------------------------


def plainly(run: sandbox.Command) -> list[str]:
    """The command line as somebody would write it who names files and has no sandbox."""
    args, inputs = list(run.args), iter(run.inputs)
    while "-fd" in args:
        at = args.index("-fd")
        args[at : at + 4] = ["-i", str(next(inputs))]
    return ["file" if before == "-protocol_whitelist" else arg for before, arg in zip(["", *args], args, strict=False)]


def serially(runs: Sequence[Sequence[str]], folder: Path) -> Cost:
    """Run commands one after the other."""
    with measured() as cost:
        for run in runs:
            done = subprocess.run(list(run), cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            if done.returncode:
                raise SystemExit(f"{' '.join(run)}\n{done.stderr.decode(errors='replace')[-2000:]}")
    return cost


def audio(store: S3Store, folder: Path, seconds: float) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The goals of sound and what was measured."""
    master = material.music(folder / "master.wav", seconds)
    job = our_job(master, store, folder / "work", "veryfast")
    encode = job.report.timings["encode"]
    bound = job.cost.children / CORES
    probe = probe_file(master)
    formats = downloads.audio_formats(probe, master.stat().st_size)
    for name in ("files", *(f"clear/{rung.name}" for rung in ladder.audio_rungs(probe))):
        (folder / "serial" / name).mkdir(parents=True)
    runs = sound.master_commands(master, probe, formats)
    serial = serially([plainly(run) for run in runs], folder / "serial")
    analysis = serially([plainly(sound.analysis(master, probe))], folder / "serial")
    shares = (analysis.children / job.cost.cpu, job.packaging / job.cost.cpu)
    table = [
        ("master", f"{seconds:.0f} s of stereo, {CORES} cores"),
        ("our job, whole", f"{job.cost.wall:.2f} s wall, {job.cost.cpu:.2f} s CPU"),
        ("its encodes", f"{encode:.2f} s wall, {job.cost.children:.2f} s CPU"),
        ("bound", f"{bound:.2f} s"),
        (f"serial, {len(runs)} commands", f"{serial.wall:.2f} s wall, {serial.children:.2f} s CPU"),
        ("stages", ", ".join(f"{name} {spent:.2f}" for name, spent in job.report.timings.items())),
    ]
    goals = [
        _at_most("audio: encoding against its bound", encode / bound, 1.05),
        _at_least(f"audio: times faster than serial, on {CORES} cores", serial.wall / encode, 1.9),
        _at_most("audio: loudness and peaks, share of CPU", shares[0], 0.06),
        _at_most("audio: packaging and encryption, share of CPU", shares[1], 0.03),
    ]
    return goals, table


# ---- Film -----------------------------------------------------------------------------------------------------------


def peertube_commands(master: Path, rungs: Sequence[ladder.FilmRung], preset: str, folder: Path) -> list[list[str]]:
    """One command per resolution: all threads, scaled from the master, the sound encoded each time."""
    probe = probe_file(master)
    rate = ladder.frame_rate(probe)
    seconds = ladder.segment_seconds(probe)
    made = []
    for rung in rungs:
        options = film.x264(rung, preset, rate) | {"threads": 0}
        del options["hls_segment_options"]
        args = [sandbox.ffmpeg_binary(), "-hide_banner", "-nostdin", "-y", "-i", str(master)]
        args += ["-map", "0:V:0", "-map", "0:a:0?", "-vf", f"scale=w={rung.width}:h={rung.height},format=yuv420p"]
        args += [part for name, value in options.items() for part in (f"-{name}", str(value))]
        args += ["-c:a", "aac", "-b:a", rung.audio.removeprefix("aac-") + "k", "-f", "hls", "-hls_time", str(seconds)]
        args += ["-hls_playlist_type", "vod", "-hls_segment_type", "fmp4", "-hls_flags", "single_file"]
        made.append(
            [*args, "-hls_segment_filename", str(folder / f"{rung.name}.mp4"), str(folder / f"{rung.name}.m3u8")]
        )
    return made


def fetched(store: S3Store, made: MadeRendition, name: str, seconds: float, into: Path) -> Path:
    """A rung as a player puts it together."""
    text = store.get_bytes(f"{made.key}{name}/index.m3u8").decode()
    with into.open("wb") as file:
        file.write(store.get_bytes(f"{made.key}{name}/init.mp4"))
        for number, segment in enumerate(re.findall(r"^\d+\.m4s$", text, re.MULTILINE), playlist.FIRST_SEQUENCE):
            key = segment_key(_KEY, playlist.key_number(number, seconds))
            sealed = store.get_bytes(f"{made.key}{name}/{segment}")
            file.write(package.decrypt_segment(sealed, key, number))
    return into


def video_bytes(path: Path) -> int:
    """Bytes of the picture's packets alone."""
    args = [sandbox.ffmpeg_binary(), "-hide_banner", "-nostdin", "-i", str(path), "-map", "0:v", "-c", "copy"]
    raw = subprocess.run([*args, "-f", "framecrc", "-"], capture_output=True, text=True, check=True).stdout
    return sum(int(line.split(",")[4]) for line in raw.splitlines() if not line.startswith("#"))


def films(
    store: S3Store, folder: Path, master: Path, preset: str, every: int
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The goals of film and what was measured."""
    job = our_job(master, store, folder / "work", preset)
    (folder / "peertube").mkdir()
    peer = serially(peertube_commands(master, job.rungs, preset, folder / "peertube"), folder)
    probe = probe_file(master)
    assert probe.video is not None
    made = next(each for each in job.report.renditions if each.kind == "stream")
    size = (probe.video.width, probe.video.height)
    table = [
        ("master", f"{probe.duration:.0f} s of {size[0]} × {size[1]}, preset {preset}, {CORES} cores"),
        ("our job, whole", f"{job.cost.wall:.2f} s wall, {job.cost.cpu:.2f} s CPU"),
        ("PeerTube's shape", f"{peer.wall:.2f} s wall, {peer.children:.2f} s CPU"),
        ("stages", ", ".join(f"{name} {spent:.2f}" for name, spent in job.report.timings.items())),
    ]
    sizes, scores = [0, 0], [0.0, 0.0]
    for rung in job.rungs:
        ours = fetched(store, made, rung.name, ladder.segment_seconds(probe), folder / f"{rung.name}.mp4")
        theirs = folder / "peertube" / f"{rung.name}.mp4"
        row = []
        for n, path in enumerate((ours, theirs)):
            taken, score = video_bytes(path), material.vmaf(path, master, size, every)
            sizes[n] += taken
            scores[n] += score / len(job.rungs)
            row.append(f"{8 * taken / probe.duration / 1000:.0f} kbit/s VMAF {score:.2f}")
        table.append((rung.name, f"{row[0]}; PeerTube's shape {row[1]}"))
    goals = [
        _at_most("film: wall seconds against PeerTube's shape", job.cost.wall / peer.wall, 0.60),
        _at_most("film: bits against PeerTube's shape", sizes[0] / sizes[1], 1.01),
        _at_least("film: VMAF gained over PeerTube's shape (to 0.1)", round(scores[0] - scores[1], 1), 0.0),
        _at_most("film: seconds until it is on air", job.on_air or float("inf"), _ON_AIR_SECONDS),
        _at_most("film: packaging and encryption, share of CPU", job.packaging / job.cost.cpu, 0.03),
    ]
    return goals, table


def _at_most(name: str, value: float, goal: float) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "goal": f"≤ {goal}", "met": value <= goal}


def _at_least(name: str, value: float, goal: float) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "goal": f"≥ {goal}", "met": value >= goal}


def main() -> None:
    """Measure, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("audio", "film"))
    parser.add_argument("--audio-seconds", type=float, default=300.0)
    parser.add_argument("--film", type=Path, help="a film instead of Big Buck Bunny from npm")
    parser.add_argument("--film-seconds", type=float, default=120.0, help="it is repeated, or cut, to last so long")
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--vmaf-every", type=int, default=20, help="compare every so many frames")
    arguments = parser.parse_args()
    goals: list[dict[str, Any]] = []
    tables: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="wavecrate-bench-") as directory:
        folder = Path(directory)
        server = SeaweedFS(folder / "s3")
        server.start()
        try:
            store = S3Store(
                endpoint_url=server.endpoint_url,
                bucket="bench",
                access_key=server.access_key,
                secret_key=server.secret_key,
            )
            store.ensure_bucket()
            for kind in ("audio", "film"):
                if arguments.only not in (None, kind):
                    continue
                (folder / kind).mkdir()
                if kind == "audio":
                    reached, table = audio(store, folder / kind, arguments.audio_seconds)
                else:
                    clip = arguments.film or material.bunny(folder / kind)
                    clip = material.lasting(clip, arguments.film_seconds, folder / kind / "clip.mp4")
                    reached, table = films(store, folder / kind, clip, arguments.preset, arguments.vmaf_every)
                goals += reached
                tables += [(f"{kind}: {name}", told) for name, told in table]
        finally:
            server.stop()
    if arguments.json:
        print(json.dumps({"goals": goals, "measured": dict(tables)}))
    else:
        for name, told in tables:
            print(f"{name:<28} {told}")
        for goal in goals:
            print(
                f"{goal['name']:<52} {goal['value']:>8}   goal {goal['goal']:<8} {'met' if goal['met'] else 'MISSED'}"
            )
    sys.exit(not all(goal["met"] for goal in goals))


if __name__ == "__main__":
    main()

"""A film from master to stream: its opening on air at once, the rest in chunks that any number of workers share.

One worker, the first, has the job: it makes the opening, measures which ladder the film asks for, makes the sound
(once, never cut) and what stands beside, takes chunks like everybody else, and joins them. Whoever else is free takes
chunks from the same desk; each chunk tells the ladder.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from media_store.errors import StoreError
from media_store.interface import MediaStore
from transcoder import (
    chunks,
    commands,
    complexity,
    film,
    film_file,
    hearing,
    ladder,
    loudness,
    masters,
    package,
    sandbox,
    sound,
    storing,
    subtitles,
    waveform,
)
from transcoder import stream as streams
from transcoder.contract import Chunk, ChunkReport, SoundFeatures, TranscodeJob
from transcoder.desk import Desk, beating
from transcoder.encode import Encoded
from transcoder.errors import ChunkTaken, TranscoderError
from transcoder.on_air import OnAir

# How far the whole job is once the film is there, its stream is made, and its download too.
_FETCHED, _STREAMED, _MUXED = 0.03, 0.83, 0.90
_POLL_SECONDS = 0.5
_LOOK_SECONDS = 1.0
_SEND_SECONDS = 3.0
_OPENING_SECONDS = 30.0


class _Ended(Exception):
    """Another part of the job failed: this one stops too."""


class Feature:
    """One attempt at one film."""

    def __init__(self, job: TranscodeJob, store: MediaStore, work: Path, desk: Desk) -> None:
        self.job, self.store, self.work, self.desk = job, store, work, desk
        self.probe = job.probe
        self._ended = threading.Event()
        self._stderr: list[str] = []
        self._features: SoundFeatures | None = None
        self._lock = threading.Lock()
        self._parts: dict[int, float] = {}
        self._sent: dict[str, int] = {}
        self._opened: list[ChunkReport] = []
        # Until the film has been measured, what its size alone asks for: the rung that is first on air is the same.
        self._rungs = ladder.film_rungs(self.probe)
        self.on_air = OnAir(job, store, desk, self._rungs)
        self.timings: dict[str, float] = {}

    def run(self) -> tuple[Encoded, streams.Playlists]:
        """Make and store the stream; return what is still to be stored, and the playlists in force."""
        began = time.monotonic()
        first = ladder.on_air_rung(self._rungs)
        opening = self._cut()[0]
        self.desk.progress("fetch", 0.0)
        head = masters.fetch_head(self.job, self.store, self.work)
        lanes = ThreadPoolExecutor(max(2, self.job.cpu_count), thread_name_prefix="lane")
        tasks: list[Future[None]] = []
        try:
            if head is not None:
                tasks.append(lanes.submit(self._guarded, self._try_opening, head, opening, first))
                wait(tasks, timeout=_OPENING_SECONDS)  # to be on air first: the whole takes the disk and the network
            master = masters.fetch(self.job, self.store, self.work)
            self.timings["fetch"] = time.monotonic() - began
            if head is None:
                tasks.append(lanes.submit(self._guarded, self._opening, master, opening, first))
            self.desk.progress("encode", _FETCHED)
            chosen = lanes.submit(self._guarded, self._choose, master)
            tasks += [chosen, lanes.submit(self._guarded, self._sound, master)]
            self._wait_for(chosen, tasks)
            cut = self._cut()
            self.desk.share(cut[1:])
            tasks.append(lanes.submit(self._guarded, self._rest_of_opening, tasks[0], master, cut[0], first))
            tasks.append(lanes.submit(self._guarded, self._poster, master))
            tasks.append(lanes.submit(self._guarded, self._subtitles, master))
            tasks += [
                lanes.submit(self._guarded, self._take_chunks, master, cut) for _lane in range(self.job.cpu_count)
            ]
            self._watch(tasks, cut)
        finally:
            self._ended.set()
            lanes.shutdown(wait=True, cancel_futures=True)
            if head is not None:
                head.unlink(missing_ok=True)
        self.timings["encode"] = time.monotonic() - began
        self.on_air.take(self.desk.reports(), final=True)
        playlists = self.on_air.finish()
        return self._encoded(master), playlists

    def _cut(self) -> list[Chunk]:
        return chunks.plan(self.probe, self._rungs, whole=self.job.whole)

    def _choose(self, master: Path) -> None:
        """Find the ladder for what is in the film, or keep to what an attempt before this one found."""
        rungs = tuple(ladder.FilmRung(**each) for each in self.job.ladder)
        if not rungs:
            rungs = complexity.choose(master, self.probe, self.work, self.job.x264_preset, on_progress=self._progress())
        self.on_air.follow(rungs)
        self._rungs = rungs

    def _guarded(self, part: Callable[..., None], *args: object) -> None:
        try:
            part(*args)
        except _Ended:
            pass
        except BaseException:
            self._ended.set()
            raise

    def _wait_for(self, part: Future[None], tasks: Sequence[Future[None]]) -> None:
        """Wait until one part has ended. Nothing is shared yet: what the desk has is an earlier attempt's."""
        while not part.done():
            wait([part], timeout=_LOOK_SECONDS)
            self.desk.progress("encode", _FETCHED)
        if self._ended.is_set():  # for one has failed, and all end
            wait(tasks)
            for task in tasks:
                task.result()

    def _watch(self, tasks: Sequence[Future[None]], cut: Sequence[Chunk]) -> None:
        """Put on air what is done and tell how far it is, until every part has ended or one has failed."""
        pending = set(tasks)
        far = 0.0
        while pending:
            done, pending = wait(pending, timeout=_LOOK_SECONDS, return_when=FIRST_EXCEPTION)
            for task in done:
                task.result()
            reports = self.desk.reports()
            self.on_air.take(reports)
            made = len(reports) + sum(dict(self._parts).values()) + len(self._opened) / 2
            far = max(far, min(1.0, made / (len(cut) + 1)))
            self.desk.progress("encode", _FETCHED + (_STREAMED - _FETCHED) * far)

    def _progress(self, number: int | None = None) -> Callable[[float], None]:
        def told(fraction: float) -> None:
            if self._ended.is_set():
                raise _Ended
            if number is not None:
                self._parts[number] = fraction

        return told

    def _try_opening(self, head: Path, opening: Chunk, first: ladder.FilmRung) -> None:
        """The opening from the film's head; where its bytes do not lie in front, the whole film does it later."""
        with contextlib.suppress(TranscoderError):
            self._opening(head, opening, first, strictly=True)

    def _opening(self, master: Path, opening: Chunk, first: ladder.FilmRung, *, strictly: bool = False) -> None:
        """The first rung's opening, with a first segment of sound: what a player can start with."""
        if self.probe.audio is not None:
            rung, run = sound.opening_command(master, self.probe, first.audio)
            folder = self.work / "opening"
            shutil.rmtree(folder, ignore_errors=True)  # of the film's head, where that was not enough
            (folder / commands.STREAM / rung.name).mkdir(parents=True)
            sandbox.run_all([run], cwd=folder, at_once=1, wall_seconds=120, on_progress=self._progress())
            self._send_sound(rung, folder, limit=1)
        report = chunks.encode(
            self.job,
            opening,
            master,
            self.store,
            self.work,
            on_progress=self._progress(),
            only=[first.name],
            strictly=strictly,
        )
        self._opened.append(report)
        self.on_air.take([report])

    def _rest_of_opening(self, tried: Future[None], master: Path, opening: Chunk, first: ladder.FilmRung) -> None:
        wait([tried])
        if not self._opened:
            self._opening(master, opening, first)
        if first == self._rungs[-1] and not self._has_iframes(first):
            # When the opening was made, a smaller rung was to have the pictures to jump by: made again, to the same
            # bytes, it has them.
            report = chunks.encode(
                self.job, opening, master, self.store, self.work, on_progress=self._progress(0), only=[first.name]
            )
            self._opened.append(report)
            self.on_air.take([report])
        if len(opening.ladder) > 1:
            report = chunks.encode(
                self.job, opening, master, self.store, self.work, on_progress=self._progress(0), skipping=[first.name]
            )
            self._opened.append(report)
            self.on_air.take([report])
        self._parts.pop(0, None)

    def _has_iframes(self, rung: ladder.FilmRung) -> bool:
        name = f"{rung.name}{package.IFRAMES}"
        return any(stretch.name == name for report in self._opened for stretch in report.stretches)

    def _sound(self, master: Path) -> None:
        """Every sound of the film, whole, in one lane; its segments are stored as they come out."""
        if self.probe.audio is None:
            return
        for rung, run in sound.film_commands(master, self.probe):
            told = self._progress()
            if rung is not None:
                (self.work / commands.STREAM / rung.name).mkdir(parents=True, exist_ok=True)
                told = self._sending(rung, told)
            wall = 120 + 3 * self.probe.duration
            with hearing.listening(self.work) if rung is None else contextlib.nullcontext() as heard:
                stderr = sandbox.run_all([run], cwd=self.work, at_once=1, wall_seconds=wall, on_progress=told)
            if heard is not None:
                self._features = heard.features
            with self._lock:
                self._stderr += stderr
            if rung is not None:
                self._send_sound(rung, self.work)

    def _sending(self, rung: ladder.AudioRung, told: Callable[[float], None]) -> Callable[[float], None]:
        """Progress that also stores the segments that have come out, every few seconds."""
        sent = time.monotonic()

        def tell(fraction: float) -> None:
            nonlocal sent
            told(fraction)
            if time.monotonic() - sent > _SEND_SECONDS:
                self._send_sound(rung, self.work)
                sent = time.monotonic()

        return tell

    def _send_sound(self, rung: ladder.AudioRung, work: Path, limit: int | None = None) -> None:
        """Encrypt and store the segments of a sound that are new, and put them on air."""
        clear = work / commands.STREAM / rung.name
        done = self._sent.get(rung.name, 0) if work == self.work else 0
        if len(list(clear.glob("*.m4s"))) <= done:
            return
        seconds = ladder.segment_seconds(self.probe)
        sealed = package.seal(
            clear,
            work / "sealed" / rung.name,
            self.job.stream_key,
            segment_seconds=seconds,
            done=done,
            limit=limit,
        )
        storing.put_members(self.store, self.job.stream_address, sealed.members)
        if work == self.work:
            self._sent[rung.name] = done + len(sealed.stretch.seconds)
        self.on_air.sound(rung, sealed)

    def _poster(self, master: Path) -> None:
        drawn = film.poster_command(master, self.probe)
        sandbox.run_all([drawn], cwd=self.work, at_once=1, wall_seconds=120, on_progress=self._progress())

    def _subtitles(self, master: Path) -> None:
        texts, members = subtitles.embedded(
            master,
            self.probe,
            self.work,
            self.work / "sealed",
            self.job.stream_key,
            segment_seconds=ladder.segment_seconds(self.probe),
        )
        if texts:
            storing.put_members(self.store, self.job.stream_address, members)
            self.on_air.subtitles(texts)

    def _take_chunks(self, master: Path, cut: Sequence[Chunk]) -> None:
        """Take chunks until all are done, the other workers' included; theirs come back here where a worker is lost."""
        wanted = {chunk.number for chunk in cut[1:]}
        while not wanted <= {report.number for report in self.desk.reports()}:
            self._progress()(0.0)
            chunk = self.desk.take()
            if chunk is None:
                time.sleep(_POLL_SECONDS)
                continue
            work_on(self.job, chunk, master, self.store, self.work, self.desk, self._progress(chunk.number))
            self._parts.pop(chunk.number, None)

    def _encoded(self, master: Path) -> Encoded:
        """What stands beside the stream: strip, download, preview, poster, and what was measured."""
        strip = ladder.thumbnail_strip(self.probe)
        small = self.on_air.stretch(f"{self._rungs[-1].name}{package.IFRAMES}")
        rate = ladder.frame_rate(self.probe)
        idr = ladder.gop_frames(rate) * rate[1] / rate[0]
        last = small.first + len(small.seconds) - 1
        numbers = [min(last, small.first + round(n * strip.interval / idr)) for n in range(strip.count)]
        pictures = self._clear(small.name, idr, numbers)
        film.tile(pictures, self.work, strip)
        self._preview(master)
        (self.work / commands.FILES).mkdir(exist_ok=True)
        seconds = ladder.segment_seconds(self.probe)
        top = self._rungs[0].name
        target, copied = film_file.film_file(
            master,
            self.probe,
            self.work,
            lambda: self._clear(top, seconds),
            lambda done: self.desk.progress("encode", _STREAMED + done * (_MUXED - _STREAMED)),
        )
        audible = self.probe.audio is not None
        return Encoded(
            files={"mp4": target},
            preview=self.work / film.PREVIEW,
            loudness=loudness.parse("\n".join(self._stderr)) if audible else {},
            peaks=waveform.parse((self.work / sound.PEAKS).read_text()) if audible else [],
            poster=self.work / film.POSTER,
            strip=self.work / film.STRIP,
            copied=frozenset({"mp4"} if copied else ()),
            features=self._features,
        )

    def _preview(self, master: Path) -> None:
        start, length = ladder.film_preview(self.probe)
        seconds = ladder.segment_seconds(self.probe)
        name = film.preview_rung(self._rungs).name
        whole = self.on_air.stretch(name)
        first = whole.first + int((start + film.HAIR) // seconds)
        last = min(whole.first + int((start + length - film.HAIR) // seconds), whole.first + len(whole.seconds) - 1)
        pictures = self._clear(name, seconds, range(first, last + 1))
        begins = (first - whole.first) * seconds
        run = film.preview_command(pictures, begins, master, self.probe)
        sandbox.run_all([run], cwd=self.work, at_once=1, wall_seconds=120 + 10 * length)
        pictures.unlink()

    def _clear(self, name: str, seconds: float, numbers: Sequence[int] | None = None) -> Path:
        return storing.fetch_clear(
            self.store,
            self.job.stream_address,
            self.job.stream_key,
            self.on_air.stretch(name),
            self.work / f"{name}.mp4",
            segment_seconds=seconds,
            numbers=numbers,
        )


def work_on(
    job: TranscodeJob,
    chunk: Chunk,
    master: Path,
    store: MediaStore,
    work: Path,
    desk: Desk,
    on_progress: Callable[[float], None],
) -> bool:
    """Do one chunk taken from the desk, and say so there; what goes wrong is told there before it is raised.

    Returns whether it was done here: where another worker has it meanwhile, it is that one's.
    """
    try:
        with beating(desk, chunk.number) as check:

            def told(fraction: float) -> None:
                on_progress(fraction)
                check()

            report = chunks.encode(job, chunk, master, store, work, on_progress=told)
    except ChunkTaken:
        return False
    except (TranscoderError, StoreError) as error:
        desk.failed(chunk.number, str(error))
        raise
    desk.done(report)
    return True

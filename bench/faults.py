"""kill -9 at a random moment of the worker or of an FFmpeg, again and again; and masters that poison. `--json`.

Two real workers on one disk, restarted as the supervisor would, on a PostgreSQL and an S3 server of this run's own.
Each run is a short master (every fifth a film, whose chunks both workers take) and one kill at a moment drawn by the
seed; a run whose job was over before the kill is begun again with another master. At the end: every job done, each
track published once, nothing in the store that no row needs, no process and no folder left behind.
Then four masters that can't be done, among others that can: they end failed with a reason, the others done.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import imageio_ffmpeg
import numpy as np
import psutil
from sqlalchemy import func, select

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.core import queue
from app.core.db import db, transaction
from app.core.money import Money
from app.core.store import media_store
from app.engines import processes
from app.media.models import FilmChunk, JobState, Master, Rendition, TranscodeJob
from app.studio import importer
from app.upkeep import rounds
from bench.keeper import Keeper, has
from media_store import keys

PATIENCE_SECONDS = 240
# Short enough for a lost job to be found at once, and for a hanging one to be given up while one looks on.
QUICK = {"WORKER_HEARTBEAT_SECONDS": "0.5", "WORKER_STALLED_SECONDS": "3", "X264_PRESET": "ultrafast"}
HANGING_SECONDS = 4.0
_RATE = 44100
_HANGING = "hanging"  # a file that names the job which hangs


def work() -> None:
    """A worker as the supervisor starts it, but for one thing: the job that hangs is given HANGING_SECONDS only."""
    from app import worker
    from app.settings import var_dir
    from transcoder import sandbox

    patient = sandbox.run_all

    def hasty(*args: Any, cwd: Path, wall_seconds: float, **named: Any) -> list[str]:
        hanging = (var_dir() / _HANGING).read_text()
        limit = HANGING_SECONDS if hanging in str(cwd) else wall_seconds
        return patient(*args, cwd=cwd, wall_seconds=limit, **named)

    sandbox.run_all = hasty  # type: ignore[assignment]
    worker.run(alone=True)


@dataclass
class Trial:
    """What is tried in one shop, whose context is open: `env` starts its workers, `var` is where they work.

    One run of so many is a film's.
    """

    env: dict[str, str]
    var: Path
    seed: int = 0
    film_every: int = 5
    kills: dict[str, int] = field(default_factory=lambda: {"worker": 0, "ffmpeg": 0, "too late": 0})
    jobs: list[str] = field(default_factory=list)
    published: dict[str, set[str]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    swapped: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    _swept_at: float = 0.0

    def keeper(self, name: str, *, hasty: bool = False) -> Keeper:
        """A worker that is kept running."""
        entry = ["-c", "from bench.faults import work; work()"] if hasty else ["-m", "app.cli", "worker"]
        return Keeper([sys.executable, *entry], self.env | QUICK, self.var / "log" / f"{name}.log")

    @property
    def struck(self) -> int:
        """Kills that came while the job was unfinished."""
        return self.kills["worker"] + self.kills["ffmpeg"]

    def runs(self, count: int, *, workers: int, on_run: Callable[[int], None] = lambda _number: None) -> None:
        """Masters with one kill each, until so many kills have struck (or twice as many masters were sent)."""
        chance = random.Random(self.seed)  # noqa: S311 - moments, not secrets
        takes = {"film": 6.0, "audio": 2.0}
        film = _film(self.var / "film.mp4") if count >= self.film_every else None
        keepers = [self.keeper(f"worker-{number}") for number in range(workers)]
        with contextlib.ExitStack() as kept:
            for keeper in keepers:
                kept.enter_context(keeper)
            for number in range(2 * count):
                kind = "film" if film and number % self.film_every == self.film_every - 1 else "audio"
                job_id = self._send(number, kind, film)
                self.jobs.append(job_id)
                self._kill(keepers, job_id, chance, within=takes[kind])
                self._wait(job_id)
                takes[kind] = 0.7 * takes[kind] + 0.3 * self._last_attempt(job_id)
                on_run(self.struck)
                if self.struck == count:
                    break
        self.left += [f"{child.pid} {child.name()}" for keeper in keepers for child in keeper.left()]

    def poison(self, others: int) -> dict[str, str | None]:
        """Four masters that can't be done, with so many behind them that can; the reason of each, None where done."""
        bad = {
            name: self._send(10_000 + n, seconds=60) for n, name in enumerate(("swapped", "crashes", "hangs", "kills"))
        }
        good = [self._send(20_000 + n) for n in range(others)]
        self._swap(bad["swapped"])
        (self.var / _HANGING).write_text(bad["hangs"])
        with self.keeper("poisoned", hasty=True) as keeper:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while self._unfinished([*bad.values(), *good]) and time.monotonic() < deadline:
                self._sweep()
                # Not SIGSEGV: FFmpeg is the first process of a namespace, and the kernel keeps that from those.
                _each(keeper.encoders(bad["crashes"]), signal.SIGKILL)
                _each(keeper.encoders(bad["hangs"]), signal.SIGSTOP)
                if keeper.process is not None and keeper.encoders(bad["kills"]):
                    keeper.process.kill()
                    _until(lambda: not keeper.encoders(bad["kills"]))
                time.sleep(0.01)
        self.jobs += good
        for job_id in good:
            self._remember(job_id)
        self.left += [f"{child.pid} {child.name()}" for child in keeper.left()]
        rows = {name: db.session.get_one(TranscodeJob, job_id, populate_existing=True) for name, job_id in bad.items()}
        return {name: row.reason if row.state == JobState.FAILED else None for name, row in rows.items()}

    def verdict(self) -> dict[str, Any]:
        """What became of all of it, after a sweep of the store and the coming and going of one more worker."""
        with self.keeper("last") as last:
            _until(lambda: " ready" in processes.tail(last.log))
        before = rounds.look(at_once=True)
        rounds.clear_away(before, at_once=True)
        after = rounds.look(deep=True, at_once=True)
        done = select(TranscodeJob.id).where(TranscodeJob.id.in_(self.jobs), TranscodeJob.state == JobState.DONE)
        return {
            "jobs": len(self.jobs),
            "done": len(db.session.scalars(done).all()),
            "published once": sum(self._once(job_id) for job_id in self.jobs),
            "swept": len(before.due) + len(before.removed),
            "orphans": len(after.due),
            "wrong objects": sum(each.key not in self.swapped for each in after.open_problems),
            "processes left": self.left,
            "folders left": [each.name for each in (self.var / "work").glob("*")],
            "chunks left": db.session.scalar(select(func.count()).select_from(FilmChunk)),
            "kills": self.kills,
            "struck": self.struck,
            "films made by several workers": len(self.shared),
        }

    def _send(self, number: int, kind: str = "audio", film: Path | None = None, *, seconds: float = 0) -> str:
        """Take a master into the shop, the way an editor's import does; the job it became."""
        path = self.var / f"master-{number}.{'mp4' if kind == 'film' else 'wav'}"
        if kind == "film":
            assert film is not None
            # A box that says nothing makes it a file like no other.
            path.write_bytes(film.read_bytes() + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big"))
        else:
            _tone(path, seconds=seconds or 4 + number % 5, seed=self.seed * 100_000 + number)
        said = importer.import_paths(
            [path], price=Money(990, "EUR"), track_price=None, publish=True, on_progress=lambda *_said: None
        )
        path.unlink()
        if not said.imported:
            raise SystemExit(f"The shop did not take a master: {said.refused}")
        job_id = db.session.scalars(select(TranscodeJob.id).order_by(TranscodeJob.created_at.desc()).limit(1)).one()
        db.session.rollback()
        return job_id

    def _swap(self, job_id: str) -> None:
        sha256 = db.session.get_one(TranscodeJob, job_id).master.sha256
        db.session.rollback()
        store, key = media_store(), keys.master(sha256)
        store.delete(key)
        self.swapped.add(key)
        store.put_bytes(key, b"RIFF, and then nothing of what was probed", "application/octet-stream")

    def _kill(self, keepers: list[Keeper], job_id: str, chance: random.Random, *, within: float) -> None:
        """Wait for the job to be taken, then for the moment that was drawn, and strike."""
        victim, moment = chance.choice(("worker", "ffmpeg")), chance.uniform(0, within)
        _until(lambda: self._state(job_id) != JobState.QUEUED)
        time.sleep(moment)

        def encoders() -> list[psutil.Process]:
            return [found for keeper in keepers for found in keeper.encoders(job_id)]

        struck = False
        if victim == "ffmpeg":
            _until(lambda: bool(encoders()) or not self._unfinished([job_id]))
            for one in chance.sample(found := encoders(), min(1, len(found))):
                with contextlib.suppress(psutil.Error):
                    one.kill()
                    struck = True
        elif self._unfinished([job_id]):
            at_it = [keeper for keeper in keepers if keeper.is_at(job_id, self.var)]
            process = chance.choice(at_it or keepers).process
            assert process is not None
            process.kill()
            struck = True
        self.kills[victim if struck else "too late"] += 1

    def _last_attempt(self, job_id: str) -> float:
        """Seconds that the attempt took which finished the job."""
        job = db.session.get_one(TranscodeJob, job_id, populate_existing=True)
        began, ended = job.started_at, job.finished_at
        db.session.rollback()
        return (ended - began).total_seconds() if began and ended else 0.0

    def _wait(self, job_id: str) -> None:
        with contextlib.suppress(TimeoutError):
            _until(lambda: not self._still_at(job_id))
        self._remember(job_id)

    def _still_at(self, job_id: str) -> bool:
        if has(self.var / "work", f"*/{job_id}-help-*"):
            self.shared.add(job_id)
        self._sweep()
        return bool(self._unfinished([job_id]))

    def _sweep(self) -> None:
        """The sweep of every minute, without the wait."""
        if time.monotonic() < self._swept_at + 1 or queue.waiting_args("media.sweep"):
            return
        with transaction():
            queue.defer("media.sweep", args={"timestamp": 0})
        self._swept_at = time.monotonic()

    def _remember(self, job_id: str) -> None:
        """Which renditions were there when the job was first seen finished: later ones would be a second publishing."""
        self.published[job_id] = {row.id for row in self._renditions(job_id)}
        db.session.rollback()

    def _once(self, job_id: str) -> bool:
        rows = self._renditions(job_id)
        named = {(row.kind, row.name) for row in rows}
        same = {row.id for row in rows} == self.published[job_id]
        return bool(rows) and same and len(named) == len(rows) and "stream" in {row.kind for row in rows}

    def _renditions(self, job_id: str) -> list[Rendition]:
        of = select(Rendition).join(Master, Rendition.master_id == Master.id).join(TranscodeJob)
        return list(db.session.scalars(of.where(TranscodeJob.id == job_id)))

    def _state(self, job_id: str) -> str | None:
        state = db.session.scalar(select(TranscodeJob.state).where(TranscodeJob.id == job_id))
        db.session.rollback()
        return state

    def _unfinished(self, job_ids: list[str]) -> list[str]:
        waiting = TranscodeJob.state.in_([JobState.QUEUED, JobState.RUNNING])
        found = db.session.scalars(select(TranscodeJob.id).where(TranscodeJob.id.in_(job_ids), waiting)).all()
        db.session.rollback()
        return list(found)


def _each(found: list[psutil.Process], number: signal.Signals) -> None:
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _until(holds: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def _tone(path: Path, *, seconds: float, seed: int) -> None:
    """A few seconds of tone and noise, like no other."""
    noise = np.random.default_rng(seed)
    at = np.arange(int(seconds * _RATE)) / _RATE
    sound = 0.3 * np.sin(2 * np.pi * (110 + seed % 880) * at) + 0.02 * noise.standard_normal(len(at))
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, _RATE, 0, "NONE", "none"))
        file.writeframes((np.stack([sound, np.roll(sound, 40)], axis=1) * 32767).astype("<i2").tobytes())


def _film(path: Path) -> Path:
    """A minute of moving picture, enough for several chunks."""
    picture, tone = "testsrc2=size=320x180:rate=24:duration=60", "sine=frequency=330:duration=60"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-nostdin", *inputs, *codecs, str(path)]
    subprocess.run(command, check=True)
    return path


@contextmanager
def trial(seed: int) -> Iterator[Trial]:
    """A shop of this run's own, empty, its context open."""
    from bench.scale import machine

    os.environ |= QUICK
    with machine() as on, tempfile.TemporaryDirectory(prefix="wavecrate-faults-") as name:
        yield Trial(on.env | {"WAVECRATE_VAR": name}, Path(name), seed)


def _count(figure: Any) -> Any:
    return len(figure) if isinstance(figure, list) else figure


def main() -> None:
    """Kill, count, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=100, help="masters with one kill each")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--others", type=int, default=8, help="masters beside the four that poison")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with trial(arguments.seed) as tried:
        tried.runs(
            arguments.runs,
            workers=arguments.workers,
            on_run=lambda number: print(f"\r{number} runs", end="", file=sys.stderr, flush=True),
        )
        reasons = tried.poison(arguments.others)
        figures = tried.verdict()
    failed = sum(reason is not None for reason in reasons.values())
    goals = [
        {"name": name, "value": _count(figures[key]), "goal": str(goal), "met": _count(figures[key]) == goal}
        for name, key, goal in (
            ("runs", "struck", arguments.runs),
            ("jobs finished, of those begun", "done", figures["jobs"]),
            ("tracks published once", "published once", figures["jobs"]),
            ("orphans after the sweep", "orphans", 0),
            ("objects missing or damaged", "wrong objects", 0),
            ("processes left", "processes left", 0),
            ("folders left", "folders left", 0),
            ("chunks left", "chunks left", 0),
        )
    ]
    goals.append({"name": "poison failed with a reason", "value": failed, "goal": "4", "met": failed == len(reasons)})
    if arguments.json:
        print(json.dumps({"goals": goals, "figures": figures, "reasons": reasons}))
    else:
        print()
        for goal in goals:
            print(
                f"{goal['name']:<34} {goal['value']:>6}   goal {goal['goal']:<6} {'met' if goal['met'] else 'MISSED'}"
            )
        struck = figures["kills"]
        print(
            f"\nKilled: the worker {struck['worker']} times, FFmpeg {struck['ffmpeg']}; too late {struck['too late']}."
        )
        print(f"Left in the store by the kills, and swept: {figures['swept']}.")
        print(f"Films that several workers made: {figures['films made by several workers']}.")
        for name, reason in reasons.items():
            print(f"A master that {name}: {reason}")
    sys.exit(not all(goal["met"] for goal in goals))


if __name__ == "__main__":
    main()

"""Workers that die and are started again, as under the supervisor, and what of them is left."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from app.engines import processes
from app.settings import ROOT


@dataclass
class Keeper:
    """Keeps one worker running: when it ends, another takes its place a moment later, as under the supervisor."""

    command: list[str]
    env: dict[str, str]
    log: Path
    starts: int = 0
    process: subprocess.Popen[bytes] | None = None
    seen: dict[tuple[int, float], psutil.Process] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Keeper:
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        assert self._thread is not None
        self._thread.join()

    def _keep(self) -> None:
        while not self._stopped.is_set():
            if self.process is None or self.process.poll() is not None:
                self.process = processes.start(self.command, log=self.log, env=self.env, cwd=ROOT)
                self.starts += 1
            for child in self.children():
                with contextlib.suppress(psutil.Error):
                    self.seen[child.pid, child.create_time()] = child
            self._stopped.wait(0.05)
        # Here, since a child is ended with the thread that started it.
        if self.process is not None:
            processes.stop(self.process, signal.SIGTERM, grace=20)

    def children(self) -> list[psutil.Process]:
        """Every descendant of the worker."""
        if self.process is None:
            return []
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.Error:
            return []

    def encoders(self, job_id: str = "") -> list[psutil.Process]:
        """The FFmpegs at work, or those at work on one job: its folder is named on the way down to them."""
        found = []
        for child in self.children():
            with contextlib.suppress(psutil.Error):
                if child.name().startswith("ffmpeg") and job_id in " ".join(_line(child)):
                    found.append(child)
        return found

    def is_at(self, job_id: str, var: Path) -> bool:
        """Whether the worker has a folder for the job."""
        return self.process is not None and has(var / "work", f"{self.process.pid}-*/{job_id}-*")

    def left(self) -> list[psutil.Process]:
        """Of all children ever seen, those that still live though the worker is gone."""
        alive = [child for child in self.seen.values() if child.is_running()]
        return [child for child in psutil.wait_procs(alive, timeout=10)[1] if _lives(child)]


def _line(process: psutil.Process) -> Iterator[str]:
    """What the process and those above it were told and where they stand."""
    for each in (process, *process.parents()):
        with contextlib.suppress(psutil.Error):
            yield from each.cmdline()
            yield each.cwd()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def has(folder: Path, pattern: str) -> bool:
    """Whether something of that name lies there, in folders that come and go with the processes that work in them."""
    with contextlib.suppress(FileNotFoundError):
        return any(folder.glob(pattern))
    return False

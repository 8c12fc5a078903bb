"""Limits around every child process: its own session, CPU time, file size, wall clock, and no life after ours."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from transcoder import launcher
from transcoder.errors import DiskFull, EncodeFailed, TimedOut

_STDERR_KEPT = 64 * 1024
_FILE_BYTES = 64 * 1024**3
_CPU_CORES = 64  # RLIMIT_CPU counts all threads; a limit by wall clock does the finer work


@dataclass(frozen=True, slots=True)
class Command:
    """A child to run. `cost` is its share of the work; `seconds` the media time it will report by `-progress`."""

    args: tuple[str, ...]
    cost: float = 1.0
    seconds: float = 0.0


@dataclass(slots=True)
class _Child:
    index: int
    command: Command
    process: subprocess.Popen[bytes]
    stderr: bytearray = field(default_factory=bytearray)
    partial: bytes = b""
    open_pipes: int = 2


def ffmpeg_binary() -> str:
    """The FFmpeg to run: `FFMPEG_BINARY`, else the one in the imageio-ffmpeg wheel."""
    named = os.environ.get("FFMPEG_BINARY")
    if named:
        return shutil.which(named) or named
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def require_disk(directory: Path, needed: int) -> None:
    """Raise DiskFull unless `directory` has so many bytes free."""
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise DiskFull(
            f"The worker's disk has {free // 1024**2} MiB free and this master needs about {needed // 1024**2} MiB."
            f" Free some space where {directory} lies; the job is then tried again."
        )


def run_all(
    commands: Sequence[Command],
    *,
    cwd: Path,
    at_once: int,
    wall_seconds: float,
    on_progress: Callable[[float], None] | None = None,
) -> list[str]:
    """Run the commands, `at_once` at a time; return what each wrote to stderr (its last 64 KiB).

    `on_progress` gets the fraction done, 0 to 1, weighted by cost; whatever it raises ends every child. The first
    child to fail ends the others. Raises EncodeFailed with its last words, DiskFull, or TimedOut.
    """
    deadline = time.monotonic() + wall_seconds
    waiting = list(enumerate(commands))
    running: list[_Child] = []
    done = [0.0] * len(commands)
    stderr = [""] * len(commands)
    total = sum(command.cost for command in commands) or 1.0
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < max(1, at_once):
                    index, command = waiting.pop(0)
                    running.append(_start(index, command, cwd, wall_seconds, selector))
                if time.monotonic() > deadline:
                    raise TimedOut(f"Encoding took longer than {wall_seconds:.0f} s, the most a master this long may.")
                moved = False
                for key, _events in selector.select(timeout=0.5):
                    child, is_stderr = key.data
                    moved |= _read(child, key.fileobj, is_stderr, selector, done)  # type: ignore[arg-type]
                for child in [c for c in running if c.open_pipes == 0]:
                    _finish(child, deadline)
                    running.remove(child)
                    stderr[child.index] = child.stderr.decode(errors="replace")
                    done[child.index] = 1.0
                    moved = True
                if moved and on_progress:
                    on_progress(sum(c.cost * d for c, d in zip(commands, done, strict=True)) / total)
        finally:
            for child in running:
                _kill(child.process)
    return stderr


def _start(index: int, command: Command, cwd: Path, wall_seconds: float, selector: selectors.BaseSelector) -> _Child:
    launch = [sys.executable, "-I", "-S", launcher.__file__]
    limits = [str(os.getpid()), str(int(wall_seconds * _CPU_CORES)), str(_FILE_BYTES)]
    process = subprocess.Popen(
        [*launch, *limits, *command.args],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.defpath, "LC_ALL": "C", "AV_LOG_FORCE_NOCOLOR": "1"},
        start_new_session=True,
    )
    child = _Child(index, command, process)
    assert process.stdout is not None
    assert process.stderr is not None
    selector.register(process.stdout, selectors.EVENT_READ, (child, False))
    selector.register(process.stderr, selectors.EVENT_READ, (child, True))
    return child


def _read(child: _Child, pipe: IO[bytes], is_stderr: bool, selector: selectors.BaseSelector, done: list[float]) -> bool:
    data = os.read(pipe.fileno(), 65536)
    if not data:
        selector.unregister(pipe)
        pipe.close()
        child.open_pipes -= 1
        return False
    if is_stderr:
        child.stderr += data
        del child.stderr[:-_STDERR_KEPT]
        return False
    *lines, child.partial = (child.partial + data).split(b"\n")
    moved = False
    for line in lines:
        name, _, value = line.partition(b"=")
        # "N/A" until the first packet is out
        if name == b"out_time_us" and child.command.seconds > 0 and value.strip().isdigit():
            done[child.index] = min(1.0, int(value) / 1e6 / child.command.seconds)
            moved = True
    return moved


def _finish(child: _Child, deadline: float) -> None:
    try:
        code = child.process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimedOut("FFmpeg closed its output and did not end.") from None
    if code == 0:
        return
    text = child.stderr.decode(errors="replace")
    if "No space left on device" in text:
        raise DiskFull("The worker's disk ran full while encoding. Free some space; the job is then tried again.")
    words = [line.strip() for line in text.splitlines() if line.strip()][-3:]
    how = f"was ended by signal {signal.Signals(-code).name}" if code < 0 else f"gave up (exit status {code})"
    raise EncodeFailed(f"FFmpeg {how}: " + " | ".join(words))


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()

"""Every child process, and what keeps it in: namespaces, limits, a wall clock, and no life after ours.

A child gets a session of its own, none of our environment, the inputs it is to read as open files, and (where the
host allows it, see `transcoder.isolation`) no network and nothing of the disk but its attempt's directory. Limits on
CPU time, memory, file size, open files and processes hold in any case.
"""

from __future__ import annotations

import compileall
import contextlib
import functools
import importlib.util
import os
import select
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

from transcoder import isolation, launcher
from transcoder.errors import DiskFull, EncodeFailed, NotStarted, TimedOut
from transcoder.launcher import FIRST_INPUT

__all__ = ["FIRST_INPUT", "Command", "ask", "ffmpeg_binary", "python", "require_disk", "run_all"]

_STDERR_KEPT = 64 * 1024
_OUTPUT_MOST = 64 * 1024**2
_CORES = os.cpu_count() or 1
_FILE_BYTES = 64 * 1024**3
_OPEN_FILES = 128
_MORE_TASKS = 512 + 128 * _CORES  # beyond those the user has; FFmpeg starts several threads a core
# What FFmpeg may write to in memory (RLIMIT_DATA; each thread's stack counts with 8 MiB), and what it may map of
# address space: its own binary and what the allocator sets aside for threads are in that, used or not.
_MEMORY = 6 * 1024**3 + _CORES * 256 * 1024**2
_ADDRESS_SPACE_PER_MEMORY = 4
_DYING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Command:
    """A child to run. `cost` is its share of the work; `seconds` the media time it will report by `-progress`.

    `inputs` are opened for it, each for itself, as the descriptors from FIRST_INPUT up; nothing else of ours needs to
    be where it can reach it, `reads` aside. With `writes` it works in the attempt's directory, else it has none.
    `memory` is in bytes. With `answers` its stdout is kept for `ask`, else it is read as FFmpeg's progress.
    """

    args: tuple[str, ...]
    cost: float = 1.0
    seconds: float = 0.0
    inputs: tuple[Path, ...] = ()
    reads: tuple[Path, ...] = ()
    writes: bool = True
    memory: int = _MEMORY
    answers: bool = False

    @property
    def called(self) -> str:
        """What to call it where it fails."""
        return "The program that opens masters" if self.answers else "FFmpeg"


@dataclass(slots=True)
class _Child:
    index: int
    command: Command
    process: subprocess.Popen[bytes]
    stderr: bytearray = field(default_factory=bytearray)
    stdout: bytearray = field(default_factory=bytearray)
    partial: bytes = b""
    open_pipes: int = 2


@functools.cache
def _wheel_ffmpeg() -> str:
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def ffmpeg_binary() -> str:
    """The FFmpeg to run: `FFMPEG_BINARY`, else the one in the imageio-ffmpeg wheel."""
    named = os.environ.get("FFMPEG_BINARY")
    if named:
        return shutil.which(named) or named
    return _wheel_ffmpeg()


def python(module: str, argument: str, *, inputs: tuple[Path, ...], memory: int) -> Command:
    """A program of ours as a child that reads `inputs`, writes nothing and answers on stdout.

    It runs on the bare interpreter: of the installed packages it finds only those that open media.
    """
    packages = _packages()
    libraries = [package.with_name(package.name + ".libs") for package in packages]  # where wheels keep theirs
    places = list(dict.fromkeys(str(package.parent) for package in packages))
    start = f"import sys; sys.path[:0] = {places!r}; from {module} import main; main()"
    executable = getattr(sys, "_base_executable", sys.executable)
    return Command(
        (executable, "-I", "-S", "-B", "-c", start, argument),
        inputs=inputs,
        reads=(Path(sys.base_prefix) / "lib", *packages, *libraries),
        writes=False,
        memory=memory,
        answers=True,
    )


@functools.cache
def _packages() -> tuple[Path, ...]:
    ours = Path(__file__).parent
    # Children cannot write what they compile, and would each compile it again.
    compileall.compile_dir(ours, maxlevels=0, quiet=2)
    specs = [importlib.util.find_spec(name) for name in ("av", "mutagen", "babel")]
    return (ours, *(Path(spec.origin).parent for spec in specs if spec and spec.origin))


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

    `on_progress` gets the fraction done, 0 to 1, weighted by cost, twice a second or more often; whatever it raises
    ends every child. The first child to fail ends the others. Raises EncodeFailed with its last words, DiskFull, or
    TimedOut.
    """
    return [child.stderr.decode(errors="replace") for child in _run(commands, cwd, at_once, wall_seconds, on_progress)]


def ask(command: Command, *, wall_seconds: float) -> bytes:
    """Run one child that answers and has no directory; return its stdout. Raises EncodeFailed or TimedOut."""
    [child] = _run([command], Path("/"), 1, wall_seconds, None)
    return bytes(child.stdout)


def _run(
    commands: Sequence[Command],
    cwd: Path,
    at_once: int,
    wall_seconds: float,
    on_progress: Callable[[float], None] | None,
) -> list[_Child]:
    deadline = time.monotonic() + wall_seconds
    waiting = list(enumerate(commands))
    running: list[_Child] = []
    ended: dict[int, _Child] = {}
    done = [0.0] * len(commands)
    total = sum(command.cost for command in commands) or 1.0
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < max(1, at_once):
                    index, command = waiting.pop(0)
                    running.append(_start(index, command, cwd, wall_seconds, selector))
                if time.monotonic() > deadline:
                    raise TimedOut(f"Encoding took longer than {wall_seconds:.0f} s, the most a master this long may.")
                for key, _events in selector.select(timeout=0.5):
                    child, is_stderr = key.data
                    _read(child, key.fileobj, is_stderr, selector, done)  # type: ignore[arg-type]
                for child in [c for c in running if c.open_pipes == 0]:
                    _finish(child, deadline)
                    running.remove(child)
                    ended[child.index] = child
                    done[child.index] = 1.0
                if on_progress:  # also where nothing moved: it may have a reason to end this
                    on_progress(sum(c.cost * d for c, d in zip(commands, done, strict=True)) / total)
        finally:
            for child in running:
                _kill(child.process)
    return [ended[index] for index in range(len(commands))]


def _start(index: int, command: Command, cwd: Path, wall_seconds: float, selector: selectors.BaseSelector) -> _Child:
    limits = {
        "core": 0,
        "cpu": int(wall_seconds * _CORES) + 1,
        "file": _FILE_BYTES if command.writes else 0,
        "data": command.memory,
        "space": command.memory * _ADDRESS_SPACE_PER_MEMORY,
        "open": _OPEN_FILES,
        "more": _MORE_TASKS,
    }
    launch = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid())]
    launch += [",".join(f"{name}={value}" for name, value in limits.items()), *map(str, command.inputs), "--"]
    work = cwd if command.writes else None
    process = subprocess.Popen(
        [*launch, *isolation.wrap(command.args, reads=command.reads, work=work)],
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


def _read(child: _Child, pipe: IO[bytes], is_stderr: bool, selector: selectors.BaseSelector, done: list[float]) -> None:
    data = os.read(pipe.fileno(), 65536)
    if not data:
        selector.unregister(pipe)
        pipe.close()
        child.open_pipes -= 1
        return
    if is_stderr:
        child.stderr += data
        del child.stderr[:-_STDERR_KEPT]
        return
    if child.command.answers:
        child.stdout += data
        if len(child.stdout) > _OUTPUT_MOST:
            raise EncodeFailed("A child said more than anybody asked for.")
        return
    *lines, child.partial = (child.partial + data).split(b"\n")
    for line in lines:
        name, _, value = line.partition(b"=")
        # "N/A" until the first packet is out
        if name == b"out_time_us" and child.command.seconds > 0 and value.strip().isdigit():
            done[child.index] = min(1.0, int(value) / 1e6 / child.command.seconds)


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
    if words and words[-1].startswith("bwrap: "):
        raise NotStarted(f"The sandbox could not be set up: {words[-1]}")
    # Bubblewrap passes a signal on as a shell would.
    ended_by = -code if code < 0 else code - 128
    known = ended_by in set(signal.Signals)
    how = f"was ended by signal {signal.Signals(ended_by).name}" if known else f"gave up (exit status {code})"
    raise EncodeFailed(f"{child.command.called} {how}: " + " | ".join(words))


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # What runs in namespaces of its own dies with the process that made them, a moment later; the pipes tell when.
    for pipe in (process.stdout, process.stderr):
        if pipe is not None and not pipe.closed:
            _drain(pipe, time.monotonic() + _DYING_SECONDS)
            pipe.close()


def _drain(pipe: IO[bytes], deadline: float) -> None:
    while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if not os.read(pipe.fileno(), 65536):
            return

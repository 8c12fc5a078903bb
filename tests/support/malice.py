"""Running hostile files the way the shop would, and with single layers of the sandbox taken away."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import psutil
from support.hostile import CANARY, Hostile

from transcoder import commands, encode, film, isolation, ladder, probe, sandbox
from transcoder.accepted import CONTAINERS, Container
from transcoder.contract import Probe
from transcoder.errors import EncodeFailed, NotMedia, TimedOut

# What FFmpeg makes of a file for somebody who wants to hear the samples themselves.
_SHOWN: dict[str, Any] = {"f": "nut", "c:a": "pcm_s16le", "ar": 44100, "ac": 2, "t": 20}
_EVERY_PROTOCOL = (
    "file,http,https,tcp,udp,tls,concat,subfile,crypto,data,cache,async,ftp,rtmp,rtp,unix,httpproxy,pipe,fd"
)
FFMPEG_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: the reason it was refused with, or None; the seconds it took and was allowed."""

    file: Hostile
    reason: str | None
    seconds: float
    limit: float
    probe: Probe | None = None

    @property
    def hung(self) -> bool:
        """Whether it went on past its limit (and a moment for ending it)."""
        return self.seconds > self.limit + 10


class Listener:
    """A loopback port that counts who comes, by TCP or UDP."""

    def __init__(self) -> None:
        self.connections = 0
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        for waiting in (self._accept, self._receive):
            threading.Thread(target=waiting, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        for one in (self._tcp, self._udp):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._tcp.accept()
                self.connections += 1
                connection.close()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while self._udp.fileno() != -1:
                if not self._udp.recv(65536):
                    return
                self.connections += 1


class Watch:
    """Whether the canary is read: by when the file system says it was, where it keeps account of that."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary
        self._since()
        canary.read_bytes()
        self.keeps_account = self.was_read()
        self._since()

    def _since(self) -> None:
        # "relatime" notes a read of a file that was last read before it was last written.
        os.utime(self._canary, ns=(0, self._canary.stat().st_mtime_ns))

    def was_read(self) -> bool:
        """Whether anybody has read it since."""
        return self._canary.stat().st_atime_ns != 0


def looked_over(file: Hostile) -> Outcome:
    """The real path of an upload or an import."""
    began, limit = time.monotonic(), probe.time_limit(file.path.stat().st_size)
    reason, found = None, None
    try:
        found = probe.look_over(file.path, file.name).probe
    except NotMedia as refused:
        reason = str(refused)
    return Outcome(file, reason, time.monotonic() - began, limit, found)


def past_the_sniff(file: Hostile, work: Path) -> Outcome:
    """Straight to FFmpeg by our own command line, as if sniffing had believed the file's name."""
    suffix = Path(file.name).suffix.lower()
    claimed = next((c for c in CONTAINERS.values() if suffix in c.suffixes), CONTAINERS["mp4"])
    return _run(file, [_shown(file.path, claimed)], work)


def _shown(path: Path, container: Container) -> sandbox.Command:
    opened = commands.opened_as(path, container)
    return commands.command([ffmpeg.output(opened["a?"], "shown.nut", **_SHOWN)], cost=1, seconds=0)


def naively(file: Hostile, work: Path) -> Outcome:
    """FFmpeg as one finds it in tutorials, every protocol allowed, in the namespaces and limits of the sandbox."""
    copy = shutil.copyfile(file.path, work / file.path.name) if file.path.stat().st_size < 1 << 28 else file.path
    return _run(file, [sandbox.Command(_tutorial(Path(copy)))], work)


def _tutorial(path: Path) -> tuple[str, ...]:
    opened = ("-protocol_whitelist", _EVERY_PROTOCOL, "-i", str(path))
    shown = ("-map", "0:a?", "-c:a", "pcm_s16le", "-ar", "44100", "-ac", "2", "-t", "20", "-f", "nut", "shown.nut")
    return (sandbox.ffmpeg_binary(), "-nostdin", "-y", *opened, *shown)


def unprotected(file: Hostile, work: Path) -> None:
    """The same without any sandbox: what the layers are there against."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(_tutorial(file.path), cwd=work, capture_output=True, timeout=10, check=False)


def transcoded(outcome: Outcome, work: Path) -> Outcome:
    """Every rendition of a sound that was accepted; of a film's the pictures of every rung."""
    master, found = outcome.file.path, outcome.probe
    assert found is not None
    began = time.monotonic()
    reason = None
    limit = 120 + 60 * found.duration
    try:
        if found.kind == "audio":
            encode.encode_audio(master, found, work, cpu_count=2, on_progress=lambda _done: None)
        else:
            rungs = ladder.film_rungs(found)
            for rung in rungs:
                (work / commands.STREAM / rung.name).mkdir(parents=True)
            run = film.chunk_command(master, found, rungs, "ultrafast", first_frame=0, end_frame=None)
            sandbox.run_all([run], cwd=work, at_once=1, wall_seconds=limit)
    except (EncodeFailed, TimedOut) as failed:
        reason = str(failed)
    return Outcome(outcome.file, reason, time.monotonic() - began, limit, found)


def _run(file: Hostile, runs: list[sandbox.Command], work: Path) -> Outcome:
    began = time.monotonic()
    reason = None
    try:
        sandbox.run_all(runs, cwd=work, at_once=1, wall_seconds=FFMPEG_SECONDS)
    except (EncodeFailed, TimedOut) as failed:
        reason = str(failed)
    return Outcome(file, reason, time.monotonic() - began, FFMPEG_SECONDS)


def leaked(work: Path) -> bool:
    """Whether anything under the folder holds the canary."""
    return any(CANARY in path.read_bytes() for path in work.rglob("*") if path.is_file())


@contextlib.contextmanager
def without_bubblewrap() -> Iterator[None]:
    """As on a host that forbids namespaces."""
    tried = isolation.tried
    isolation.tried = lambda: (None, "taken away to see what the other layers hold")  # type: ignore[assignment]
    try:
        yield
    finally:
        isolation.tried = tried


class Children:
    """The children that this process has got since: not the servers that other tests share, nor what those start."""

    def __init__(self) -> None:
        self._before = set(psutil.Process().children())

    def left(self) -> list[str]:
        """Those that are still there, and their own, by name."""
        found = []
        for child in set(psutil.Process().children()) - self._before:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [one.name() for one in (child, *child.children(recursive=True)) if _lives(one)]
        return found


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

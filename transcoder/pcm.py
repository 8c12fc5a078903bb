"""A master's sound as samples, a window at a time: FFmpeg writes into a pipe with a name, and we read from it.

However long the master is, no more than a window of it is in memory and nothing of it is on the disk. Where the
reader is slow, FFmpeg waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from transcoder import commands, sandbox
from transcoder.contract import AudioFacts, Probe

WINDOW = 1 << 18  # frames of samples
_PIPE_BYTES = 1 << 20  # what Linux allows without privileges
_F_SETPIPE_SZ = 1031
_NAME = "samples.raw"

Window = NDArray[np.int32] | NDArray[np.float32]


def each_window(master: Path, probe: Probe, work: Path, heard: Callable[[Window], None]) -> str:
    """Decode the first sound and give it to `heard` in windows of (frames, channels); return what FFmpeg said.

    Integers of 32 bits come from integer codecs, with a sample's bits uppermost; floats, where 1.0 is full scale,
    from the others, which may go beyond it. What FFmpeg says has the loudness and true peak of the whole
    (`loudness.parse`). Raises EncodeFailed or TimedOut; what `heard` raises ends FFmpeg.
    """
    audio = probe.audio
    assert audio is not None
    integers = comes_as_integers(audio)
    pipe = work / _NAME
    os.mkfifo(pipe, 0o600)
    # Not waiting for a writer that may never come; and no write of FFmpeg's is lost before we look.
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _widen(reader)
        sound = commands.open_master(master)["a:0"].filter("ebur128", peak="true", framelog="quiet")
        options = {"ac": audio.channels, "ar": audio.sample_rate, "map_metadata": -1}
        output = ffmpeg.output(sound, _NAME, f="s32le" if integers else "f32le", **options)
        command = commands.command([output], cost=1, seconds=0)
        with ThreadPoolExecutor(1) as pool:
            ended = pool.submit(sandbox.run_all, [command], cwd=work, at_once=1, wall_seconds=120 + 3 * probe.duration)
            try:
                _read(reader, ended.done, audio.channels, "<i4" if integers else "<f4", heard)
            except BaseException:
                os.close(reader)  # FFmpeg finds nobody at the other end and leaves
                reader = -1
                raise
            [said] = ended.result()
            return said
    finally:
        if reader >= 0:
            os.close(reader)
        pipe.unlink()


@contextlib.contextmanager
def reading(pipe: Path, channels: int, heard: Callable[[Window], None]) -> Iterator[None]:
    """Give what a program writes as floats into `pipe` while the block runs to `heard`, in a thread of its own.

    All of it has been heard when the block is left in good order. Where `heard` raises, the writer finds nobody at
    the other end, and what was raised comes out of here unless the block raises itself.
    """
    os.mkfifo(pipe, 0o600)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    over = threading.Event()
    failed: list[BaseException] = []

    def read() -> None:
        try:
            _read(reader, over.is_set, channels, "<f4", heard)
        except BaseException as error:
            failed.append(error)
        finally:
            os.close(reader)

    _widen(reader)
    thread = threading.Thread(target=read, name=f"reading-{pipe.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        pipe.unlink()
    if failed:
        raise failed[0]


def comes_as_integers(audio: AudioFacts) -> bool:
    """Whether the codec's samples are integers, whose lowest bits mean something."""
    return audio.lossless and not audio.codec.startswith(("pcm_f", "pcm_alaw", "pcm_mulaw"))


def _read(reader: int, ended: Callable[[], bool], channels: int, kind: str, heard: Callable[[Window], None]) -> None:
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    size = WINDOW * channels * 4
    waiting = bytearray()
    begun = False
    while True:
        poll.poll(200)
        over = ended()  # asked before reading: what was written before the end is still there
        try:
            data = os.read(reader, _PIPE_BYTES)
        except BlockingIOError:
            continue
        if data:
            begun = True
            waiting += data
            while len(waiting) >= size:
                heard(np.frombuffer(bytes(waiting[:size]), kind).reshape(-1, channels))
                del waiting[:size]
        elif over or begun:
            break
        else:
            time.sleep(0.01)  # nobody writes yet
    whole = len(waiting) // (channels * 4) * channels * 4
    if whole:
        heard(np.frombuffer(bytes(waiting[:whole]), kind).reshape(-1, channels))


def _widen(pipe: int) -> None:
    with contextlib.suppress(OSError):  # a smaller pipe does the same in smaller steps
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)

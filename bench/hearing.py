"""What hearing a master costs beside decoding it, measuring its loudness, and the whole of its encodes: one run.

CPU is that of children that ended (getrusage) and of this process. The master is drawn here, stereo at 44.1 kHz.
`--minutes` sets its length; `--hear-only` leaves the encodes out, for a film's or a set's length, and prints the most
memory this process ever held.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ffmpeg
import numpy as np

from transcoder import commands, encode, hearing, sandbox, sound
from transcoder.contract import Probe
from transcoder.probe import probe_file

RATE = 44_100


def main() -> None:
    """Draw a master and print what each part of hearing it costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=3)
    parser.add_argument("--hear-only", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        master = work / "master.wav"
        draw(master, told.minutes)
        probe = probe_file(master)
        decoded = cost("decode", lambda: run(plain(master, probe), work))
        heard = cost("loudness, peaks and hearing", lambda: analyse(master, probe, work))
        if told.hear_only:
            return
        measured = cost("loudness and peaks alone", lambda: run(sound.measuring(master, probe, None), work))
        whole = cost("the whole of the encodes", lambda: everything(master, probe, work))
        added = heard - measured
        print(f"hearing adds {added:.2f} s: {added / whole:.1%} of the encodes, {added / decoded:.1f} × the decode")


def draw(path: Path, minutes: int) -> None:
    """Half a minute of chords and hits of noise, over and over."""
    rng = np.random.default_rng(1)
    t = np.arange(RATE // 2) / RATE
    parts = []
    for _beat in range(60):
        tones = sum(np.sin(2 * np.pi * 110 * 2 ** (int(rng.integers(36)) / 12) * t) for _note in range(3))
        left = 0.2 * tones * np.exp(-4 * t) + 0.1 * rng.standard_normal(len(t)) * np.exp(-30 * t)
        parts.append(np.stack([left, np.roll(left, 20)], 1))
    whole = (np.concatenate(parts).clip(-1, 1) * 32767).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for _half in range(2 * minutes):
            file.writeframes(whole)


def plain(master: Path, probe: Probe) -> sandbox.Command:
    """A decode and nothing else."""
    output = ffmpeg.output(commands.open_master(master)["a:0"], "-", f="null")
    return commands.command([output], cost=1, seconds=probe.duration)


def run(command: sandbox.Command, work: Path) -> None:
    """The command by itself."""
    sandbox.run_all([command], cwd=work, at_once=1, wall_seconds=3600)


def analyse(master: Path, probe: Probe, work: Path) -> None:
    """The job's own run over the master, heard."""
    with hearing.listening(work) as heard:
        run(sound.analysis(master, probe), work)
    assert heard.features is not None
    print(f"  {heard.features.tempo} BPM, key {heard.features.key} {heard.features.mode}")


def everything(master: Path, probe: Probe, work: Path) -> None:
    """Every encode of the master, hearing included."""
    made = work / "made"
    made.mkdir()
    encode.encode_audio(master, probe, made, cpu_count=os.cpu_count() or 1, on_progress=lambda _done: None)


def cost(name: str, work: Callable[[], None]) -> float:
    """Print and return the CPU seconds."""
    before, began = cpu(), time.monotonic()
    work()
    spent = [after - first for after, first in zip(cpu(), before, strict=True)]
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:28} CPU {sum(spent):7.2f} s (FFmpeg {spent[0]:.2f}, here {spent[1]:.2f}),"
        f" wall {time.monotonic() - began:.1f} s, {held:.0f} MiB held at most so far",
        flush=True,
    )
    return sum(spent)


def cpu() -> tuple[float, float]:
    """Seconds of children that ended, and of this process."""
    children, own = (resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))
    return children.ru_utime + children.ru_stime, own.ru_utime + own.ru_stime


if __name__ == "__main__":
    main()

"""What a master sounds like: tempo, key and a vector of figures, heard in the decode that measures its loudness.

FFmpeg hands that decode on through a pipe, mixed to one channel at a low rate, and it is heard a window at a time:
nothing grows with the length of the master. A recording that cannot be heard so is encoded and sold all the same.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from media_store import keys
from media_store.interface import MediaStore
from transcoder import commands, package, pcm, sandbox
from transcoder.contract import SOUND_VERSION, Probe, SoundFeatures
from transcoder.errors import MasterChanged
from transcoder.rhythm import Rhythm
from transcoder.timbre import Timbre
from transcoder.tonality import Tonality

log = logging.getLogger("wavecrate.transcoder")

RATE = 22_050  # samples a second, one channel
PIPE = "heard.raw"
_SHORT, _STEP = 1024, 256  # samples of a frame, and from one to the next: 46 ms, every 12 ms
_LONG, _STRIDE = 8192, 4096  # for tones: 2.7 Hz a bin
_AT_ONCE = 512  # frames
_SILENCE = 10 ** (-60 / 20)


def heard(sound: Any, channels: int) -> Any:
    """A filtered sound as `Ear` wants it: every channel alike in one, at `RATE`."""
    mixed = "+".join(f"c{number}" for number in range(channels))
    return (
        sound.filter("pan", f"mono|c0<{mixed}")  # "<": the gains are made to be 1 together
        .filter("aresample", RATE)
        .filter("aformat", sample_fmts="flt", channel_layouts="mono")
    )


class Ear:
    """Hears one channel of samples at `RATE`, window after window."""

    def __init__(self) -> None:
        self._rhythm = Rhythm(RATE / _STEP)
        self._timbre = Timbre(RATE, _SHORT)
        self._tonality = Tonality(RATE / _LONG)
        self._short, self._long = _Frames(_SHORT, _STEP), _Frames(_LONG, _STRIDE)
        self._before: NDArray[np.float32] | None = None
        self._bad = False

    def add(self, window: pcm.Window) -> None:
        """The next samples, in rows of one."""
        samples = np.asarray(window, np.float32).reshape(-1)
        if not np.isfinite(samples).all():
            self._bad = True  # a master of floats may hold what is no number
            return
        for frames in self._short.cut(samples):
            self._hear_short(frames)
        for frames in self._long.cut(samples):
            loud = _level(frames) > _SILENCE
            if loud.any():
                self._tonality.add(self._long.power(frames[loud]))

    def features(self) -> SoundFeatures:
        """What was heard, once it is over; of silence, that there was nothing. The same samples give the same."""
        figures = self._timbre.figures()
        if self._bad or not figures:
            return SoundFeatures()
        tempo, key = self._rhythm.tempo(), self._tonality.key()
        vector = [*figures, *self._tonality.tones()]
        return SoundFeatures(
            tempo=round(tempo[0], 2) if tempo else None,
            tempo_confidence=round(tempo[1], 3) if tempo else 0.0,
            key=key[0] if key else None,
            mode=key[1] if key else None,
            key_confidence=round(key[2], 3) if key else 0.0,
            vector=tuple(float(f"{value:.5g}") for value in vector),
            version=SOUND_VERSION,
        )

    def _hear_short(self, frames: NDArray[np.float32]) -> None:
        power = self._short.power(frames)
        bands = self._timbre.bands(power)
        before = bands[:1] if self._before is None else self._before
        onsets = np.maximum(np.diff(np.concatenate([before, bands]), axis=0), 0).mean(axis=1).astype(np.float64)
        self._before = bands[-1:]
        self._rhythm.add(onsets)
        level = _level(frames)
        loud = level > _SILENCE
        self._timbre.add(frames[loud], power[loud], bands[loud], onsets[loud], level[loud])


@dataclass(slots=True)
class _Frames:
    """Cuts samples that come in windows into overlapping frames, the same wherever the windows end."""

    size: int
    step: int
    _left: NDArray[np.float32] = field(init=False)
    _taper: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self._left = np.zeros(0, np.float32)
        taper = np.hanning(self.size + 1)[:-1]
        self._taper = (taper / (taper.sum() / 2)).astype(np.float32)  # a full-scale tone has the power 1

    def cut(self, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """The frames that are whole by now, some at a time."""
        whole = np.concatenate([self._left, samples])
        count = max(0, (len(whole) - self.size) // self.step + 1)
        self._left = whole[count * self.step :]
        if count:
            every = sliding_window_view(whole, self.size)[:: self.step]
            for begin in range(0, count, _AT_ONCE):
                yield every[begin : min(count, begin + _AT_ONCE)]

    def power(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """The power spectra of frames."""
        spectra = np.fft.rfft(frames * self._taper, axis=1)
        power: NDArray[np.float32] = (spectra.real**2 + spectra.imag**2).astype(np.float32, copy=False)
        return power


def _level(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.sqrt(np.mean(frames * frames, axis=1))


@dataclass(slots=True)
class Heard:
    """What came of listening: the features, once it is over and nothing went wrong."""

    features: SoundFeatures | None = None


@contextmanager
def listening(work: Path) -> Iterator[Heard]:
    """Hear what FFmpeg writes into `PIPE` in `work` while the block runs; what was heard is told at its end.

    Whatever goes wrong with hearing is logged and leaves `features` None; FFmpeg never waits for an ear that gave up.
    """
    ear: Ear | None = Ear()
    told = Heard()

    def hear(window: pcm.Window) -> None:
        nonlocal ear
        if ear is not None:
            try:
                ear.add(window)
            except Exception:
                log.exception("a master could not be heard")
                ear = None

    with pcm.reading(work / PIPE, 1, hear):
        yield told
    if ear is not None:
        try:
            told.features = ear.features()
        except Exception:
            log.exception("what a master sounds like could not be told")


def hear_stored(sha256: str, probe: Probe, store: MediaStore, workdir: Path) -> SoundFeatures:
    """Fetch a master that was transcoded before and hear it, in a folder of its own.

    Raises TranscoderError or StoreError.
    """
    key = keys.master(sha256)
    workdir.mkdir(parents=True, exist_ok=True)
    sandbox.require_disk(workdir, store.head(key).size + 32 * 1024**2)
    work = Path(tempfile.mkdtemp(dir=workdir, prefix="hear-"))
    try:
        master = work / "master"
        store.get_file(key, master)
        if package.file_sha256(master) != sha256:
            raise MasterChanged("The stored master is not the file that was sent: it was damaged. Upload it again.")
        return hear(master, probe, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def hear(master: Path, probe: Probe, work: Path) -> SoundFeatures:
    """Hear the first sound of a master by itself. Needs a folder to work in; raises EncodeFailed or TimedOut."""
    assert probe.audio is not None
    ear = Ear()
    sound = heard(commands.open_master(master)["a:0"], probe.audio.channels)
    command = commands.command([output(sound)], cost=1, seconds=probe.duration)
    with pcm.reading(work / PIPE, 1, ear.add):
        sandbox.run_all([command], cwd=work, at_once=1, wall_seconds=120 + 3 * probe.duration)
    return ear.features()


def output(sound: Any) -> Any:
    """A sound that `heard` made, into the pipe."""
    return ffmpeg.output(sound, PIPE, f="f32le", map_metadata=-1)

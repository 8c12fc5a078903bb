"""What a transcode made, and the player's and the buyer's way from it back to samples."""

from __future__ import annotations

import re
import subprocess
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from media_store.s3 import S3Store
from transcoder.contract import MadeRendition, RenditionReport, TagSet, segment_key
from transcoder.package import decrypt_segment

KEY = bytes(range(16))
TAGS = TagSet(title="Ebb", title_zh="退潮", artist="Mira Sol", album="Tides", year=2026, track=1, track_total=2)


@dataclass
class Rung:
    """A media playlist as a player reads it, and its segments decrypted."""

    names: list[str]
    seconds: list[float]
    sizes: list[int]
    text: str
    init: bytes
    clear: list[bytes] = field(repr=False)


@dataclass
class Result:
    """A finished job and the way to what it made."""

    report: RenditionReport
    store: S3Store
    master: Path
    directory: Path
    progress: list[tuple[str, float]]

    def made(self, kind: str, name: str | None = None) -> MadeRendition:
        return next(r for r in self.report.renditions if r.kind == kind and r.name == (name or kind))

    @property
    def downloads(self) -> dict[str, MadeRendition]:
        return {r.name: r for r in self.report.renditions if r.kind == "download"}

    def fetch(self, made: MadeRendition) -> Path:
        path = self.directory / f"{made.name}.{made.suffix}"
        self.store.get_file(made.key, path)
        return path

    def multivariant(self) -> str:
        return self.store.get_bytes(self.made("stream").key + "multivariant.m3u8").decode()

    def rung(self, name: str, key: bytes = KEY) -> Rung:
        folder = f"{self.made('stream').key}{name}/"
        text = self.store.get_bytes(folder + "index.m3u8").decode()
        names = [line for line in text.splitlines() if line and not line.startswith("#")]
        sealed = [self.store.get_bytes(folder + each) for each in names]
        first = int(re.search(r"EXT-X-MEDIA-SEQUENCE:(\d+)", text)[1])
        return Rung(
            names=names,
            seconds=[float(s) for s in re.findall(r"#EXTINF:([\d.]+),", text)],
            sizes=[len(each) for each in sealed],
            text=text,
            init=self.store.get_bytes(folder + "init.mp4"),
            clear=[
                decrypt_segment(each, segment_key(key, number), first + n)
                for n, (each, number) in enumerate(zip(sealed, keys_of(text), strict=True))
            ],
        )

    def played(self, name: str) -> Path:
        rung = self.rung(name)
        path = self.directory / f"played-{name}.mp4"
        path.write_bytes(rung.init + b"".join(rung.clear))
        return path


def keys_of(playlist: str) -> list[int]:
    """The number of the key that opens each segment of a media playlist, as a player reads it."""
    numbers, key = [], -1
    for line in playlist.splitlines():
        if named := re.match(r'#EXT-X-KEY:METHOD=AES-128,URI="\.\./key/(\d+)\.key"$', line):
            key = int(named[1])
        elif line and not line.startswith("#"):
            numbers.append(key)
    return numbers


def samples(path: Path, rate: int | None = None) -> np.ndarray:
    """Every sample as a 32-bit integer, one row per sample."""
    resample = ["-ar", str(rate)] if rate else []
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-map", "0:a:0", *resample]
    raw = subprocess.run([*command, "-f", "s32le", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, "<i4").reshape(-1, _channels(path))


def _channels(path: Path) -> int:
    with av.open(str(path)) as container:
        return container.streams.audio[0].channels


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two recordings at the shift (of up to 4096 samples) where they are most alike: 1 is the same."""
    a, b = one[:, 0].astype(float), other[:, 0].astype(float)
    middle = a[len(a) // 4 : len(a) // 4 + 40000]
    best = 0.0
    for shift in range(-4096, 4097):
        start = len(a) // 4 + shift
        if start < 0 or start + len(middle) > len(b):
            continue
        part = b[start : start + len(middle) : 8]
        best = max(best, float(np.corrcoef(middle[::8], part)[0, 1]))
        if best > 0.999:
            break
    return best


Transcode = Callable[..., Result]


def write_music(path: Path, *, seconds: float, rate: int, bits: int) -> Path:
    """Two channels of chords and noise: nothing that a codec gets for free."""
    rng = np.random.default_rng(7)
    t = np.arange(int(seconds * rate)) / rate
    left = sum(np.sin(2 * np.pi * f * t + f) / 4 for f in (220, 277.2, 329.6)) + 0.02 * rng.standard_normal(len(t))
    right = sum(np.sin(2 * np.pi * f * t) / 4 for f in (220, 330, 440)) + 0.02 * rng.standard_normal(len(t))
    whole = np.clip(np.stack([left, right], 1) * 0.8, -1, 1)
    integers = np.round(whole * (2 ** (bits - 1) - 1)).astype("<i4")
    raw = integers.view("u1").reshape(len(t), 2, 4)[:, :, : bits // 8].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        file.writeframes(raw)
    return path

"""The ingest report: what a label would be ashamed of, were it sold as it is, found by listening to the master.

Findings are codes and facts, no sentences: the shop says them in its reader's language and adds what only it can
know (other tracks). Nothing here refuses a master. Where a finding would be an accusation it is made only on strong
evidence; what is merely unusual is a note.

Facts are in seconds, hertz, bits, dBTP, or shares from 0 to 1.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import ffmpeg
import numpy as np

from media_store import keys
from media_store.interface import MediaStore
from transcoder import commands, fingerprint, loudness, package, pcm, sandbox
from transcoder.contract import AudioFacts, Probe
from transcoder.errors import EncodeFailed, MasterChanged
from transcoder.levels import Levels
from transcoder.spectrum import Spectrum

# Raised when the report would say something else of the same master; earlier reports are then made anew.
VERSION = 1

Severity = Literal["shame", "note"]
CODES = (
    "silent", "clipped", "over_full_scale", "dead_channel", "inverted_polarity", "mono_as_stereo", "dc_offset",
    "silence_at_start", "silence_at_end", "hole", "low_sample_rate", "upsampled", "lossy_source", "narrow_band",
    "padded_depth", "lossy_master", "interlaced", "variable_frame_rate", "no_sound",
)  # fmt: skip

_SILENT_START, _SILENT_END = 1.0, 5.0
_LONG_SILENCE = 10.0
_HOLE = 2.0
_CLIPS_A_MINUTE = 6  # more cut-off waves than that are heard
_CLIPPED_LONG = 24  # samples; one so long is heard by itself
_FILM_WINDOWS, _FILM_WINDOW_SECONDS = 3, 12.0
_FRAMES_TO_TELL = 72

# A cliff of a lossy encoder is that steep and that deep; a resampler's is wider.
_CLIFF_HERTZ, _CLIFF_DECIBELS = 300.0, 28.0
_RESAMPLED_HERTZ, _RESAMPLED_DECIBELS = 1500.0, 18.0
_USUAL_RATES = ((44_100, 48_000), (88_200, 96_000))
# Up to where encoders go at a bit rate (kbit/s), as `bench/quality.py` finds it: LAME's MP3; AAC goes a little higher,
# and Opus to 20 kHz at any rate.
_ENCODER_LIMITS = ((15_900, 112), (16_900, 128), (17_900, 160), (18_900, 192), (19_600, 256), (30_000, 320))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell: a code of `CODES`, how bad, and the figures that belong to it."""

    code: str
    severity: Severity
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What was found in a master, worst first, and the words of its Chromaprint fingerprint (none where it has no
    sound to know it by)."""

    findings: tuple[Finding, ...]
    fingerprint: tuple[int, ...] = ()
    version: int = VERSION


def inspect_stored(sha256: str, probe: Probe, store: MediaStore, workdir: Path) -> QualityReport:
    """Fetch a master and inspect it, in a folder of its own. Raises TranscoderError or StoreError."""
    key = keys.master(sha256)
    workdir.mkdir(parents=True, exist_ok=True)
    sandbox.require_disk(workdir, store.head(key).size + 32 * 1024**2)
    work = Path(tempfile.mkdtemp(dir=workdir, prefix="inspect-"))
    try:
        master = work / "master"
        store.get_file(key, master)
        if package.file_sha256(master) != sha256:
            raise MasterChanged("The stored master is not the file that was sent: it was damaged. Upload it again.")
        return inspect(master, probe, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def inspect(master: Path, probe: Probe, work: Path) -> QualityReport:
    """Listen to the whole of a master. Needs a folder to work in; raises EncodeFailed or TimedOut."""
    findings: list[Finding] = []
    words: tuple[int, ...] = ()
    if probe.audio is not None:
        wall = 120 + 3 * probe.duration
        sandbox.run_all([fingerprint.command(master)], cwd=work, at_once=1, wall_seconds=wall)
        words = fingerprint.read(work)
        findings += _sound(master, probe, work)
    if probe.video is not None:
        findings += _picture(master, probe, work)
        if probe.audio is None:
            findings.append(Finding("no_sound", "note"))
    findings.sort(key=lambda finding: (finding.severity != "shame", CODES.index(finding.code)))
    return QualityReport(tuple(findings), words)


def _sound(master: Path, probe: Probe, work: Path) -> list[Finding]:
    audio = probe.audio
    assert audio is not None
    levels = Levels(audio.sample_rate, audio.channels)
    spectrum = Spectrum(audio.sample_rate, probe.duration)

    def heard(window: pcm.Window) -> None:
        integers = window if window.dtype == np.int32 else None
        sound = window * np.float32(2**-31) if integers is not None else window
        levels.add(np.asarray(sound, np.float32), integers)  # type: ignore[arg-type]
        spectrum.add(np.asarray(sound, np.float32))

    said = pcm.each_window(master, probe, work, heard)
    ends = levels.silent_ends()
    if ends is None:
        return [Finding("silent", "shame")]
    return [
        *_overloads(levels, audio, loudness.parse(said)["true_peak"]),
        *_silences(levels, ends, film=probe.kind == "film"),
        *(_stereo(levels) if audio.channels == 2 else []),
        *_format(levels, spectrum, audio, film=probe.kind == "film"),
    ]


def _overloads(levels: Levels, audio: AudioFacts, true_peak: float) -> list[Finding]:
    found = []
    clipping = levels.clipping()
    minutes = max(levels.frames / levels.rate / 60, 1 / 6)
    # What a lossy decoder puts above full scale is no flat top; a player that keeps to integers will make it one.
    if clipping.runs and audio.lossless:
        bad = clipping.runs / minutes > _CLIPS_A_MINUTE or clipping.longest >= _CLIPPED_LONG
        facts = {"runs": clipping.runs, "longest": clipping.longest, "at": list(clipping.places)}
        found.append(Finding("clipped", "shame" if bad else "note", facts))
    # Where the wave is cut off, that it also swings over is the same fault.
    if true_peak > 0 and not any(finding.severity == "shame" for finding in found):
        found.append(Finding("over_full_scale", "note", {"true_peak": round(true_peak, 1)}))
    offset = max(abs(value) for value in levels.offsets())
    if offset > 0.005:
        found.append(Finding("dc_offset", "shame" if offset > 0.03 else "note", {"share": round(offset, 4)}))
    return found


def _silences(levels: Levels, ends: tuple[float, float], *, film: bool) -> list[Finding]:
    found = []
    # A film may begin and end without a sound; a song that does makes the listener look for the fault.
    for code, seconds, most in (
        ("silence_at_start", ends[0], _SILENT_START),
        ("silence_at_end", ends[1], _SILENT_END),
    ):
        if seconds > most and not film:
            severity: Severity = "shame" if seconds > _LONG_SILENCE else "note"
            found.append(Finding(code, severity, {"seconds": round(seconds, 1)}))
    holes = levels.holes(_HOLE)
    if holes and not film:
        longest = max(holes, key=lambda hole: hole.seconds)
        facts = {"at": longest.start, "seconds": round(longest.seconds, 1), "count": len(holes)}
        found.append(Finding("hole", "note", facts))
    return found


def _stereo(levels: Levels) -> list[Finding]:
    left, right = levels.loudness()
    quiet, loud = sorted((left, right))
    if loud < 1e-4:
        return []
    if quiet < loud * 10 ** (-60 / 20):
        return [Finding("dead_channel", "shame", {"channel": "left" if left < right else "right"})]
    # A lossy encode in between leaves some difference: 66 dB down is beyond any stereo.
    if levels.difference() < loud * 10 ** (-66 / 20):
        return [Finding("mono_as_stereo", "note", {"identical": levels.difference() == 0})]
    if levels.correlation() < -0.98:
        return [Finding("inverted_polarity", "shame", {"correlation": round(levels.correlation(), 3)})]
    return []


def _format(levels: Levels, spectrum: Spectrum, audio: AudioFacts, *, film: bool) -> list[Finding]:
    found = []
    if audio.sample_rate < 44_100:
        found.append(Finding("low_sample_rate", "note" if film else "shame", {"rate": audio.sample_rate}))
    if not audio.lossless:
        if not film:
            found.append(Finding("lossy_master", "note", {"codec": audio.codec}))
        return found
    if pcm.comes_as_integers(audio) and audio.bit_depth > 16:
        used = levels.used_bits()
        if 0 < used <= 16:
            found.append(Finding("padded_depth", "shame", {"depth": audio.bit_depth, "used": used}))
    return found + _bandwidth(spectrum, audio)


def _bandwidth(spectrum: Spectrum, audio: AudioFacts) -> list[Finding]:
    """Where the spectrum of a lossless master ends, if it ends abruptly."""
    lossy = spectrum.cliff(14_500, 20_700, within=_CLIFF_HERTZ, least=_CLIFF_DECIBELS)
    if lossy is not None and audio.sample_rate >= 44_100:
        kbps = next(kbps for limit, kbps in _ENCODER_LIMITS if lossy.hertz <= limit)
        facts = {"cutoff": round(lossy.hertz, -2), "kbps": kbps, "drop": round(lossy.drop)}
        return [Finding("lossy_source", "shame", facts)]
    for rates in _USUAL_RATES:
        edge = spectrum.cliff(0.86 * rates[0] / 2, rates[1] / 2, within=_RESAMPLED_HERTZ, least=_RESAMPLED_DECIBELS)
        if edge is not None:
            came_from = next((rate for rate in rates if edge.bottom <= rate / 2 + 300), rates[-1])
            if came_from < audio.sample_rate:
                facts = {"rate": audio.sample_rate, "came_from": came_from, "cutoff": round(edge.hertz, -2)}
                return [Finding("upsampled", "shame", facts)]
    if audio.sample_rate >= 44_100:
        narrow = spectrum.cliff(3_400, 14_500, within=_CLIFF_HERTZ, least=30)
        if narrow is not None:
            return [Finding("narrow_band", "note", {"cutoff": round(narrow.hertz, -2)})]
    return []


_FIELDS = re.compile(r"Multi frame detection: TFF:\s*(\d+) BFF:\s*(\d+) Progressive:\s*(\d+)")
_VARIABLE = re.compile(r"VFR:\s*([\d.]+) .*min: (\d+) max: (\d+)")


def _picture(master: Path, probe: Probe, work: Path) -> list[Finding]:
    """Whether the frames are woven from two fields, and whether they come at a steady pace: looked at in places."""
    starts = [probe.duration * (n + 0.5) / _FILM_WINDOWS for n in range(_FILM_WINDOWS)]
    if probe.duration <= _FILM_WINDOWS * _FILM_WINDOW_SECONDS:
        starts = [0.0]
    length = _FILM_WINDOW_SECONDS if len(starts) > 1 else probe.duration
    top, bottom, frames, uneven = 0, 0, 0, 0.0
    for start in starts:
        picture = commands.open_master(master, ss=start, t=length)["V:0"].filter("vfrdet").filter("idet")
        output = ffmpeg.output(picture, "-", f="null", fps_mode="passthrough")
        looked = commands.command([output], cost=1, seconds=0)
        try:
            [said] = sandbox.run_all([looked], cwd=work, at_once=1, wall_seconds=120 + 20 * length)
        except EncodeFailed:
            continue  # a place that cannot be sought to; the transcoding, which reads all, will say what is wrong
        if counted := list(_FIELDS.finditer(said)):
            first, second, whole = (int(number) for number in counted[-1].groups())
            top, bottom, frames = top + first, bottom + second, frames + first + second + whole
        if paced := list(_VARIABLE.finditer(said)):
            share, shortest, longest = (float(number) for number in paced[-1].groups())
            # Containers that count in milliseconds round: 41 and 42 are one pace.
            uneven = max(uneven, share if longest > 1.25 * shortest else 0.0)
    found = []
    # One field comes before the other throughout; a moving pattern that only looks like fields has no such order.
    if frames >= _FRAMES_TO_TELL and max(top, bottom) > 0.75 * frames and min(top, bottom) < 0.05 * frames:
        found.append(Finding("interlaced", "note", {"share": round(max(top, bottom) / frames, 2)}))
    if uneven > 0.05:
        found.append(Finding("variable_frame_rate", "note", {"share": round(uneven, 2)}))
    return found

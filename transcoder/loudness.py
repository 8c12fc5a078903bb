"""Loudness after EBU R 128 (ITU-R BS.1770), from what FFmpeg's `ebur128` filter prints at its end."""

from __future__ import annotations

import math
import re

from transcoder.errors import EncodeFailed

# What digital silence is given, since JSON has no minus infinity.
SILENCE_LUFS = -70.0
SILENCE_DBTP = -144.0

_SUMMARY = re.compile(
    r"Integrated loudness:\s+I:\s*(?P<integrated>\S+) LUFS.*?"
    r"Loudness range:\s+LRA:\s*(?P<range>\S+) LU\b.*?"
    r"True peak:\s+Peak:\s*(?P<true_peak>\S+) dBFS",
    re.DOTALL,
)


def parse(stderr: str) -> dict[str, float]:
    """Integrated loudness (LUFS), range (LU) and true peak (dBTP) from FFmpeg's messages."""
    found = list(_SUMMARY.finditer(stderr))
    if not found:
        raise EncodeFailed("FFmpeg measured no loudness.")
    summary = found[-1]
    return {
        "integrated": _finite(summary["integrated"], SILENCE_LUFS),
        "range": _finite(summary["range"], 0.0),
        "true_peak": _finite(summary["true_peak"], SILENCE_DBTP),
    }


def _finite(text: str, otherwise: float) -> float:
    value = float(text)
    return value if math.isfinite(value) else otherwise

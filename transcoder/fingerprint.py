"""Acoustic fingerprints by Chromaprint: the same recording is found whatever it was encoded as.

A fingerprint is a row of 32-bit words, about eight a second, each saying how the tones around it change. Two encodes
of one recording differ in few bits of each word; two recordings in about half of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from transcoder import commands, sandbox

SECONDS = 120  # of the beginning; what AcoustID's fingerprints cover, too
WORD_SECONDS = 1365 / 11025  # Chromaprint's frames are two thirds into each other
_NAME = "fingerprint.raw"

# Two fingerprints are of one recording where, laid over each other, so few bits differ…
ALIKE_BITS = 0.15
# …over so many words, of which so many are different ones: silence and tones that stand still say nothing.
_LEAST_WORDS = 40
_LEAST_DIFFERENT = 24
_FURTHEST = 160  # words that one may begin before the other

# For looking up: words without their last bits, which are the first to differ.
_LOOKED_UP = 240
_KEPT_BITS = np.uint32(0xFFFFFFF0)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Of two fingerprints where they fit best: the share of bits that differ, and by how much one begins later (s)."""

    difference: float
    shift: float


def command(master: Path) -> sandbox.Command:
    """FFmpeg's run that leaves the fingerprint in its working directory."""
    sound = commands.open_master(master, t=SECONDS)["a:0"]
    output = ffmpeg.output(sound, _NAME, f="chromaprint", fp_format="raw", ac=2, map_metadata=-1)
    return commands.command([output], cost=1, seconds=0)


def read(work: Path) -> tuple[int, ...]:
    """The words that the run left, as signed integers; none where the sound was too short."""
    path = work / _NAME
    return tuple(np.frombuffer(path.read_bytes(), "<i4").tolist()) if path.exists() else ()


def tells(words: Sequence[int]) -> bool:
    """Whether there is enough in a fingerprint to know a recording by."""
    return len(words) >= _LEAST_WORDS and len(set(words)) >= _LEAST_DIFFERENT


def index_words(words: Sequence[int]) -> list[int]:
    """The words a fingerprint is found by; none where it tells nothing."""
    return sorted(set(_rough(words).tolist())) if tells(words) else []


def search_words(words: Sequence[int]) -> list[int]:
    """A sample of `index_words`, spread over the whole."""
    if not tells(words):
        return []
    rough = _rough(words)
    _once, first = np.unique(rough, return_index=True)
    chosen = np.sort(first)[np.unique(np.linspace(0, len(first) - 1, _LOOKED_UP).astype(int))]
    return [int(word) for word in rough[chosen]]


def compare(one: Sequence[int], other: Sequence[int]) -> Likeness | None:
    """How alike two fingerprints are where they fit best; None where there is too little to lay over each other."""
    a, b = (np.array(words, np.int32).view(np.uint32) for words in (one, other))
    best: Likeness | None = None
    for shift in range(-min(_FURTHEST, len(a) - _LEAST_WORDS), min(_FURTHEST, len(b) - _LEAST_WORDS) + 1):
        left, right = a[max(0, -shift) :], b[max(0, shift) :]
        common = min(len(left), len(right))
        if common < max(_LEAST_WORDS, min(len(a), len(b)) // 2):
            continue
        difference = float(np.bitwise_count(left[:common] ^ right[:common]).mean()) / 32
        if best is None or difference < best.difference:
            if len(np.unique(left[:common])) < _LEAST_DIFFERENT:
                continue
            best = Likeness(difference, shift * WORD_SECONDS)
    return best


def alike(one: Sequence[int], other: Sequence[int]) -> Likeness | None:
    """The likeness of two fingerprints of one recording; None where they are of two."""
    if not (tells(one) and tells(other)):
        return None
    found = compare(one, other)
    return found if found is not None and found.difference <= ALIKE_BITS else None


def _rough(words: Sequence[int]) -> NDArray[np.int32]:
    return (np.array(words, np.int32).view(np.uint32) & _KEPT_BITS).view(np.int32)

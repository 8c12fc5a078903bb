"""The pieces: one module a release, one function a track. Each takes a Take and answers its mix, stereo."""

from __future__ import annotations

from importlib import import_module

from app.demo.dsp import Signal
from app.demo.score import Take


def perform(piece: str, take: Take) -> Signal:
    """The mix of the piece named "module.function", before mastering."""
    module, function = piece.split(".")
    mix: Signal = getattr(import_module(f"app.demo.pieces.{module}"), function)(take)
    return mix

"""The short form of `bench/faults.py`: kills at random moments, with two workers, and masters that poison."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from app.settings import Settings
from bench.faults import Trial

RUNS = 2


@pytest.fixture
def tried(app: Flask, settings: Settings, tmp_path: Path) -> Trial:
    env = {
        name.upper(): str(getattr(value, "get_secret_value", lambda value=value: value)())
        for name, value in settings
        if value is not None
    }
    return Trial(env | {"WAVECRATE_VAR": str(tmp_path)}, tmp_path, film_every=2)


def _nothing_is_left(figures: dict[str, object]) -> None:
    assert figures["published once"] == figures["done"] == figures["jobs"]
    assert (figures["orphans"], figures["wrong objects"], figures["chunks left"]) == (0, 0, 0)
    assert (figures["processes left"], figures["folders left"]) == ([], [])


@pytest.mark.timeout(600)
def test_after_any_kill_each_job_is_done_and_published_once_and_nothing_is_left(tried: Trial) -> None:
    tried.runs(RUNS, workers=2)
    figures = tried.verdict()
    assert figures["struck"] == RUNS, figures["kills"]
    _nothing_is_left(figures)


@pytest.mark.timeout(600)
def test_poison_fails_with_a_reason_and_blocks_nobody(tried: Trial) -> None:
    reasons = tried.poison(2)
    assert "it was damaged. Upload it again" in (reasons["swapped"] or "")
    assert "SIGKILL" in (reasons["crashes"] or "")
    assert "Encoding took longer than" in (reasons["hangs"] or "")
    assert "The worker was lost 3 times" in (reasons["kills"] or "")
    _nothing_is_left(tried.verdict())

"""A ladder that follows what is in a film."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media_samples import ffmpeg as make
from tests.media_samples import make_film
from transcoder import complexity, ladder
from transcoder.complexity import Measured
from transcoder.contract import Probe, VideoFacts
from transcoder.probe import probe_file

HD = Probe("mp4", "film", 600.0, None, VideoFacts("h264", 1920, 1080, (24, 1)))
SD = Probe("mp4", "film", 600.0, None, VideoFacts("h264", 640, 480, (24, 1)))


def found(*each: tuple[float, float]) -> list[Measured]:
    names = [rung.name for rung in ladder.film_rungs(HD)]
    return [Measured(name, *figures) for name, figures in zip(names, each, strict=True)]


def test_a_film_of_usual_content_keeps_its_rungs() -> None:
    rungs = ladder.film_rungs(HD)
    assert complexity.fitted(rungs, found((2700, 96), (700, 85), (250, 71), (130, 52))) == rungs


def test_easy_content_gets_a_higher_crf_and_hard_content_a_lower_one() -> None:
    rungs = ladder.film_rungs(HD)
    easy = complexity.fitted(rungs, found((900, 98.5), (300, 94), (120, 88), (60, 80)))
    hard = complexity.fitted(rungs, found((6000, 84), (2500, 76), (900, 66), (300, 50)))
    assert all(rung.crf > known.crf for rung, known in zip(easy, rungs, strict=True) if rung.name != "v480")
    assert [rung.crf < known.crf for rung, known in zip(hard, rungs, strict=True)] == [True, True, False, False]
    assert hard[2:] == rungs[2:], "the first on air has its CRF; smaller with more quality would cost as much"


def test_rungs_that_gain_nothing_are_dropped() -> None:
    rungs = ladder.film_rungs(HD)
    alike = complexity.fitted(rungs, found((900, 96), (300, 91), (200, 90), (60, 80)))
    assert [rung.name for rung in alike] == ["v1080", "v480", "v360"]
    best = complexity.fitted(rungs, found((900, 96), (300, 95.5), (200, 90), (60, 80)))
    assert [rung.name for rung in best] == ["v1080", "v720", "v480", "v360"], "what looks best is kept"
    close = complexity.fitted(rungs, found((1000, 95), (900, 90), (200, 80), (190, 70)))
    assert [rung.name for rung in close] == ["v1080", "v480"]


def test_what_several_rungs_gain_together_is_not_dropped_rung_by_rung() -> None:
    rungs = ladder.film_rungs(HD)
    dark = complexity.fitted(rungs, found((200, 95), (100, 94), (50, 93), (30, 92.5)))
    assert [rung.name for rung in dark] == ["v1080", "v480", "v360"]


def test_a_film_without_detail_is_not_made_larger_than_it_shows() -> None:
    rungs = ladder.film_rungs(HD)
    measured = found((900, 96), (300, 92), (200, 90), (60, 80))
    measured[1] = Measured("v720", 300, 92, lost=0.5)
    soft = complexity.fitted(rungs, measured)
    assert [rung.name for rung in soft] == ["v720", "v480", "v360"]
    assert soft[0].crf == rungs[0].crf


@given(st.lists(st.tuples(st.floats(1, 20_000), st.floats(0, 100)), min_size=4, max_size=4))
def test_the_rung_that_is_first_on_air_stays_as_it_is(figures: list[tuple[float, float]]) -> None:
    rungs = ladder.film_rungs(HD)
    first = ladder.on_air_rung(rungs)
    chosen = complexity.fitted(rungs, found(*figures))
    assert ladder.on_air_rung(chosen) == first
    assert all(18 <= rung.crf <= 40 for rung in chosen)
    order = [rung.name for rung in rungs]
    assert [rung.name for rung in chosen] == [name for name in order if name in {rung.name for rung in chosen}]


def test_players_always_have_a_choice() -> None:
    rungs = ladder.film_rungs(SD)
    measured = [Measured(rungs[0].name, 100, 99), Measured(rungs[1].name, 99, 99)]
    assert [rung.name for rung in complexity.fitted(rungs, measured)] == [rung.name for rung in rungs]


def test_a_film_that_is_on_air_in_its_top_rung_has_known_settings() -> None:
    rungs = ladder.film_rungs(SD)
    measured = [Measured(rungs[0].name, 500, 99), Measured(rungs[1].name, 490, 98.9)]
    assert complexity.fitted(rungs, measured)[0] == rungs[0]


@pytest.mark.parametrize(("filters", "top"), [("null", "v1080"), ("gblur=sigma=12", "v720")], ids=["sharp", "blurred"])
def test_a_real_film_is_measured_the_same_every_time(tmp_path: Path, filters: str, top: str) -> None:
    source = ("-f", "lavfi", "-i", f"testsrc2=size=1920x1080:rate=10:duration=3,{filters}")
    make(*source, "-c:v", "libx264", "-preset", "ultrafast", "-qp", "6", "-pix_fmt", "yuv420p", str(tmp_path / "a.mp4"))
    master = tmp_path / "a.mp4"
    probe = probe_file(master)
    chosen = complexity.choose(master, probe, tmp_path, "veryfast", seconds=2)
    assert complexity.choose(master, probe, tmp_path, "veryfast", seconds=2) == chosen
    assert chosen[0].name == top
    assert "v480" in [rung.name for rung in chosen]
    assert not (tmp_path / "sample").exists()


def test_a_short_film_is_not_measured(tmp_path: Path) -> None:
    master = make_film(tmp_path / "short.mp4", seconds=2)
    probe = probe_file(master)
    assert complexity.choose(master, probe, tmp_path, "veryfast") == ladder.film_rungs(probe)

"""`wavecrate recommend tune` and `report`: on the shop's own events, and what becomes of what they find."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask
from support import rows
from support.scene import Scene, scenes
from support.terminal import wavecrate

from app.core.db import db, transaction
from app.discovery import measured, promotion, queries, reading, service, tuned
from app.discovery.models import EventKind, RecommenderModel
from app.recommender import protocol
from app.recommender.als import AlsSettings
from app.recommender.recipe import Recipe
from app.settings import Settings

BAD = Recipe(AlsSettings(factors=1, regularisation=80.0), power=0.0)


@pytest.fixture
def town(app: Flask) -> list[Scene]:
    return scenes("Jazz", "Metal", "Folk", people=30)


def train(found: tuned.Tuned | None = None) -> RecommenderModel:
    with transaction():
        return service.train(found=found)


def test_what_is_found_is_kept_with_the_model_and_training_goes_on_with_it(
    town: list[Scene], settings: Settings
) -> None:
    train(tuned.Tuned(BAD, 1.0, 0.0, 60))
    assert queries.active_model().settings["factors"] == 1
    done = wavecrate(settings, "recommend", "tune", "--minutes", "0.02")
    assert done.exit_code == 0, done.output
    found = re.search(r"NDCG@100 ([\d.]+) by .*; ([\d.]+) by the settings in use, over 30 people", done.stdout)
    assert found is not None
    assert float(found[1]) > float(found[2]) + 0.1
    assert "is in use, and training goes on with its settings" in done.stdout
    db.session.rollback()
    db.session.expire_all()
    first = queries.active_model()
    recipe = Recipe.of(first.settings["tuned"])
    assert recipe == Recipe.of(first.settings) != BAD
    assert first.settings["tuned"]["ndcg"] == pytest.approx(float(found[1]), abs=1e-4)
    listed = wavecrate(settings, "recommend", "models").stdout.splitlines()[0]
    assert f"{recipe.als.factors} factors" not in listed
    assert f"factors {recipe.als.factors}, λ {recipe.als.regularisation:g}" in listed
    assert f"tuned {first.settings['tuned']['at'][:10]}" in listed
    with transaction():
        service.record(town[0].people[0].id, town[0].releases[0].id, EventKind.PLAY)
    after = train()
    assert Recipe.of(after.settings) == recipe
    assert after.settings["tuned"] == first.settings["tuned"]


def test_where_nothing_is_better_the_settings_stay(
    town: list[Scene], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    train()
    before = queries.active_model().id
    monkeypatch.setattr(tuned, "_space", lambda *_: [BAD])
    done = wavecrate(settings, "recommend", "tune", "--minutes", "0")
    assert done.exit_code == 0, done.output
    assert "Nothing is better than the settings in use: they stay." in done.stdout
    db.session.expire_all()
    assert queries.active_model().id == before
    assert len(queries.models()) == 1


def test_with_too_few_people_it_says_so_and_the_defaults_stay(app: Flask, settings: Settings) -> None:
    scenes("Jazz", people=10)
    done = wavecrate(settings, "recommend", "tune")
    assert done.exit_code == 1
    assert "10 people did something with 4 releases or more, and 60 are needed" in done.stderr
    assert queries.active_model() is None
    assert train().settings.get("tuned") is None


def test_a_search_looks_at_people_whom_training_does_not_see_and_at_no_test(
    town: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[protocol.Split] = []
    search = tuned.tuning.search
    monkeypatch.setattr(tuned.tuning, "search", lambda ground, *rest: (seen.append(ground), search(ground, *rest))[1])
    given = reading.interactions_so_far()
    tuned.search(given, BAD, most_factors=8, seconds=0)
    [ground] = seen
    assert ground.train.shape[0] + ground.validation.given.shape[0] == given.matrix.shape[0]
    told = ground.train.nnz + ground.validation.given.nnz + sum(map(len, ground.validation.wanted))
    assert told == given.matrix.nnz
    assert ground.test.given.shape[0] == 0


def test_a_tuned_model_is_kept_back_only_where_it_is_broken(town: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = promotion.Verdict(new=0.7, old=0.9, low=-0.3, high=-0.1, people=90)
    assert (verdict.holds, verdict.sound) == (False, True)
    assert not replace(verdict, new=0.4).sound
    train()
    monkeypatch.setattr(promotion, "judge", lambda *_: verdict)
    assert not train().active
    assert train(tuned.Tuned(Recipe(AlsSettings(factors=4)), 0.5, 0.4, 30)).active


def test_settings_never_outgrow_what_the_shop_allows() -> None:
    model = RecommenderModel(settings=tuned.Tuned(Recipe(AlsSettings(factors=100)), 1.0, 0.0, 60).settings())
    assert tuned.wanted(model, (500, 500), 64).als.factors == 64
    assert tuned.wanted(None, (30, 60), 64) == Recipe.suitable(30, 60, 64)
    assert Recipe.suitable(30, 60, 64).als.factors == 10


def test_the_report_shows_that_content_finds_what_few_or_nobody_touched(town: list[Scene], settings: Settings) -> None:
    """Rare releases that one newcomer bought beside another: where it is held back, nobody else leads to it."""
    for scene in town:
        for number in range(12):
            rare, person = scene.release(f"Rare {scene.genre.name} {number}"), rows.account()
            for release in (scene.releases[number % 10], rare):
                service.record(person.id, release.id, EventKind.PURCHASE)
    db.session.commit()
    found = measured.measure(reading.interactions_so_far(), Recipe.suitable(126, 66, 64))
    everything, few, nobody, newcomers = found.rows
    assert (found.people, found.releases) == (126, 66)
    assert everything.wanted == 126
    assert few.wanted >= nobody.wanted > 0
    assert newcomers.wanted == 36
    popular, alone, completed = nobody.recall
    assert completed > alone + 0.2
    assert completed > popular + 0.2
    assert few.recall[2] > few.recall[1]
    assert everything.recall[2] > everything.recall[0]
    assert newcomers.recall[2] > newcomers.recall[0]
    done = wavecrate(settings, "recommend", "report")
    assert done.exit_code == 0, done.output
    assert found.markdown() + "\n" == done.stdout
    assert "| people with fewer than 3 releases | 36 |" in done.stdout


def test_a_report_on_nothing_says_what_is_missing(app: Flask, settings: Settings) -> None:
    done = wavecrate(settings, "recommend", "report")
    assert done.exit_code == 1
    assert "0 people did something with two releases, and 20 are needed" in done.stderr


def test_evaluate_without_a_file_measures_the_shops_own_events(town: list[Scene], settings: Settings) -> None:
    done = wavecrate(settings, "recommend", "evaluate", "--minutes", "0", "--splits", "1")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("the shop's own events: 90 people × 30 items, ")

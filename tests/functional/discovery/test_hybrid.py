"""Releases that nobody has touched and people who did one thing are not invisible, by what releases are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from flask import Flask
from support import rows, shown
from support.scene import Scene, scenes

from app.core import clock
from app.core.db import db, transaction
from app.discovery import cold, events, folded, hybrid, reasons, service
from app.discovery.models import AccountVector, EventKind, RecommenderModel, ReleaseVector
from app.recommender.factorising import Factors
from app.recommender.interactions import Interactions


@pytest.fixture
def town(app: Flask) -> list[Scene]:
    return scenes("Jazz", "Metal", "Folk")


def train() -> RecommenderModel:
    with transaction():
        return service.train()


def test_a_release_without_sales_has_a_vector_and_comes_up_for_its_people(town: list[Scene]) -> None:
    new = [scene.release(f"New {scene.genre.name}") for scene in town]
    model = train()
    assert model.settings["content"]["cosine"] > 0.5
    assert model.settings["releases"] == 33
    for own, scene in zip(new, town, strict=True):
        assert db.session.get(ReleaseVector, (model.id, own.id)) is not None
        for fan in scene.people[:5]:
            shelf = shown.for_you(fan.id, 15)
            assert own in shelf
            others = [shelf.index(other) for other in new if other is not own and other in shelf]
            assert all(shelf.index(own) < place for place in others)
        assert set(shown.fans_also_bought(own.id, None, 5)) <= set(scene.releases)


def test_without_it_nobody_would_be_shown_what_is_new(town: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    new = town[0].release("New")
    monkeypatch.setattr(cold, "fit", lambda *_given, **_more: None)
    model = train()
    assert model.settings["content"] is None
    assert model.settings["releases"] == 30
    assert db.session.get(ReleaseVector, (model.id, new.id)) is None


def test_a_single_play_is_enough_for_a_shelf_of_ones_own(town: list[Scene]) -> None:
    """Of a release that people touched, and of one that nobody did before."""
    new = town[2].release("New")
    train()
    for heard in (town[2].releases[0], new):
        person = rows.consenting()
        assert shown.for_you(person.id, 4) == shown.popular(4)
        with transaction():
            events.note(person.id, heard.id, EventKind.PLAY)
        shelf = shown.for_you(person.id, 4)
        assert shelf != shown.popular(4)
        assert set(shelf) <= {*town[2].releases, new}
        told = reasons.of(person.id, [one.id for one in shelf if one is not heard])
        assert {reason.release_id for found in told.values() for reason in found} == {heard.id}


def test_a_release_that_comes_out_asks_for_a_training(town: list[Scene]) -> None:
    train()
    assert not service.is_stale()
    town[0].release("New")
    assert service.is_stale()
    train()
    assert not service.is_stale()


def test_what_few_touched_is_blended_and_people_are_folded_into_that(
    town: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing speaks against it: in so small a town that is left to the lot."""
    monkeypatch.setattr(hybrid, "_no_worse", lambda *_: True)
    rare = town[1].release("Rare")
    with transaction():
        service.record(town[0].people[0].id, rare.id, EventKind.PURCHASE)
    model = train()
    assert model.settings["content"]["blended"]
    row = db.session.get(ReleaseVector, (model.id, rare.id)).vector

    def likeness(scene: Scene) -> float:
        others = [db.session.get(ReleaseVector, (model.id, one.id)).vector for one in scene.releases]
        middle = np.mean(others, axis=0)
        return float(row @ middle / np.linalg.norm(row) / np.linalg.norm(middle))

    assert likeness(town[1]) > likeness(town[0]), "its genre says more than the one person who bought it"
    fan = town[1].people[0]
    trained = db.session.get(AccountVector, (model.id, fan.id)).vector
    model.settings = model.settings | {"until_event": 0}
    np.testing.assert_allclose(trained, folded.taste(model, fan.id), rtol=1e-3, atol=1e-5)


def test_the_way_is_chosen_once_a_day(town: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    fit = cold.fit

    def watched(*given: Any, **more: Any) -> cold.Predictor | None:
        found = fit(*given, **more)
        assert found is not None
        tried.append(len(found.choice.tried))
        return found

    monkeypatch.setattr(cold, "fit", watched)
    first, second = train().settings["content"], train().settings["content"]
    assert tried[0] > tried[1] == 1
    assert (second["way"], second["strength"], second["chosen"]) == (first["way"], first["strength"], first["chosen"])
    later = clock.now() + timedelta(days=1, minutes=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert train().settings["content"]["chosen"] == later.isoformat()
    assert tried[2] == tried[0]


def test_what_makes_it_worse_is_left_out(town: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    """Blends are compared with what was learned before they are used: here one that is mere chance."""

    def chance(learned: np.ndarray, *_others: object) -> np.ndarray:
        return np.random.default_rng(1).standard_normal(learned.shape).astype(np.float32)

    monkeypatch.setattr(cold, "blend", chance)
    seen: list[Factors] = []
    complete = hybrid.complete

    def remembering(factors: Factors, told: Interactions, earlier: Any) -> hybrid.Completed:
        seen.append(factors)
        return complete(factors, told, earlier)

    monkeypatch.setattr(hybrid, "complete", remembering)
    model = train()
    assert not model.settings["content"]["blended"]
    assert model.active
    stored = db.session.get(ReleaseVector, (model.id, seen[0].release_ids[0])).vector
    np.testing.assert_allclose(np.asarray(stored)[: seen[0].releases.shape[1]], seen[0].releases[0], rtol=1e-6)


def test_a_withdrawn_release_is_placed_nowhere(town: list[Scene]) -> None:
    draft = rows.release("Draft", published=False)
    model = train()
    assert db.session.get(ReleaseVector, (model.id, draft.id)) is None

"""Training on planted tastes: each group is shown its own kind, and a shelf moves with what a person does."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import func, select
from support import rows, shown
from support.drain import drain

from app.accounts.models import Account
from app.catalog.models import Release
from app.core import queue
from app.core.db import db, transaction
from app.discovery import folded, service, tasks, vectors
from app.discovery.models import FACTORS, AccountVector, Event, EventKind, RecommenderModel, ReleaseVector
from app.licenses import service as licenses
from app.recommender.recipe import Recipe
from app.settings import Settings


@dataclass
class Town:
    """Two groups of people, each with releases of its own that it buys and plays."""

    jazz: list[Release]
    metal: list[Release]
    jazz_fans: list[Account]
    metal_fans: list[Account]


@pytest.fixture
def town(app: Flask) -> Town:
    chance = random.Random(7)
    made = Town(
        [rows.release(f"Jazz {n}") for n in range(6)],
        [rows.release(f"Metal {n}") for n in range(6)],
        [rows.account() for _ in range(8)],
        [rows.account() for _ in range(8)],
    )
    for fans, releases in ((made.jazz_fans, made.jazz), (made.metal_fans, made.metal)):
        for fan in fans:
            for release in chance.sample(releases, 3):
                service.record(fan.id, release.id, EventKind.PURCHASE)
                service.record(fan.id, release.id, EventKind.PLAY, value=0.9)
    db.session.commit()
    return made


def _train() -> RecommenderModel:
    with transaction():
        return service.train()


def _buy(person: Account, release: Release) -> str:
    key = rows.own(person, release=release)
    with transaction():
        service.record(person.id, release.id, EventKind.PURCHASE)
    return key


def test_each_group_is_shown_its_own_kind(town: Town) -> None:
    _train()
    for fans, own in ((town.jazz_fans, town.jazz), (town.metal_fans, town.metal)):
        for fan in fans:
            assert set(shown.for_you(fan.id, 4)) <= set(own)


def test_fans_also_bought_stays_within_the_taste(town: Town) -> None:
    _train()
    for own in (town.jazz, town.metal):
        for release in own:
            shelf = shown.fans_also_bought(release.id, None, 10)
            assert shelf
            assert set(shelf) <= set(own) - {release}


def test_what_is_owned_or_withdrawn_is_not_shown(town: Town) -> None:
    _train()
    fan = town.jazz_fans[0]
    owned, withdrawn = shown.for_you(fan.id, 2)
    rows.own(fan, release=owned)
    with transaction():
        withdrawn.status, withdrawn.published_at = "draft", None

    shelf = shown.for_you(fan.id, 20)
    assert len(shelf) == len(set(shelf)) == 10
    assert not {owned, withdrawn} & set(shelf)
    for release in town.jazz:
        assert not {owned, withdrawn} & set(shown.fans_also_bought(release.id, fan.id, 20))


def test_a_newcomer_gets_a_shelf_of_their_taste_without_a_new_training(town: Town) -> None:
    _train()
    newcomer = rows.account()
    before = shown.for_you(newcomer.id, 3)
    assert before == shown.popular(3)

    bought = town.metal[2]
    _buy(newcomer, bought)
    after = shown.for_you(newcomer.id, 3)
    assert after != before
    assert set(after) <= set(town.metal) - {bought}


def test_a_refund_takes_the_signal_back(town: Town) -> None:
    _train()
    newcomer = rows.account()
    bought = town.metal[2]
    key = _buy(newcomer, bought)
    with transaction():
        licenses.revoke(key, "refunded")
        service.record(newcomer.id, bought.id, EventKind.REFUND)
    assert shown.for_you(newcomer.id, 12) == shown.popular(12)
    model = _train()
    assert db.session.get(AccountVector, (model.id, newcomer.id)) is None


def test_folding_in_agrees_with_training(town: Town) -> None:
    """The same events of the same person give the same taste, whether training saw them or not."""
    model = _train()
    fan = town.jazz_fans[0]
    trained = db.session.get(AccountVector, (model.id, fan.id)).vector
    model.settings = model.settings | {"until_event": 0}
    now = folded.taste(model, fan.id)
    assert now is not None
    np.testing.assert_allclose(trained, now, rtol=1e-3, atol=1e-5)


def test_a_model_of_an_older_version_goes_on_as_it_was_learned(town: Town) -> None:
    """Its settings name alpha and λ only: c = 1 + α·log(1 + r), and one λ for everybody."""
    model = _train()
    old = {name: model.settings[name] for name in ("accounts", "releases", "until_event", "heat", "indexed")}
    model.settings = old | {"factors": 4, "alpha": 10.0, "regularisation": 5.0}
    db.session.commit()
    newcomer = rows.account()
    _buy(newcomer, town.metal[2])
    found = folded.of(model, newcomer.id)
    assert found is not None
    assert found.equation.confidence == pytest.approx([1 + 10 * np.log1p(5)], rel=1e-3)
    assert found.equation.regularisation == 5
    assert set(shown.for_you(newcomer.id, 3)) <= set(town.metal)
    newer = _train()
    assert newer.active
    assert newer.settings["scaling"] == 0.5
    assert newer.settings["judged"] is None, "16 people with three releases each say nothing of a model"


def test_training_again_replaces_the_model_and_keeps_the_one_before(town: Town) -> None:
    first, second, third = _train(), _train(), _train()
    kept = set(db.session.scalars(select(RecommenderModel.id)))
    assert kept == {second.id, third.id}
    assert db.session.scalars(select(RecommenderModel.id).where(RecommenderModel.active)).all() == [third.id]
    assert set(db.session.scalars(select(ReleaseVector.model_id).distinct())) == kept
    assert first.settings["factors"] == third.settings["factors"] == 4
    latest, previous = (
        np.array(
            db.session.scalars(
                select(ReleaseVector.vector).where(ReleaseVector.model_id == model).order_by(ReleaseVector.release_id)
            ).all()
        )
        for model in (third.id, second.id)
    )
    assert latest.shape == (12, FACTORS)
    assert not latest[:, 4:].any()
    np.testing.assert_allclose(latest, previous, atol=1e-4)


def test_a_training_that_fails_changes_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _train()
    monkeypatch.setattr(vectors, "store", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        _train()
    assert db.session.scalars(select(RecommenderModel)).all() == [first]
    assert db.session.scalar(select(RecommenderModel.active))
    assert db.session.scalar(select(func.count()).select_from(ReleaseVector)) == 12


def test_the_task_trains_only_where_something_happened(town: Town) -> None:
    tasks.train()
    first = db.session.scalars(select(RecommenderModel)).one()
    tasks.train(timestamp=1)
    assert db.session.scalars(select(RecommenderModel)).one() is first
    _buy(town.jazz_fans[0], town.metal[0])
    tasks.train(timestamp=2)
    assert db.session.scalar(select(func.count()).select_from(RecommenderModel)) == 2


def test_the_queue_trains_at_once_when_asked(town: Town, app: Flask, settings: Settings) -> None:
    with transaction():
        queue.defer("discovery.train", lock="discovery.train", args={"always": True})
    drain(app, settings, "app.discovery.tasks")
    assert db.session.scalars(select(RecommenderModel)).one().settings["releases"] == 12


def test_nothing_to_learn_from(app: Flask) -> None:
    release, person = rows.release(), rows.account()
    model = _train()
    assert model.settings["accounts"] == 0
    assert shown.for_you(person.id, 5) == [release]
    assert shown.fans_also_bought(release.id, person.id, 5) == []


def test_one_person_and_one_release(app: Flask) -> None:
    release, other, person = rows.release(), rows.release(), rows.account()
    with transaction():
        service.record(person.id, release.id, EventKind.PLAY)
    model = _train()
    assert model.settings["factors"] == 1
    assert shown.for_you(person.id, 5) == [release, other]
    assert shown.fans_also_bought(release.id, person.id, 5) == []


def test_drafts_and_refunds_teach_nothing(app: Flask) -> None:
    draft, returned, person = rows.release(published=False), rows.release(), rows.account()
    with transaction():
        service.record(person.id, draft.id, EventKind.PLAY)
        service.record(person.id, returned.id, EventKind.PURCHASE)
        service.record(person.id, returned.id, EventKind.REFUND)
    assert _train().settings["releases"] == 0


def test_more_of_it_is_surer_and_nothing_is_one() -> None:
    for even in (True, False):
        sure = Recipe(even=even).confidence(np.array([0.0, 1.0, 5.0, 50.0]))
        assert sure[0] == 1.0
        assert (np.diff(sure) > 0).all()


def test_the_value_of_an_event_is_a_share(app: Flask) -> None:
    release, person = rows.release(), rows.account()
    with transaction():
        service.record(person.id, release.id, EventKind.PLAY, value=7)
        service.record(person.id, release.id, EventKind.PLAY, value=-1)
    assert db.session.scalars(select(Event.value).order_by(Event.id)).all() == [1.0, 0.0]

"""A model is used only if it does no worse than the one in use, and an earlier one can be put back."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import select
from support import rows, shown
from support.terminal import wavecrate

from app.accounts.models import Account
from app.core import clock
from app.core.db import db, transaction
from app.core.errors import Conflict, NotFound
from app.discovery import promotion, queries, service
from app.discovery.models import EventKind, RecommenderModel, ReleaseVector
from app.recommender import factorising
from app.recommender.interactions import Interactions
from app.settings import Settings


@pytest.fixture
def people(app: Flask) -> list[Account]:
    """Two groups, each of whom buys seven of its own ten releases."""
    chance, made = random.Random(3), []
    for group in ("Jazz", "Metal"):
        releases = [rows.release(f"{group} {number}") for number in range(10)]
        for _fan in range(15):
            made.append(rows.account())
            for release in chance.sample(releases, 7):
                service.record(made[-1].id, release.id, EventKind.PURCHASE)
    db.session.commit()
    return made


def train() -> RecommenderModel:
    with transaction():
        return service.train()


def breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on training gives everybody and everything vectors by chance."""
    factorise = factorising.factorise

    def broken(given: Interactions, *settings: object, **more: object) -> factorising.Factors | None:
        made = factorise(given, *settings, **more)  # type: ignore[arg-type]
        assert made is not None
        draw = np.random.default_rng(1)
        return factorising.Factors(
            made.account_ids,
            made.release_ids,
            *(draw.standard_normal(each.shape).astype(np.float32) for each in (made.accounts, made.releases)),
            made.recipe,
            made.mean_count,
        )

    monkeypatch.setattr(factorising, "factorise", broken)


def test_a_broken_model_never_reaches_a_shelf(people: list[Account], monkeypatch: pytest.MonkeyPatch) -> None:
    good = train()
    shelf = [release.title for release in shown.for_you(people[0].id, 3)]
    breaking(monkeypatch)
    bad = train()
    assert (good.active, bad.active) == (True, False)
    assert bad.settings["refused"]
    judged = bad.settings["judged"]
    assert judged["new"] < 0.9 * judged["old"]
    assert judged["people"] == 30
    assert [release.title for release in shown.for_you(people[0].id, 3)] == shelf
    assert db.session.scalars(select(ReleaseVector).where(ReleaseVector.model_id == good.id)).first()


def test_one_as_good_takes_its_place_and_says_so(people: list[Account]) -> None:
    first, second = train(), train()
    assert (first.active, second.active) == (False, True)
    judged = second.settings["judged"]
    assert judged["new"] == pytest.approx(judged["old"], abs=0.02)
    assert judged["low"] <= 0 <= judged["high"]


def test_with_too_few_people_to_ask_a_trained_model_is_used_and_an_imported_one_is_not(app: Flask) -> None:
    release, fan = rows.release(), rows.account()
    with transaction():
        service.record(fan.id, release.id, EventKind.PURCHASE)
    assert train().active
    assert train().active
    with transaction():
        other = service.adopt([release.id], np.ones((1, 4), np.float32), "imported")
        assert not promotion.promote_if_better(other)
    assert not other.active


def test_an_imported_model_that_does_as_well_is_used(people: list[Account]) -> None:
    trained = train()
    known = db.session.execute(
        select(ReleaseVector.release_id, ReleaseVector.vector).where(ReleaseVector.model_id == trained.id)
    ).all()
    with transaction():
        same = service.adopt(
            [one for one, _vector in known], np.array([vector for _one, vector in known], np.float32), "imported"
        )
        assert promotion.promote_if_better(same)
    assert queries.active_model() == same


def test_yesterdays_model_can_be_put_back(
    app: Flask, people: list[Account], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [clock.now() - timedelta(days=1)]

    def moment() -> datetime:
        return now[0]

    monkeypatch.setattr(clock, "now", moment)
    yesterdays = train().id
    now[0] += timedelta(days=1)
    for _round in range(3):
        now[0] += timedelta(minutes=10)
        latest = train()
    listed = wavecrate(settings, "recommend", "models").stdout.splitlines()
    assert listed[0].split()[0] == latest.id
    assert "in use" in listed[0]
    assert listed[-1].startswith(yesterdays)
    assert "kept" in listed[-1]
    done = wavecrate(settings, "recommend", "use", yesterdays)
    assert done.stdout == f"Model {yesterdays} is in use.\n"
    db.session.rollback()
    db.session.expire_all()
    active = queries.active_model()
    assert active is not None
    assert active.id == yesterdays
    assert shown.for_you(people[0].id, 3)
    assert wavecrate(settings, "recommend", "use", yesterdays).exit_code == 1
    assert "no such model" in wavecrate(settings, "recommend", "use", "nosuchmodel").stderr


def test_what_can_not_be_put_back_is_said(people: list[Account]) -> None:
    model = train()
    with pytest.raises(Conflict, match="in use already"):
        promotion.put_back(model.id)
    with pytest.raises(NotFound, match="no such model"):
        promotion.put_back("0")


def test_models_of_a_week_are_kept_one_a_day_and_no_refused_one_for_long(
    people: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now() - timedelta(days=30)
    for day in range(10):
        for hour in (0, 1):
            monkeypatch.setattr(clock, "now", lambda day=day, hour=hour: start + timedelta(days=day, hours=hour))
            train()
    kept = queries.models()
    assert len({model.created_at.date() for model in kept}) == 7
    assert len(kept) == 8, "the last of each day, and the one before the one in use"
    breaking(monkeypatch)
    for minute in range(1, 5):
        monkeypatch.setattr(clock, "now", lambda minute=minute: start + timedelta(days=9, hours=2, minutes=minute))
        train()
    assert sum(bool(model.settings["refused"]) for model in queries.models()) <= 1

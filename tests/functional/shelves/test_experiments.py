"""Trials: who gets what, from when to when, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import insert
from support import rows
from support.shop import offer

from app.accounts.models import Account
from app.catalog.models import Release
from app.core import clock
from app.core.db import db, transaction
from app.core.errors import Conflict
from app.orders.models import Order, OrderLine, OrderState
from app.recommender.diversity import TRADE
from app.settings import ROOT, Settings
from app.shelves import experiments, exposures, reports
from app.shelves.experiments import BadTrial, Metric, TrialState, TrialWish, Variant, deal
from app.shelves.models import Exposure, Trial
from app.shelves.shelf import Kept, Pick, Shelf, ShelfName, Source
from app.shelves.units import unit_of
from app.shelves.ways import QUESTIONS, Question


def wish(**other: object) -> TrialWish:
    facts = {
        "name": "popular-2026",
        "hypothesis": "The model gets more clicks, because it knows the person.",
        "question": Question.FIRST,
        "variants": [Variant("for-you", 50), Variant("popular", 50)],
        "metric": Metric.CLICKS,
        "days": 28,
    }
    return TrialWish(**(facts | other))  # type: ignore[arg-type]


def under_way(**other: object) -> Trial:
    with transaction():
        made = experiments.create(wish(**other))
        experiments.start(made)
    return made


def look(person: Account, release: Release, click: bool = False) -> None:
    with transaction():
        dealt = deal(person.id)
        picks = (Pick(release, 1.0, Source.MODEL),)
        exposures.shown([Shelf(ShelfName.FOR_YOU, picks, kept=dealt.kept(ShelfName.FOR_YOU))], person.id)
        if click:
            assert exposures.followed("for-you", release.id, person.id)


def test_the_same_person_always_gets_the_same_way(app: Flask) -> None:
    people = [rows.consenting() for _n in range(20)]
    usual = QUESTIONS[Question.FIRST].usual
    assert {deal(one.id).way(Question.FIRST) for one in people} == {usual}
    trial = under_way()
    got = [deal(one.id).way(Question.FIRST).name for one in people]
    assert set(got) == {"for-you", "popular"}
    for _again in range(3):
        assert [deal(one.id).way(Question.FIRST).name for one in people] == got
    dealt = deal(people[0].id)
    assert dealt.kept(ShelfName.FOR_YOU) == Kept(unit_of(people[0].id), trial.id, got[0])
    assert dealt.kept(ShelfName.FANS) == Kept(dealt.unit)
    assert dealt.way(Question.DIVERSITY) == QUESTIONS[Question.DIVERSITY].usual
    with transaction():
        experiments.stop(trial)
    assert {deal(one.id).way(Question.FIRST) for one in people} == {usual}


def test_nothing_is_tried_on_guests_and_on_who_did_not_consent(app: Flask) -> None:
    under_way(variants=[Variant("for-you", 1), Variant("popular", 99)])
    people = [rows.account().id for _n in range(20)]
    assert {deal(one).way(Question.FIRST).name for one in [None, *people]} == {"for-you"}
    assert deal(None).unit is None


def test_a_trial_ends_by_the_clock(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    person, release, now = rows.consenting(), rows.release(), clock.now()
    trial = under_way(days=7)
    look(person, release, click=True)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=7, minutes=1))
    assert experiments.state(trial) == TrialState.ENDED
    assert deal(person.id).kept(ShelfName.FOR_YOU).trial_id is None
    with transaction():
        assert reports.close_over() == 1
        assert reports.close_over() == 0
        with pytest.raises(Conflict):
            experiments.stop(trial)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=exposures.KEEP_DAYS + 8))
    with transaction():
        exposures.prune()
    assert db.session.query(Exposure).count() == 0
    told = reports.of(trial)
    assert sum(side.clicks for side in told.sides) == 1, "the report stays when its rows are gone"
    assert told.until == trial.until_at


def test_a_shelf_takes_part_in_one_trial_at_a_time(app: Flask) -> None:
    first = under_way()
    with transaction():
        second = experiments.create(
            wish(name="diverse", question=Question.DIVERSITY, variants=[Variant("usual", 50), Variant("different", 50)])
        )
    with pytest.raises(Conflict, match="popular-2026"), transaction():
        experiments.start(second)
    with transaction():
        experiments.stop(first)
        experiments.start(second)
    with pytest.raises(Conflict, match="begun before"), transaction():
        experiments.start(first)
    with pytest.raises(Conflict, match="stays"), transaction():
        experiments.discard(first)
    person = rows.consenting()
    assert deal(person.id).way(Question.DIVERSITY).value in (TRADE, 0.6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Not a name"},
        {"name": "x" * 61},
        {"hypothesis": "  "},
        {"days": 0},
        {"days": experiments.MOST_DAYS + 1},
        {"variants": [Variant("for-you", 100)]},
        {"variants": [Variant("for-you", 50), Variant("for-you", 50)]},
        {"variants": [Variant("for-you", 50), Variant("usual", 50)]},
        {"variants": [Variant("for-you", 50), Variant("popular", 49)]},
        {"variants": [Variant("for-you", 100), Variant("popular", 0)]},
    ],
)
def test_what_contradicts_itself_is_no_trial(app: Flask, wrong: dict[str, object]) -> None:
    with pytest.raises(BadTrial):
        experiments.create(wish(**wrong))
    assert experiments.all_trials() == []


def test_two_trials_do_not_have_one_name(app: Flask) -> None:
    experiments.create(wish())
    with pytest.raises(BadTrial, match="already"):
        experiments.create(wish())


def buy(person: Account, release: Release, *, days: float = 0, state: OrderState = OrderState.PAID, gift: bool = False):
    order = Order(
        account_id=person.id,
        email=person.email,
        locale="en",
        state=state,
        currency="EUR",
        total_minor=990,
        paid_at=clock.now() + timedelta(days=days),
    )
    sold = release.offer or offer(release=release)
    line = OrderLine(offer_id=sold.id, title="Tides", list_minor=990, net_minor=990, price_minor=990)
    line.gift_to = "kay@example.org" if gift else None
    order.lines = [line]
    db.session.add(order)
    db.session.commit()


def test_purchases_count_from_the_first_showing_to_the_end(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bo, release, now = rows.consenting("Ada"), rows.consenting("Bo"), rows.release(), clock.now()
    trial = under_way(days=7)
    buy(ada, release)  # before anything was shown
    look(ada, release, click=True)
    buy(ada, release)
    buy(ada, release, state=OrderState.REFUNDED)
    buy(ada, release, gift=True)
    buy(bo, release)  # was never shown anything
    buy(ada, release, days=8)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=9))
    told = reports.of(trial)
    assert (sum(side.units for side in told.sides), sum(side.purchases for side in told.sides)) == (1, 1)
    assert all(each.absolute is None for each in told.differences)
    assert "Too little has happened" in " ".join(reports.says(told))


def test_a_purchase_is_found_under_the_key_before(app: Flask) -> None:
    ada, release = rows.consenting(), rows.release()
    trial = under_way()
    look(ada, release)
    before = app.extensions["settings"]
    app.extensions["settings"] = before.model_copy(
        update={"secret_key": SecretStr("another key 0123456789"), "secret_key_previous": before.secret_key}
    )
    buy(ada, release)
    assert sum(side.purchases for side in reports.of(trial).sides) == 1


def crowd(trial: Trial, release: Release, rates: dict[str, float], people: int, seed: int = 1) -> None:
    """So many units that were dealt ways, and followed cards at those rates."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(people):
        unit = f"unit-{seed}-{number}"
        way = experiments.variant_of(trial, unit)
        row = {
            "shelf": "for-you", "release_id": release.id, "unit": unit, "at": clock.now(),
            "trial_id": trial.id, "variant": way,
        }  # fmt: skip
        made += [row | {"what": "shown"}] + [row | {"what": "followed"}] * int(rng.poisson(rates[way]))
    db.session.execute(insert(Exposure), made)
    db.session.commit()


def test_a_report_tells_what_is_true_and_how_sure_that_is(app: Flask) -> None:
    release = rows.release()
    trial = under_way()
    crowd(trial, release, {"for-you": 0.5, "popular": 0.3}, 3000)
    told = reports.of(trial)
    clicks = next(each for each in told.differences if each.metric == Metric.CLICKS)
    assert clicks.absolute is not None
    assert clicks.absolute.low < -0.2 < clicks.absolute.high
    assert clicks.absolute.high < 0
    assert clicks.relative is not None
    assert clicks.relative.low < 0.3 / 0.5 - 1 < clicks.relative.high
    assert told.trustworthy
    assert sum(side.units for side in told.sides) == 3000
    said = reports.says(told)
    assert "still runs" in said[0]
    assert said[1].startswith("Worse, beyond chance: with “popular” each person followed")


def test_sides_that_are_not_as_dealt_are_told_first(app: Flask) -> None:
    release = rows.release()
    trial = under_way()
    crowd(trial, release, {"for-you": 0.5, "popular": 0.5}, 1000)
    lost = db.session.query(Exposure).filter(Exposure.variant == "popular", Exposure.unit.regexp_match("-1-[123]"))
    lost.delete(synchronize_session=False)
    db.session.commit()
    told = reports.of(trial)
    assert not told.trustworthy
    assert reports.says(told)[0].startswith("Do not trust this trial")


def test_several_variants_share_one_chance_of_being_wrong(app: Flask) -> None:
    release = rows.release()
    names = ["usual", "alike", "different"]
    three = under_way(
        name="three",
        question=Question.DIVERSITY,
        variants=[Variant(n, s) for n, s in zip(names, (34, 33, 33), strict=True)],
    )
    crowd(three, release, dict.fromkeys(names, 0.5), 3000)
    widths = [each.absolute.high - each.absolute.low for each in reports.of(three).differences if each.absolute]
    assert len(widths) == 2
    sides = [side.units for side in reports.of(three).sides]
    # 97.5 % each, by normal quantiles, of rates of 0.5
    assert widths[0] == pytest.approx(2 * 2.2414 * (0.5 / sides[0] + 0.5 / sides[1]) ** 0.5, rel=0.1)


def test_the_report_of_a_person_who_goes_is_without_them(app: Flask) -> None:
    ada, release = rows.consenting(), rows.release()
    trial = under_way()
    look(ada, release)
    assert unit_of(ada.id) is not None
    assert sum(side.units for side in reports.of(trial).sides) == 1
    with transaction():
        exposures.forget(ada.id)
    assert sum(side.units for side in reports.of(trial).sides) == 0


def test_the_command_prints_the_report_as_json(app: Flask, settings: Settings) -> None:
    release = rows.release()
    trial = under_way()
    crowd(trial, release, {"for-you": 0.5, "popular": 0.5}, 400)
    ours = {name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in settings if value is not None}  # fmt: skip
    command = [sys.executable, "-m", "app.cli", "shelves", "report"]
    done = subprocess.run([*command, trial.name], capture_output=True, env=os.environ | ours, cwd=ROOT, check=True)
    told = json.loads(done.stdout)
    assert told["name"] == trial.name
    assert told["confidence"] == 0.95
    assert told["trustworthy"] is True
    assert {each["metric"] for each in told["differences"]} == {"clicks", "purchases"}
    assert told["differences"][0]["absolute"]["low"] < told["differences"][0]["absolute"]["high"]
    wrong = subprocess.run([*command, "none"], capture_output=True, env=os.environ | ours, cwd=ROOT, check=False)
    assert wrong.returncode == 1
    assert trial.name in wrong.stderr.decode()

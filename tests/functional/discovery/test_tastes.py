"""What a person decides about their recommendations: each promise of `docs/recommender.md`, on planted tastes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import func, select
from support import rows, shown

from app.accounts import leaving
from app.accounts.models import Account, Role
from app.catalog.models import Release
from app.core import clock
from app.core.db import db, transaction
from app.discovery import choices, events, queries, service, signal, tastes, vectors
from app.discovery.models import AccountVector, Event, EventKind, Mode, Opinion, RecommenderModel, Taste, Verdict
from app.wishlist import service as wishes


@dataclass
class Town:
    """Two groups of people, each with releases of its own that it buys; and somebody who bought one of jazz."""

    jazz: list[Release]
    metal: list[Release]
    ada: Account

    def buy(self, person: Account, release: Release) -> None:
        rows.own(person, release=release)
        with transaction():
            events.note(person.id, release.id, EventKind.PURCHASE)


@pytest.fixture
def town(app: Flask) -> Town:
    made = Town(
        [rows.release(f"Jazz {n}") for n in range(6)], [rows.release(f"Metal {n}") for n in range(6)], rows.account()
    )
    for own in (made.jazz, made.metal):
        for number in range(6):
            fan = rows.account()
            for step in range(3):
                service.record(fan.id, own[(number + step) % 6].id, EventKind.PURCHASE)
    made.buy(made.ada, made.jazz[0])
    _train()
    assert set(shown.for_you(made.ada.id, 4)) <= set(made.jazz[1:])
    return made


def _train() -> RecommenderModel:
    with transaction():
        return service.train()


def _decide(act: object, *arguments: object, **more: object) -> None:
    with transaction():
        act(*arguments, **more)  # type: ignore[operator]


def _vectors(person: Account) -> int:
    return db.session.scalar(
        select(func.count()).select_from(AccountVector).where(AccountVector.account_id == person.id)
    )


def _shelves(person: Account, beside: Release) -> set[Release]:
    found = [shown.for_you(person.id, 20), shown.popular(20, person.id)]
    return {one for shelf in [*found, shown.fans_also_bought(beside.id, person.id, 20)] for one in shelf}


def _log(person: Account) -> list[tuple[str, float]]:
    query = select(Event.kind, Event.value).where(Event.account_id == person.id).order_by(Event.id)
    return [(kind, value) for kind, value in db.session.execute(query)]


# ---- Not for me, owned elsewhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_was_said_of_a_release_takes_it_off_every_shelf_until_undone(town: Town, verdict: Verdict) -> None:
    ada, gone = town.ada, shown.for_you(town.ada.id, 1)[0]
    beside = next(one for one in town.jazz if one is not gone)
    assert gone in _shelves(ada, beside)
    _decide(choices.say, ada.id, gone.id, verdict)
    assert tastes.hidden(ada.id) == {gone.id}
    assert gone not in _shelves(ada, beside)
    _train()
    assert gone not in _shelves(ada, beside)
    assert gone in _shelves(rows.account(), beside)
    _decide(choices.say, ada.id, gone.id, None)
    assert gone in _shelves(ada, beside)
    assert tastes.opinion(ada.id, gone.id) is None


def test_what_is_owned_elsewhere_counts_as_liked_and_what_is_dismissed_does_not(town: Town) -> None:
    newcomer = rows.account()
    _decide(choices.say, newcomer.id, town.metal[0].id, Verdict.ELSEWHERE)
    assert set(shown.for_you(newcomer.id, 4)) <= set(town.metal[1:])
    _decide(choices.say, newcomer.id, town.metal[0].id, Verdict.DISMISSED)
    assert tastes.profile(newcomer.id, 9).liked == []
    assert shown.for_you(newcomer.id, 4) == shown.popular(4, newcomer.id)
    assert _log(newcomer) == [("elsewhere", 1.0), ("elsewhere", 0.0), ("dismiss", 1.0)]


def test_not_for_me_outweighs_whatever_was_done_before(town: Town) -> None:
    for _ in range(20):
        service.record(town.ada.id, town.metal[0].id, EventKind.PURCHASE)
    db.session.commit()
    assert town.metal[0] in [one.release for one in tastes.profile(town.ada.id, 9).liked]
    _decide(choices.say, town.ada.id, town.metal[0].id, Verdict.DISMISSED)
    assert [one.release for one in tastes.profile(town.ada.id, 9).liked] == [town.jazz[0]]
    assert _train().settings["accounts"] == 13


def test_saying_it_twice_or_from_two_windows_at_once_is_saying_it_once(app: Flask, town: Town) -> None:
    wrong: list[BaseException] = []

    def dismiss() -> None:
        with app.app_context():
            try:
                _decide(choices.say, town.ada.id, town.metal[1].id, Verdict.DISMISSED)
            except BaseException as error:
                wrong.append(error)
            finally:
                db.session.remove()

    both = [threading.Thread(target=dismiss) for _ in range(3)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert not wrong
    assert _log(town.ada) == [("purchase", 1.0), ("dismiss", 1.0)]


# ---- Ratings, removed items -----------------------------------------------------------------------------------------


def test_few_stars_are_a_dislike_and_many_say_more(town: Town) -> None:
    share = tastes.profile(town.ada.id, 9)
    assert [one.release for one in share.liked] == [town.jazz[0]]
    before = db.session.execute(signal.likes_of(town.ada.id, clock.now())).one()[1]
    _decide(choices.rate, town.ada.id, town.jazz[0].id, 5)
    assert db.session.execute(signal.likes_of(town.ada.id, clock.now())).one()[1] == pytest.approx(before + 4, rel=1e-3)
    for stars in (2, 1):
        _decide(choices.rate, town.ada.id, town.jazz[0].id, stars)
        assert tastes.profile(town.ada.id, 9).liked == []
    assert _train().settings["accounts"] == 12
    _decide(choices.rate, town.ada.id, town.jazz[0].id, None)
    assert db.session.execute(signal.likes_of(town.ada.id, clock.now())).one()[1] == pytest.approx(before, rel=1e-3)
    assert [value for kind, value in _log(town.ada) if kind == "rating"] == [1.0, -0.5, -1.0, 0.0]


def test_what_is_removed_shapes_nothing_until_it_is_put_back(town: Town) -> None:
    town.buy(town.ada, town.metal[0])
    _train()
    liked = {one.release for one in tastes.profile(town.ada.id, 9).liked}
    assert liked == {town.jazz[0], town.metal[0]}
    _decide(choices.leave_out, town.ada.id, town.jazz[0].id)
    assert _vectors(town.ada) == 0
    assert set(shown.for_you(town.ada.id, 4)) <= set(town.metal[1:])
    _train()
    assert _vectors(town.ada) == 1
    assert set(shown.for_you(town.ada.id, 4)) <= set(town.metal[1:])
    assert tastes.left_out(town.ada.id) == [town.jazz[0]]
    _decide(choices.leave_out, town.ada.id, town.jazz[0].id, out=False)
    assert {one.release for one in tastes.profile(town.ada.id, 9).liked} == liked


def test_a_profile_says_what_weighs_and_why(town: Town) -> None:
    folk = rows.release("Folk", artist="Lin Yu")
    _decide(events.note, town.ada.id, folk.id, EventKind.CART)
    found = tastes.profile(town.ada.id, 1)
    assert [(one.release, one.kinds) for one in found.liked] == [(town.jazz[0], [EventKind.PURCHASE])]
    assert found.liked[0].share == pytest.approx(5 / 7, rel=1e-3)
    assert [one.name for one in found.artists] == ["Mira Sol", "Lin Yu"]
    assert found.count == 2


# ---- Consent, pause, off --------------------------------------------------------------------------------------------


def test_plays_and_views_count_only_with_consent(town: Town) -> None:
    person = rows.account()
    watched = [EventKind.VIEW, EventKind.PREVIEW, EventKind.PLAY, EventKind.FINISH, EventKind.SKIP]
    assert set(watched) == signal.WATCHED
    for kind in watched:
        assert events.note(person.id, town.metal[0].id, kind) is None
    assert tastes.to_be_asked(person.id)
    _decide(choices.set_listening, person.id, True)
    assert not tastes.to_be_asked(person.id)
    _decide(events.note, person.id, town.metal[0].id, EventKind.PLAY)
    assert set(shown.for_you(person.id, 4)) <= set(town.metal)
    assert _train().settings["accounts"] == 14

    assert not service.is_stale()
    _decide(choices.set_listening, person.id, False)
    assert _vectors(person) == 0
    assert shown.for_you(person.id, 12) == shown.popular(12, person.id)
    assert events.note(person.id, town.metal[1].id, EventKind.PLAY) is None
    assert service.is_stale()
    assert _train().settings["accounts"] == 13
    assert queries.heat_of_releases()[town.metal[0].id] == pytest.approx(15, rel=1e-3)  # three fans bought it

    _decide(events.note, person.id, town.metal[1].id, EventKind.WISHLIST)
    assert [one.release for one in tastes.profile(person.id, 9).liked] == [town.metal[1]]


def test_imported_history_counts_until_its_person_decides(town: Town) -> None:
    person = rows.account()
    service.record(person.id, town.metal[0].id, EventKind.PLAY)
    db.session.commit()
    assert [one.release for one in tastes.profile(person.id, 9).liked] == [town.metal[0]]
    _decide(choices.say, person.id, town.metal[1].id, Verdict.DISMISSED)
    assert tastes.profile(person.id, 9).liked == []
    _decide(choices.set_listening, person.id, True)
    assert [one.release for one in tastes.profile(person.id, 9).liked] == [town.metal[0]]


def test_while_paused_nothing_is_learned_and_the_shelf_stays(town: Town) -> None:
    _decide(choices.set_mode, town.ada.id, Mode.PAUSED)
    before = [release for release in shown.for_you(town.ada.id, 6) if release != town.metal[0]][:5]
    town.buy(town.ada, town.metal[0])
    _decide(events.note, town.ada.id, town.metal[1].id, EventKind.WISHLIST)
    assert _log(town.ada) == [("purchase", 1.0)]
    assert shown.for_you(town.ada.id, 5) == before
    _decide(choices.say, town.ada.id, before[0].id, Verdict.DISMISSED)
    assert before[0] not in shown.for_you(town.ada.id, 12)
    assert _log(town.ada) == [("purchase", 1.0)]
    _decide(events.note, town.ada.id, town.jazz[0].id, EventKind.REFUND)  # what is taken back is taken back
    assert tastes.profile(town.ada.id, 9).liked == []
    _decide(choices.set_mode, town.ada.id, Mode.ON)
    assert tastes.profile(town.ada.id, 9).liked == []


def test_off_is_popular_and_nothing_of_the_person_is_used(town: Town) -> None:
    hidden = town.metal[5]
    _decide(choices.say, town.ada.id, hidden.id, Verdict.DISMISSED)
    _decide(choices.set_mode, town.ada.id, Mode.OFF)
    assert tastes.mode(town.ada.id) is Mode.OFF
    assert _vectors(town.ada) == 0
    shelf = shown.for_you(town.ada.id, 12)
    assert shelf == shown.popular(12, town.ada.id)
    assert not {hidden, town.jazz[0]} & set(shelf)
    assert _train().settings["accounts"] == 12
    assert queries.heat_of_releases()[town.jazz[0].id] == pytest.approx(15, rel=1e-3)
    assert events.note(town.ada.id, town.metal[1].id, EventKind.CART) is None
    _decide(choices.set_mode, town.ada.id, Mode.ON)
    assert set(shown.for_you(town.ada.id, 4)) <= set(town.jazz)


# ---- Who counts, and how often --------------------------------------------------------------------------------------


def test_people_who_run_the_shop_count_for_nobody_but_themselves(town: Town) -> None:
    editor = rows.account()
    editor.role = Role.EDITOR
    db.session.commit()
    heat = queries.heat_of_releases()
    town.buy(editor, town.metal[0])
    assert queries.heat_of_releases() == pytest.approx(heat, rel=1e-3)
    model = _train()
    assert model.settings["accounts"] == 13
    assert _vectors(editor) == 0
    assert queries.heat_of_releases() == pytest.approx(heat, rel=1e-3)
    assert set(shown.for_you(editor.id, 4)) <= set(town.metal[1:])


def test_accidental_repeats_count_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = rows.consenting()
    tides = rows.release("Tides", tracks=2)
    repeated = [EventKind.VIEW, EventKind.PREVIEW, EventKind.CART, EventKind.DOWNLOAD, EventKind.FINISH, EventKind.SKIP]
    for kind in [*repeated, *repeated]:
        _decide(events.note, ada.id, tides.id, kind)
    assert _log(ada) == [(kind, 1.0) for kind in repeated]
    for track in (*tides.tracks, *tides.tracks):
        _decide(events.note, ada.id, tides.id, EventKind.PREVIEW, track_id=track.id)
    assert len(_log(ada)) == len(repeated) + 2
    later = clock.now() + timedelta(minutes=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert events.note(ada.id, tides.id, EventKind.VIEW) is not None


def test_an_older_event_says_less_and_a_purchase_fades_slowest(app: Flask) -> None:
    ada, now = rows.account(), clock.now()
    tides, mains = rows.release("Tides"), rows.release("Mains")
    for release, kind in ((tides, EventKind.PLAY), (mains, EventKind.PURCHASE)):
        service.record(ada.id, release.id, kind, at=now - timedelta(days=360))
    found = dict(db.session.execute(signal.likes_of(ada.id, now)).all())  # type: ignore[arg-type]
    assert found[tides.id] == pytest.approx(1 / 4)
    assert found[mains.id] == pytest.approx(5 * 0.5 ** (360 / 1460))


def test_a_wish_taken_back_says_nothing(town: Town) -> None:
    with transaction():
        wishes.add(town.ada.id, town.metal[0])
        wishes.add(town.ada.id, town.metal[0])
    assert len(tastes.profile(town.ada.id, 9).liked) == 2
    with transaction():
        wishes.remove(town.ada.id, town.metal[0].id)
        wishes.remove(town.ada.id, town.metal[0].id)
    assert len(tastes.profile(town.ada.id, 9).liked) == 1
    assert _log(town.ada)[1:] == [("wishlist", 1.0), ("wishlist", 0.0)]


# ---- Forgetting -----------------------------------------------------------------------------------------------------


def _told_everything(town: Town) -> None:
    _decide(choices.say, town.ada.id, town.metal[0].id, Verdict.DISMISSED)
    _decide(choices.rate, town.ada.id, town.jazz[0].id, 4)
    _train()
    assert _vectors(town.ada) == 1


def _rows_of(person: Account) -> tuple[int, ...]:
    return tuple(
        db.session.scalar(select(func.count()).select_from(table).where(table.account_id == person.id))
        for table in (Event, Opinion, AccountVector, Taste)
    )


def test_forgetting_leaves_no_event_no_opinion_and_no_vector(town: Town) -> None:
    _told_everything(town)
    _decide(choices.forget, town.ada.id)
    assert _rows_of(town.ada) == (0, 0, 0, 1)  # how they want to be recommended to stays
    assert shown.for_you(town.ada.id, 5) == shown.popular(5, town.ada.id)
    assert service.is_stale()
    assert _train().settings["accounts"] == 12
    assert _rows_of(town.ada)[2] == 0


def test_closing_the_account_forgets_it_all(town: Town) -> None:
    _told_everything(town)
    _decide(leaving.close, town.ada)
    assert _rows_of(town.ada) == (0, 0, 0, 0)
    assert service.is_stale()
    assert _train().settings["accounts"] == 12


@pytest.mark.parametrize("act", [choices.forget, choices.leave])
def test_a_training_under_way_brings_nothing_back(
    app: Flask, town: Town, monkeypatch: pytest.MonkeyPatch, act: object
) -> None:
    """Somebody has everything forgotten after the training read the events, and before it wrote the vectors."""
    _told_everything(town)
    real = vectors.store
    done = threading.Event()

    def meanwhile() -> None:
        with app.app_context():
            if act is choices.leave:
                _decide(leaving.close, db.session.get(Account, town.ada.id))
            else:
                _decide(act, town.ada.id)
            db.session.remove()
        done.set()

    def slowly(*arguments: object) -> object:
        if not done.is_set():
            thread = threading.Thread(target=meanwhile)
            thread.start()
            thread.join(30)
            assert done.is_set()
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(vectors, "store", slowly)
    model = _train()
    assert model.settings["accounts"] == 13  # it had read them
    assert _vectors(town.ada) == 0


def test_what_is_forgotten_while_a_training_ends_waits_for_it(app: Flask, town: Town) -> None:
    """Between the training's last look and its commit, a decision waits, and then deletes what it wrote."""
    _told_everything(town)
    done = threading.Event()

    def forget() -> None:
        with app.app_context():
            _decide(choices.forget, town.ada.id)
            db.session.remove()
        done.set()

    thread = threading.Thread(target=forget)
    with transaction():
        service.train()
        thread.start()
        thread.join(1)
        assert not done.is_set()
    thread.join(30)
    assert done.is_set()
    db.session.rollback()
    assert _rows_of(town.ada) == (0, 0, 0, 1)


def test_taking_ones_data_along_tells_all_of_it(town: Town) -> None:
    _told_everything(town)
    told = {name: part(town.ada) for name, part in leaving.on_export.items() if name in ("activity", "taste")}
    assert [one["what"] for one in told["activity"]] == ["purchase", "dismiss", "rating"]
    taste = told["taste"]
    assert (taste["recommendations"], taste["plays_and_views_may_count"]) == ("on", None)
    said = {one["release"]: (one["verdict"], one["stars"]) for one in taste["said"]}
    assert said == {town.metal[0].id: ("dismissed", None), town.jazz[0].id: (None, 4)}
    [learned] = taste["learned"]
    held = db.session.scalars(select(AccountVector.vector).where(AccountVector.account_id == town.ada.id)).one()
    np.testing.assert_allclose(learned["vector"], held)

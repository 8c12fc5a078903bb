"""Staff pages about shelves: what editors do there stands in the log, and what is wrong is said."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import rows
from support.heard import logged

from app.accounts.models import Account, Role
from app.catalog import rights
from app.catalog import service as catalog
from app.catalog.models import Release
from app.core import clock
from app.core.db import db, transaction
from app.core.queue import waiting_args
from app.shelves import editing, standing
from app.shelves.models import Boost, Pin, Trial
from app.shelves.shelf import Because, Pick, Shelf, ShelfName, Source, Tie


@pytest.fixture
def release(app: Flask) -> Release:
    made = rows.release("Tides")
    made.label = catalog.ensure_label("Northern Line")
    db.session.commit()
    return made


@pytest.fixture
def ed(client: FlaskClient, release: Release) -> Account:
    made = rows.staff(client, Role.EDITOR, "Ed")
    assert release.label is not None
    rights.give_label(made, release.label)
    db.session.commit()
    return made


@pytest.fixture
def boss(client: FlaskClient) -> Account:
    return rows.staff(client, Role.MANAGER, "Max")


def a_week(prefix: str, **other: str) -> dict[str, str]:
    now = clock.now().date()
    days = {"from_on": now.isoformat(), "until_on": (now + timedelta(days=6)).isoformat()}
    return {f"{prefix}-{name}": value for name, value in (days | other).items()}


def test_an_editor_pins_and_boosts_and_takes_it_off(client: FlaskClient, ed: Account, release: Release) -> None:
    address = f"/admin/shelves/releases/{release.id}"
    assert "Nothing is pinned." in client.get("/admin/shelves").text
    found = client.get("/admin/shelves/find", query_string={"release": f"https://shop.example/releases/{release.id}"})
    assert found.location == address
    assert client.post(f"{address}/pins", data=a_week("pin", shelf="for-you", place="2")).status_code == 303
    assert client.post(f"{address}/boosts", data=a_week("boost", shelf="", halves="-1")).status_code == 303
    pin, boost = db.session.query(Pin).one(), db.session.query(Boost).one()
    assert (pin.shelf, pin.place, boost.shelf, boost.halves) == ("for-you", 2, None, -1)
    for path in ("/admin/shelves", address):
        page = client.get(path).text
        for said in ("For you", "Down, by half the spread of the scores", "Every shelf that takes boosts", "Holds"):
            assert said in page, (path, said)
    assert client.post(f"/admin/shelves/pins/{pin.id}/take-off", data={"back": "release"}).location == address
    assert client.post(f"/admin/shelves/boosts/{boost.id}/take-off").location == "/admin/shelves"
    now = clock.now().date()
    days = {"from": now.isoformat(), "until": (now + timedelta(days=6)).isoformat()}
    subject = f"release:{release.id}"
    assert logged() == [
        (ed.id, "shelf.pin", subject, {"shelf": "for-you", "place": 2} | days),
        (ed.id, "shelf.boost", subject, {"shelf": None, "halves": -1} | days),
        (ed.id, "shelf.unpin", subject, {"shelf": "for-you", "place": 2} | days),
        (ed.id, "shelf.unboost", subject, {"shelf": None, "halves": -1} | days),
    ]
    assert editing.pins() == editing.boosts() == []
    assert client.post(f"/admin/shelves/pins/{pin.id}/take-off").status_code == 404


def test_another_label_s_release_is_not_there(client: FlaskClient, ed: Account, release: Release) -> None:
    other = rows.release("Theirs")
    other.label = catalog.ensure_label("Other")
    db.session.commit()
    address = f"/admin/shelves/releases/{other.id}"
    assert client.get(address).status_code == 404
    assert client.post(f"{address}/pins", data=a_week("pin", shelf="for-you", place="1")).status_code == 404
    assert client.post(f"{address}/boosts", data=a_week("boost", shelf="", halves="1")).status_code == 404
    gone = client.get("/admin/shelves/find", query_string={"release": other.id}, follow_redirects=True)
    assert "There is no release of your labels" in gone.text
    with transaction():
        pin = Pin(release=other, shelf="for-you", place=1, from_on=clock.now().date(), until_on=clock.now().date())
        db.session.add(pin)
    page = client.get("/admin/shelves").text
    assert "Theirs" in page
    assert "take-off" not in page
    assert client.post(f"/admin/shelves/pins/{pin.id}/take-off").status_code == 404
    assert logged() == []


@pytest.mark.parametrize(
    ("kind", "typed", "status", "says"),
    [
        ("pins", {"place": "7"}, 422, "Not a valid choice"),
        ("pins", {"place": "<"}, 422, "Invalid Choice"),
        ("pins", {"shelf": "new-for-you"}, 422, "Not a valid choice"),
        ("pins", {"from_on": "yesterday"}, 422, "Give a day, like"),
        ("pins", {"until_on": ""}, 422, "Give a day"),
        ("pins", {"until_on": "2999-01-01"}, 400, "28 days at most"),
        ("boosts", {"halves": "9"}, 422, "Not a valid choice"),
        ("boosts", {"shelf": "popular"}, 422, "Not a valid choice"),
        ("boosts", {"from_on": "2001-01-01", "until_on": "2001-01-02"}, 400, "Those days are over"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    client: FlaskClient, ed: Account, release: Release, kind: str, typed: dict[str, str], status: int, says: str
) -> None:
    right = {"shelf": "for-you", "place": "1"} if kind == "pins" else {"shelf": "", "halves": "2"}
    sent = a_week(kind[:-1], **(right | typed))
    answer = client.post(f"/admin/shelves/releases/{release.id}/{kind}", data=sent)
    assert answer.status_code == status, answer.text
    assert says in answer.text
    assert "2999-01-01" in answer.text or "2999-01-01" not in sent.values()
    assert editing.pins() == editing.boosts() == []
    assert logged() == []


def test_a_limit_is_told_on_the_form(client: FlaskClient, ed: Account, release: Release) -> None:
    address = f"/admin/shelves/releases/{release.id}/pins"
    sent = a_week("pin", shelf="for-you", place="1")
    client.post(address, data=sent)
    answer = client.post(address, data=sent)
    assert answer.status_code == 409
    assert "It is pinned there in those days already." in answer.text


def test_the_page_tells_numbers_and_no_names(client: FlaskClient, boss: Account, release: Release) -> None:
    address, reason = f"/admin/shelves/releases/{release.id}", rows.release("Deep Water")
    assert "Nothing was counted yet." in client.get(address).text
    people = [rows.account(f"Person {n}") for n in range(12)]
    shelves = [
        [Shelf(ShelfName.FOR_YOU, (Pick(release, 1.0, Source.MODEL, (Because(reason, Tie.OWN),)),))] if n < 8 else []
        for n in range(12)
    ]
    by_person = {person.id: each for person, each in zip(people, shelves, strict=True)}
    emails = [person.email for person in people]
    with transaction():
        standing.take(lambda account_id: by_person[account_id])
    page = client.get(address).text
    for said in (
        "Of 12 people, 8 have it on a shelf.",
        "The model: 8",
        "Deep Water",
        "8 people",
        "fewer than 5 people",
    ):
        assert said in page, said
    assert not any(email in page for email in emails)
    assert "Person " not in page


def test_a_count_is_asked_for_once(client: FlaskClient, ed: Account) -> None:
    for _twice in range(2):
        assert client.post("/admin/shelves/count").status_code == 303
    assert len(waiting_args("shelves.count")) == 1


def test_a_trial_is_written_down_begun_and_ended(client: FlaskClient, boss: Account) -> None:
    assert "No trials yet" in client.get("/admin/shelves/trials").text
    form = {
        "name": "popular-2026",
        "hypothesis": "The model gets more clicks.",
        "tried": "first-shelf/popular",
        "share": "30",
        "metric": "purchases",
        "days": "14",
    }
    for wrong, says in (
        ({"name": "No Name"}, "small letters"),
        ({"hypothesis": ""}, "before you look"),
        ({"share": "100"}, "between 1 and 99"),
        ({"share": "half"}, "Not a valid integer"),
        ({"days": "61"}, "between 1 and 60"),
        ({"tried": "first-shelf/for-you"}, "Not a valid choice"),
        ({"tried": ""}, "Choose what is to be tried"),
        ({"metric": "fame"}, "Not a valid choice"),
    ):
        answer = client.post("/admin/shelves/trials/new", data=form | wrong)
        assert answer.status_code == 422, wrong
        assert says in answer.text, wrong
    assert logged() == []
    address = client.post("/admin/shelves/trials/new", data=form).location
    trial = db.session.query(Trial).one()
    assert address == f"/admin/shelves/trials/{trial.id}"
    assert trial.variants == [{"way": "for-you", "share": 70}, {"way": "popular", "share": 30}]
    page = client.get(address).text
    assert "Not begun" in page
    assert "Report" not in page
    client.post(f"{address}/start")
    page = client.get(address).text
    for said in ("Under way", "Too little has happened", "fewer than 5", f"wavecrate shelves report {trial.name}"):
        assert said in page, said
    again = client.post(f"{address}/start", follow_redirects=True)
    assert "has begun before" in again.text
    client.post(f"{address}/stop")
    assert "Ended" in client.get(address).text
    assert "not under way" in client.post(f"{address}/stop", follow_redirects=True).text
    assert "what it found out stays" in client.post(f"{address}/discard", follow_redirects=True).text
    assert "popular-2026" in client.get("/admin/shelves/trials").text
    assert [(actor, action, subject) for actor, action, subject, _facts in logged()] == [
        (boss.id, f"trial.{what}", f"trial:{trial.id}") for what in ("create", "start", "stop")
    ]


def test_a_trial_that_never_began_is_thrown_away(client: FlaskClient, boss: Account) -> None:
    form = {
        "name": "x",
        "hypothesis": "y",
        "tried": "diversity/different",
        "share": "50",
        "metric": "clicks",
        "days": "7",
    }
    address = client.post("/admin/shelves/trials/new", data=form).location
    assert client.post(f"{address}/discard").location == "/admin/shelves/trials"
    assert client.get(address).status_code == 404
    assert [action for _actor, action, *_rest in logged()] == ["trial.create", "trial.discard"]

"""What was shown on shelves and followed from there: of whom what is kept, what counts, and how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_login import current_user
from pydantic import SecretStr
from sqlalchemy import event, select
from support import rows

from app.accounts import leaving
from app.accounts.models import Account, Role
from app.catalog.models import Release
from app.core import clock
from app.core.db import db, transaction
from app.discovery import choices
from app.discovery.models import Mode
from app.shelves import exposures, standing, units, visitor
from app.shelves.experiments import deal
from app.shelves.models import Exposure, ExposureCount
from app.shelves.shelf import Pick, Shelf, ShelfName, Source

FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}


def shelf(*releases: Release, name: ShelfName = ShelfName.FOR_YOU, to: Account | None = None) -> Shelf:
    """A shelf as it would be made for that person."""
    kept = deal(to.id if to else None).kept(name)
    return Shelf(name, tuple(Pick(release, 1.0, Source.MODEL) for release in releases), kept=kept)


def show(person: Account | None, *shelves: Shelf) -> int:
    with transaction():
        account_id = person.id if person else None
        made = [replace(each, kept=deal(account_id).kept(each.name)) for each in shelves]
        return exposures.shown(made, account_id)


def follow(person: Account | None, name: str | None, release: Release) -> bool:
    with transaction():
        return exposures.followed(name, release.id, person.id if person else None)


def kept() -> list[tuple[str, str, str, bool]]:
    db.session.expire_all()
    query = select(Exposure).order_by(Exposure.id)
    return [(one.what, one.shelf, one.release_id, one.unit is not None) for one in db.session.scalars(query)]


def test_one_insert_keeps_a_whole_page_under_a_pseudonym(app: Flask) -> None:
    ada, one, two = rows.consenting(), rows.release("One"), rows.release("Two")
    statements: list[str] = []

    @event.listens_for(db.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    assert show(ada, shelf(one, two), shelf(two, name=ShelfName.NEW)) == 3
    assert len([each for each in statements if each.startswith("INSERT")]) == 1
    found = list(db.session.scalars(select(Exposure).order_by(Exposure.id)))
    assert [(one.shelf, one.release_id, one.place, one.source) for one in found] == [
        ("for-you", one.id, 1, "model"),
        ("for-you", two.id, 2, "model"),
        ("new-for-you", two.id, 1, "model"),
    ]
    assert {each.unit for each in found} == {units.unit_of(ada.id)}
    assert ada.id not in str([(each.unit, each.variant) for each in found])
    assert show(ada) == 0


def test_of_whom_there_is_no_consent_only_the_day_is_kept(app: Flask) -> None:
    release = rows.release()
    silent, refusing, off = rows.account(), rows.consenting(), rows.consenting()
    with transaction():
        choices.set_listening(refusing.id, False)
        choices.set_mode(off.id, Mode.OFF)
    for person in (None, silent, refusing, off):
        show(person, shelf(release))
    found = list(db.session.scalars(select(Exposure)))
    assert len(found) == 4
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert {(each.unit, each.trial_id, each.at) for each in found} == {(None, None, midnight)}


def test_of_people_who_run_the_shop_nothing_is_kept(app: Flask) -> None:
    ed = rows.consenting()
    ed.role = Role.EDITOR
    db.session.commit()
    assert show(ed, shelf(rows.release())) == 0
    assert not follow(ed, "for-you", rows.release())
    assert kept() == []


def test_a_card_that_was_shown_is_followed_once_a_day(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, release, other = rows.consenting(), rows.release(), rows.release("Other")
    show(ada, shelf(release))
    for name, which in (("for-you", other), ("new-for-you", release), ("nonsense", release), ("", release)):
        assert not follow(ada, name, which), name
    assert not follow(ada, None, release)
    assert follow(ada, "for-you", release)
    assert not follow(ada, "for-you", release)
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert not follow(ada, "for-you", release), "it was not shown since"
    show(ada, shelf(release))
    assert follow(ada, "for-you", release)
    assert [what for what, *_rest in kept()] == ["shown", "followed", "shown", "followed"]


def visit(app: Flask, client: FlaskClient, path: str, do: Callable[[], None], **headers: str) -> None:
    """Do it as a page at that address would, for whoever the client is signed in as."""
    cookies = "; ".join(f"{each.key}={each.value}" for each in client._cookies.values())
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = FIREFOX | {"Cookie": cookies} | named
    # A context of its own: who is signed in is remembered there.
    with app.app_context(), app.test_request_context(path, headers=sent, base_url="http://localhost"):
        app.preprocess_request()
        do()


def test_a_page_that_nobody_looks_at_shows_nobody_anything(app: Flask, client: FlaskClient) -> None:
    release = rows.release()
    ada = rows.consenting()
    rows.sign_in(client, ada)

    def page() -> None:
        visitor.seen([shelf(release, to=ada if current_user.is_authenticated else None)])

    visit(app, client, "/", page, Sec_Purpose="prefetch")
    visit(app, client, "/", page, User_Agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    assert kept() == []
    visit(app, client, "/", page)
    visit(app, app.test_client(), "/", page)
    assert kept() == [("shown", "for-you", release.id, True), ("shown", "for-you", release.id, False)]


def test_only_the_way_from_a_page_of_ours_is_a_click(app: Flask) -> None:
    release = rows.release()
    guest, path = app.test_client(), f"/releases/{release.id}?from=for-you"

    def page() -> None:
        visitor.came_by_shelf(release.id)

    for wrong in (
        {},
        {"Referer": "http://elsewhere.example/"},
        {"Referer": f"http://localhost/releases/{release.id}"},
        {"Referer": "http://localhost/", "Cache_Control": "max-age=0"},
        {"Referer": "http://localhost/", "Sec_Purpose": "prefetch"},
    ):
        visit(app, guest, path, page, **wrong)
    visit(app, guest, f"/releases/{release.id}", page, Referer="http://localhost/")
    visit(app, guest, f"/releases/{release.id}?from=%3Cscript%3E", page, Referer="http://localhost/")
    visit(app, guest, f"/releases/{release.id}?from=for-you%00", page, Referer="http://localhost/")
    assert kept() == []
    visit(app, guest, path, page, Referer="http://localhost/")
    assert kept() == [("followed", "for-you", release.id, False)]


def test_a_page_is_shown_even_where_nothing_can_be_kept(app: Flask, client: FlaskClient) -> None:
    gone = Release(id="bcdfghjkmnpqrstv", title="Never stored", kind="audio")
    visit(app, client, "/", lambda: visitor.seen([shelf(gone)]))
    assert kept() == []
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "withdraw",
    [
        lambda person: choices.forget(person.id),
        lambda person: choices.set_listening(person.id, False),
        lambda person: choices.set_mode(person.id, Mode.OFF),
        leaving.close,
    ],
)
def test_who_withdraws_or_goes_takes_their_rows_along(app: Flask, withdraw: Callable[[Account], None]) -> None:
    ada, bo, release = rows.consenting("Ada"), rows.consenting("Bo"), rows.release()
    for person in (ada, bo):
        show(person, shelf(release))
        follow(person, "for-you", release)
    told = leaving.on_export["shelves"](ada)
    assert [(one["what"], one["shelf"], one["release"]) for one in told] == [
        ("shown", "for-you", release.id),
        ("followed", "for-you", release.id),
    ]
    with transaction():
        withdraw(ada)
    assert leaving.on_export["shelves"](ada) == []
    assert len(leaving.on_export["shelves"](bo)) == 2


def test_a_pause_keeps_what_there_is_and_adds_nothing_of_the_person(app: Flask) -> None:
    ada, release = rows.consenting(), rows.release()
    show(ada, shelf(release))
    with transaction():
        choices.set_mode(ada.id, Mode.PAUSED)
    show(ada, shelf(release))
    assert [named for *_rest, named in kept()] == [True, False]


def test_rows_from_under_the_key_before_are_found_and_forgotten(app: Flask) -> None:
    ada, release = rows.consenting(), rows.release()
    show(ada, shelf(release))
    before = app.extensions["settings"]
    app.extensions["settings"] = before.model_copy(
        update={"secret_key": SecretStr("another key 0123456789"), "secret_key_previous": before.secret_key}
    )
    show(ada, shelf(release))
    assert len(set(db.session.scalars(select(Exposure.unit)))) == 2
    assert len(exposures.of_person(ada.id)) == 2
    with transaction():
        exposures.forget(ada.id)
    assert kept() == []


def test_the_night_leaves_counts(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, release = rows.consenting(), rows.release()
    now = clock.now()
    for days_ago, person in ((100, ada), (100, ada), (100, None), (2, ada), (2, None), (2, None), (0, None)):
        monkeypatch.setattr(clock, "now", lambda ago=days_ago: now - timedelta(days=ago))
        show(person, shelf(release))
        if days_ago == 2:
            follow(person, "for-you", release)
    for _twice in range(2):
        with transaction():
            exposures.prune()
    counts = db.session.execute(
        select(ExposureCount.day, ExposureCount.shown, ExposureCount.followed).order_by(ExposureCount.day)
    ).all()
    day = now.date()
    assert [tuple(each) for each in counts] == [
        (day - timedelta(days=100), 3, 0),
        (day - timedelta(days=2), 2, 2),
    ]
    assert [named for *_rest, named in kept()] == [True, True, False], "a person's young rows, and today's"
    for _more in range(3):
        show(None, shelf(release))
    (lately,) = standing.lately(release.id)
    assert (lately.shelf, lately.shown, lately.followed) == ("for-you", 7, None)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=exposures.KEEP_COUNTS_DAYS))
    with transaction():
        exposures.prune()
    assert kept() == []
    assert {each.day for each in db.session.scalars(select(ExposureCount))} == {day - timedelta(days=n) for n in (0,)}

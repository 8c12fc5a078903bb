"""An editor works on the releases of their own labels, sees no other, and puts nothing out under another's name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from media_samples import make_audio
from sqlalchemy import select
from support import rows

from app.accounts.models import Account, Role
from app.audit.models import AuditEntry
from app.catalog import queries as catalog
from app.catalog import rights
from app.catalog import service as catalogue
from app.catalog.models import Release
from app.core.db import db, transaction
from app.core.errors import Forbidden
from app.licenses import service as licenses
from app.licenses.models import Use
from app.studio import importer, service
from app.studio.grouping import group
from app.studio.service import ReleaseEdit
from transcoder.contract import TagSet


def editor(name: str, *labels: str) -> Account:
    account = rows.account(name)
    account.role = Role.EDITOR
    with transaction():
        for label in labels:
            rights.give_label(account, catalogue.ensure_label(label))
    return account


def release(title: str, label: str | None, *, published: bool = False, artist: str = "Mira Sol") -> Release:
    made = rows.release(title, published=published, artist=artist)
    made.label = catalogue.ensure_label(label) if label else None
    db.session.commit()
    return made


def edit(one: Release, **changes: object) -> ReleaseEdit:
    same = ReleaseEdit(
        title=one.title,
        title_zh=one.title_zh,
        artist=one.artist.name,
        artist_zh=one.artist.name_zh,
        label=one.label.name if one.label else None,
        genre=None,
        released_on=None,
        description=None,
        description_zh=None,
        price=None,
        tracks={},
    )
    return replace(same, **changes)  # type: ignore[arg-type]


def test_the_studio_shows_an_editor_their_own(app: Flask, client: FlaskClient) -> None:
    release("Tides", "North Quay")
    release("Mains", "South Hum")
    release("Nobody's", None)
    ed = editor("Ed", "North Quay")
    rows.sign_in(client, ed)
    page = client.get("/studio").text
    assert "Tides" in page
    assert "Mains" not in page
    assert "Nobody" not in page
    with transaction():
        rights.give_label(ed, catalogue.ensure_label("South Hum"))
    assert "Mains" in client.get("/studio").text
    with transaction():
        assert rights.take_label(ed, catalogue.ensure_label("North Quay"))
        assert not rights.take_label(ed, catalogue.ensure_label("North Quay"))
    assert "Tides" not in client.get("/studio").text


def test_an_admin_says_whose_labels_are_whose(app: Flask, client: FlaskClient) -> None:
    release("Tides", "North Quay")
    boss, ed = rows.account("Bo"), editor("Ed")
    boss.role = Role.ADMIN
    db.session.commit()
    rows.sign_in(client, boss)
    page = f"/studio/editors/{ed.id}/labels"
    assert "None yet" in client.get(page).text
    assert client.post(page, data={"label": "Nowhere"}).status_code == 422
    assert client.post(page, data={"label": " north  quay "}).status_code == 303
    [label] = rights.labels(ed)
    assert label.name == "North Quay"
    assert "Take away North Quay" in client.get(page).text
    assert client.post(f"{page}/{label.id}/take").status_code == 303
    assert client.post(f"{page}/{label.id}/take").status_code == 404
    assert rights.labels(ed) == []
    said = [entry.action for entry in db.session.scalars(select(AuditEntry).order_by(AuditEntry.seq))]
    assert said == ["label.give", "label.take"]


def test_a_manager_works_on_everything(client: FlaskClient) -> None:
    release("Tides", "North Quay")
    release("Nobody's", None)
    rows.staff(client, Role.MANAGER, "Bo")
    page = client.get("/studio").text
    assert "Tides" in page
    assert "Nobody" in page


def test_a_draft_is_seen_and_heard_by_those_who_may_work_on_it(app: Flask, client: FlaskClient) -> None:
    draft = release("Tides", "North Quay")
    mine, other = editor("Ed", "North Quay"), editor("Flo", "South Hum")
    assert licenses.may(mine.id, draft.tracks[0].id, Use.STREAM)
    assert not licenses.may(mine.id, draft.tracks[0].id, Use.DOWNLOAD)
    assert not licenses.may(other.id, draft.tracks[0].id, Use.STREAM)
    rows.sign_in(client, mine)
    assert client.get(f"/releases/{draft.id}").status_code == 200
    stranger = app.test_client()
    rows.sign_in(stranger, other)
    assert stranger.get(f"/releases/{draft.id}").status_code == 404


def test_a_release_stays_on_the_editors_labels(app: Flask) -> None:
    mine = release("Tides", "North Quay")
    ed = editor("Ed", "North Quay", "Pier Nine")
    for label in ("South Hum", "", None):
        with pytest.raises(rights.NotYourLabel, match="North Quay, Pier Nine"):
            service.edit_release(mine, edit(mine, label=label), ed)
    db.session.rollback()
    with transaction():
        service.edit_release(mine, edit(mine, label="pier nine", title="High Tides"), ed)
    assert (mine.title, mine.label.name if mine.label else None) == ("High Tides", "Pier Nine")


def test_an_artist_on_several_labels_is_not_one_editors_to_rename(app: Flask) -> None:
    mine, _theirs = release("Tides", "North Quay"), release("Mains", "South Hum")
    ed = editor("Ed", "North Quay")
    with pytest.raises(Forbidden, match="releases of other labels"):
        service.edit_release(mine, edit(mine, artist_zh="米拉"), ed)
    db.session.rollback()
    alone = release("Weather", "North Quay", artist="Wen")
    with transaction():
        service.edit_release(alone, edit(alone, artist_zh="文"), ed)
    assert alone.artist.name_zh == "文"


def take_in(path: Path, by: Account) -> service.TakenIn:
    [one] = group([importer.examine(path)])
    return importer.take_in(one, None, by=by.id)


def tags(**more: object) -> TagSet:
    return TagSet(title="Low Water", artist="Mira Sol", album="Tides", album_artist="Mira Sol", track=1, **more)  # type: ignore[arg-type]


def test_what_an_editor_sends_comes_out_on_a_label_of_theirs(app: Flask, tmp_path: Path) -> None:
    ed = editor("Ed", "North Quay", "Pier Nine")
    named = take_in(make_audio(tmp_path / "a.flac", seconds=1, tags=tags(label="PIER NINE")), ed)
    assert named.release.label is not None
    assert named.release.label.name == "Pier Nine"
    stolen = make_audio(tmp_path / "b.flac", seconds=2, tags=replace(tags(label="South Hum"), album="Mains"))
    other = take_in(stolen, ed)
    assert other.release.label is not None
    assert other.release.label.name == "North Quay"


def test_the_same_album_of_two_labels_is_two_releases(app: Flask, tmp_path: Path) -> None:
    ed, flo = editor("Ed", "North Quay"), editor("Flo", "South Hum")
    first = make_audio(tmp_path / "1.flac", seconds=1, tags=tags())
    second = make_audio(tmp_path / "2.flac", seconds=2, tags=replace(tags(), title="High Water", track=2))
    eds = take_in(first, ed)
    flos = take_in(first, flo)
    assert eds.release.id != flos.release.id, "the same bytes, and yet nobody works on another's release"
    assert not flos.already
    assert take_in(second, ed).release.id == eds.release.id
    assert take_in(second, flo).release.id == flos.release.id
    db.session.expire_all()
    assert [len(one.tracks) for one in (eds.release, flos.release)] == [2, 2]
    assert take_in(first, ed).already, "a second time adds nothing"


def test_an_import_by_a_manager_is_found_again_by_the_labels_editor(app: Flask, tmp_path: Path) -> None:
    boss, ed = rows.account("Bo"), editor("Ed", "North Quay")
    boss.role = Role.MANAGER
    db.session.commit()
    first = make_audio(tmp_path / "1.flac", seconds=1, tags=tags(label="North Quay"))
    second = make_audio(tmp_path / "2.flac", seconds=2, tags=replace(tags(), title="High Water", track=2))
    made = take_in(first, boss)
    assert take_in(second, ed).release.id == made.release.id


def test_who_has_no_label_is_told_before_they_send_anything(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    ed = editor("Ed")
    rows.sign_in(client, ed)
    asked = {"filename": "a.wav", "size": 10, "modified": 1, "head": "0" * 64}
    answer = client.post("/studio/uploads", json=asked, headers={"Accept": "application/json"})
    assert answer.status_code == 403
    assert "You have no label yet" in answer.get_json()["error"]
    with pytest.raises(rights.NotYourLabel):
        take_in(make_audio(tmp_path / "a.flac", seconds=1, tags=tags()), ed)
    db.session.rollback()
    assert catalog.newest(5, include_drafts=True) == []

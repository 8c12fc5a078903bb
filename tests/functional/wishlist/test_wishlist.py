"""The wishlist: kept for an account, added to from a release's page."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select
from support import rows

from app.catalog.models import Status
from app.core.db import db
from app.wishlist.models import Wish


def test_a_wish_is_kept_once_and_taken_back(client: FlaskClient) -> None:
    tides, harbour, ada = rows.release("Tides"), rows.release("Harbour"), rows.account("Ada")
    rows.sign_in(client, ada)
    page = f"/releases/{tides.id}"
    assert "Add to the wishlist" in client.get(page).text
    for release in (tides, tides, harbour):
        answer = client.post(f"/wishlist/{release.id}", data={"next": page})
        assert (answer.status_code, answer.location) == (303, page)
    assert "Take off the wishlist" in client.get(page).text
    listed = client.get("/wishlist").text
    assert listed.index("Harbour") < listed.index("Tides")
    assert len(db.session.scalars(select(Wish)).all()) == 2
    for _again in range(2):
        assert client.post(f"/wishlist/{tides.id}/remove").location == "/wishlist"
    assert "Tides" not in client.get("/wishlist").text


def test_a_wishlist_is_its_person_s_own(client: FlaskClient) -> None:
    tides = rows.release("Tides")
    for path in ("/wishlist", f"/wishlist/{tides.id}", f"/wishlist/{tides.id}/remove"):
        answer = client.get(path) if path == "/wishlist" else client.post(path)
        assert answer.status_code == 302
        assert "/sign-in" in answer.location
    assert "Sign in to wish for it" in client.get(f"/releases/{tides.id}").text
    rows.sign_in(client, rows.account("Ada"))
    client.post(f"/wishlist/{tides.id}")
    rows.sign_in(client, rows.account("Bob"))
    assert "Nothing wished for yet" in client.get("/wishlist").text
    client.post(f"/wishlist/{tides.id}/remove")
    assert len(db.session.scalars(select(Wish)).all()) == 1


def test_what_is_not_public_cannot_be_wished_for_and_is_not_shown(client: FlaskClient) -> None:
    rows.sign_in(client, rows.account("Ada"))
    draft, tides = rows.release("Draft", published=False), rows.release("Tides")
    assert client.post(f"/wishlist/{draft.id}").status_code == 404
    assert client.post("/wishlist/nothing").status_code == 404
    client.post(f"/wishlist/{tides.id}")
    assert f"/releases/{tides.id}" in client.get("/wishlist").text
    tides.status, tides.published_at = Status.DRAFT, None
    db.session.commit()
    assert f"/releases/{tides.id}" not in client.get("/wishlist").text
    assert client.post(f"/wishlist/{tides.id}/remove", data={"next": "//elsewhere.example"}).location == "/wishlist"

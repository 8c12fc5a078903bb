"""Secrets change while people listen: who is signed in stays so, and a play that was begun goes on."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient
from support import rows
from support.house import House

from app.factory import create_app
from app.settings import Settings

NEW = {"secret_key": "a-new-secret-key-0123", "signing_secret": "a-new-signing-secret-0123"}


def moved(client: FlaskClient, to: Flask) -> FlaskClient:
    """The same browser at another process of the shop."""
    other = to.test_client()
    for cookie in client._cookies.values():
        other.set_cookie(cookie.key, cookie.value, domain=cookie.domain, path=cookie.path)
    return other


def test_both_secrets_are_in_force_for_a_while(house: House, client: FlaskClient, settings: Settings) -> None:
    rows.sign_in(client, house.owner)
    client.post("/cart/items", data={"offer_id": "none"})  # a message, in Flask's own signed session
    playlist = client.post(f"/play/{house.track.id}").get_json()["playlist"]
    old = {
        "secret_key_previous": settings.secret_key,
        "signing_secret_previous": settings.signing_secret,
    }
    during = create_app(Settings.model_validate(settings.model_dump() | NEW | old))
    after = create_app(Settings.model_validate(settings.model_dump() | NEW))
    for app in (during, after):
        app.config["WTF_CSRF_ENABLED"] = False

    there = moved(client, during)
    assert there.get("/orders").status_code == 200, "signed in as before"
    with there.session_transaction() as session:
        assert session, "what the browser's own session held is there"
    assert there.get(playlist).status_code == 200, "the play goes on"
    fresh = there.post(f"/play/{house.track.id}").get_json()["playlist"]
    assert fresh != playlist

    late = moved(client, after)
    assert late.get("/orders").status_code == 200, "who is signed in is a row: no secret opens it"
    assert late.get(playlist).status_code == 403
    assert late.get(fresh).status_code == 200, "what was signed since is by the new secret alone"

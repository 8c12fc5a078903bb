"""Rows that a test needs to be there before its story begins, made without the rooms that the test is not about."""

from __future__ import annotations

import itertools

from flask.testing import FlaskClient

from app.accounts.models import Account
from app.catalog.models import Artist, Kind, Release, Status, Track
from app.core import clock
from app.core.db import db
from app.licenses.models import License

_numbers = itertools.count(1)


def account(name: str = "Ada") -> Account:
    """A person who can be signed in with `sign_in`; the password hash matches no password."""
    made = Account(email=f"person{next(_numbers)}@example.org", name=name, password_hash="!")
    db.session.add(made)
    db.session.commit()
    return made


def release(
    title: str = "Tides",
    tracks: int = 1,
    *,
    published: bool = True,
    kind: Kind = Kind.AUDIO,
    title_zh: str | None = None,
    artist: str = "Mira Sol",
    artist_zh: str | None = None,
) -> Release:
    """A release with so many tracks of 200 s each."""
    by = db.session.query(Artist).filter_by(name=artist).one_or_none() or Artist(name=artist, name_zh=artist_zh)
    made = Release(title=title, title_zh=title_zh, artist=by, kind=kind)
    if published:
        made.status, made.published_at = Status.PUBLISHED, clock.now()
    made.tracks = [
        Track(
            position=number,
            title=f"{title} {number}",
            title_zh=title_zh and f"{title_zh} {number}",
            duration_ms=200_000,
        )
        for number in range(1, tracks + 1)
    ]
    db.session.add(made)
    db.session.commit()
    return made


def own(account: Account, *, release: Release | None = None, track: Track | None = None) -> str:
    """Grant a license; return its grant key."""
    key = f"test-{next(_numbers)}"
    db.session.add(
        License(
            account_id=account.id,
            release_id=release.id if release else None,
            track_id=track.id if track else None,
            grant_key=key,
        )
    )
    db.session.commit()
    return key


def sign_in(client: FlaskClient, account: Account) -> None:
    """Give the client the session cookie that a sign-in would have given it."""
    with client.session_transaction() as session:
        session["_user_id"] = account.id
        session["_fresh"] = True

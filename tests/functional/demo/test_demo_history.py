"""The made-up past: shelves say something on the first day, and a second set-up adds nothing."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select
from support import shown

from app.accounts import service as accounts
from app.accounts.models import Account, Role
from app.catalog import service as catalog
from app.catalog.models import Kind, Release
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.demo import build, history
from app.demo.catalogue import RELEASES
from app.discovery.models import Event, EventKind, RecommenderModel
from app.licenses import queries as licenses
from app.licenses.models import License


@pytest.fixture
def shop(app: Flask) -> dict[str, Release]:
    """The demo's releases as an import leaves them: titles and tracks, one price for all, published."""
    made = {}
    with transaction():
        for spec in RELEASES:
            release = catalog.create_release(
                title=spec.title,
                artist=catalog.ensure_artist(spec.artist, spec.artist_zh),
                kind=Kind.FILM if spec.film else Kind.AUDIO,
                genre=catalog.ensure_genre(spec.genre),
                label=catalog.ensure_label(spec.label),
                description=spec.description if spec.film else None,  # a film's comes from its tags
            )
            for track in spec.tracks:
                catalog.add_track(release, title=track.title, disc=track.disc, duration_ms=30_000)
            catalog.set_price(release=release, price=Money(900, "EUR"))
            catalog.publish(release)
            made[spec.key] = release
    return made


@pytest.fixture
def lived_in(shop: dict[str, Release]) -> dict[str, Release]:
    """And with its details, logins and history."""
    with transaction():
        assert build.apply_details() == len(RELEASES)
        history.ensure_logins()
    with transaction():
        assert history.write_history() > 1000
    return shop


def _counts() -> list[int]:
    return [db.session.scalar(select(func.count()).select_from(table)) or 0 for table in (Account, Event, License)]


def test_details_give_each_release_its_price_and_words(lived_in: dict[str, Release]) -> None:
    db.session.expire_all()
    for spec in RELEASES:
        release = lived_in[spec.key]
        assert [offer.price for offer in release.offers if offer.active] == [spec.price]
        assert release.title_zh == spec.title_zh
        assert release.description_in("zh_Hans") == spec.description_zh
        assert release.description_in("en") == spec.description
        assert release.genre is not None
        assert release.genre.name_zh == spec.genre_zh
        assert release.label is not None
        assert release.label.name_zh == spec.label_zh
        assert release.released_on is not None
        assert release.released_on.isoformat() == spec.date
        sold_alone = [offer.price for track in release.tracks for offer in track.offers if offer.active]
        assert sold_alone == ([spec.track_price] * len(release.tracks) if spec.track_price else [])


def test_what_an_editor_changed_stays(lived_in: dict[str, Release]) -> None:
    with transaction():
        catalog.update_release(lived_in["cats"], description="Mine now.")
        catalog.set_price(release=lived_in["cats"], price=Money(5, "EUR"))
    with transaction():
        assert build.apply_details() == 0
    assert lived_in["cats"].description == "Mine now."
    assert [offer.price.minor for offer in lived_in["cats"].offers if offer.active] == [5]


def test_a_second_set_up_adds_nothing(lived_in: dict[str, Release]) -> None:
    before = _counts()
    assert before[0] == history.LISTENERS + 3
    with transaction():
        history.ensure_logins()
        assert history.write_history() == 0
    assert _counts() == before
    assert db.session.scalar(select(func.count()).select_from(RecommenderModel)) == 1


def test_history_is_of_the_last_ninety_days_and_every_purchase_has_its_license(lived_in: dict[str, Release]) -> None:
    first, last = db.session.execute(select(func.min(Event.at), func.max(Event.at))).one()
    assert last <= clock.now()
    assert 60 < (clock.now() - first).days <= history.DAYS + 1

    bought = set(db.session.execute(select(Event.account_id, Event.release_id).where(Event.kind == EventKind.PURCHASE)))
    licensed = set(db.session.execute(select(License.account_id, License.release_id)))
    assert bought == licensed
    assert len(bought) > 100


def test_the_logins_work_and_the_listeners_cannot_sign_in(lived_in: dict[str, Release]) -> None:
    for role, email, password in history.LOGINS:
        account = accounts.authenticate(email, password)
        assert account is not None
        assert account.role == Role(role)
    someone = history.listeners()[0]
    for password in ("", "!", "password"):
        assert accounts.authenticate(someone.email, password) is None


def test_every_shelf_has_something_to_say(lived_in: dict[str, Release]) -> None:
    popular = shown.popular(14)
    assert len(popular) == len(RELEASES)
    assert len({release.genre_id for release in popular[:4]}) == 4

    for key, taste in (("load", "night"), ("orders", "warm"), ("mains", "still")):
        also = [release.id for release in shown.fans_also_bought(lived_in[key].id, None, 3)]
        assert also
        assert also[0] in {lived_in[other].id for other in history.TASTES[taste]}

    account = accounts.by_email(history.LOGINS[0][1])
    assert account is not None
    owned = licenses.owned_release_ids(account.id)
    assert owned == {lived_in["cats"].id, lived_in["weather"].id}
    shelf = [release.id for release in shown.for_you(account.id, 4)]
    assert not owned & set(shelf)
    assert set(shelf[:3]) <= {lived_in[key].id for key in (*history.TASTES["warm"], *history.TASTES["still"])}

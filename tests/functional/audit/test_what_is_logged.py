"""What staff do with prices, coupons and the shop's window stands in the log, with who did it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from support import rows
from support.heard import logged
from support.shop import offer

from app.accounts.models import Account, Role
from app.catalog.models import Release
from app.core import clock
from app.core.db import db
from app.pricing.models import Coupon


@pytest.fixture
def boss(client: FlaskClient) -> Account:
    """A manager, signed in."""
    return rows.staff(client, Role.MANAGER, "Max")


def test_what_is_done_with_a_coupon(client: FlaskClient, boss: Account) -> None:
    form = {"name": "Summer", "kind": "percent", "percent": "25", "code": "SUMMER25"}
    assert client.post("/admin/coupons/new", data=form | {"percent": "250"}).status_code == 422
    assert logged() == []
    made = client.post("/admin/coupons/new", data=form)
    assert made.status_code == 303, made.text
    coupon = db.session.scalars(select(Coupon)).one()
    for path, data in (("codes", {"count": "3"}), ("disable", {}), ("enable", {})):
        assert client.post(f"/admin/coupons/{coupon.id}/{path}", data=data).status_code == 303
    subject = f"coupon:{coupon.id}"
    assert logged() == [
        (boss.id, "coupon.create", subject, {"name": "Summer"}),
        (boss.id, "coupon.codes", subject, {"codes": 3}),
        (boss.id, "coupon.disable", subject, {}),
        (boss.id, "coupon.enable", subject, {}),
    ]


def sell(client: FlaskClient, release: Release, **more: str) -> None:
    form = {"selling": "fixed", "price": "9.90", "currency": "EUR", "rental_price": "", "rental_days": "30"}
    answer = client.post(f"/studio/releases/{release.id}/offers", data=form | more)
    assert answer.status_code == 303, answer.text


def test_what_is_asked_for_a_release_and_by_whom_it_was_changed(client: FlaskClient, boss: Account) -> None:
    release = rows.release()
    offer(release=release)
    sell(client, release)
    assert logged() == [], "nothing has changed"
    sell(client, release, price="12.00", rental_price="3.50")
    sell(client, release, price="12.00", selling="open", rental_price="")
    before = {"prices": {"EUR": 1200}}
    assert logged() == [
        (
            boss.id,
            "release.price",
            f"release:{release.id}",
            {
                "buy": {"from": {"prices": {"EUR": 990}}, "to": before},
                "rental": {"from": None, "to": {"prices": {"EUR": 350}, "days": 30}},
            },
        ),
        (
            boss.id,
            "release.price",
            f"release:{release.id}",
            {
                "buy": {"from": before, "to": {"prices": {"EUR": 1200}, "open": True}},
                "rental": {"from": {"prices": {"EUR": 350}, "days": 30}, "to": None},
            },
        ),
    ]
    assert "12" in client.get("/staff/audit?action=release.price").text


def draft(title: str, **facts: Any) -> Release:
    """A release that lacks nothing but recordings."""
    made = rows.release(title, published=False)
    for name, value in ({"cover_key": "0" * 64} | facts).items():
        setattr(made, name, value)
    offer(release=made)
    return made


def test_what_comes_into_the_shop_and_goes(client: FlaskClient, boss: Account) -> None:
    release = draft("Tides", released_on=clock.now().date() + timedelta(days=30))
    for _time in range(2):
        client.post(f"/studio/releases/{release.id}/publish")
    client.post(f"/studio/releases/{release.id}/publish")
    client.post(f"/studio/releases/{release.id}/unpublish")
    waiting = draft("Mains")
    client.post(f"/studio/releases/{waiting.id}/publish", data={"when": "ready"})
    client.post(f"/studio/releases/{waiting.id}/publish")  # cannot be, yet
    assert [(who, what, to) for who, what, to, _facts in logged()] == [
        (boss.id, "release.publish", f"release:{release.id}"),
        (boss.id, "release.unpublish", f"release:{release.id}"),
        (boss.id, "release.publish_when_ready", f"release:{waiting.id}"),
    ]


def test_bundles(client: FlaskClient, boss: Account) -> None:
    one, other = rows.release(), rows.release("Mains", artist="Other")
    form = {"title": "Both", "releases": f"/releases/{one.id}\n/releases/{other.id}", "price": "15", "currency": "EUR"}
    answer = client.post("/studio/bundles", data=form)
    assert answer.status_code == 303, answer.text
    [(who, what, subject, facts)] = logged()
    assert (who, what, facts) == (boss.id, "bundle.create", {"minor": 1500, "currency": "EUR"})
    client.post(f"/studio/bundles/{subject.partition(':')[2]}/retire")
    assert logged()[-1] == (boss.id, "bundle.retire", subject, {})

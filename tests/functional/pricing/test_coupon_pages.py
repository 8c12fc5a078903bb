"""Staff make coupons, hand out codes and take coupons back."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from support import rows

from app.accounts.models import Account, Role
from app.catalog import service as catalog
from app.core.db import db, transaction
from app.core.money import Money
from app.pricing import coupons
from app.pricing.contract import CurrencyTerms
from app.pricing.coupons import CouponWish, Customer
from app.pricing.models import Coupon

PAGES = (
    ("get", ""),
    ("get", "/new"),
    ("post", "/new"),
    ("get", "/{coupon}"),
    ("post", "/{coupon}/codes"),
    ("get", "/{coupon}/codes.csv"),
    ("post", "/{coupon}/disable"),
    ("post", "/{coupon}/enable"),
)


@pytest.fixture
def admin(client: FlaskClient) -> Account:
    """Somebody who runs the shop, signed in."""
    return rows.staff(client, Role.ADMIN, "Root")


def a_coupon(**wish: object) -> Coupon:
    with transaction():
        return coupons.create(CouponWish(**({"name": "Summer", "percent": Decimal(25)} | wish)))  # type: ignore[arg-type]


def the_coupon() -> Coupon:
    db.session.expire_all()
    return db.session.scalars(select(Coupon)).one()


def test_the_pages_are_for_those_who_run_the_shop(app: Flask, client: FlaskClient) -> None:
    made = a_coupon()
    calls = [(method, "/admin/coupons" + path.format(coupon=made.id)) for method, path in PAGES]
    assert {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("pricing.")} == {
        app.url_map.bind("").match(path, method=method.upper())[0] for method, path in calls
    }
    for method, path in calls:
        assert getattr(client, method)(path).status_code == 302, path
    rows.staff(client, Role.EDITOR, "Ed")
    for method, path in calls:
        assert getattr(client, method)(path).status_code == 403, path
    assert the_coupon().disabled_at is None


def test_a_coupon_is_made_from_the_form(admin: Account, client: FlaskClient) -> None:
    tides, label = rows.release("Tides"), catalog.ensure_label("Northern Line")
    db.session.commit()
    assert "No coupons yet" in client.get("/admin/coupons").text
    form = client.get("/admin/coupons/new").text
    assert 'value="JPY"' in form
    position = [f'terms-{n}-currency" name' in form for n in range(11)]
    assert all(position)
    answer = client.post(
        "/admin/coupons/new",
        data={
            "name": "Summer sale",
            "code": "summer-25",
            "takes": "percent",
            "percent": "12,5 %",
            "terms-0-currency": "EUR",
            "terms-0-least": "20",
            "releases": f"https://shop.example/releases/{tides.id}\n",
            "labels": [label.id],
            "customers": admin.email.upper(),
            "max_uses": "100",
            "max_uses_each": "1",
            "starts_at": "2026-01-01T00:00",
            "ends_at": "2099-12-31T23:59",
        },
    )
    made = the_coupon()
    assert answer.location == f"/admin/coupons/{made.id}"
    assert coupons.check("SUMMER25", Customer(admin.id)) == coupons.Reduction(
        "SUMMER25",
        Decimal("12.50"),
        (CurrencyTerms("EUR", None, 2000),),
        frozenset({tides.id}),
        frozenset({label.id}),
    )
    assert (made.max_uses, made.max_uses_each) == (100, 1)
    page = client.get(f"/admin/coupons/{made.id}").text
    for said in ("12.5 %", "SUMMER25", "€20.00", "Tides", "Northern Line", admin.email, "0 of 100", "2099-12-31 23:59"):
        assert said in page, said
    assert "SUMMER25" in client.get("/admin/coupons").text


def test_amounts_are_given_by_currency(admin: Account, client: FlaskClient) -> None:
    data = {"name": "Fiver", "takes": "amount", "first_order_only": "y"}
    rows_ = {"terms-0-currency": "EUR", "terms-0-off": "5.00", "terms-1-currency": "JPY", "terms-1-off": "800"}
    assert client.post("/admin/coupons/new", data=data | rows_).status_code == 303
    made = the_coupon()
    assert [(terms.currency, terms.off_minor) for terms in made.terms] == [("EUR", 500), ("JPY", 800)]
    assert made.first_order_only
    assert "¥800" in client.get("/admin/coupons").text


@pytest.mark.parametrize(
    "typed",
    [
        {"name": ""},
        {"percent": ""},
        {"percent": "101"},
        {"percent": "1.234"},
        {"percent": "NaN"},
        {"takes": "amount"},
        {"takes": "amount", "terms-0-currency": "EUR", "terms-0-off": "a fiver"},
        {"terms-0-currency": "JPY", "terms-0-least": "9.90"},
        {"terms-0-currency": "XXXX", "terms-0-least": "9.90"},
        {"terms-0-currency": "EUR", "terms-0-least": "0"},
        {"releases": "https://shop.example/releases/nothing"},
        {"customers": "nobody@example.org"},
        {"labels": ["nothing"]},
        {"max_uses": "0"},
        {"max_uses": "many"},
        {"starts_at": "2027-01-01T00:00", "ends_at": "2026-01-01T00:00"},
        {"code": "%"},
    ],
    ids=str,
)
def test_what_cannot_be_made_comes_back_as_it_was_typed(
    admin: Account, client: FlaskClient, typed: dict[str, str]
) -> None:
    answer = client.post(
        "/admin/coupons/new", data={"name": "Summer sale", "takes": "percent", "percent": "25"} | typed
    )
    assert answer.status_code == 422
    assert "Nothing was made yet" in answer.text
    assert 'class="field__error"' in answer.text
    assert "Summer sale" in answer.text or typed.get("name") == ""
    assert not db.session.scalars(select(Coupon)).all()


def test_codes_are_made_in_bulk_and_exported_with_what_became_of_them(admin: Account, client: FlaskClient) -> None:
    made = a_coupon()
    page = f"/admin/coupons/{made.id}"
    assert client.post(f"{page}/codes", data={"count": "250"}).location == page
    assert "250 single-use codes" in client.get(page).text
    with transaction():
        coupons.add_code(made, "SUMMER25")
    answer = client.get(f"{page}/codes.csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    first = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(first) == 251
    assert {row["state"] for row in first} == {"free", "shared"}
    code = next(row["code"] for row in first if row["state"] == "free")
    with transaction():
        coupons.reserve("order1", code, Customer(), Money(500, "EUR"))
        coupons.release("order1")
        coupons.reserve("order2", code, Customer(), Money(500, "EUR"))
        coupons.take("order2")
        coupons.reserve("order3", "SUMMER25", Customer(), Money(500, "EUR"))
    second = list(csv.DictReader(io.StringIO(client.get(f"{page}/codes.csv").text)))
    assert len(second) == 251
    assert [(row["state"], row["order"]) for row in second if row["code"] == code] == [("taken", "order2")]
    assert {row["state"] for row in second} == {"free", "shared", "taken"}
    assert "€5.00" in client.get(page).text
    for count in ("0", "10001", "many", ""):
        assert client.post(f"{page}/codes", data={"count": count}).status_code == 422


def test_a_coupon_is_disabled_and_enabled(admin: Account, client: FlaskClient) -> None:
    made = a_coupon()
    with transaction():
        coupons.add_code(made, "SUMMER25")
    page = f"/admin/coupons/{made.id}"
    for _again in range(2):
        assert client.post(f"{page}/disable").location == page
    with pytest.raises(coupons.CouponRefused):
        coupons.check("SUMMER25", Customer())
    assert "Disabled" in client.get("/admin/coupons").text
    client.post(f"{page}/enable")
    assert coupons.check("SUMMER25", Customer())
    assert client.get("/admin/coupons/nothing").status_code == 404

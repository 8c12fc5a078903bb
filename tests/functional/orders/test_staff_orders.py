"""Orders, refunds and cases as staff handle them, against the sandbox itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from support import rows, selling
from support.selling import fresh, placed, sold, standing
from support.till import Till

from app.accounts.models import Account, Role
from app.audit.models import AuditEntry
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.ledger import queries as ledger
from app.licenses import queries as licenses
from app.orders import cases, queries, settlement
from app.orders.models import Case, CaseKind, Order, OrderState, RefundOrigin, RefundState


@pytest.fixture
def till(app: Flask, tmp_path: Path) -> Till:
    return Till(app, tmp_path)


@pytest.fixture
def manager(client: FlaskClient) -> Account:
    return rows.staff(client, Role.MANAGER, "Mo")


def give_back(client: FlaskClient, order: Order, seen: int, **fields: object) -> object:
    data = {"what": "all", "reason": "a scratch", "seen": seen} | fields
    return client.post(f"/staff/orders/{order.id}/refund", data=data)


def actions() -> list[str]:
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))


def test_all_of_an_order_is_given_back_and_written_down(till: Till, client: FlaskClient, manager: Account) -> None:
    order = placed(rows.account(), sold("Tides", tax=158), sold("Harbour", minor=500))
    till.pay(order)
    answer = give_back(client, order, 1490)
    assert "€14.90 is on its way back" in client.get(answer.location).text
    assert standing(order) == [False, False]
    assert fresh(order).state == OrderState.REFUNDED
    made = queries.refunds_of(order.id)[0]
    assert (made.origin, made.asked_by, made.reason) == (RefundOrigin.STAFF, manager.id, "a scratch")
    logged = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "order.refund")).one()
    assert (logged.actor_id, logged.subject) == (manager.id, f"order:{order.id}")
    assert (logged.facts["minor"], logged.facts["refund"]) == (1490, made.id)


def test_staff_may_give_back_what_the_buyer_may_not(till: Till, client: FlaskClient, manager: Account) -> None:
    order = placed(rows.account(), sold("Tides"), sold("Harbour", minor=500))
    till.pay(order)
    with transaction():
        for each in licenses.granted([line.id for line in order.lines]).values():
            each.downloaded_at = clock.now()
        order.paid_at = clock.now() - timedelta(days=100)
    give_back(client, order, 1490, what="lines", line=order.lines[1].id)
    assert standing(order) == [True, False]
    assert queries.refunds_of(order.id)[0].lines == {order.lines[1].id: 500}


def test_an_amount_is_spread_and_leaves_the_licenses(till: Till, client: FlaskClient, manager: Account) -> None:
    order = placed(rows.account(), sold("Tides"), sold("Harbour", minor=500))
    till.pay(order)
    assert give_back(client, order, 1490, what="amount", amount="4,00").status_code == 303
    assert standing(order) == [True, True]
    assert sum(queries.refunds_of(order.id)[0].lines.values()) == 400
    again = give_back(client, order, 1490, what="amount", amount="4.00")
    assert again.status_code == 409
    assert "Something was given back since this page was loaded." in again.text
    assert len(queries.refunds_of(order.id)) == 1
    give_back(client, order, 1090)
    assert fresh(order).state == OrderState.REFUNDED
    assert standing(order) == [False, False]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reason": "  "}, "Say why the money goes back"),
        ({"what": "lines"}, "Choose what to give back"),
        ({"what": "amount", "amount": "15"}, "Give back an amount up to 14.90 EUR."),
        ({"what": "amount", "amount": "much"}, "“much” is not an amount."),
        ({"what": "amount", "amount": "0"}, "Give back an amount up to"),
        ({"what": "amount", "amount": "1.001"}, "EUR has no unit as small as 1.001."),
    ],
)
def test_what_can_not_be_done_is_said_and_what_was_typed_is_kept(
    till: Till, client: FlaskClient, manager: Account, fields: dict[str, str], said: str
) -> None:
    order = placed(rows.account(), sold("Tides"), sold("Harbour", minor=500))
    till.pay(order)
    answer = give_back(client, order, 1490, **({"reason": "a dent"} | fields))
    assert answer.status_code in (400, 409)
    assert said in answer.text
    assert (fields.get("amount") or fields.get("reason", "a dent").strip()) in answer.text
    assert queries.refunds_of(order.id) == []


def test_support_reads_but_does_not_refund(app: Flask, till: Till) -> None:
    order = placed(rows.account(), sold("Tides"))
    till.pay(order)
    support, browser = rows.account("Su"), app.test_client()
    support.role = Role.SUPPORT
    db.session.commit()
    rows.sign_in(browser, support)
    page = browser.get(f"/staff/orders/{order.id}").text
    assert "Give money back" not in page
    assert "At the payment service" not in page  # nor the books
    assert give_back(browser, order, 990).status_code == 403
    assert browser.get("/staff/cases").status_code == 403


def test_the_password_is_asked_for_first(till: Till, client: FlaskClient, manager: Account) -> None:
    order = placed(rows.account(), sold("Tides"))
    till.pay(order)
    present = rows.sign_in(client, manager)
    present.proved_at = clock.now() - timedelta(hours=1)
    db.session.commit()
    assert "/account/prove" in give_back(client, order, 990).location
    assert queries.refunds_of(order.id) == []


def test_what_was_given_back_at_the_dashboard_is_not_given_back_again(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    order = placed(rows.account(), sold("Tides"))
    payment = till.pay(order)
    till.refund(payment, 990)  # at the dashboard, and the shop hasn't heard
    answer = give_back(client, order, 990)
    assert "All of this payment was given back before" in client.get(answer.location).text
    assert standing(order) == [False]
    assert fresh(order).state == OrderState.REFUNDED
    assert queries.refunds_of(order.id)[0].state == RefundState.FAILED


def test_orders_are_found_by_number_address_and_whatever_names_them(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    ada, bo = rows.account("Ada"), rows.account("Bo")
    first, second = placed(ada, sold("Tides")), placed(bo, sold("Harbour"))
    guests = placed(None, sold("Wharf"), email="Cy@Example.com")
    payment = till.pay(first)
    till.pay(guests)
    with transaction():
        ada.email = "new-name@example.org"

    def found(q: str, state: str = "") -> set[str]:
        page = client.get("/staff/orders", query_string={"q": q, "state": state}).text
        return {each.id for each in (first, second, guests) if f"/staff/orders/{each.id}" in page}

    assert found("") == {first.id, second.id, guests.id}
    assert found(str(second.number)) == {second.id}
    assert found(payment) == {first.id}
    assert found(str(first.checkout_id)) == {first.id}
    assert found(ada.id) == {first.id}
    assert found("NEW-name") == found(first.email) == {first.id}
    assert found("cy@example.com") == {guests.id}
    assert found("", "pending") == {second.id}
    assert found("", "paid") == {first.id, guests.id}
    assert found("9" * 40) == found("%") == found("nobody@") == set()
    assert f"/staff/orders?q={ada.id}" in client.get(f"/staff/people/{ada.id}").text


def test_pages_of_orders(client: FlaskClient, manager: Account) -> None:
    ada, line = rows.account(), sold("Tides")
    for _number in range(51):
        placed(ada, line)
    assert "Page 1 of 2" in client.get("/staff/orders").text
    assert "51 orders" in client.get("/staff/orders?page=2").text
    assert client.get("/staff/orders?page=99").text.count("/staff/orders/") == 1


def test_the_page_of_an_order_shows_all_that_hangs_on_it(till: Till, client: FlaskClient, manager: Account) -> None:
    order = placed(rows.account("Ada"), sold("Tides", tax=158), sold("Harbour", minor=500, gift_to="bo@example.org"))
    payment = till.pay(order)
    give_back(client, order, 1490, what="lines", line=order.lines[0].id)
    page = client.get(f"/staff/orders/{order.id}").text
    for each in (
        payment,
        order.email,
        "bo@example.org",
        "Gifts not claimed yet",
        "order.refund",
        "a scratch",
        "receipt",
        "refund",
        f"refund:{queries.refunds_of(order.id)[0].gateway_id}",
        "Stands",
        "Shut",
        "not claimed yet",
    ):
        assert each in page, each


def mismatched(till: Till, order: Order) -> tuple[str, Case]:
    """A payment for the order whose amount somebody changed on the way."""
    page = till.open(order)
    with transaction():
        line = order.lines[0]
        line.price_minor, line.net_minor, order.total_minor = 2000, 2000, 2000
    payment = till.does.pay(page)["payment_intent"]
    settlement.settle(order.id)
    return payment, db.session.scalars(select(Case)).one()


def test_a_mismatch_is_explained_and_its_payment_given_back_once(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    order = placed(rows.account(), sold("Tides"))
    payment, case = mismatched(till, order)
    assert standing(order) == [False]
    page = client.get(f"/staff/cases/{case.id}").text
    for each in ("A payment is not what was ordered", "20.00 EUR", "9.90 EUR", payment, "Give €9.90 back"):
        assert each in page, each
    assert "1 open" in page

    answer = client.post(f"/staff/cases/{case.id}/give-back")
    page = client.get(answer.location).text
    assert "€9.90 is on its way back" in page
    assert "Give €9.90 back" not in page
    again = client.post(f"/staff/cases/{case.id}/give-back")
    assert "No money of this payment waits" in client.get(again.location).text
    assert len(till.client.v1.refunds.list({"limit": 10}).data) == 1
    assert ledger.unapplied(payment) == []
    assert "payment.give_back" in actions()


def test_a_mismatch_is_given_back_later_where_the_gateway_is_away(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    order = placed(rows.account(), sold("Tides"))
    payment, case = mismatched(till, order)
    till.does.fault("timeout_before", match="POST /v1/refunds")
    answer = client.post(f"/staff/cases/{case.id}/give-back")
    assert "as soon as the payment service answers" in client.get(answer.location).text
    till.does.no_faults()
    again = client.post(f"/staff/cases/{case.id}/give-back")
    assert "No money of this payment waits" in client.get(again.location).text
    settlement.carry_out(queries.refunds_of(order.id)[0].id)
    assert ledger.unapplied(payment) == []


def test_a_payment_of_no_order_is_given_back_too(till: Till, client: FlaskClient, manager: Account) -> None:
    order = placed(rows.account(), sold("Tides"))
    till.open(order)
    price = {"currency": "eur", "unit_amount": 700, "product_data": {"name": "Something"}}
    session = till.client.v1.checkout.sessions.create(
        {"mode": "payment", "success_url": "https://x.test/", "line_items": [{"quantity": 1, "price_data": price}]}
    )
    payment = till.does.pay(session.id, email="a@example.org")["payment_intent"]
    till.tell()
    case = db.session.scalars(select(Case)).one()
    assert case.order_id is None
    answer = client.post(f"/staff/cases/{case.id}/give-back")
    assert "The payment service was asked to give it back." in client.get(answer.location).text
    client.post(f"/staff/cases/{case.id}/give-back")
    assert [each.amount for each in till.client.v1.refunds.list({"limit": 10}).data] == [700]
    assert ledger.unapplied(payment) == []


def test_a_stray_payment_in_another_currency_goes_back_in_its_own(app: Flask, till: Till) -> None:
    """The row of a refund is in the payment's currency, not the order's."""
    from app.orders import locks, refunds

    order = placed(rows.account(), sold("Tides"))
    told = replace(selling.payment(order), id="pi_yen", captured=Money(1000, "JPY"), refunded=Money(0, "JPY"))
    told = replace(told, disputed=Money(0, "JPY"))
    with transaction():
        held = locks.locked(order.id)
        assert held is not None
        made = refunds.ask_stray(held, told, "case 1", origin=RefundOrigin.STAFF)
    assert made is not None
    assert made.amount == Money(1000, "JPY")


def test_a_case_is_closed_with_a_word_once(client: FlaskClient, manager: Account) -> None:
    with transaction():
        cases.raise_case(CaseKind.DISPUTE, "dispute:x", facts={"amount": "9.90 EUR", "reason": "fraudulent"})
    case = db.session.scalars(select(Case)).one()
    there = f"/staff/cases/{case.id}"
    assert "fraudulent" in client.get(there).text
    empty = client.post(f"{there}/close", data={"outcome": " "})
    assert empty.status_code == 409
    assert "Say what you did about it" in empty.text
    assert client.post(f"{there}/close", data={"outcome": "Answered it, and won."}).status_code == 303
    late = client.post(f"{there}/close", data={"outcome": "Me too"})
    assert "closed already" in late.text
    assert "No open cases" in client.get("/staff/cases").text
    assert "Answered it, and won." in client.get("/staff/cases?state=closed").text
    assert "case.close" in actions()
    db.session.rollback()
    db.session.expire_all()
    closed = db.session.get_one(Case, case.id)
    assert (closed.outcome, closed.closed_by) == ("Answered it, and won.", manager.id)


@pytest.mark.parametrize("kind", list(CaseKind))
def test_every_kind_of_case_says_what_to_do(client: FlaskClient, manager: Account, kind: CaseKind) -> None:
    with transaction():
        cases.raise_case(kind, f"{kind}:x", facts={"expected": "this", "found": "that", "amount": "9.90 EUR"})
    case = db.session.scalars(select(Case)).one()
    page = client.get(f"/staff/cases/{case.id}").text
    assert page.count("<li>") > 1
    assert "that" in page

"""Money back and cancelling, as buyers do it: by their pages, against the sandbox itself."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import rows
from support.selling import fresh, placed, sold, standing
from support.till import FAILING_REFUNDS, Till

from app.accounts.models import Account
from app.core import clock
from app.core.db import db, transaction
from app.licenses import service as granting
from app.licenses.models import License
from app.orders import queries, settlement
from app.orders.models import Order, OrderRefund, OrderState, RefundState


@pytest.fixture
def till(app: Flask, tmp_path: Path) -> Till:
    return Till(app, tmp_path)


@pytest.fixture
def ada(client: FlaskClient) -> Account:
    made = rows.account("Ada")
    rows.sign_in(client, made)
    return made


def ask(client: FlaskClient, order: Order, *numbers: int, reason: str = "") -> object:
    chosen = [order.lines[number].id for number in numbers]
    return client.post(f"/orders/{order.id}/refund", data={"line": chosen, "reason": reason})


def test_a_buyer_gives_one_line_back_and_keeps_the_other(till: Till, client: FlaskClient, ada: Account) -> None:
    order = placed(ada, sold("Tides", tax=158), sold("Harbour", minor=500))
    payment = till.pay(order)
    page = client.get(f"/orders/{order.id}/refund").text
    assert "Tides" in page
    assert "Harbour" in page

    answer = ask(client, order, 0, reason=" not\nmine ")
    assert answer.status_code == 303
    assert "€9.90 is on its way back" in client.get(answer.location).text
    assert standing(order) == [False, True]
    made = queries.refunds_of(order.id)[0]
    assert (made.state, made.amount_minor, made.reason, made.asked_by) == (RefundState.DONE, 990, "not mine", ada.id)
    assert (
        till.client.v1.payment_intents.retrieve(payment, {"expand": ["latest_charge"]}).latest_charge.amount_refunded
        == 990
    )
    assert fresh(order).state == OrderState.PAID

    ask(client, order, 1)
    assert standing(order) == [False, False]
    assert fresh(order).state == OrderState.REFUNDED


def test_a_second_click_asks_for_nothing_more_and_says_why(till: Till, client: FlaskClient, ada: Account) -> None:
    order = placed(ada, sold("Tides"))
    till.pay(order)
    assert ask(client, order, 0).status_code == 303
    again = ask(client, order, 0)
    assert again.status_code == 409
    assert "can’t be given back any more" in again.text
    assert "Its money was given back." in again.text
    assert len(queries.refunds_of(order.id)) == 1


def test_of_two_tabs_at_once_one_asks(app: Flask, till: Till, client: FlaskClient, ada: Account) -> None:
    order = placed(ada, sold("Tides"))
    till.pay(order)
    browsers = [client, app.test_client()]
    rows.sign_in(browsers[1], ada)
    order_id, line_id = order.id, order.lines[0].id
    together, answers = threading.Barrier(2), []

    def click(browser: FlaskClient) -> None:
        together.wait()
        answers.append(browser.post(f"/orders/{order_id}/refund", data={"line": line_id}).status_code)

    threads = [threading.Thread(target=click, args=(each,)) for each in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 409]
    assert [each.amount_minor for each in queries.refunds_of(order_id)] == [990]


def test_nothing_chosen_is_said(till: Till, client: FlaskClient, ada: Account) -> None:
    order = placed(ada, sold("Tides"), sold("Harbour"))
    till.pay(order)
    answer = ask(client, order)
    assert answer.status_code == 409
    assert "Choose what to give back" in answer.text


def test_while_the_gateway_is_away_it_is_asked_for_and_made_once_later(
    till: Till, client: FlaskClient, ada: Account
) -> None:
    order = placed(ada, sold("Tides"))
    till.pay(order)
    till.does.fault("timeout_before")
    answer = ask(client, order, 0)
    assert "as soon as the payment service answers" in client.get(answer.location).text
    assert standing(order) == [False]
    assert "Its money is on its way back to you." in client.get(f"/orders/{order.id}/refund").text
    made = queries.refunds_of(order.id)[0]
    assert made.state == RefundState.ASKED

    till.does.no_faults()
    settlement.carry_out(made.id)
    settlement.carry_out(made.id)
    assert fresh(order).state == OrderState.REFUNDED
    assert len(till.client.v1.refunds.list({"limit": 10}).data) == 1


def _downloaded(order: Order) -> None:
    for each in db.session.query(License):
        each.downloaded_at = clock.now()


def _late(order: Order) -> None:
    order.paid_at = clock.now() - timedelta(days=15)


def _played(order: Order) -> None:
    for each in db.session.query(License):
        each.first_played_at = clock.now()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_downloaded, "It was downloaded on"),
        (_late, "You could have the money back within 14 days, until"),
        (_played, "The rental has begun."),
    ],
)
def test_outside_the_rule_it_is_said_why_and_refused(
    till: Till, client: FlaskClient, ada: Account, change: object, why: str
) -> None:
    order = placed(ada, sold("Tides"))
    till.pay(order)
    with transaction():
        change(db.session.get_one(Order, order.id))  # type: ignore[operator]
    page = client.get(f"/orders/{order.id}/refund").text
    assert why in page
    assert "Give back and get the money" not in page
    assert ask(client, order, 0).status_code == 409
    assert queries.refunds_of(order.id) == []


def test_what_is_not_out_yet_can_be_given_back_however_late_until_it_is(
    till: Till, client: FlaskClient, ada: Account
) -> None:
    awaited = sold("Tides")
    order = placed(ada, awaited)
    till.pay(order)
    release = awaited.offer.subject_release
    with transaction():
        release.released_on = (clock.now() + timedelta(days=40)).date()
        order.paid_at = clock.now() - timedelta(days=30)
    assert "this cancels the pre-order" in client.get(f"/orders/{order.id}/refund").text
    with transaction():
        release.released_on = (clock.now() - timedelta(days=1)).date()
    assert "You could have the money back within 14 days" in client.get(f"/orders/{order.id}/refund").text
    with transaction():
        release.released_on = (clock.now() + timedelta(days=40)).date()
    assert ask(client, order, 0).status_code == 303
    assert standing(order) == [False]


def test_a_gift_can_be_given_back_until_it_is_claimed(till: Till, client: FlaskClient, ada: Account) -> None:
    order = placed(ada, sold("Tides", gift_to="bo@example.org"), sold("Harbour", gift_to="cy@example.org"))
    till.pay(order)
    bo = rows.account("Bo")
    with transaction():
        granting.assign([order.lines[0].id], bo.id)
    page = client.get(f"/orders/{order.id}/refund").text
    assert "The gift has been claimed." in page
    assert ask(client, order, 0).status_code == 409
    assert ask(client, order, 1).status_code == 303
    assert standing(order) == [True, False]


def test_a_price_that_an_album_was_less_by_stays_until_the_album_is_given_back(
    till: Till, client: FlaskClient, ada: Account
) -> None:
    single = placed(ada, sold("Track", minor=200))
    till.pay(single)
    album = placed(ada, sold("Album", minor=790), sold("Another"))
    with transaction():
        album.lines[0].credits = [{"line": single.lines[0].id, "track": "t", "minor": 200}]
    till.pay(album)
    assert "Its price was taken off “Album" in client.get(f"/orders/{single.id}/refund").text
    assert ask(client, single, 0).status_code == 409
    assert ask(client, album, 0).status_code == 303
    assert ask(client, single, 0).status_code == 303


def test_a_refund_that_fails_in_the_end_gives_the_license_back_and_raises_a_case(
    till: Till, client: FlaskClient, ada: Account
) -> None:
    order = placed(ada, sold("Tides"))
    till.pay(order, number=FAILING_REFUNDS)
    ask(client, order, 0)
    assert standing(order) == [False]
    till.does.advance(10)
    assert "refund.failed" in till.tell()
    assert standing(order) == [True]
    assert fresh(order).state == OrderState.PAID
    assert db.session.scalars(db.select(OrderRefund)).one().state == RefundState.FAILED
    assert [each.kind for each in queries.cases(closed=False).items] == ["refund_refused"]
    assert ask(client, order, 0).status_code == 303  # and can be asked for again


def test_the_password_is_asked_for_first_and_what_was_chosen_comes_along(
    till: Till, client: FlaskClient, ada: Account
) -> None:
    order = placed(ada, sold("Tides"), sold("Harbour"))
    till.pay(order)
    present = rows.sign_in(client, ada)
    present.proved_at = clock.now() - timedelta(hours=1)
    db.session.commit()
    answer = ask(client, order, 1)
    assert "/account/prove" in answer.location
    assert f"line%3D{order.lines[1].id}" in answer.location
    assert queries.refunds_of(order.id) == []
    assert "/account/prove" in client.get(f"/orders/{order.id}/refund").location


def test_others_orders_are_not_there(app: Flask, till: Till, ada: Account) -> None:
    order = placed(ada, sold("Tides"))
    guests = placed(None, sold("Harbour"))
    till.pay(order)
    till.pay(guests)
    nosy = app.test_client()
    rows.sign_in(nosy, rows.account("Bo"))
    for browser in (nosy, app.test_client()):
        for each in (order, guests):
            assert browser.get(f"/orders/{each.id}/refund").status_code == 404
            assert ask(browser, each, 0).status_code == 404
            assert browser.post(f"/orders/{each.id}/cancel").status_code == 404
    assert standing(order) == [True]


def test_a_guest_has_it_given_back_in_the_browser_that_bought_it(app: Flask, till: Till, client: FlaskClient) -> None:
    order = placed(None, sold("Tides"))
    till.pay(order)
    with client.session_transaction() as kept:
        kept["orders"] = [order.id]
    assert "Tides" in client.get(f"/orders/{order.id}/refund").text
    assert ask(client, order, 0).status_code == 303
    assert standing(order) == [False]


def test_an_order_that_is_not_paid_is_cancelled_and_its_page_closed(
    till: Till, client: FlaskClient, ada: Account
) -> None:
    order = placed(ada, sold("Tides"))
    page = till.open(order)
    answer = client.post(f"/orders/{order.id}/cancel")
    assert "The order is cancelled. Nothing was taken." in client.get(answer.location).text
    assert fresh(order).state == OrderState.CANCELLED
    assert till.client.v1.checkout.sessions.retrieve(page).status == "expired"


def test_an_order_that_was_paid_meanwhile_is_paid_and_not_cancelled(
    till: Till, client: FlaskClient, ada: Account
) -> None:
    order = placed(ada, sold("Tides"))
    till.does.pay(till.open(order))
    answer = client.post(f"/orders/{order.id}/cancel")
    assert "This order is paid already." in client.get(answer.location).text
    assert standing(order) == [True]


def test_a_slow_payment_can_not_be_stopped(till: Till, client: FlaskClient, ada: Account) -> None:
    order = placed(ada, sold("Tides"))
    till.does.pay(till.open(order), "sepa_debit")
    answer = client.post(f"/orders/{order.id}/cancel")
    assert "The payment is under way" in client.get(answer.location).text
    assert fresh(order).state == OrderState.PENDING

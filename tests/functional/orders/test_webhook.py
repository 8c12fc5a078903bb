"""The webhook route: whose word it takes, and that it takes it once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from support import rows
from support.sandbox import direct_client
from support.shop import LiveShop, live_shop, offer

from app.accounts.models import Account
from app.cart import service as carts
from app.core.db import db, transaction
from app.licenses.models import License
from app.orders import locks, placing, refunds, settlement, sweeping
from app.orders.models import Case, CaseKind, Order, OrderState, RefundOrigin, RefundState
from app.payments import stripe_gateway
from app.payments.contract import PaymentUnavailable
from app.payments.models import PaymentEvent
from app.payments.sandbox import objects
from app.payments.sandbox.state import State
from app.payments.sandbox.webhooks import sign
from app.settings import Settings

SECRET = "whsec_test_0123456789"


def body(kind: str = "customer.created", subject: dict | None = None) -> bytes:
    return json.dumps(objects.event(kind, subject or {"id": "cus_1", "object": "customer"})).encode()


def post(client: FlaskClient, raw: bytes, header: str | None) -> int:
    headers = {"Content-Type": "application/json"} | ({"Stripe-Signature": header} if header is not None else {})
    return client.post("/webhooks/stripe", data=raw, headers=headers).status_code


def kept() -> int:
    return db.session.scalar(select(func.count()).select_from(PaymentEvent)) or 0


def now() -> int:
    return int(time.time())


def test_an_event_of_a_kind_we_do_not_know_is_acknowledged_and_kept_once(app: Flask, client: FlaskClient) -> None:
    raw = body()
    for _again in range(3):
        assert post(client, raw, sign(raw, SECRET, now())) == 204
    assert kept() == 1


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        "t=,v1=",
        "t={now}",
        "t={now},v1=" + 64 * "0",
        "v1=abc,t=never",
    ],
)
def test_an_event_without_a_signature_is_refused(app: Flask, client: FlaskClient, header: str | None) -> None:
    # The moment comes in here: processes that share the tests out must call them the same.
    assert post(client, body(), header and header.replace("{now}", str(now()))) == 400
    assert kept() == 0


def test_forged_stale_and_future_signatures_are_refused(app: Flask, client: FlaskClient) -> None:
    raw = body()
    assert post(client, raw, sign(raw, "whsec_of_somebody_else", now())) == 400
    assert post(client, raw + b" ", sign(raw, SECRET, now())) == 400
    assert post(client, raw, sign(raw, SECRET, now() - 301)) == 400
    assert post(client, raw, sign(raw, SECRET, now() + 330)) == 400
    assert post(client, raw, sign(raw, SECRET, now() + 86_400)) == 400
    assert kept() == 0
    assert post(client, raw, sign(raw, SECRET, now() - 240)) == 204


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b'{"object": "event"}', b"\xff\xfe", b'{"data": {"object": 1}}']
)
def test_a_signed_body_that_is_no_event_is_refused(app: Flask, client: FlaskClient, raw: bytes) -> None:
    assert post(client, raw, sign(raw, SECRET, now())) == 400


@pytest.fixture
def live(settings: Settings, tmp_path: Path) -> Iterator[LiveShop]:
    with live_shop(settings, tmp_path, deliver=False, csrf=False) as running:
        yield running


def open_order(account: Account) -> Order:
    with transaction():
        cart = carts.open_cart(account.id)
    offer_id = offer(release=rows.release()).id
    with transaction():
        carts.add(cart, offer_id)
    pages = settlement.Pages("http://shop.test/orders/{order}/return", "http://shop.test/cart")
    order, _address = settlement.start_checkout(cart, account=account, email=account.email, pages=pages, locale="en")
    return order


def pay(live: LiveShop, order: Order, **changes: object) -> dict:
    """Pay at the sandbox, `changes` being what is then different about its session; return the session."""
    live.controls.pay(order.checkout_id or "")
    return change(live, order, **changes)


def change(live: LiveShop, order: Order, **changes: object) -> dict:
    state: State = live.sandbox.extensions["sandbox_state"]
    with state.transaction() as connection:
        session = State.get(connection, "checkout.session", order.checkout_id or "")
        assert session is not None
        session |= changes
        State.put(connection, session)
    return session


def send(live: LiveShop, kind: str, subject: dict) -> int:
    raw = body(kind, subject)
    return post(live.app.test_client(), raw, sign(raw, SECRET, now()))


def grants() -> int:
    return db.session.scalar(select(func.count()).select_from(License)) or 0


def state_of(order: Order) -> str:
    db.session.rollback()
    db.session.refresh(order)
    return order.state


def test_events_in_any_order_and_number_pay_the_order_once(live: LiveShop) -> None:
    order = open_order(rows.account())
    session = pay(live, order)
    for kind in (
        "checkout.session.async_payment_succeeded",
        "checkout.session.expired",
        "checkout.session.completed",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ):
        assert send(live, kind, session) == 204
    assert state_of(order) == OrderState.PAID
    assert grants() == 1


def test_an_event_that_says_paid_is_not_believed_while_the_gateway_says_unpaid(live: LiveShop) -> None:
    order = open_order(rows.account())
    claim = {"id": order.checkout_id, "object": "checkout.session", "payment_status": "paid", "status": "complete"}
    assert send(live, "checkout.session.completed", claim) == 204
    assert state_of(order) == OrderState.PENDING
    assert grants() == 0


@pytest.mark.parametrize(
    "lie",
    [{"amount_total": 1}, {"currency": "usd"}, {"client_reference_id": None}, {"client_reference_id": "another"}],
    ids=lambda lie: "-".join(lie),
)
def test_a_payment_that_does_not_match_grants_nothing_and_is_kept_and_logged(
    live: LiveShop, lie: dict, caplog: pytest.LogCaptureFixture
) -> None:
    order = open_order(rows.account())
    session = pay(live, order, **lie)
    assert send(live, "checkout.session.completed", session) == 204
    assert state_of(order) == OrderState.CANCELLED
    assert grants() == 0
    assert kept() == 1
    assert db.session.scalars(select(Case.kind)).all() == [CaseKind.MISMATCH]
    assert any(record.levelname == "ERROR" and "nothing granted" in record.message for record in caplog.records)


def test_an_event_whose_effect_cannot_be_taken_now_is_not_kept_so_that_it_comes_again(live: LiveShop) -> None:
    order = open_order(rows.account())
    session = pay(live, order)
    unknown = session | {"id": "cs_test_unknown"}
    assert send(live, "checkout.session.completed", unknown) == 503
    assert kept() == 0


def test_an_expired_payment_page_cancels_its_order(live: LiveShop) -> None:
    order = open_order(rows.account())
    session = change(live, order, status="expired")
    assert send(live, "checkout.session.expired", session) == 204
    assert state_of(order) == OrderState.CANCELLED


def bought(live: LiveShop) -> Order:
    order = open_order(rows.account())
    assert order.checkout_id is not None
    live.controls.pay(order.checkout_id)
    deliver(live)
    return order


def deliver(live: LiveShop) -> None:
    """Bring the shop what it hasn't heard, the newest first: the order of events decides nothing."""
    for event in live.events():
        raw = json.dumps(event).encode()
        assert post(live.app.test_client(), raw, sign(raw, SECRET, now())) == 204


def refund_at_the_gateway(live: LiveShop, order: Order, minor: int) -> None:
    client = direct_client(live.sandbox)
    client.v1.refunds.create({"payment_intent": order.payment_id or "", "amount": minor})
    deliver(live)


def standing() -> int:
    return db.session.scalar(select(func.count()).select_from(License).where(License.revoked_at.is_(None))) or 0


def test_a_refund_made_at_the_gateway_takes_the_music_back_and_a_partial_one_does_not(live: LiveShop) -> None:
    order = bought(live)
    assert state_of(order) == OrderState.PAID
    refund_at_the_gateway(live, order, 300)
    assert (state_of(order), standing()) == (OrderState.PAID, 1)
    refund_at_the_gateway(live, order, 690)
    assert (state_of(order), standing()) == (OrderState.REFUNDED, 0)


@pytest.mark.parametrize(("outcome", "left"), [("won", 1), ("lost", 0)])
def test_a_dispute_takes_the_music_and_winning_it_brings_it_back(live: LiveShop, outcome: str, left: int) -> None:
    order = bought(live)
    state_of(order)
    dispute = live.controls.dispute(order.payment_id or "")
    deliver(live)
    assert (state_of(order), standing()) == (OrderState.PAID, 0)
    live.controls.close_dispute(dispute["id"], outcome)
    deliver(live)
    assert (state_of(order), standing()) == (OrderState.PAID, left)
    assert db.session.scalars(select(Case.kind)).all() == [CaseKind.DISPUTE]


def test_what_no_webhook_brought_the_sweep_finds(live: LiveShop) -> None:
    order = open_order(rows.account())
    assert order.checkout_id is not None
    live.controls.pay(order.checkout_id)
    sweeping.sweep()
    assert (state_of(order), standing()) == (OrderState.PAID, 1)
    told = kept()
    sweeping.sweep()
    assert kept() == told


def test_a_slow_payment_is_waited_for_and_decides_in_the_end(live: LiveShop) -> None:
    for outcome, state in (("failed", OrderState.CANCELLED), ("succeeded", OrderState.PAID)):
        order = open_order(rows.account())
        assert order.checkout_id is not None
        live.controls.pay(order.checkout_id, "sepa_debit", iban="DE89370400440532013000")
        deliver(live)
        assert state_of(order) == OrderState.PENDING
        with pytest.raises(settlement.PaymentUnderWay):
            settlement.cancel(order.id)
        live.controls.settle(order.checkout_id, outcome)
        deliver(live)
        assert state_of(order) == state
    assert standing() == 1


def test_an_order_given_up_closes_its_page(live: LiveShop) -> None:
    order = open_order(rows.account())
    assert settlement.cancel(order.id).state == OrderState.CANCELLED
    assert order.checkout_id is not None
    live.controls.pay(order.checkout_id, expect=400)
    assert settlement.cancel(order.id).state == OrderState.CANCELLED


def test_a_refund_is_carried_out_once_however_often_it_is_tried(live: LiveShop) -> None:
    order = bought(live)
    state_of(order)
    with transaction():
        found = locks.locked(order.id)
        assert found is not None
        back = refunds.ask(found, {order.lines[0].id: 990}, reason="asked", origin=RefundOrigin.STAFF)
    assert standing() == 0
    live.controls.fault("timeout_after", match="POST /v1/refunds", times=4, seconds=0)
    with pytest.raises(PaymentUnavailable):
        settlement.carry_out(back.id)
    live.controls.no_faults()
    for _again in range(2):
        assert settlement.carry_out(back.id).state == RefundState.DONE
    deliver(live)
    assert state_of(order) == OrderState.REFUNDED
    assert len(direct_client(live.sandbox).v1.refunds.list({}).data) == 1


def test_two_open_pages_are_both_paid_and_the_second_money_goes_back(live: LiveShop) -> None:
    ada = rows.account()
    with transaction():
        cart = carts.open_cart(ada.id)
    offer_id = offer(release=rows.release()).id
    with transaction():
        carts.add(cart, offer_id)
    pages = settlement.Pages("http://shop.test/orders/{order}/return", "http://shop.test/cart")
    orders = []
    for _tab in range(2):
        with transaction():
            orders.append(placing.place(cart, account=ada, email=ada.email, locale="en", expected=None))
    for order in orders:
        checkout = stripe_gateway.open_checkout(settlement._wanted(order, pages))
        live.controls.pay(checkout.id)
    deliver(live)
    assert standing() == 1
    sweeping.sweep()
    deliver(live)
    states = sorted(state_of(order) for order in orders)
    assert states == [OrderState.PAID, OrderState.REFUNDED]
    assert standing() == 1

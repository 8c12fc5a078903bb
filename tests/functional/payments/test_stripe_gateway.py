"""The gateway as the shop calls it, against a sandbox that behaves, and one that doesn't."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr
from support.sandbox import direct_client
from support.shop import LiveShop, live_shop

from app.core import clock
from app.core.money import Money
from app.core.store import settings as current_settings
from app.payments import stripe_gateway as gateway
from app.payments import stripe_reading as reading
from app.payments.contract import (
    BadSignature,
    CheckoutLine,
    CheckoutOrder,
    DisputeState,
    PaymentState,
    PaymentUnavailable,
    RefundRefused,
    RefundState,
)
from app.payments.sandbox import objects
from app.payments.sandbox.outbox import sign
from app.settings import Settings

FAILING_IBAN = "DE62370400440532013001"


@pytest.fixture
def live(settings: Settings, tmp_path: Path) -> Iterator[LiveShop]:
    with live_shop(settings, tmp_path, deliver=False) as running:
        # The same bytes without the sockets and their waiting; the contract tests go over the network.
        running.app.extensions["stripe"] = direct_client(running.sandbox)
        yield running


def order(**changes: Any) -> CheckoutOrder:
    values: dict[str, Any] = {
        "id": "order1",
        "lines": (CheckoutLine("Tides", Money(990, "EUR")), CheckoutLine("Harbour", Money(129, "EUR"))),
        "email": "ada@example.org",
        "success_url": "https://shop.test/orders/order1/return",
        "cancel_url": "https://shop.test/cart",
        "locale": "en",
    }
    return CheckoutOrder(**(values | changes))


def pay(live: LiveShop, method: str = "card", **means: Any) -> tuple[str, str]:
    """Pay an order; the ids of its checkout and its payment."""
    checkout = gateway.open_checkout(order())
    return checkout.id, live.controls.pay(checkout.id, method, **means)["payment_intent"]


# --- opening ---


def test_tax_is_a_line_of_its_own_where_the_shop_says_so(live: LiveShop) -> None:
    taxed = order(tax=CheckoutLine("VAT 19 %", Money(213, "EUR")))
    assert taxed.total == Money(1332, "EUR")
    checkout = gateway.open_checkout(taxed)
    assert gateway.read_checkout(checkout.id).total == taxed.total
    lines = gateway.client().v1.checkout.sessions.line_items.list(checkout.id).data
    assert [line.description for line in lines] == ["Tides", "Harbour", "VAT 19 %"]


def test_a_page_closes_when_the_order_says_and_offers_the_methods_it_names(live: LiveShop) -> None:
    until = clock.now() + timedelta(minutes=40)
    checkout = gateway.open_checkout(order(expires_at=until, methods=("alipay", "wechat_pay")))
    assert "Alipay" in live.sandbox.test_client().get(f"/pay/{checkout.id}").text
    live.controls.ask("POST", f"sessions/{checkout.id}/pay", 400, method="card")
    live.controls.advance(41 * 60)
    status = gateway.read_checkout(checkout.id)
    assert (status.expired, status.open, status.paid) == (True, False, False)
    again = gateway.open_checkout(order(expires_at=until + timedelta(hours=1), attempt=2))
    assert again.id != checkout.id


@pytest.mark.parametrize(
    ("money", "amount"),
    [
        (Money(990, "EUR"), 990),
        (Money(990, "JPY"), 990),
        (Money(9_900, "KRW"), 9_900),
        (Money(9_900, "VND"), 9_900),
        (Money(9_900, "KWD"), 9_900),
        (Money(9_900, "BHD"), 9_900),
        (Money(9_900, "TND"), 9_900),
        (Money(990, "ISK"), 99_000),
        (Money(990, "UGX"), 99_000),
        (Money(99_000, "HUF"), 99_000),
        (Money(99_000, "TWD"), 99_000),
        (Money(6_800, "CNY"), 6_800),
    ],
    ids=str,
)
def test_what_is_asked_paid_and_given_back_is_the_order_s_amount_in_every_kind_of_currency(
    live: LiveShop, money: Money, amount: int
) -> None:
    """Currencies of two, no and three decimals, and those that Stripe counts otherwise than ISO 4217."""
    checkout = gateway.open_checkout(order(lines=(CheckoutLine("Tides", money),)))
    assert gateway.client().v1.checkout.sessions.retrieve(checkout.id).amount_total == amount
    payment_id = live.controls.pay(checkout.id)["payment_intent"]
    assert gateway.read_checkout(checkout.id).total == money
    assert gateway.read_payment(payment_id).captured == money
    tenth = Money(money.minor // 10, money.currency)
    given_back = gateway.refund(payment_id, tenth, "tenth")
    assert given_back is not None
    assert given_back.amount == tenth
    assert gateway.read_payment(payment_id).refunded == tenth


# --- reading ---


@pytest.mark.parametrize(
    ("method", "means", "country", "card_country"),
    [
        ("card", {"number": "4000 0027 6000 0016", "country": "AT"}, "AT", "DE"),
        ("card", {"number": "4000 0015 6000 0002"}, "CN", "CN"),
        ("sepa_debit", {}, "DE", "DE"),
        ("alipay", {}, None, None),
        ("paypal", {"country": "FR"}, "FR", None),
    ],
)
def test_a_paid_checkout_tells_who_paid_it_from_where(
    live: LiveShop, method: str, means: dict, country: str | None, card_country: str | None
) -> None:
    checkout_id, payment_id = pay(live, method, **means)
    if method == "sepa_debit":
        live.controls.settle(checkout_id, "succeeded")
    status = gateway.read_checkout(checkout_id)
    assert (status.paid, status.state, status.open) == (True, PaymentState.PAID, False)
    assert (status.order_id, status.payment_id, status.email) == ("order1", payment_id, "ada@example.org")
    assert (status.method, status.country, status.card_country) == (method, country, card_country)
    assert status.livemode is False is gateway.livemode()


def test_an_open_checkout_with_a_declined_attempt_is_still_open(live: LiveShop) -> None:
    checkout = gateway.open_checkout(order())
    live.controls.pay(checkout.id, declined=True, expect=402)
    status = gateway.read_checkout(checkout.id)
    assert (status.open, status.paid, status.failed, status.underway, status.expired) == (
        True, False, False, False, False,
    )  # fmt: skip
    assert status.payment_id is not None
    assert status.card_country is None
    closed = gateway.expire_checkout(checkout.id)
    assert (closed.expired, closed.open, closed.paid) == (True, False, False)
    assert gateway.expire_checkout(checkout.id) == closed


def test_a_delayed_payment_is_under_way_until_it_is_paid_or_failed(live: LiveShop) -> None:
    paid, _payment = pay(live, "sepa_debit")
    assert gateway.read_checkout(paid).underway
    assert gateway.expire_checkout(paid).underway
    live.controls.advance(10)
    status = gateway.read_checkout(paid)
    assert (status.paid, status.underway, status.failed) == (True, False, False)

    failed = gateway.open_checkout(order(id="order2"))
    payment_id = live.controls.pay(failed.id, "sepa_debit", iban=FAILING_IBAN)["payment_intent"]
    assert not gateway.read_payment(payment_id).succeeded
    live.controls.advance(10)
    status = gateway.read_checkout(failed.id)
    assert (status.paid, status.underway, status.failed, status.expired) == (False, False, True, False)
    assert gateway.read_payment(payment_id).captured == Money(0, "EUR")


def test_where_nothing_was_owed_the_state_says_so() -> None:
    session = {
        "id": "cs_1", "client_reference_id": "o", "amount_total": 0, "currency": "eur", "livemode": True,
        "status": "complete", "payment_status": "no_payment_required", "payment_intent": None,
        "customer_details": None,
    }  # fmt: skip
    status = reading.checkout_status(session)
    assert (status.state, status.paid, status.livemode) == (PaymentState.NOTHING_OWED, False, True)
    assert (status.failed, status.underway, status.email, status.country) == (False, False, None, None)


def test_a_payment_is_read_with_all_that_happened_to_it(live: LiveShop) -> None:
    _checkout, payment_id = pay(live)
    before = gateway.read_payment(payment_id)
    assert (before.captured, before.refunded, before.disputed) == (
        Money(1119, "EUR"),
        Money(0, "EUR"),
        Money(0, "EUR"),
    )
    assert (before.fee, before.net) == (Money(61, "EUR"), Money(1058, "EUR"))
    assert (before.order_id, before.method, before.card_country, before.livemode) == ("order1", "card", "US", False)
    gateway.refund(payment_id, Money(119, "EUR"), "part")
    dispute = live.controls.dispute(payment_id)
    after = gateway.read_payment(payment_id)
    assert (after.refunded, after.disputed) == (Money(119, "EUR"), Money(1000, "EUR"))
    assert [(each.key, each.state) for each in after.refunds] == [("part", RefundState.SUCCEEDED)]
    assert [(each.id, each.state) for each in after.disputes] == [(dispute["id"], DisputeState.OPEN)]
    live.controls.close_dispute(dispute["id"], "won")
    assert gateway.read_payment(payment_id).disputed == Money(0, "EUR")
    assert list(gateway.list_payments(clock.now() - timedelta(hours=1))) == [gateway.read_payment(payment_id)]
    assert list(gateway.list_payments(clock.now() + timedelta(hours=1))) == []


def test_a_lost_dispute_stays_taken(live: LiveShop) -> None:
    _checkout, payment_id = pay(live)
    live.controls.close_dispute(live.controls.dispute(payment_id, amount=500)["id"], "lost")
    payment = gateway.read_payment(payment_id)
    assert (payment.disputed, payment.disputes[0].state) == (Money(500, "EUR"), DisputeState.LOST)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needs_response", DisputeState.OPEN),
        ("under_review", DisputeState.OPEN),
        ("won", DisputeState.WON),
        ("lost", DisputeState.LOST),
        ("warning_needs_response", DisputeState.INQUIRY),
        ("warning_closed", DisputeState.INQUIRY),
    ],
)
def test_every_status_of_a_dispute_is_one_of_four(status: str, state: DisputeState) -> None:
    body = {"id": "du_1", "payment_intent": {"id": "pi_1"}, "amount": 1, "currency": "eur", "reason": "general"}
    assert reading.dispute(body | {"status": status, "created": 0}).state == state


def test_the_list_of_events_tells_what_no_webhook_told_oldest_first(live: LiveShop) -> None:
    live.controls.fault("drop")
    checkout_id, payment_id = pay(live)
    made = gateway.refund(payment_id, None, "all")
    assert live.controls.take() == []
    since = clock.now() - timedelta(minutes=5)
    found = gateway.list_events(since)
    types = [event.type for event in found]
    assert types.index("checkout.session.completed") < types.index("charge.refunded") < types.index("refund.created")
    by_type = {event.type: event for event in found}
    assert by_type["checkout.session.completed"].checkout_id == checkout_id
    assert by_type["payment_intent.succeeded"].payment_id == payment_id
    assert by_type["charge.refunded"].fully_refunded
    assert made is not None
    assert (by_type["refund.created"].refund_id, by_type["refund.created"].payment_id) == (made.id, payment_id)
    assert [event.type for event in gateway.list_events(since, ("refund.created",))] == ["refund.created"]
    assert gateway.list_events(clock.now() + timedelta(hours=1)) == []


# --- refunds, whatever fails ---


def test_a_refund_asked_for_again_is_the_same_one_even_when_stripe_forgot_the_key(live: LiveShop) -> None:
    _checkout, payment_id = pay(live)
    first = gateway.refund(payment_id, Money(500, "EUR"), "k")
    live.controls.advance(48 * 3600)
    assert gateway.refund(payment_id, Money(500, "EUR"), "k") == first
    other = gateway.refund(payment_id, Money(500, "EUR"), "k2")
    assert other != first
    assert gateway.read_payment(payment_id).refunded == Money(1000, "EUR")


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "error_before", "error_after", "rate_limit"])
@pytest.mark.parametrize("match", ["POST /v1/refunds", "GET /v1/refunds"])
def test_a_refund_that_failed_halfway_is_made_once_when_asked_again(live: LiveShop, kind: str, match: str) -> None:
    _checkout, payment_id = pay(live)
    live.controls.fault(kind, match=match, times=1)
    with pytest.raises(PaymentUnavailable):
        gateway.refund(payment_id, Money(500, "EUR"), "k")
    assert gateway.refund(payment_id, Money(500, "EUR"), "k") is not None
    assert gateway.read_payment(payment_id).refunded == Money(500, "EUR")


def test_an_error_that_stripe_keeps_under_the_key_does_not_keep_a_page_from_opening(live: LiveShop) -> None:
    live.controls.fault("error_after", match="POST /v1/checkout/sessions", times=1)
    with pytest.raises(PaymentUnavailable):
        gateway.open_checkout(order())
    checkout = gateway.open_checkout(order())
    assert gateway.open_checkout(order()) == checkout
    live.controls.fault("error_after", match="POST /v1/checkout/sessions")
    for _ in range(3):
        with pytest.raises(PaymentUnavailable):
            gateway.open_checkout(order(id="order2"))


def test_what_the_gateway_will_not_give_back_is_said(live: LiveShop) -> None:
    _checkout, payment_id = pay(live)
    with pytest.raises(RefundRefused):
        gateway.refund(payment_id, Money(1120, "EUR"), "more")
    dispute = live.controls.dispute(payment_id)
    with pytest.raises(RefundRefused):
        gateway.refund(payment_id, None, "disputed")
    live.controls.close_dispute(dispute["id"], "won")
    assert gateway.refund(payment_id, None, "after it was won") is not None
    assert gateway.refund(payment_id, None, "again") is None
    with pytest.raises(PaymentUnavailable):
        gateway.refund("pi_none", None, "whose")


def test_a_refund_that_fails_in_the_end_is_found_as_failed(live: LiveShop) -> None:
    _checkout, payment_id = pay(live, number="4000 0000 0000 5126")
    made = gateway.refund(payment_id, None, "k")
    assert made is not None
    assert made.state.returned
    live.controls.advance(10)
    again = gateway.refund(payment_id, None, "k")
    assert again is not None
    assert (again.id, again.state, again.state.returned) == (made.id, RefundState.FAILED, False)
    assert gateway.read_payment(payment_id).refunded == Money(0, "EUR")


# --- webhooks ---


def body(**changes: Any) -> bytes:
    made = objects.event("customer.created", {"id": "cus_1", "object": "customer"})
    return json.dumps(made | changes).encode()


def secret() -> str:
    return current_settings().stripe_webhook_secret.get_secret_value()


def v1(raw: bytes, key: str, at: int) -> str:
    return hmac.new(key.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()


def test_one_good_signature_among_several_will_do(app: Flask) -> None:
    raw, at = body(), int(time.time())
    good, bad = v1(raw, secret(), at), v1(raw, "whsec_the_one_before", at)
    for header in (f"t={at},v1={bad},v1={good}", f"t={at},v1={good},v1={bad},v0={bad}"):
        with app.test_request_context():
            assert gateway.verify_webhook(raw, header).type == "customer.created"
    for header in (f"t={at},v0={good}", f"t={at},v1={bad},v1={bad}", f"v1={good}", f"t={at + 1},v1={good}"):
        with app.test_request_context(), pytest.raises(BadSignature):
            gateway.verify_webhook(raw, header)


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (-290, True), (290, True), (-310, False), (310, False)])
def test_a_signature_is_good_for_five_minutes_either_way(app: Flask, seconds: int, good: bool) -> None:
    raw = body()
    header = sign(raw, secret(), int(time.time()) + seconds)
    with app.test_request_context():
        if good:
            assert gateway.verify_webhook(raw, header).created is not None
        else:
            with pytest.raises(BadSignature):
                gateway.verify_webhook(raw, header)


def test_the_signature_is_of_the_bytes_that_came(app: Flask) -> None:
    raw = body(note="潮汐 & é")
    header = sign(raw, secret(), int(time.time()))
    with app.test_request_context():
        assert gateway.verify_webhook(raw, header).payload["note"] == "潮汐 & é"
        for other in (json.dumps(json.loads(raw), ensure_ascii=False).encode(), raw + b"\n", raw[:-1]):
            with pytest.raises(BadSignature):
                gateway.verify_webhook(other, header)


@pytest.mark.parametrize(
    ("key", "moves"), [("sk_live_1", True), ("rk_live_1", True), ("sk_test_1", False), ("sk_test_sandbox", False)]
)
def test_which_keys_move_money(app: Flask, monkeypatch: pytest.MonkeyPatch, key: str, moves: bool) -> None:
    with app.app_context():
        changed = current_settings().model_copy(update={"stripe_secret_key": SecretStr(key)})
        monkeypatch.setitem(app.extensions, "settings", changed)
        assert gateway.livemode() is moves

"""Stripe's objects, each with all and with as little as it may have, read into the shop's words field by field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.money import BadAmount, Money
from app.payments import stripe_reading as reading
from app.payments.contract import (
    CheckoutStatus,
    Dispute,
    DisputeState,
    GatewayEvent,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)

AT = 1_800_000_000
WHEN = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
CARD = {"type": "card", "card": {"country": "DE", "last4": "4242"}}
BOOKED = {"id": "txn_1", "fee": 61, "net": 1058, "currency": "eur"}
CHARGE: dict[str, Any] = {
    "id": "ch_1",
    "status": "succeeded",
    "amount_refunded": 119,
    "payment_method_details": CARD,
    "balance_transaction": BOOKED,
}
INTENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "succeeded",
    "amount_received": 1119,
    "currency": "eur",
    "livemode": True,
    "created": AT,
    "metadata": {"order": "order1"},
    "latest_charge": CHARGE,
}
SESSION: dict[str, Any] = {
    "id": "cs_1",
    "object": "checkout.session",
    "client_reference_id": "order1",
    "amount_total": 1119,
    "currency": "eur",
    "status": "complete",
    "payment_status": "paid",
    "payment_intent": INTENT,
    "customer_details": {"email": "ada@example.org", "address": {"country": "AT"}},
    "livemode": True,
}
REFUND: dict[str, Any] = {
    "id": "re_1",
    "object": "refund",
    "payment_intent": "pi_1",
    "amount": 119,
    "currency": "eur",
    "status": "succeeded",
    "metadata": {"key": "k1"},
    "created": AT + 60,
}
DISPUTE: dict[str, Any] = {
    "id": "du_1",
    "object": "dispute",
    "payment_intent": "pi_1",
    "amount": 500,
    "currency": "eur",
    "status": "needs_response",
    "reason": "fraudulent",
    "created": AT + 120,
}


def test_a_paid_checkout() -> None:
    assert reading.checkout_status(SESSION) == CheckoutStatus(
        id="cs_1",
        order_id="order1",
        total=Money(1119, "EUR"),
        paid=True,
        open=False,
        payment_id="pi_1",
        state=PaymentState.PAID,
        expired=False,
        underway=False,
        failed=False,
        livemode=True,
        email="ada@example.org",
        country="AT",
        card_country="DE",
        method="card",
    )


def test_a_checkout_nobody_has_touched() -> None:
    fresh = {"status": "open", "payment_status": "unpaid", "payment_intent": None, "livemode": False}
    bare = {name: value for name, value in SESSION.items() if name != "customer_details"} | fresh
    assert reading.checkout_status(bare) == CheckoutStatus(
        id="cs_1",
        order_id="order1",
        total=Money(1119, "EUR"),
        paid=False,
        open=True,
        payment_id=None,
        livemode=False,
    )
    del bare["payment_intent"]
    assert reading.checkout_status(bare).payment_id is None


def test_a_checkout_that_is_none_of_ours_or_costs_nothing() -> None:
    free = {"client_reference_id": None, "amount_total": None, "payment_status": "no_payment_required"}
    status = reading.checkout_status(SESSION | free | {"payment_intent": None})
    assert (status.order_id, status.total) == (None, Money(0, "EUR"))
    assert status.state is PaymentState.NOTHING_OWED
    assert (status.paid, status.underway, status.failed) == (False, False, False)
    with pytest.raises(BadAmount):
        reading.checkout_status(SESSION | {"currency": None})


def test_a_page_that_was_closed() -> None:
    status = reading.checkout_status(SESSION | {"status": "expired", "payment_status": "unpaid"})
    assert (status.expired, status.open, status.paid) == (True, False, False)
    assert (status.underway, status.failed) == (False, False)


@pytest.mark.parametrize(
    ("intent", "underway", "failed"),
    [
        ("processing", True, False),
        ("requires_action", True, False),
        ("requires_payment_method", False, True),
        ("canceled", False, True),
        (None, True, False),
    ],
)
def test_a_delayed_payment(intent: str | None, underway: bool, failed: bool) -> None:
    payment = INTENT | {"status": intent} if intent else None
    for status, counts in (("complete", True), ("open", False)):
        told = {"status": status, "payment_status": "unpaid", "payment_intent": payment}
        found = reading.checkout_status(SESSION | told)
        assert found.underway is (counts and underway)
        assert found.failed is (counts and failed)


def test_a_payment_that_is_only_named() -> None:
    status = reading.checkout_status(SESSION | {"payment_intent": "pi_9"})
    assert (status.payment_id, status.method, status.card_country) == ("pi_9", None, None)
    only_named = reading.checkout_status(SESSION | {"payment_intent": INTENT | {"latest_charge": "ch_9"}})
    assert (only_named.payment_id, only_named.method) == ("pi_1", None)
    assert reading.checkout_status(SESSION | {"payment_intent": {"id": "pi_1", "status": "succeeded"}}).method is None


@pytest.mark.parametrize(
    ("details", "method", "country"),
    [
        (CARD, "card", "DE"),
        ({"type": "sepa_debit", "sepa_debit": {"country": "AT"}}, "sepa_debit", "AT"),
        ({"type": "alipay", "alipay": {}}, "alipay", None),
        ({"type": "paypal", "paypal": None}, "paypal", None),
        ({"type": "link"}, "link", None),
        ({}, None, None),
        (None, None, None),
    ],
)
def test_what_a_payment_was_made_with(details: dict | None, method: str | None, country: str | None) -> None:
    charge = CHARGE | {"payment_method_details": details}
    payment = reading.payment(INTENT | {"latest_charge": charge}, [], [])
    assert (payment.method, payment.card_country) == (method, country)
    refused = reading.payment(INTENT | {"latest_charge": charge | {"status": "failed"}}, [], [])
    assert (refused.method, refused.card_country) == (None, None)


@pytest.mark.parametrize("details", [None, {}, {"email": None, "address": None}, {"address": {}}])
def test_a_buyer_who_said_nothing(details: dict | None) -> None:
    status = reading.checkout_status(SESSION | {"customer_details": details})
    assert (status.email, status.country) == (None, None)


def test_a_payment_and_all_that_happened_to_it() -> None:
    lost = DISPUTE | {"id": "du_2", "amount": 7, "status": "lost"}
    over = DISPUTE | {"id": "du_3", "amount": 11, "status": "won"}
    asked = DISPUTE | {"id": "du_4", "amount": 13, "status": "warning_needs_response"}
    told = [DISPUTE, lost, over, asked]
    assert reading.payment(INTENT, [REFUND], told) == Payment(
        id="pi_1",
        order_id="order1",
        succeeded=True,
        captured=Money(1119, "EUR"),
        refunded=Money(119, "EUR"),
        disputed=Money(507, "EUR"),
        fee=Money(61, "EUR"),
        net=Money(1058, "EUR"),
        livemode=True,
        created=WHEN,
        method="card",
        card_country="DE",
        refunds=(reading.refund(REFUND),),
        disputes=tuple(reading.dispute(each) for each in told),
    )


def test_a_payment_that_nobody_has_tried_to_pay() -> None:
    bare = INTENT | {"status": "requires_payment_method", "amount_received": 0, "metadata": None, "livemode": False}
    for charge in (None, "ch_1", {}):
        assert reading.payment(bare | {"latest_charge": charge}, [], []) == Payment(
            id="pi_1",
            order_id=None,
            succeeded=False,
            captured=Money(0, "EUR"),
            refunded=Money(0, "EUR"),
            disputed=Money(0, "EUR"),
            fee=None,
            net=None,
            livemode=False,
            created=WHEN,
        )
    del bare["latest_charge"], bare["metadata"]
    assert reading.payment(bare, [], []).order_id is None


def test_a_payment_is_counted_in_its_currency_and_its_fee_in_the_account_s() -> None:
    charge = CHARGE | {"amount_refunded": 300, "balance_transaction": BOOKED | {"currency": "usd"}}
    payment = reading.payment(INTENT | {"currency": "jpy", "latest_charge": charge}, [], [])
    assert (payment.captured, payment.refunded, payment.disputed) == (
        Money(1119, "JPY"),
        Money(300, "JPY"),
        Money(0, "JPY"),
    )
    assert (payment.fee, payment.net) == (Money(61, "USD"), Money(1058, "USD"))
    named = reading.payment(INTENT | {"latest_charge": CHARGE | {"balance_transaction": "txn_1"}}, [], [])
    assert (named.fee, named.net) == (None, None)


def test_a_refund() -> None:
    made = Refund("re_1", "pi_1", Money(119, "EUR"), RefundState.SUCCEEDED, "k1", WHEN + timedelta(minutes=1))
    assert reading.refund(REFUND) == made
    assert reading.refund(REFUND | {"payment_intent": INTENT}) == made


@pytest.mark.parametrize("status", ["pending", "requires_action", "succeeded", "failed", "canceled"])
def test_a_refund_s_state(status: str) -> None:
    assert reading.refund(REFUND | {"status": status}).state == status


def test_a_refund_that_says_little() -> None:
    made = reading.refund(REFUND | {"status": None, "metadata": None, "payment_intent": None})
    assert made.state is RefundState.PENDING
    assert (made.key, made.payment_id) == (None, "")
    assert reading.refund(REFUND | {"metadata": {}}).key is None
    assert reading.refund({name: value for name, value in REFUND.items() if name != "metadata"}).key is None


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needs_response", DisputeState.OPEN),
        ("under_review", DisputeState.OPEN),
        ("won", DisputeState.WON),
        ("lost", DisputeState.LOST),
        ("prevented", DisputeState.OPEN),
        ("warning_needs_response", DisputeState.INQUIRY),
        ("warning_under_review", DisputeState.INQUIRY),
        ("warning_closed", DisputeState.INQUIRY),
    ],
)
def test_a_dispute(status: str, state: DisputeState) -> None:
    assert reading.dispute(DISPUTE | {"status": status}) == Dispute(
        "du_1", "pi_1", Money(500, "EUR"), state, "fraudulent", WHEN + timedelta(minutes=2)
    )


def test_a_dispute_about_nothing_we_know() -> None:
    assert reading.dispute(DISPUTE | {"payment_intent": None}).payment_id == ""
    assert reading.dispute(DISPUTE | {"payment_intent": {"id": "pi_7"}}).payment_id == "pi_7"


def happened(subject: dict[str, Any], kind: str = "it.happened") -> dict[str, Any]:
    return {"id": "evt_1", "type": kind, "created": AT, "livemode": True, "data": {"object": subject}}


@pytest.mark.parametrize(
    ("subject", "about"),
    [
        (SESSION, {"checkout_id": "cs_1", "payment_id": "pi_1"}),
        (SESSION | {"payment_intent": None}, {"checkout_id": "cs_1"}),
        (INTENT, {"payment_id": "pi_1"}),
        (REFUND, {"payment_id": "pi_1", "refund_id": "re_1"}),
        (DISPUTE, {"payment_id": "pi_1", "dispute_id": "du_1"}),
        ({"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "refunded": False}, {"payment_id": "pi_1"}),
        (
            {"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "refunded": True},
            {"payment_id": "pi_1", "fully_refunded": True},
        ),
        ({"id": "xx_1", "object": "else", "refunded": True}, {}),
        ({"id": "cus_1", "object": "customer"}, {}),
        ({"id": "xx_1"}, {}),
    ],
    ids=str,
)
def test_what_an_event_is_about(subject: dict[str, Any], about: dict[str, Any]) -> None:
    payload = happened(subject)
    known: dict[str, Any] = {"checkout_id": None, "payment_id": None, "fully_refunded": False}
    assert reading.event(payload) == GatewayEvent(
        id="evt_1", type="it.happened", payload=payload, created=WHEN, livemode=True, **(known | about)
    )
    assert reading.event(payload | {"livemode": False}).livemode is False


@pytest.mark.parametrize("lacking", ["id", "type", "created", "livemode", "data"])
def test_an_event_that_lacks_something_is_none(lacking: str) -> None:
    payload = happened(SESSION)
    del payload[lacking]
    with pytest.raises(KeyError):
        reading.event(payload)


def test_moments_are_utc() -> None:
    assert reading.moment(AT) == WHEN
    assert reading.moment(AT).tzinfo is UTC

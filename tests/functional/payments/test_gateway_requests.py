"""What the gateway asks of Stripe, parameter by parameter, and what it makes of every way to be refused."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe
from flask import Flask
from support.sandbox import direct_client
from support.shop import LiveShop, Request, live_shop

from app.core import clock
from app.core.money import Money
from app.core.store import settings as current_settings
from app.payments import stripe_gateway as gateway
from app.payments.contract import (
    BadSignature,
    Checkout,
    CheckoutLine,
    CheckoutOrder,
    PaymentUnavailable,
    RefundRefused,
)
from app.payments.sandbox import objects
from app.payments.sandbox.outbox import sign
from app.settings import Settings

NOT_ANSWERING = "The payment service does not answer as it should. Nothing was paid; try again in a moment."
ORDER = CheckoutOrder(
    id="order1",
    lines=(CheckoutLine("Tides", Money(990, "EUR")), CheckoutLine("x" * 251, Money(129, "EUR"))),
    email="ada@example.org",
    success_url="https://shop.test/orders/order1/return",
    cancel_url="https://shop.test/cart",
    locale="zh_Hans",
)


@pytest.fixture
def live(settings: Settings, tmp_path: Path) -> Iterator[LiveShop]:
    with live_shop(settings, tmp_path, deliver=False) as running:
        running.app.extensions["stripe"] = direct_client(running.sandbox)
        yield running


def asked(live: LiveShop) -> Request:
    return live.requests[-1]


def paid(live: LiveShop, order: CheckoutOrder = ORDER, **means: Any) -> tuple[str, str]:
    checkout = gateway.open_checkout(order)
    return checkout.id, live.controls.pay(checkout.id, **means)["payment_intent"]


def test_a_page_is_asked_for_with_these_words_and_no_others(live: LiveShop) -> None:
    made = gateway.open_checkout(ORDER)
    assert isinstance(made, Checkout)
    assert made.url == gateway.client().v1.checkout.sessions.retrieve(made.id).url
    expected = {
        "mode": "payment",
        "line_items": [
            {
                "quantity": "1",
                "price_data": {"currency": "eur", "unit_amount": minor, "product_data": {"name": name}},
            }
            for name, minor in (("Tides", "990"), ("x" * 250, "129"))
        ],
        "client_reference_id": "order1",
        "metadata": {"order": "order1"},
        "payment_intent_data": {"metadata": {"order": "order1"}},
        "customer_email": "ada@example.org",
        "success_url": "https://shop.test/orders/order1/return",
        "cancel_url": "https://shop.test/cart",
        "locale": "zh",
        "submit_type": "pay",
    }
    create = live.requests[0]
    assert (create.method, create.path, create.params) == ("POST", "/v1/checkout/sessions", expected)
    assert create.headers["Idempotency-Key"] == "order-order1"
    assert create.headers["Stripe-Version"] == "2026-10-28.endive"


def test_a_page_is_asked_for_with_all_that_an_order_can_wish(live: LiveShop) -> None:
    until = clock.now() + timedelta(minutes=45)
    wished = replace(
        ORDER,
        locale="fr",
        tax=CheckoutLine("VAT", Money(213, "EUR")),
        methods=("card", "paypal"),
        expires_at=until,
        needs_address=True,
        attempt=3,
    )
    made = gateway.open_checkout(wished)
    create = asked(live)
    assert create.headers["Idempotency-Key"] == "order-order1-3"
    assert create.params["locale"] == "auto"
    assert create.params["allowed_payment_method_types"] == ["card", "paypal"]
    assert create.params["expires_at"] == str(int(until.timestamp()))
    assert create.params["billing_address_collection"] == "required"
    assert create.params["line_items"][2]["price_data"]["product_data"]["name"] == "VAT"
    assert gateway.open_checkout(replace(wished, attempt=4)).id != made.id
    assert gateway.open_checkout(replace(ORDER, id="order2", locale="en")).id
    assert asked(live).params["locale"] == "en"
    assert asked(live).headers["Idempotency-Key"] == "order-order2"


def test_a_page_without_an_address_is_no_page(live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
    service = type(gateway.client().v1.checkout.sessions)
    create = service.create

    def closed(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = create(self, *args, **kwargs)
        made.url = None
        return made

    monkeypatch.setattr(service, "create", closed)
    with pytest.raises(PaymentUnavailable, match=r"^The payment page did not open\. Your cart is kept; try again in"):
        gateway.open_checkout(ORDER)


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "error_before", "error_after", "rate_limit"])
def test_whatever_goes_wrong_is_one_error_for_the_buyer_and_a_line_for_the_operator(
    live: LiveShop, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkout_id, payment_id = paid(live)
    since = clock.now() - timedelta(hours=1)
    live.controls.fault(kind)
    with caplog.at_level(logging.ERROR):
        for ask in (
            lambda: gateway.open_checkout(replace(ORDER, id="other")),
            lambda: gateway.read_checkout(checkout_id),
            lambda: gateway.expire_checkout(checkout_id),
            lambda: gateway.read_payment(payment_id),
            lambda: list(gateway.list_payments(since)),
            lambda: gateway.list_events(since),
        ):
            caplog.clear()
            with pytest.raises(PaymentUnavailable) as refused:
                ask()
            assert str(refused.value) == NOT_ANSWERING
            assert isinstance(refused.value.__cause__, stripe.StripeError)
            said = refused.value.__cause__
            assert f"payment gateway: {said} (request {said.request_id})" in caplog.messages


def test_reading_expands_what_is_read(live: LiveShop) -> None:
    checkout_id, payment_id = paid(live)
    status = gateway.read_checkout(checkout_id)
    read = asked(live)
    assert (read.method, read.path) == ("GET", f"/v1/checkout/sessions/{checkout_id}")
    assert read.params == {"expand": ["payment_intent.latest_charge"]}
    assert (status.id, status.paid, status.method, status.card_country) == (checkout_id, True, "card", "US")

    assert gateway.expire_checkout(checkout_id) == status
    expire, again = live.requests[-2:]
    assert (expire.method, expire.path) == ("POST", f"/v1/checkout/sessions/{checkout_id}/expire")
    assert (again.method, again.path, again.params) == (read.method, read.path, read.params)
    assert expire.params == read.params
    fresh = gateway.open_checkout(replace(ORDER, id="order2"))
    assert gateway.expire_checkout(fresh.id).expired
    assert asked(live).path == f"/v1/checkout/sessions/{fresh.id}/expire"

    payment = gateway.read_payment(payment_id)
    intent, refunds = live.requests[-2:]
    assert (intent.path, intent.params) == (
        f"/v1/payment_intents/{payment_id}",
        {"expand": ["latest_charge.balance_transaction"]},
    )
    assert (refunds.path, refunds.params) == ("/v1/refunds", {"payment_intent": payment_id, "limit": "100"})
    assert (payment.fee, payment.net) == (Money(61, "EUR"), Money(1058, "EUR"))


def test_the_list_of_payments_asks_for_refunds_and_disputes_only_where_there_are_any(live: LiveShop) -> None:
    _first, plain = paid(live)
    _second, refunded = paid(live, replace(ORDER, id="order2"))
    _third, disputed = paid(live, replace(ORDER, id="order3"))
    unpaid = gateway.open_checkout(replace(ORDER, id="order4"))
    live.controls.pay(unpaid.id, declined=True, expect=402)
    gateway.refund(refunded, Money(119, "EUR"), "k")
    live.controls.dispute(disputed, amount=500)
    since = clock.now() - timedelta(hours=1)
    del live.requests[:]
    found = {each.id: each for each in gateway.list_payments(since)}
    listed, *more = live.requests
    assert listed.params == {
        "created": {"gte": str(int(since.timestamp()))},
        "limit": "100",
        "expand": ["data.latest_charge.balance_transaction"],
    }
    assert [(each.path, each.params["payment_intent"]) for each in more] == [
        ("/v1/disputes", disputed),
        ("/v1/refunds", refunded),
    ]
    assert all(each.params["limit"] == "100" for each in more)
    assert found[plain] == gateway.read_payment(plain)
    assert [each.amount for each in found[refunded].refunds] == [Money(119, "EUR")]
    assert [each.amount for each in found[disputed].disputes] == [Money(500, "EUR")]
    assert sum(not each.succeeded for each in found.values()) == 1


def test_events_are_listed_by_kind_and_time(live: LiveShop) -> None:
    paid(live)
    since = clock.now() - timedelta(hours=1)
    events = gateway.list_events(since)
    assert asked(live).params == {"created": {"gte": str(int(since.timestamp()))}, "limit": "100"}
    assert [each.created for each in events] == sorted(each.created or since for each in events)
    gateway.list_events(since, ("charge.refunded", "refund.created"))
    assert asked(live).params["types"] == ["charge.refunded", "refund.created"]


def test_a_refund_is_looked_for_by_its_key_before_it_is_asked_for(live: LiveShop) -> None:
    _checkout, payment_id = paid(live)
    made = gateway.refund(payment_id, Money(119, "EUR"), "k1", order_id="order1")
    assert made is not None
    listed, create = live.requests[-2:]
    assert (listed.path, listed.params) == ("/v1/refunds", {"payment_intent": payment_id, "limit": "100"})
    assert create.headers["Idempotency-Key"] == "refund-k1"
    assert (create.method, create.path, create.params) == (
        "POST",
        "/v1/refunds",
        {
            "payment_intent": payment_id,
            "reason": "requested_by_customer",
            "metadata": {"key": "k1", "order": "order1"},
            "amount": "119",
        },
    )
    assert gateway.refund(payment_id, Money(119, "EUR"), "k1", order_id="order1") == made
    assert asked(live).method == "GET"
    rest = gateway.refund(payment_id, None, "k2")
    assert asked(live).params == {
        "payment_intent": payment_id,
        "reason": "requested_by_customer",
        "metadata": {"key": "k2"},
    }
    assert rest is not None
    assert (rest.amount, rest.key) == (Money(1000, "EUR"), "k2")


def test_refusals_of_a_refund_are_told_apart(live: LiveShop, caplog: pytest.LogCaptureFixture) -> None:
    _checkout, payment_id = paid(live)
    with pytest.raises(RefundRefused) as refused:
        gateway.refund(payment_id, Money(1120, "EUR"), "more")
    assert str(refused.value) == (
        "The payment service refuses this refund: it is more than is left of the payment, or the buyer’s bank disputes"
        " it. Look at the payment first."
    )
    cause = refused.value.__cause__
    assert isinstance(cause, stripe.InvalidRequestError)
    assert f"refund of {payment_id}: {cause} (request {cause.request_id})" in caplog.messages
    live.controls.fault("rate_limit", match="POST /v1/refunds")
    with pytest.raises(PaymentUnavailable) as unknown:
        gateway.refund(payment_id, None, "k")
    assert str(unknown.value) == (
        "The payment service does not answer as it should. The refund may be under way or not: ask for it again, it is"
        " made only once."
    )
    assert isinstance(unknown.value.__cause__, stripe.StripeError)
    live.controls.no_faults()
    caplog.clear()
    assert gateway.refund(payment_id, None, "all") is not None
    assert gateway.refund(payment_id, None, "again") is None
    assert caplog.messages == []


def test_a_key_that_an_error_is_kept_under_is_given_up_after_it_was_looked_whether_it_worked(
    live: LiveShop, caplog: pytest.LogCaptureFixture
) -> None:
    live.controls.fault("error_after", match="POST /v1/checkout/sessions", times=1)
    with pytest.raises(PaymentUnavailable):
        gateway.open_checkout(ORDER)
    assert [each.headers["Idempotency-Key"] for each in live.requests] == ["order-order1"]
    gateway.open_checkout(ORDER)
    assert [each.headers["Idempotency-Key"] for each in live.requests] == ["order-order1"] * 2 + ["order-order1-2"]
    assert "payment gateway: order-order1 is used up by an error that is kept" in caplog.messages

    _checkout, payment_id = paid(live, replace(ORDER, id="order2"))
    live.controls.fault("error_after", match="POST /v1/refunds", times=1)
    with pytest.raises(PaymentUnavailable):
        gateway.refund(payment_id, Money(100, "EUR"), "k")
    made = gateway.refund(payment_id, Money(100, "EUR"), "k")
    assert made is not None
    assert gateway.read_payment(payment_id).refunds == (made,)


def test_no_more_than_five_keys_are_used_for_one_thing(live: LiveShop) -> None:
    live.controls.fault("error_after", match="POST /v1/checkout/sessions")
    for _again in range(7):
        with pytest.raises(PaymentUnavailable):
            gateway.open_checkout(ORDER)
    keys = [f"order-order1{suffix}" for suffix in ("", "-2", "-3", "-4", "-5")]
    used = [each.headers["Idempotency-Key"] for each in live.requests]
    assert list(dict.fromkeys(used)) == keys
    assert used[-5:] == keys


def test_only_an_error_that_is_kept_uses_a_key_up(app: Flask) -> None:
    calls: list[str] = []

    def ask(key: str) -> str:
        calls.append(key)
        raise stripe.APIError("odd", headers={"Idempotent-Replayed": "false"} if len(calls) == 2 else None)

    for _again in range(2):
        with pytest.raises(stripe.APIError):
            gateway._once("k", ask)
    assert calls == ["k", "k"]

    def replayed(key: str) -> str:
        calls.append(key)
        raise stripe.APIError("kept", headers={"Idempotent-Replayed": "true"})

    assert gateway._once("k", replayed, lambda: "found") == "found"
    assert calls[2:] == ["k"]


# --- the client ---


def test_the_client_is_made_once_and_asks_at_most_twice_with_a_deadline(app: Flask) -> None:
    made = gateway.client()
    assert gateway.client() is made is app.extensions["stripe"]
    options = made._requestor._options
    assert (options.stripe_version, options.max_network_retries) == (gateway.API_VERSION, 1)
    assert options.base_addresses["api"] == "http://127.0.0.1:9"
    assert made._requestor.api_key == current_settings().stripe_secret_key.get_secret_value()
    http = made._requestor._client
    assert isinstance(http, stripe.RequestsClient)
    assert http._timeout == (5, 20)


def test_without_an_address_of_its_own_the_client_speaks_to_stripe(app: Flask) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"stripe_api_base": None})
    assert gateway.client()._requestor._options.base_addresses["api"] == "https://api.stripe.com"


def test_a_request_that_failed_on_the_way_is_made_once_more(settings: Settings, tmp_path: Path) -> None:
    with live_shop(settings, tmp_path, deliver=False) as over_the_network:
        over_the_network.controls.fault("timeout_before", times=1)
        assert gateway.open_checkout(ORDER).id
        over_the_network.controls.fault("timeout_before", times=2)
        with pytest.raises(PaymentUnavailable):
            gateway.open_checkout(ORDER)


@pytest.mark.parametrize(
    ("changed", "origin"),
    [
        ({"stripe_api_base": None}, "https://checkout.stripe.com"),
        ({"stripe_api_base": "http://127.0.0.1:5001/v1"}, "http://127.0.0.1:5001"),
        (
            {"stripe_api_base": "http://127.0.0.1:5001", "sandbox_public_url": "https://pay.shop.test/x?y"},
            "https://pay.shop.test",
        ),
    ],
)
def test_where_payment_pages_live(app: Flask, changed: dict[str, Any], origin: str) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(update=changed)
    assert gateway.page_origin() == origin


# --- webhooks ---


def body(**changes: Any) -> bytes:
    return json.dumps(objects.event("customer.created", {"id": "cus_1", "object": "customer"}) | changes).encode()


def test_a_verified_event_is_read_whole(app: Flask) -> None:
    raw = body(created=1_800_000_000, livemode=True)
    event = gateway.verify_webhook(raw, sign(raw, "whsec_test_0123456789", int(time.time())))
    assert (event.type, event.livemode, event.created) == (
        "customer.created",
        True,
        datetime(2027, 1, 15, 8, 0, tzinfo=UTC),
    )
    assert event.payload == json.loads(raw)


def test_why_a_webhook_is_refused(app: Flask) -> None:
    raw, at = body(), int(time.time())
    with pytest.raises(BadSignature, match=r"^The webhook's timestamp lies in the future\.$"):
        gateway.verify_webhook(raw, sign(raw, "whsec_test_0123456789", at + 1000))
    said = r"^The webhook carries no valid signature of the payment gateway\.$"
    spoilt = [
        (raw, None),
        (raw, ""),
        (raw, "t=x,v1=y"),
        (raw, f"t={'9' * 400},v1=y"),
        (raw, f"t={at},v1=\u00ff"),
        (raw, sign(raw, "whsec_of_another", at)),
        (raw, sign(raw, "whsec_test_0123456789", at - 301)),
    ]
    for odd in (b"", b"[]", b"1", b"{}", b'{"object": "event"}', b"\xff", b'{"data": {"object": 1}}', b'{"id": 1e999}'):
        spoilt.append((odd, sign(odd, "whsec_test_0123456789", at)))
    for given, header in spoilt:
        with pytest.raises(BadSignature, match=said) as refused:
            gateway.verify_webhook(given, header)
        assert refused.value.__cause__ is not None
    strange = body(created=10**30)
    with pytest.raises(BadSignature, match=said):
        gateway.verify_webhook(strange, sign(strange, "whsec_test_0123456789", at))


@pytest.mark.parametrize(("seconds", "good"), [(299, True), (300, True), (301, False)])
def test_a_time_ahead_is_good_for_five_minutes_to_the_second(
    app: Flask, monkeypatch: pytest.MonkeyPatch, seconds: int, good: bool
) -> None:
    raw, now = body(), 1_800_000_000
    monkeypatch.setattr(time, "time", lambda: float(now))
    header = sign(raw, "whsec_test_0123456789", now + seconds)
    if good:
        assert gateway.verify_webhook(raw, header).type == "customer.created"
    else:
        with pytest.raises(BadSignature):
            gateway.verify_webhook(raw, header)

"""The shop's requests against stripe-python's own request types, and the sandbox's answers against its objects.

stripe-python generates both from Stripe's OpenAPI description, so what passes here is what Stripe takes and gives. The
sandbox holds every request of every suite against those types (`sandbox/wire.py`); here it is shown that it does.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe
from pydantic import ValidationError
from support.shop import LiveShop, live_shop

from app.core import clock
from app.core.money import Money
from app.payments import stripe_gateway as gateway
from app.payments.contract import CheckoutLine, CheckoutOrder, PaymentUnavailable
from app.payments.sandbox import cards, endpoints, objects, sessions, tax, wire
from app.pricing.contract import Place
from app.settings import Settings


@pytest.fixture
def live(settings: Settings, tmp_path: Path) -> Iterator[LiveShop]:
    with live_shop(settings, tmp_path, deliver=False) as running:
        yield running


def order(number: int = 1, **changes: Any) -> CheckoutOrder:
    values: dict[str, Any] = {
        "id": f"order{number}",
        "lines": (
            CheckoutLine("Tides – Mira Sol", Money(990, "EUR")),
            CheckoutLine("潮汐 – 米拉 & [co]=1", Money(129, "EUR")),
        ),
        "email": "ada@example.org",
        "success_url": "https://shop.test/orders/order1/return",
        "cancel_url": "https://shop.test/cart",
        "locale": "zh_Hans",
    }
    return CheckoutOrder(**(values | changes))


def pay(live: LiveShop, checkout_id: str, **means: Any) -> dict:
    return live.controls.pay(checkout_id, **means)


def test_stripe_python_and_the_version_that_is_asked_for_belong_together(live: LiveShop) -> None:
    gateway.open_checkout(order())
    asked = live.requests[0].headers["Stripe-Version"]
    assert asked == gateway.API_VERSION == stripe.api_version == objects.API_VERSION == wire.VERSION


def test_every_request_the_shop_sends_is_one_stripe_takes(live: LiveShop) -> None:
    """All the gateway can ask, with all it can say, and not one of the parameters that Stripe doesn't know."""
    soon = clock.now() + timedelta(hours=1)
    tax = CheckoutLine("VAT 19 %", Money(213, "EUR"))
    more = {"tax": tax, "methods": ("card", "alipay"), "expires_at": soon, "needs_address": True, "attempt": 2}
    first, second = gateway.open_checkout(order(1)), gateway.open_checkout(order(2, **more))
    gateway.expire_checkout(second.id)
    payment_id = pay(live, first.id)["payment_intent"]
    gateway.refund(payment_id, Money(119, "EUR"), "one", order_id="order1")
    gateway.refund(payment_id, None, "two")
    gateway.read_checkout(first.id)
    gateway.read_payment(payment_id)
    assert len(list(gateway.list_payments(soon - timedelta(days=1)))) == 1
    assert gateway.list_events(soon - timedelta(days=1), ("charge.refunded", "refund.created"))
    assert gateway.tax_rates(Place("US", "WA", "98101"), "USD")

    known = {(each.method, each.rule): each.params for each in endpoints.ENDPOINTS}
    refunds = [("GET", "/v1/refunds"), ("POST", "/v1/refunds")]
    assert [(request.method, request.path) for request in live.requests] == [
        ("POST", "/v1/checkout/sessions"),
        ("POST", "/v1/checkout/sessions"),
        ("POST", f"/v1/checkout/sessions/{second.id}/expire"),
        *refunds,
        *refunds,
        ("GET", f"/v1/checkout/sessions/{first.id}"),
        ("GET", f"/v1/payment_intents/{payment_id}"),
        ("GET", "/v1/refunds"),
        ("GET", "/v1/payment_intents"),
        ("GET", "/v1/refunds"),
        ("GET", "/v1/events"),
        ("POST", "/v1/tax/calculations"),
    ]
    for request in live.requests:
        rule = request.path.removeprefix("/v1")
        for object_id in (first.id, second.id, payment_id):
            rule = rule.replace(object_id, "<id>")
        wire.strict(known[request.method, rule]).validate_python(request.params)
        assert request.headers["Authorization"] == "Bearer sk_test_sandbox"

    create, other, _expire, _list, part = live.requests[:5]
    assert create.params["line_items"][1]["price_data"]["product_data"]["name"] == "潮汐 – 米拉 & [co]=1"
    assert not {name for name in create.params if "payment_method" in name}  # Stripe chooses, by currency and country
    assert other.params["allowed_payment_method_types"] == ["card", "alipay"]
    assert other.params["line_items"][2]["price_data"]["product_data"]["name"] == "VAT 19 %"
    assert create.headers["Idempotency-Key"] == "order-order1"
    assert other.headers["Idempotency-Key"] == "order-order2-2"
    assert part.headers["Idempotency-Key"] == "refund-one"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"payment_methods": ["card"]}, "payment_methods"),
        ({"line_items": [{"amount": 1}]}, "line_items[0][amount]"),
        ({"line_items": [{"quantity": "some"}]}, "line_items[0][quantity]"),
        ({"line_items": [{"price_data": {"unit_amount": 990}}]}, "line_items[0][price_data][currency]"),
        ({"line_items": [{"price_data": {"currency": "eur", "sum": 1}}]}, "line_items[0][price_data][sum]"),
        ({"payment_intent_data": {"colour": "red"}}, "payment_intent_data[colour]"),
        ({"payment_method_types": ["card"]}, "payment_method_types"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_sandbox_refuses_what_stripe_s_types_do_not_know(live: LiveShop, change: dict, param: str) -> None:
    good = {
        "mode": "payment",
        "success_url": "https://shop.test/",
        "line_items": [
            {"quantity": 1, "price_data": {"currency": "eur", "unit_amount": 990, "product_data": {"name": "Tides"}}}
        ],
    }
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.client().v1.checkout.sessions.create(good | change)  # type: ignore[arg-type]
    assert refused.value.param == param
    with pytest.raises(ValidationError):
        wire.strict("checkout.SessionCreateParams").validate_python(good | {"idempotency_key": "travels in a header"})


def test_every_address_of_the_sandbox_has_a_type_that_refuses_the_unknown() -> None:
    assert len(endpoints.ENDPOINTS) > 15
    for each in endpoints.ENDPOINTS:
        with pytest.raises(ValidationError, match="extra_forbidden"):
            wire.strict(each.params).validate_python({"surprise": "1"})


def test_the_sandbox_s_answers_parse_as_stripe_s_objects_with_the_fields_the_shop_reads(live: LiveShop) -> None:
    client = gateway.client()
    checkout = gateway.open_checkout(order())
    session = client.v1.checkout.sessions.retrieve(checkout.id)
    assert isinstance(session, stripe.checkout.Session)
    assert (session.object, session.status, session.payment_status) == ("checkout.session", "open", "unpaid")
    assert (session.amount_total, session.currency) == (1119, "eur")
    assert (session.client_reference_id, session.locale, session.ui_mode) == ("order1", "zh", "hosted_page")
    assert session.url == checkout.url
    assert session.payment_intent is None
    assert session.metadata is not None
    assert session.metadata["order"] == "order1"

    payment_id = pay(live, checkout.id)["payment_intent"]
    session = client.v1.checkout.sessions.retrieve(checkout.id)
    assert (session.status, session.payment_status, session.payment_intent) == ("complete", "paid", payment_id)
    assert session.customer_details is not None
    assert session.customer_details.email == "ada@example.org"
    payment = client.v1.payment_intents.retrieve(payment_id)
    assert (payment.amount_received, payment.currency, payment.status) == (1119, "eur", "succeeded")
    assert payment.metadata["order"] == "order1"

    refund = client.v1.refunds.create({"payment_intent": payment_id, "amount": 119})
    assert (refund.object, refund.amount, refund.status) == ("refund", 119, "succeeded")
    rest = gateway.refund(payment_id, None, "rest")
    assert rest is not None
    assert gateway.refund(payment_id, None, "rest") == rest
    assert gateway.refund(payment_id, None, "under another key, and refunded already") is None

    events = client.v1.events.list({"type": "charge.refunded"})
    assert [event.data.object["amount_refunded"] for event in events.data] == [1119, 119]
    assert all(event.api_version == "2026-10-28.endive" for event in events.data)


def _made() -> list[tuple[dict, Any]]:
    """One object of each kind that the sandbox makes, with Stripe's type of it."""
    session, private = sessions.checkout_session(
        {
            "mode": "payment",
            "success_url": "https://shop.test/",
            "line_items": [
                {
                    "quantity": "1",
                    "price_data": {"currency": "usd", "unit_amount": "990", "product_data": {"name": "Tides"}},
                }
            ],
        },
        "http://sandbox.test",
        account="eur",
        now=0,
        version=objects.API_VERSION,
    )
    payment = objects.payment_intent(session, "card", {})
    taxed = tax.calculation(
        {
            "currency": "usd",
            "line_items": [{"amount": "10000", "tax_code": tax.AUDIO}],
            "customer_details": {"address": {"country": "US", "postal_code": "98101"}, "address_source": "billing"},
        },
        now=0,
        shown=True,
    )
    (taxed_line,) = taxed["line_items"]["data"]
    part, total = taxed_line["tax_breakdown"][0], taxed["tax_breakdown"][0]
    of_line, of_all = stripe.tax.CalculationLineItem.TaxBreakdown, stripe.tax.Calculation.TaxBreakdown
    means = [cards.card(cards.TEST_CARD), cards.account(cards.TEST_IBAN), *map(_wallet, ("alipay", "paypal"))]
    charges = [objects.charge(payment, each.details, {}, status="succeeded") for each in means]
    moved = objects.balance_transaction(charges[0], "charge", 990, account="eur", fee=40, created=0)
    details = [
        (each.details[each.method], getattr(stripe.Charge.PaymentMethodDetails, kind))
        for each, kind in zip(means, ("Card", "SepaDebit", "Alipay", "Paypal"), strict=True)
    ]
    return [
        (objects.completed(session, payment, "a@b.c", country="DE"), stripe.checkout.Session),
        (sessions.line_items(session, private["lines"])["data"][0], stripe.LineItem),
        (payment, stripe.PaymentIntent),
        *((each, stripe.Charge) for each in charges),
        *details,
        (taxed, stripe.tax.Calculation),
        (taxed["customer_details"], stripe.tax.Calculation.CustomerDetails),
        (taxed_line, stripe.tax.CalculationLineItem),
        (part, of_line),
        (part["jurisdiction"], of_line.Jurisdiction),
        (part["tax_rate_details"], of_line.TaxRateDetails),
        (total, of_all),
        (total["tax_rate_details"], of_all.TaxRateDetails),
        (moved, stripe.BalanceTransaction),
        (objects.refund(charges[0], 1, None, {}, status="succeeded", created=0), stripe.Refund),
        (objects.dispute(charges[0], 1, "fraudulent", created=0), stripe.Dispute),
        (objects.event("charge.refunded", charges[0]), stripe.Event),
    ]


def _wallet(method: str) -> cards.Means:
    return cards.wallet(method, "a@b.c")


def test_no_field_of_a_sandbox_object_is_one_stripe_does_not_have() -> None:
    for fields, stripe_type in _made():
        assert set(fields) <= _names(stripe_type), stripe_type


def _names(stripe_type: type) -> set[str]:
    return {name for base in stripe_type.__mro__ for name in inspect.get_annotations(base)}


def test_the_same_order_asked_for_twice_is_the_same_page(live: LiveShop) -> None:
    assert gateway.open_checkout(order()) == gateway.open_checkout(order())
    with pytest.raises(PaymentUnavailable):
        gateway.open_checkout(order(email="somebody.else@example.org"))
    error = None
    try:
        gateway.client().v1.checkout.sessions.create({"mode": "payment"}, {"idempotency_key": "order-order1"})
    except stripe.IdempotencyError as caught:
        error = caught
    assert error is not None
    assert error.http_status == 400


def test_a_wrong_key_and_an_unknown_address_are_refused_as_stripe_refuses_them(live: LiveShop) -> None:
    stranger = stripe.StripeClient("sk_test_wrong", base_addresses={"api": live.sandbox_url})
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.checkout.sessions.retrieve("cs_1")
    with pytest.raises(stripe.InvalidRequestError) as missing:
        gateway.client().v1.checkout.sessions.retrieve("cs_test_none")
    assert missing.value.code == "resource_missing"
    with pytest.raises(stripe.InvalidRequestError, match="only what the shop uses"):
        gateway.client().v1.customers.list()


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"mode": "subscription"}, "mode"),
        ({"success_url": None}, "success_url"),
        ({"success_url": "shop.test"}, "success_url"),
        ({"cancel_url": "javascript:alert(1)"}, "cancel_url"),
        ({"customer_email": "nobody"}, "customer_email"),
        ({"line_items": []}, "line_items"),
        ({"currency": "eur"}, "currency"),  # Stripe's, and more than the sandbox speaks
        ({"expires_at": 60}, "expires_at"),
        ({"allowed_payment_method_types": ["klarna"]}, "allowed_payment_method_types"),
    ],
)
def test_the_sandbox_refuses_bad_parameters_and_names_them(live: LiveShop, change: dict, param: str) -> None:
    good = {
        "mode": "payment",
        "success_url": "https://shop.test/",
        "line_items": [
            {"quantity": 1, "price_data": {"currency": "eur", "unit_amount": 990, "product_data": {"name": "Tides"}}}
        ],
    }
    params = {name: value for name, value in (good | change).items() if value is not None}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.client().v1.checkout.sessions.create(params)  # type: ignore[arg-type]
    assert refused.value.param == param


@pytest.mark.parametrize(
    "price",
    [
        {"unit_amount": -1},
        {"unit_amount": 10},
        {"unit_amount": 100_000_000},
        {"currency": "xxx"},
        {"product_data": {"name": ""}},
        {"unit_amount": "9.90"},
    ],
    ids=str,
)
def test_the_sandbox_refuses_bad_prices(live: LiveShop, price: dict) -> None:
    data = {"currency": "eur", "unit_amount": 990, "product_data": {"name": "Tides"}} | price
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.client().v1.checkout.sessions.create(
            {"mode": "payment", "success_url": "https://s.test/", "line_items": [{"quantity": 1, "price_data": data}]}  # type: ignore[arg-type]
        )
    assert (refused.value.param or "").startswith("line_items")

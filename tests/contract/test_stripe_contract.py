"""The shop's requests against stripe-python's own request types, and the sandbox's answers against its objects.

stripe-python generates both from Stripe's OpenAPI description, so what passes here is what Stripe takes and gives.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import stripe
from pydantic import ConfigDict, TypeAdapter, ValidationError
from stripe import RequestOptions
from stripe.params import RefundCreateParams
from stripe.params.checkout import SessionCreateParams, SessionExpireParams
from support.shop import LiveShop, live_shop
from typing_extensions import TypedDict, is_typeddict

from app.core.money import Money
from app.payments import stripe_gateway as gateway
from app.payments.contract import CheckoutLine, CheckoutOrder, PaymentUnavailable
from app.payments.sandbox import objects
from app.payments.sandbox.state import State
from app.settings import Settings

_FORBID = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
# Names the annotations of a call's options use, one of which stripe-python imports for type checkers only.
_NAMES = vars(sys.modules[RequestOptions.__module__]) | {"StripeContext": stripe.StripeContext}


def strict(params: type) -> TypeAdapter:
    """A validator of a request type that refuses any key Stripe doesn't know, at every depth.

    The options of a call (its key, its idempotency key) share the type and never travel as parameters: they go.
    """
    hints = get_type_hints(params, localns=_NAMES, include_extras=True)
    wire = TypedDict(params.__name__, {k: v for k, v in hints.items() if k not in RequestOptions.__annotations__})  # type: ignore[misc]
    _forbid_extras(wire, set())
    return TypeAdapter(wire)


def _forbid_extras(typed_dict: type, seen: set[type]) -> None:
    if typed_dict in seen:
        return
    seen.add(typed_dict)
    typed_dict.__pydantic_config__ = _FORBID  # type: ignore[attr-defined]
    for hint in get_type_hints(typed_dict, localns=_NAMES).values():
        for inner in _typed_dicts(hint):
            _forbid_extras(inner, seen)


def _typed_dicts(hint: Any) -> Iterator[type]:
    if is_typeddict(hint):
        yield hint
    for argument in get_args(hint):
        yield from _typed_dicts(argument)


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


def pay(live: LiveShop, checkout_id: str) -> dict:
    state: State = live.sandbox.extensions["sandbox_state"]
    with state.transaction() as connection:
        session = State.get(connection, "checkout.session", checkout_id)
        assert session is not None
        payment = objects.payment_intent(session, "card", State.private(connection, checkout_id)["payment_metadata"])
        session = objects.completed(session, payment, session["customer_email"])
        State.put(connection, payment)
        State.put(connection, session)
    return session


def test_every_request_the_shop_sends_is_one_stripe_takes(live: LiveShop) -> None:
    first, second = gateway.open_checkout(order(1)), gateway.open_checkout(order(2))
    gateway.expire_checkout(second.id)
    gateway.refund(pay(live, first.id)["payment_intent"], order_id="order1")
    gateway.read_checkout(first.id)

    sent = [(request.method, request.path) for request in live.requests]
    assert sent == [
        ("POST", "/v1/checkout/sessions"),
        ("POST", "/v1/checkout/sessions"),
        ("POST", f"/v1/checkout/sessions/{second.id}/expire"),
        ("POST", "/v1/refunds"),
        ("GET", f"/v1/checkout/sessions/{first.id}"),
    ]
    create, _second, expire, refund, _read = live.requests
    strict(SessionCreateParams).validate_python(create.params)
    strict(SessionExpireParams).validate_python(expire.params)
    strict(RefundCreateParams).validate_python(refund.params)
    assert create.params["line_items"][1]["price_data"]["product_data"]["name"] == "潮汐 – 米拉 & [co]=1"
    assert "payment_method_types" not in create.params  # Stripe chooses, by currency and country

    for request in live.requests:
        assert request.headers["Authorization"] == "Bearer sk_test_sandbox"
        assert request.headers["Stripe-Version"] == "2026-10-28.endive"
    assert create.headers["Idempotency-Key"] == "order-order1"
    assert refund.headers["Idempotency-Key"] == "refund-order1"


def test_the_check_itself_refuses_what_stripe_does_not_know(live: LiveShop) -> None:
    gateway.open_checkout(order())
    good = live.requests[0].params
    adapter = strict(SessionCreateParams)
    line = good["line_items"][0]
    for bad in (
        good | {"payment_methods": "card"},
        good | {"idempotency_key": "travels in a header"},
        good | {"line_items": [line | {"price_data": line["price_data"] | {"amount": "1"}}]},
        good | {"line_items": [line | {"quantity": "some"}]},
        good | {"line_items": [line | {"price_data": {"unit_amount": "990"}}]},
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)


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
    gateway.refund(payment_id, order_id="order1")
    gateway.refund(payment_id, order_id="order1")
    gateway.refund(payment_id, order_id="under another key, and refunded already")

    events = client.v1.events.list({"type": "charge.refunded"})
    assert [event.data.object["amount_refunded"] for event in events.data] == [1119, 119]
    assert all(event.api_version == "2026-10-28.endive" for event in events.data)


@pytest.mark.parametrize("name", ["checkout_session", "payment_intent", "refund"])
def test_no_field_of_a_sandbox_object_is_one_stripe_does_not_have(name: str) -> None:
    session, _private = objects.checkout_session(
        {
            "mode": "payment",
            "success_url": "https://shop.test/",
            "line_items": [
                {
                    "quantity": "1",
                    "price_data": {"currency": "eur", "unit_amount": "990", "product_data": {"name": "Tides"}},
                }
            ],
        },
        "http://sandbox.test",
    )
    payment = objects.payment_intent(session, "card", {})
    made = {
        "checkout_session": (objects.completed(session, payment, "a@b.c"), stripe.checkout.Session),
        "payment_intent": (payment, stripe.PaymentIntent),
        "refund": (objects.refund(payment, 1, None, {}), stripe.Refund),
    }
    fields, stripe_type = made[name]
    assert set(fields) <= _names(stripe_type)


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
        ({"currency": "eur", "colour": "red"}, "currency"),
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
            {"mode": "payment", "success_url": "https://s.test/", "line_items": [{"quantity": 1, "price_data": data}]}
        )
    assert (refused.value.param or "").startswith("line_items")

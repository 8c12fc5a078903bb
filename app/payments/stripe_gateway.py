"""The gateway: the only module of the shop that imports stripe. Without Stripe keys the same code talks to the sandbox.

Nothing here touches the database, and nothing here may be called with a transaction open: the answer can take seconds.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

import stripe
from flask import current_app
from flask_babel import gettext as _
from stripe import StripeClient, StripeError
from stripe.params import EventListParams, RefundCreateParams
from stripe.params.checkout import SessionCreateParams
from stripe.params.tax import CalculationCreateParams

from app.core.money import Money
from app.core.store import settings
from app.payments import stripe_reading as reading
from app.payments.amounts import to_stripe
from app.payments.contract import (
    BadSignature,
    Checkout,
    CheckoutOrder,
    CheckoutStatus,
    GatewayEvent,
    Payment,
    PaymentUnavailable,
    Refund,
    RefundRefused,
    UnclearPlace,
)
from app.pricing.contract import Place, TaxRate

log = logging.getLogger(__name__)

API_VERSION = "2026-10-28.endive"
"""What every request asks for; raised by hand, together with stripe-python, whose types describe it."""

TAX_CODES = {"audio": "txcd_10401100", "film": "txcd_10402100"}
"""Audio, and audio-visual, works that are downloaded, for good and without a subscription
(https://docs.stripe.com/tax/tax-codes)."""

SIGNATURE_TOLERANCE_SECONDS = 300
_SAMPLE = 1_000_000  # minor units: large enough for the share of it that a place taxes to be read to four digits
_CONNECT_SECONDS, _READ_SECONDS = 5, 20
_NAME_MAX = 250
_PAGE = 100
_LOCALES = {"en": "en", "zh_Hans": "zh"}
_KEYS_PER_REQUEST = 5
_WITH_CHARGE = ["payment_intent.latest_charge"]
_WITH_BOOKING = "latest_charge.balance_transaction"

T = TypeVar("T")


def open_checkout(order: CheckoutOrder) -> Checkout:
    """Open a payment page for the order. Asked again for the same order and attempt, it is the same page.

    No payment method is named unless the order names some: Stripe offers what the account allows for the currency and
    the buyer's country, and `order.methods` can only make it fewer.
    """
    owed = [*order.lines, *([order.tax] if order.tax else [])]
    params: SessionCreateParams = {
        "mode": "payment",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": line.amount.currency.lower(),
                    "unit_amount": to_stripe(line.amount),
                    "product_data": {"name": line.title[:_NAME_MAX]},
                },
            }
            for line in owed
        ],
        "client_reference_id": order.id,
        "metadata": {"order": order.id},
        "payment_intent_data": {"metadata": {"order": order.id}},
        "customer_email": order.email,
        "success_url": order.success_url,
        "cancel_url": order.cancel_url,
        "locale": _LOCALES.get(order.locale, "auto"),  # type: ignore[typeddict-item]
        "submit_type": "pay",
    }
    if order.methods:
        params["allowed_payment_method_types"] = list(order.methods)
    if order.expires_at is not None:
        params["expires_at"] = int(order.expires_at.timestamp())
    if order.needs_address:
        params["billing_address_collection"] = "required"
    key = f"order-{order.id}" if order.attempt == 1 else f"order-{order.id}-{order.attempt}"
    with _translated():
        # A page that was opened without our hearing of it is nobody's: its address was in the answer alone.
        session = _once(key, lambda key: client().v1.checkout.sessions.create(params, {"idempotency_key": key}))
    if not session.url:
        raise PaymentUnavailable(_("The payment page did not open. Your cart is kept; try again in a moment."))
    return Checkout(id=session.id, url=session.url)


def read_checkout(checkout_id: str) -> CheckoutStatus:
    """Ask the gateway how a checkout stands now."""
    with _translated():
        session = client().v1.checkout.sessions.retrieve(checkout_id, {"expand": _WITH_CHARGE})
    return reading.checkout_status(session.to_dict())


def expire_checkout(checkout_id: str) -> CheckoutStatus:
    """Close a payment page so that it can't be paid any more; one already paid or closed is only read."""
    with _translated():
        try:
            session = client().v1.checkout.sessions.expire(checkout_id, {"expand": _WITH_CHARGE})
        except stripe.InvalidRequestError:
            session = client().v1.checkout.sessions.retrieve(checkout_id, {"expand": _WITH_CHARGE})
    return reading.checkout_status(session.to_dict())


def refund(payment_id: str, amount: Money | None, key: str, *, order_id: str | None = None) -> Refund | None:
    """Give back an amount in the payment's own currency, or (None) all that is left of it.

    Asked again under the same key it is the same refund, however late: the key is kept with it, and looked for first.
    One that failed is found too; to try it again takes another key. None: all of it was given back before, and nothing
    moved now. Raises RefundRefused where the gateway won't, PaymentUnavailable where it isn't known.
    """
    params: RefundCreateParams = {
        "payment_intent": payment_id,
        "reason": "requested_by_customer",
        "metadata": {"key": key} | ({"order": order_id} if order_id else {}),
    }
    if amount is not None:
        params["amount"] = to_stripe(amount)

    def made() -> stripe.Refund | None:
        listed = client().v1.refunds.list({"payment_intent": payment_id, "limit": _PAGE})
        ours = (each for each in listed.auto_paging_iter() if reading.refund(each.to_dict()).key == key)
        return next(ours, None)

    def make(key: str) -> stripe.Refund:
        return client().v1.refunds.create(params, {"idempotency_key": key})

    try:
        found = made() or _once(f"refund-{key}", make, made)
    except StripeError as error:
        if error.code == "charge_already_refunded":
            return None
        log.error("refund of %s: %s (request %s)", payment_id, error, error.request_id)
        if isinstance(error, stripe.InvalidRequestError) and error.http_status == 400:
            raise RefundRefused(
                _(
                    "The payment service refuses this refund: it is more than is left of the payment, or the buyer’s"
                    " bank disputes it. Look at the payment first."
                )
            ) from error
        raise PaymentUnavailable(
            _(
                "The payment service does not answer as it should. The refund may be under way or not: ask for it"
                " again, it is made only once."
            )
        ) from error
    return reading.refund(found.to_dict())


def read_payment(payment_id: str) -> Payment:
    """A payment as the gateway's books have it now, with its refunds and disputes."""
    with _translated():
        intent = client().v1.payment_intents.retrieve(payment_id, {"expand": [_WITH_BOOKING]})
        return _payment(intent, refunds=True)


def list_payments(since: datetime) -> Iterator[Payment]:
    """Every payment begun since then, newest first. Asks as it goes: do not hold a transaction meanwhile."""
    with _translated():
        listed = client().v1.payment_intents.list(
            {"created": {"gte": int(since.timestamp())}, "limit": _PAGE, "expand": [f"data.{_WITH_BOOKING}"]}
        )
        for intent in listed.auto_paging_iter():
            yield _payment(intent, refunds=False)


def list_events(since: datetime, types: tuple[str, ...] = ()) -> list[GatewayEvent]:
    """What happened since then, oldest first, whether or not a webhook told of it; Stripe remembers 30 days.

    `types` names the only ones wanted, 20 at most. What happened in the same second comes in the order Stripe has it.
    """
    params: EventListParams = {"created": {"gte": int(since.timestamp())}, "limit": _PAGE}
    if types:
        params["types"] = list(types)
    with _translated():
        found = [each.to_dict() for each in client().v1.events.list(params).auto_paging_iter()]
    return [reading.event(each) for each in reversed(found)]


def tax_rates(place: Place, currency: str) -> dict[str, TaxRate | None]:
    """What Stripe Tax would have a consumer there pay today, by category; None where the account collects no tax.

    A calculation for a round sum: nothing is recorded, and no sale is reported. `currency` only writes that sum down.
    Raises UnclearPlace where the address is too short for a rate, PaymentUnavailable where none can be had.
    """
    address = {"country": place.country, "state": place.region, "postal_code": place.postal_code}
    params: CalculationCreateParams = {
        "currency": currency.lower(),
        "line_items": [
            {"amount": _SAMPLE, "reference": category, "tax_behavior": "exclusive", "tax_code": code}
            for category, code in TAX_CODES.items()
        ],
        "customer_details": {
            "address": {name: value for name, value in address.items() if value},  # type: ignore[typeddict-item]
            "address_source": "billing",
        },
        "expand": ["line_items.data.tax_breakdown"],
    }
    with _translated():
        try:
            found = client().v1.tax.calculations.create(params)
        except stripe.InvalidRequestError as error:
            if error.code == "customer_tax_location_invalid" or (error.param or "").startswith("customer_details"):
                raise UnclearPlace(str(error)) from error
            raise
    try:
        return reading.tax_rates(found.to_dict(), place.country)
    except ValueError as error:
        log.error("tax of %s: %s", place, error)
        raise PaymentUnavailable(
            _("The payment service does not answer as it should. Nothing was paid; try again in a moment.")
        ) from error


def verify_webhook(body: bytes, header: str | None) -> GatewayEvent:
    """The event in a webhook's raw body; raise BadSignature unless the gateway signed it within five minutes of now.

    https://docs.stripe.com/webhooks#verify-manually. One good signature among several will do: while a secret is being
    changed, Stripe signs with both. stripe-python refuses old timestamps only; a future one would let a captured
    signature be replayed until then, so it is refused here.
    """
    try:
        client().construct_event(
            body, header, settings().stripe_webhook_secret.get_secret_value(), SIGNATURE_TOLERANCE_SECONDS
        )
        signed_at = next(int(part[2:]) for part in (header or "").split(",") if part.startswith("t="))
        if signed_at > time.time() + SIGNATURE_TOLERANCE_SECONDS:
            raise BadSignature("The webhook's timestamp lies in the future.")
        return reading.event(json.loads(body))
    except (
        stripe.SignatureVerificationError,
        ArithmeticError,
        AttributeError,
        LookupError,
        StopIteration,
        TypeError,
        ValueError,
    ) as error:
        raise BadSignature("The webhook carries no valid signature of the payment gateway.") from error


def page_origin() -> str:
    """The origin payment pages live at: what a form that leads to one must be allowed to reach."""
    base = urlsplit(settings().sandbox_public_url or settings().stripe_api_base or "https://checkout.stripe.com")
    return f"{base.scheme}://{base.netloc}"


def livemode() -> bool:
    """Whether the shop's key moves real money: what it then reads from the gateway must say so too."""
    return settings().stripe_secret_key.get_secret_value().startswith(("sk_live_", "rk_live_"))


def client() -> StripeClient:
    """The present app's client, made when first used."""
    made: StripeClient | None = current_app.extensions.get("stripe")
    if made is None:
        base = settings().stripe_api_base
        made = StripeClient(
            settings().stripe_secret_key.get_secret_value(),
            stripe_version=API_VERSION,
            base_addresses={"api": base} if base else None,
            max_network_retries=1,
            http_client=stripe.RequestsClient(timeout=(_CONNECT_SECONDS, _READ_SECONDS)),
        )
        current_app.extensions["stripe"] = made
    return made


def _payment(intent: stripe.PaymentIntent, *, refunds: bool) -> Payment:
    """A payment with its refunds and disputes; with `refunds=False` none is asked for where none can count."""
    body = intent.to_dict()
    charge = body["latest_charge"] if isinstance(body["latest_charge"], dict) else {}
    given_back, disputes = [], []
    if refunds or charge.get("amount_refunded"):
        listed = client().v1.refunds.list({"payment_intent": intent.id, "limit": _PAGE})
        given_back = [each.to_dict() for each in listed.auto_paging_iter()]
    if charge.get("disputed"):
        cases = client().v1.disputes.list({"payment_intent": intent.id, "limit": _PAGE})
        disputes = [each.to_dict() for each in cases.auto_paging_iter()]
    return reading.payment(body, given_back, disputes)


def _once(key: str, ask: Callable[[str], T], find: Callable[[], T | None] = lambda: None) -> T:
    """Have something made once for each key.

    An error at Stripe's own end is kept under the key and comes again for a day, whether the thing was made or not
    (https://docs.stripe.com/api/idempotent_requests). Once it comes as a replay, the request is over: if `find` finds
    nothing, the next key made of this one is used.
    """
    number = 1
    while True:
        try:
            return ask(key if number == 1 else f"{key}-{number}")
        except stripe.APIError as error:
            if (error.headers or {}).get("Idempotent-Replayed") != "true" or number == _KEYS_PER_REQUEST:
                raise
            log.warning("payment gateway: %s is used up by an error that is kept", key)
        found = find()
        if found is not None:
            return found
        number += 1


@contextmanager
def _translated() -> Iterator[None]:
    """Whatever goes wrong at the gateway becomes one error the buyer can act on; the log has the rest."""
    try:
        yield
    except StripeError as error:
        log.error("payment gateway: %s (request %s)", error, error.request_id)
        raise PaymentUnavailable(
            _("The payment service does not answer as it should. Nothing was paid; try again in a moment.")
        ) from error

"""The gateway: the only module that imports stripe. Without Stripe keys the same code talks to the sandbox.

Nothing here touches the database, and nothing here may be called with a transaction open: the answer can take seconds.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import stripe
from flask import current_app
from flask_babel import gettext as _
from stripe import StripeClient, StripeError

from app.core.store import settings
from app.payments.amounts import from_stripe, to_stripe
from app.payments.contract import (
    BadSignature,
    Checkout,
    CheckoutOrder,
    CheckoutStatus,
    GatewayEvent,
    PaymentUnavailable,
)

log = logging.getLogger(__name__)

SIGNATURE_TOLERANCE_SECONDS = 300
_CONNECT_SECONDS, _READ_SECONDS = 5, 20
_NAME_MAX = 250
_LOCALES = {"en": "en", "zh_Hans": "zh"}


def open_checkout(order: CheckoutOrder) -> Checkout:
    """Open a payment page for the order. Asked again for the same order, it is the same page.

    No payment method is named: Stripe offers what the account allows for the currency and the buyer's country.
    """
    with _translated():
        session = client().v1.checkout.sessions.create(
            {
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
                    for line in order.lines
                ],
                "client_reference_id": order.id,
                "metadata": {"order": order.id},
                "payment_intent_data": {"metadata": {"order": order.id}},
                "customer_email": order.email,
                "success_url": order.success_url,
                "cancel_url": order.cancel_url,
                "locale": _LOCALES.get(order.locale, "auto"),
                "submit_type": "pay",
            },
            {"idempotency_key": f"order-{order.id}"},
        )
    if not session.url:
        raise PaymentUnavailable(_("The payment page did not open. Your cart is kept; try again in a moment."))
    return Checkout(id=session.id, url=session.url)


def read_checkout(checkout_id: str) -> CheckoutStatus:
    """Ask the gateway how a checkout stands now."""
    with _translated():
        return _status(client().v1.checkout.sessions.retrieve(checkout_id))


def expire_checkout(checkout_id: str) -> CheckoutStatus:
    """Close a payment page so that it can't be paid any more; one already paid or closed is only read."""
    with _translated():
        try:
            return _status(client().v1.checkout.sessions.expire(checkout_id))
        except stripe.InvalidRequestError:
            return _status(client().v1.checkout.sessions.retrieve(checkout_id))


def refund(payment_id: str, *, order_id: str) -> None:
    """Give the whole payment back. Asked again for the same order, it is the same refund."""
    with _translated():
        try:
            client().v1.refunds.create(
                {
                    "payment_intent": payment_id,
                    "reason": "requested_by_customer",
                    "metadata": {"order": order_id},
                },
                {"idempotency_key": f"refund-{order_id}"},
            )
        except stripe.InvalidRequestError as error:
            if error.code != "charge_already_refunded":
                raise


def verify_webhook(body: bytes, header: str | None) -> GatewayEvent:
    """The event in a webhook's raw body; raise BadSignature unless the gateway signed it within five minutes of now.

    https://docs.stripe.com/webhooks#verify-manually. stripe-python refuses old timestamps only; a future one would
    let a captured signature be replayed until then, so it is refused here.
    """
    try:
        client().construct_event(
            body, header, settings().stripe_webhook_secret.get_secret_value(), SIGNATURE_TOLERANCE_SECONDS
        )
        signed_at = next(int(part[2:]) for part in (header or "").split(",") if part.startswith("t="))
        if signed_at > time.time() + SIGNATURE_TOLERANCE_SECONDS:
            raise BadSignature("The webhook's timestamp lies in the future.")
        payload = json.loads(body)
        subject = payload["data"]["object"]
        kind = subject.get("object")
        checkout_id = subject["id"] if kind == "checkout.session" else None
        return GatewayEvent(
            id=payload["id"],
            type=payload["type"],
            checkout_id=checkout_id,
            payment_id=subject.get("payment_intent"),
            fully_refunded=kind == "charge" and bool(subject.get("refunded")),
            payload=payload,
        )
    except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise BadSignature("The webhook carries no valid signature of the payment gateway.") from error


def page_origin() -> str:
    """The origin payment pages live at: what a form that leads to one must be allowed to reach."""
    base = urlsplit(settings().sandbox_public_url or settings().stripe_api_base or "https://checkout.stripe.com")
    return f"{base.scheme}://{base.netloc}"


def client() -> StripeClient:
    """The present app's client, made when first used."""
    made: StripeClient | None = current_app.extensions.get("stripe")
    if made is None:
        base = settings().stripe_api_base
        made = StripeClient(
            settings().stripe_secret_key.get_secret_value(),
            base_addresses={"api": base} if base else None,
            max_network_retries=1,
            http_client=stripe.RequestsClient(timeout=(_CONNECT_SECONDS, _READ_SECONDS)),
        )
        current_app.extensions["stripe"] = made
    return made


def _status(session: stripe.checkout.Session) -> CheckoutStatus:
    payment = session.payment_intent
    return CheckoutStatus(
        id=session.id,
        order_id=session.client_reference_id,
        total=from_stripe(session.amount_total or 0, session.currency or ""),
        paid=session.payment_status == "paid",
        open=session.status == "open",
        payment_id=payment if isinstance(payment, str) or payment is None else payment.id,
    )


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

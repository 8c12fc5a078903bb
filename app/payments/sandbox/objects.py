"""Objects in Stripe's shapes: the fields the shop reads, and enough around them to be recognised.

https://docs.stripe.com/api, version 2026-10-28.endive.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from app.payments.sandbox.params import BadParameter, Reader

API_VERSION = "2026-10-28.endive"
SESSION_SECONDS = 24 * 3600
MOST = 99_999_999

# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, where it names one.
_LEAST = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "hkd": 400, "chf": 50, "aud": 50, "cad": 50, "sgd": 50}
_CODES = (
    "aed ars aud bgn bhd brl cad chf clp cny cop czk dkk eur gbp hkd huf idr ils inr isk jod jpy krw kwd mxn myr nok"
    " nzd omr pen php pln ron rsd sar sek sgd thb tnd try twd uah ugx usd vnd xaf xof zar"
)
_CURRENCIES = frozenset(_CODES.split())
# Wallets take only some currencies. A real account's list depends on its country; this is one in the euro area's.
_WALLETS = {
    "alipay": {"cny", "eur", "usd", "gbp", "hkd", "jpy", "aud", "cad", "sgd"},
    "wechat_pay": {"cny", "eur", "usd", "gbp", "hkd", "jpy", "aud", "cad", "sgd"},
    "paypal": {"eur", "usd", "gbp", "chf", "czk", "dkk", "nok", "pln", "sek", "aud", "cad", "hkd", "nzd", "sgd"},
}
_LOCALES = ("auto", "en", "zh", "zh-HK", "zh-TW")


def new_id(prefix: str) -> str:
    """An id as Stripe's look."""
    return f"{prefix}_{secrets.token_hex(12)}"


def methods_for(currency: str) -> list[str]:
    """What a buyer can pay with in a currency."""
    return ["card", *(name for name, currencies in _WALLETS.items() if currency in currencies)]


def checkout_session(params: dict[str, Any], public_url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A new checkout session from a request's parameters, and what is kept beside it; BadParameter if they are bad."""
    reader = Reader(params)
    reader.one_of("mode", ["payment"])
    reader.one_of("submit_type", ["auto", "pay"], default="auto")
    currency, lines = _line_items(reader)
    total = sum(line["amount"] * line["quantity"] for line in lines)
    least = _LEAST.get(currency, 1)
    if total < least:
        raise BadParameter(
            f"The Checkout Session's total amount must convert to at least {least} minor units of {currency}.",
            param="line_items",
            code="amount_too_small",
        )
    if total > MOST:
        raise BadParameter("The total amount is too large.", param="line_items", code="amount_too_large")
    success_url, cancel_url = reader.url("success_url"), reader.url("cancel_url", required=False)
    email = reader.text("customer_email", most=512)
    if email is not None and "@" not in email:
        raise BadParameter(f"Invalid email address: {email}", param="customer_email", code="email_invalid")
    reference = reader.text("client_reference_id", most=200)
    metadata = reader.mapping("metadata")
    locale = reader.one_of("locale", _LOCALES, default="auto")
    payment_data = reader.inner("payment_intent_data")
    payment_metadata = payment_data.mapping("metadata") if payment_data else {}
    if payment_data:
        payment_data.end()
    reader.end()
    session_id = "cs_test_" + secrets.token_hex(28)
    now = int(time.time())
    session = {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "cancel_url": cancel_url,
        "client_reference_id": reference,
        "created": now,
        "currency": currency,
        "custom_fields": [],
        "customer": None,
        "customer_details": None,
        "customer_email": email,
        "expires_at": now + SESSION_SECONDS,
        "livemode": False,
        "locale": locale,
        "metadata": metadata,
        "mode": "payment",
        "payment_intent": None,
        "payment_method_types": methods_for(currency),
        "payment_status": "unpaid",
        "shipping_options": [],
        "status": "open",
        "submit_type": "pay",
        "success_url": success_url,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{public_url}/pay/{session_id}",
    }
    return session, {"lines": lines, "payment_metadata": payment_metadata}


def _line_items(reader: Reader) -> tuple[str, list[dict[str, Any]]]:
    currency, lines = "", []
    for item in reader.many("line_items"):
        quantity = item.integer("quantity", least=1, most=999_999)
        price = item.inner("price_data")
        if price is None:
            raise BadParameter(
                "One of `price` or `price_data` is required.", param=item.name("price_data"), code="parameter_missing"
            )
        line_currency = price.needed("currency")
        if line_currency.lower() not in _CURRENCIES:
            raise BadParameter(f"Invalid currency: {line_currency}", param=price.name("currency"))
        if currency and line_currency.lower() != currency:
            raise BadParameter("All line items must have the same currency.", param=price.name("currency"))
        currency = line_currency.lower()
        amount = price.integer("unit_amount", least=0, most=MOST)
        product = price.inner("product_data")
        if product is None:
            raise BadParameter(
                "One of `product` or `product_data` is required.",
                param=price.name("product_data"),
                code="parameter_missing",
            )
        name = product.needed("name")
        for level in (product, price, item):
            level.end()
        lines.append({"name": name, "amount": amount, "quantity": quantity})
    return currency, lines


def payment_intent(session: dict[str, Any], method: str, metadata: dict[str, str]) -> dict[str, Any]:
    """The payment that completes a session."""
    return {
        "id": new_id("pi"),
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_received": session["amount_total"],
        "created": int(time.time()),
        "currency": session["currency"],
        "latest_charge": new_id("ch"),
        "livemode": False,
        "metadata": metadata,
        "payment_method_types": [method],
        "receipt_email": None,
        "status": "succeeded",
    }


def completed(session: dict[str, Any], payment: dict[str, Any], email: str | None) -> dict[str, Any]:
    """A session after it was paid."""
    return session | {
        "customer_details": {
            "email": email,
            "name": None,
            "phone": None,
            "address": None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
        "payment_intent": payment["id"],
        "payment_status": "paid",
        "status": "complete",
        "url": None,
    }


def refund(payment: dict[str, Any], amount: int, reason: str | None, metadata: dict[str, str]) -> dict[str, Any]:
    """Money on its way back."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "charge": payment["latest_charge"],
        "created": int(time.time()),
        "currency": payment["currency"],
        "metadata": metadata,
        "payment_intent": payment["id"],
        "reason": reason,
        "status": "succeeded",
    }


def refunded_charge(payment: dict[str, Any], refunded: int) -> dict[str, Any]:
    """The charge as `charge.refunded` shows it."""
    return {
        "id": payment["latest_charge"],
        "object": "charge",
        "amount": payment["amount"],
        "amount_captured": payment["amount"],
        "amount_refunded": refunded,
        "created": payment["created"],
        "currency": payment["currency"],
        "livemode": False,
        "metadata": payment["metadata"],
        "paid": True,
        "payment_intent": payment["id"],
        "refunded": refunded >= payment["amount"],
        "status": "succeeded",
    }


def event(kind: str, subject: dict[str, Any]) -> dict[str, Any]:
    """Something happened to an object."""
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()),
        "data": {"object": subject},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }

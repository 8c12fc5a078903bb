"""Checkout sessions from a request's parameters."""

from __future__ import annotations

import secrets
from typing import Any

from app.payments.sandbox import currencies
from app.payments.sandbox.params import BadParameter, Reader

Body = dict[str, Any]

SESSION_SECONDS = 24 * 3600
_LEAST_SECONDS, _LEEWAY_SECONDS = 1800, 60
_MOST_LINES = 100
_LOCALES = ("auto", "en", "zh", "zh-HK", "zh-TW")
# Since this version a session names no method: it offers what the currency allows, and a list can only make it fewer.
# https://docs.stripe.com/changelog/endive/2026-09-30/remove-payment-method-types-checkout-sessions
DYNAMIC_SINCE = "2026-09-30"


def checkout_session(
    params: Body, public_url: str, *, account: str, now: float, version: str
) -> tuple[Body, dict[str, Any]]:
    """A new session, and what is kept beside it; raise BadParameter if a parameter is bad."""
    reader = Reader(params)
    reader.one_of("mode", ["payment"])
    submit = reader.one_of("submit_type", ["auto", "pay"], default="auto")
    currency, lines = _line_items(reader)
    total = _total(currency, lines)
    methods = _methods(reader, currency, account, version)
    success_url, cancel_url = reader.url("success_url"), reader.url("cancel_url", required=False)
    email = reader.text("customer_email", most=512)
    if email is not None and "@" not in email:
        raise BadParameter(f"Invalid email address: {email}", param="customer_email", code="email_invalid")
    reference = reader.text("client_reference_id", most=200)
    metadata = reader.mapping("metadata")
    locale = reader.one_of("locale", _LOCALES, default="auto")
    address = reader.one_of("billing_address_collection", ["auto", "required"], default="auto")
    expires_at = _expiry(reader, int(now))
    payment_metadata = _payment_metadata(reader)
    reader.end()
    session_id = "cs_test_" + secrets.token_hex(28)
    session = {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": address,
        "cancel_url": cancel_url,
        "client_reference_id": reference,
        "created": int(now),
        "currency": currency,
        "custom_fields": [],
        "customer": None,
        "customer_details": None,
        "customer_email": email,
        "expires_at": expires_at,
        "livemode": False,
        "locale": locale,
        "metadata": metadata,
        "mode": "payment",
        "payment_intent": None,
        "payment_method_types": methods,
        "payment_status": "unpaid",
        "shipping_options": [],
        "status": "open",
        "submit_type": submit,
        "success_url": success_url,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{public_url}/pay/{session_id}",
    }
    return session, {"lines": lines, "payment_metadata": payment_metadata}


def line_items(session: Body, lines: list[Body]) -> Body:
    """A session's lines as the API lists them."""
    data = [
        {
            "id": f"li_{session['id'][8:32]}{number}",
            "object": "item",
            "amount_discount": 0,
            "amount_subtotal": line["amount"] * line["quantity"],
            "amount_tax": 0,
            "amount_total": line["amount"] * line["quantity"],
            "currency": session["currency"],
            "description": line["name"],
            "quantity": line["quantity"],
        }
        for number, line in enumerate(lines)
    ]
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return {"object": "list", "url": url, "has_more": False, "data": data}


def _total(currency: str, lines: list[Body]) -> int:
    total: int = sum(line["amount"] * line["quantity"] for line in lines)
    least = currencies.least(currency)
    if 0 < total < least:  # nothing at all can be owed, and then nothing is paid
        raise BadParameter(
            f"The Checkout Session's total amount must convert to at least {least} minor units of {currency}.",
            param="line_items",
            code="amount_too_small",
        )
    if total > currencies.MOST:
        raise BadParameter("The total amount is too large.", param="line_items", code="amount_too_large")
    return total


def _methods(reader: Reader, currency: str, account: str, version: str) -> list[str]:
    possible = currencies.methods_for(currency, account)
    allowed, excluded = reader.words("allowed_payment_method_types"), reader.words("excluded_payment_method_types")
    named = reader.words("payment_method_types")
    if named is not None:
        if version >= DYNAMIC_SINCE:
            raise BadParameter(
                "`payment_method_types` is no longer supported. Use dynamic payment methods, or"
                " `allowed_payment_method_types` to make them fewer.",
                param="payment_method_types",
                code="payment_method_types_no_longer_supported",
            )
        for each in named:
            if each not in possible:
                raise BadParameter(
                    f"The payment method `{each}` cannot be used with {currency}.", param="payment_method_types"
                )
        return named
    if allowed is not None and version < DYNAMIC_SINCE:
        raise BadParameter(
            "Received unknown parameter: allowed_payment_method_types",
            param="allowed_payment_method_types",
            code="parameter_unknown",
        )
    if allowed is not None and excluded is not None:
        raise BadParameter(
            "You may only specify one of these parameters: allowed_payment_method_types,"
            " excluded_payment_method_types.",
            param="allowed_payment_method_types",
        )
    methods = [
        each for each in possible if (allowed is None or each in allowed) and (excluded is None or each not in excluded)
    ]
    if not methods:
        raise BadParameter(
            f"No valid payment method types for this Checkout Session. In {currency} there are: {', '.join(possible)}.",
            param="allowed_payment_method_types" if allowed is not None else "excluded_payment_method_types",
        )
    return methods


def _expiry(reader: Reader, now: int) -> int:
    at = reader.optional_integer("expires_at", least=0, most=10**11)
    if at is None:
        return now + SESSION_SECONDS
    if not now + _LEAST_SECONDS - _LEEWAY_SECONDS <= at <= now + SESSION_SECONDS + _LEEWAY_SECONDS:
        raise BadParameter(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours after Checkout Session creation.",
            param="expires_at",
        )
    return at


def _payment_metadata(reader: Reader) -> dict[str, str]:
    inner = reader.inner("payment_intent_data")
    if inner is None:
        return {}
    metadata = inner.mapping("metadata")
    inner.end()
    return metadata


def _line_items(reader: Reader) -> tuple[str, list[Body]]:
    currency, lines = "", []
    items = reader.many("line_items")
    if len(items) > _MOST_LINES:
        raise BadParameter(f"There can be at most {_MOST_LINES} line items.", param="line_items")
    for item in items:
        quantity = item.integer("quantity", least=1, most=999_999)
        price = item.inner("price_data")
        if price is None:
            raise BadParameter(
                "One of `price` or `price_data` is required.", param=item.name("price_data"), code="parameter_missing"
            )
        line_currency = price.needed("currency")
        if line_currency.lower() not in currencies.SUPPORTED:
            raise BadParameter(f"Invalid currency: {line_currency}", param=price.name("currency"))
        if currency and line_currency.lower() != currency:
            raise BadParameter("All line items must have the same currency.", param=price.name("currency"))
        currency = line_currency.lower()
        amount = price.integer("unit_amount", least=0, most=currencies.MOST)
        price.one_of("tax_behavior", ["inclusive", "exclusive", "unspecified"], default="unspecified")
        product = price.inner("product_data")
        if product is None:
            raise BadParameter(
                "One of `product` or `product_data` is required.",
                param=price.name("product_data"),
                code="parameter_missing",
            )
        name = product.needed("name")
        description = product.text("description")
        for level in (product, price, item):
            level.end()
        lines.append({"name": name, "description": description, "amount": amount, "quantity": quantity})
    return currency, lines

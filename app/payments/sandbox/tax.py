"""Stripe Tax as the sandbox has it: what a sale would be taxed at, for a few places. Pure: nothing here is kept.

The account is registered in Germany, France, Britain, Japan, California and Washington, and collects nowhere else. The
rates are those of November 2026 and stand still: what a test expects must not move.
https://docs.stripe.com/api/tax/calculations
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from app.payments.sandbox import objects
from app.payments.sandbox.bank import refuse
from app.payments.sandbox.currencies import MOST, SUPPORTED
from app.payments.sandbox.params import BadParameter, Reader

Body = dict[str, Any]

AUDIO, FILM = "txcd_10401100", "txcd_10402100"
"""Digital audio, and audio-visual, works: downloaded, non-subscription, with permanent rights
(https://docs.stripe.com/tax/tax-codes)."""

_KEPT_SECONDS = 90 * 24 * 3600
_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_VAT, _JCT = ("vat", "VAT"), ("jct", "Japanese Consumption Tax")

# Country: percent, type and name of its tax.
_COUNTRIES = {"DE": ("19.0", _VAT), "FR": ("20.0", _VAT), "GB": ("20.0", _VAT), "JP": ("10.0", _JCT)}
# The first three digits of a ZIP code.
_STATES = (("CA", 900, 961), ("WA", 980, 994), ("NY", 100, 149))
# Washington's tax on digital goods, with Seattle's share; California has none on what is only downloaded.
_WASHINGTON = (("Washington", "state", "6.5"), ("Seattle", "city", "4.05"))


def calculation(params: Body, *, now: float, shown: bool) -> Body:
    """A calculation; its lines' own breakdowns are `shown` where the request expands them."""
    reader = Reader(params)
    currency = reader.needed("currency").lower()
    if currency not in SUPPORTED:
        raise BadParameter(f"Invalid currency: {currency}", param="currency")
    customer = reader.inner("customer_details")
    if customer is None:
        raise BadParameter("Missing required param: customer_details.", param="customer_details")
    address = _address(customer)
    lines = [_line(each, number, address) for number, each in enumerate(reader.many("line_items"), 1)]
    reader.end()
    if len({line["reference"] for line in lines}) < len(lines):
        raise BadParameter("References must be unique across the line items.", param="line_items")
    tax = sum(line["amount_tax"] for line in lines)
    found = {
        "id": objects.new_id("taxcalc"),
        "object": "tax.calculation",
        "amount_total": sum(line["amount"] for line in lines) + tax,
        "currency": currency,
        "customer": None,
        "customer_details": {
            "address": address,
            "address_source": "billing",
            "ip_address": None,
            "tax_ids": [],
            "taxability_override": "none",
        },
        "expires_at": int(now) + _KEPT_SECONDS,
        "livemode": False,
        "ship_from_details": None,
        "shipping_cost": None,
        "tax_amount_exclusive": tax,
        "tax_amount_inclusive": 0,
        "tax_breakdown": [_total(each) for line in lines for each in line["tax_breakdown"]],
        "tax_date": int(now),
    }
    if not shown:
        lines = [line | {"tax_breakdown": None} for line in lines]
    url = f"/v1/tax/calculations/{found['id']}/line_items"
    return found | {"line_items": {"object": "list", "url": url, "has_more": False, "data": lines}}


def _address(customer: Reader) -> Body:
    inner = customer.inner("address")
    customer.one_of("address_source", ("billing", "shipping"))
    customer.end()
    if inner is None:
        raise BadParameter("Missing required param: customer_details[address].", param="customer_details[address]")
    address = {name: inner.text(name, required=name == "country") for name in _ADDRESS}
    inner.end()
    if not re.fullmatch(r"[A-Z]{2}", address["country"] or ""):
        raise BadParameter("Invalid country.", param="customer_details[address][country]", code="country_invalid")
    if address["country"] == "US" and not re.fullmatch(r"\d{5}(-\d{4})?", address["postal_code"] or ""):
        raise refuse(
            "We could not determine the customer's tax location based on the provided customer address.",
            code="customer_tax_location_invalid",
            param="customer_details[address]",
        )
    return address


def _line(reader: Reader, number: int, address: Body) -> Body:
    amount = reader.integer("amount", least=1, most=MOST)
    code = reader.needed("tax_code")
    if code not in (AUDIO, FILM):
        raise BadParameter(f"Invalid tax code: {code}", param=reader.name("tax_code"))
    reader.one_of("tax_behavior", ("exclusive",), "exclusive")
    reference = reader.text("reference", most=500) or f"L{number}"
    reader.end()
    breakdown = _breakdown(amount, address)
    return {
        "id": objects.new_id("tax_li"),
        "object": "tax.calculation_line_item",
        "amount": amount,
        "amount_tax": sum(each["amount"] for each in breakdown),
        "livemode": False,
        "metadata": {},
        "product": None,
        "quantity": 1,
        "reference": reference,
        "tax_behavior": "exclusive",
        "tax_breakdown": breakdown,
        "tax_code": code,
    }


def _breakdown(amount: int, address: Body) -> list[Body]:
    country: str = address["country"]
    if country == "US":
        state = _state(address["postal_code"])
        if state == "WA":
            sales = ("sales_tax", "Sales Tax")
            return [_part(amount, "US", state, each[0], each[1], each[2], sales) for each in _WASHINGTON]
        reason = "product_exempt" if state == "CA" else "not_collecting"
        return [_part(amount, "US", state, state or "United States", "state", None, None, reason)]
    if country in _COUNTRIES:
        percent, kind = _COUNTRIES[country]
        return [_part(amount, country, None, country, "country", percent, kind)]
    return [_part(amount, country, None, country, "country", None, None, "not_collecting")]


def _state(zip_code: str) -> str | None:
    first = int(zip_code[:3])
    return next((state for state, least, most in _STATES if least <= first <= most), None)


def _part(
    amount: int,
    country: str,
    state: str | None,
    called: str,
    level: str,
    percent: str | None,
    kind: tuple[str, str] | None,
    reason: str = "standard_rated",
) -> Body:
    """What one jurisdiction takes of a line."""
    tax = 0 if percent is None else int((amount * Decimal(percent) / 100).to_integral_value(ROUND_HALF_UP))
    details = kind and {"display_name": kind[1], "percentage_decimal": percent, "tax_type": kind[0]}
    return {
        "amount": tax,
        "jurisdiction": {"country": country, "display_name": called, "level": level, "state": state},
        "sourcing": "destination",
        "tax_rate_details": details,
        "taxability_reason": reason,
        "taxable_amount": 0 if percent is None else amount,
    }


def _total(part: Body) -> Body:
    """The same in the words of a calculation as a whole."""
    details, where = part["tax_rate_details"] or {}, part["jurisdiction"]
    return {
        "amount": part["amount"],
        "inclusive": False,
        "tax_rate_details": {
            "country": where["country"],
            "flat_amount": None,
            "percentage_decimal": details.get("percentage_decimal") or "0.0",
            "rate_type": "percentage" if details else None,
            "state": where["state"],
            "tax_type": details.get("tax_type"),
        },
        "taxability_reason": part["taxability_reason"],
        "taxable_amount": part["taxable_amount"],
    }

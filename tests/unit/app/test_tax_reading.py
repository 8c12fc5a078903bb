"""Stripe Tax's calculations in the shop's words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from app.payments.stripe_reading import tax_rates
from app.pricing.contract import TaxRate


def part(
    percent: str | None, reason: str = "standard_rated", *, kind: str = "sales_tax", taxable: int = 10_000
) -> dict:
    details = {"display_name": "Something Local", "percentage_decimal": percent, "tax_type": kind}
    return {
        "taxability_reason": reason,
        "taxable_amount": taxable,
        "tax_rate_details": details if percent is not None else None,
    }


def read(*parts: dict, tax: int = 1) -> TaxRate | None:
    """The rate of a line of 100.00 with these."""
    line: dict[str, Any] = {"reference": "audio", "amount": 10_000, "amount_tax": tax, "tax_breakdown": list(parts)}
    return tax_rates({"line_items": {"data": [line]}}, "US")["audio"]


@pytest.mark.parametrize(
    ("parts", "percent", "name"),
    [
        ([part("19.0", kind="vat")], "19", "VAT"),
        ([part("10", kind="jct")], "10", "Consumption tax"),
        ([part("6.5"), part("4.05")], "10.55", "Sales tax"),
        ([part("4"), part("4.8625")], "8.8625", "Sales tax"),
        ([part("5", kind="gst"), part("9.975", kind="qst")], "14.975", "Something Local"),
        ([part("5", kind="vat"), part("1", kind="amusement_tax")], "6", "VAT + Something Local"),
        ([part("6.25", "taxable_basis_reduced", taxable=8_000)], "5", "Sales tax"),
        ([part("5.5", "reduced_rated", kind="vat")], "5.5", "VAT"),
        ([part("6.5"), part(None, "not_collecting")], "6.5", "Sales tax"),
        ([part("6.5"), part("0.0", "product_exempt")], "6.5", "Sales tax"),
    ],
)
def test_what_every_jurisdiction_takes_is_one_rate(parts: list[dict], percent: str, name: str) -> None:
    assert read(*parts) == TaxRate("US", Decimal(percent), name)


@pytest.mark.parametrize(
    "reason", ["not_collecting", "not_subject_to_tax", "product_exempt", "product_exempt_holiday", "zero_rated"]
)
def test_where_nothing_is_due_there_is_no_rate(reason: str) -> None:
    assert read(part(None, reason), tax=0) is None
    assert read(part("0.0", reason, taxable=0), tax=0) is None


@pytest.mark.parametrize(
    ("parts", "tax"),
    [
        ([part(None, "not_supported")], 0),
        ([part("19", "reverse_charge")], 0),
        ([part("19", "customer_exempt")], 0),
        ([part("19", "something_new")], 1),
        ([part(None, "standard_rated")], 1),
        ([part("19"), part(None, "not_supported")], 1),
        ([part("19", taxable=0)], 1),
        ([part(None, "not_collecting")], 150),
        ([], 0),
        ([], 1),
    ],
)
def test_what_isn_t_understood_is_no_rate_and_no_exemption(parts: list[dict], tax: int) -> None:
    with pytest.raises(ValueError, match="line 'audio'"):
        read(*parts, tax=tax)


def test_a_breakdown_that_wasn_t_expanded_says_nothing() -> None:
    line = {"reference": "audio", "amount": 10_000, "amount_tax": 0, "tax_breakdown": None}
    with pytest.raises(ValueError, match="line 'audio'"):
        tax_rates({"line_items": {"data": [line]}}, "DE")


def test_each_category_has_its_own() -> None:
    lines = [
        {"reference": "audio", "amount": 100, "amount_tax": 19, "tax_breakdown": [part("19", kind="vat", taxable=100)]},
        {"reference": "film", "amount": 100, "amount_tax": 0, "tax_breakdown": [part(None, "product_exempt")]},
    ]
    assert tax_rates({"line_items": {"data": lines}}, "DE") == {"audio": TaxRate("DE", Decimal(19)), "film": None}

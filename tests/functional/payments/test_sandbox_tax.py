"""The sandbox's Stripe Tax, asked by stripe-python as the shop would ask Stripe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import stripe
from support.sandbox import direct_client

from app.payments.sandbox import server, tax


@pytest.fixture
def client(tmp_path: Path) -> stripe.StripeClient:
    config = server.Config(tmp_path / "state.sqlite", "http://sandbox.test", server.PULL, "whsec_test_0123456789")
    return direct_client(server.create_sandbox(config))


def wish(address: dict[str, str], *, expand: bool = True, **line: Any) -> Any:
    first = {"amount": 10_000, "reference": "one", "tax_code": tax.AUDIO, "tax_behavior": "exclusive"} | line
    return {
        "currency": "usd",
        "line_items": [first, {"amount": 99, "tax_code": tax.FILM}],
        "customer_details": {"address": address, "address_source": "billing"},
        "expand": ["line_items.data.tax_breakdown"] if expand else [],
    }


@pytest.mark.parametrize(
    ("address", "reasons", "rates", "tax_of_lines"),
    [
        ({"country": "DE"}, ["standard_rated"], ["19.0"], [1900, 19]),
        ({"country": "FR", "postal_code": "75001"}, ["standard_rated"], ["20.0"], [2000, 20]),
        ({"country": "GB"}, ["standard_rated"], ["20.0"], [2000, 20]),
        ({"country": "JP"}, ["standard_rated"], ["10.0"], [1000, 10]),
        ({"country": "US", "state": "WA", "postal_code": "98101"}, ["standard_rated"] * 2, ["6.5", "4.05"], [1055, 10]),
        ({"country": "US", "state": "CA", "postal_code": "94103-1234"}, ["product_exempt"], [None], [0, 0]),
        ({"country": "US", "state": "NY", "postal_code": "10001"}, ["not_collecting"], [None], [0, 0]),
        ({"country": "US", "postal_code": "60601"}, ["not_collecting"], [None], [0, 0]),
        ({"country": "NO"}, ["not_collecting"], [None], [0, 0]),
    ],
    ids=str,
)
def test_a_calculation_says_what_each_jurisdiction_takes_and_why(
    client: stripe.StripeClient, address: dict, reasons: list, rates: list, tax_of_lines: list
) -> None:
    made = client.v1.tax.calculations.create(wish(address)).to_dict()
    one, two = made["line_items"]["data"]
    assert [part["taxability_reason"] for part in one["tax_breakdown"]] == reasons
    details = [part["tax_rate_details"] for part in one["tax_breakdown"]]
    assert [each and each["percentage_decimal"] for each in details] == rates
    assert [one["amount_tax"], two["amount_tax"]] == tax_of_lines
    assert (one["reference"], two["reference"]) == ("one", "L2")
    assert made["tax_amount_exclusive"] == sum(tax_of_lines)
    assert made["amount_total"] == 10_099 + sum(tax_of_lines)
    assert made["customer_details"]["address"]["country"] == address["country"]


def test_a_line_s_breakdown_is_there_only_where_it_is_expanded(client: stripe.StripeClient) -> None:
    made = client.v1.tax.calculations.create(wish({"country": "DE"}, expand=False)).to_dict()
    assert [each["tax_breakdown"] for each in made["line_items"]["data"]] == [None, None]
    assert made["tax_breakdown"][0]["tax_rate_details"]["percentage_decimal"] == "19.0"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ({"country": "US"}, "customer_tax_location_invalid"),
        ({"country": "US", "state": "CA"}, "customer_tax_location_invalid"),
        ({"country": "US", "postal_code": "9410"}, "customer_tax_location_invalid"),
        ({"country": "Germany"}, "country_invalid"),
        ({"country": "DE", "planet": "Earth"}, "parameter_unknown"),
    ],
    ids=str,
)
def test_an_address_that_says_too_little_or_too_much_is_refused(
    client: stripe.StripeClient, address: dict, code: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.tax.calculations.create(wish(address))
    assert (refused.value.http_status, refused.value.code) == (400, code)


@pytest.mark.parametrize(
    ("line", "param"),
    [
        ({"tax_code": "txcd_99999999"}, "line_items[0][tax_code]"),
        ({"tax_behavior": "inclusive"}, "line_items[0][tax_behavior]"),
        ({"amount": 0}, "line_items[0][amount]"),
        ({"colour": "red"}, "line_items[0][colour]"),
        ({"reference": "L2"}, "line_items"),
    ],
    ids=str,
)
def test_a_line_the_sandbox_can_t_tax_is_refused(client: stripe.StripeClient, line: dict, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.tax.calculations.create(wish({"country": "DE"}, **line))
    assert refused.value.param == param

"""Where tax is owed, and how much of an amount it is: against a table worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from app.core.money import Money
from app.pricing import tax, vat_numbers
from app.pricing.contract import (
    Agreement,
    Buyer,
    Place,
    TaxRate,
    TaxRules,
    Treatment,
    VatAnswer,
    VatNumber,
    Verdict,
    Wanted,
)
from app.pricing.quoting import quote
from app.pricing.rates import EU, PERIODS, BuiltInRates, countries

TODAY = date(2026, 11, 21)
GERMAN_SHOP = TaxRules(BuiltInRates(), TODAY, inclusive=True, home="DE", collects_in=countries("EU,GB,CH,NO"))
FRENCH = VatNumber("FR40303265045", "FR")


@pytest.mark.parametrize(
    ("currency", "inclusive", "country", "listed", "net", "vat", "gross"),
    [
        # Inclusive: tax = listed × rate / (100 + rate), half up.
        ("EUR", True, "FR", 990, 825, 165, 990),
        ("EUR", True, "DE", 990, 832, 158, 990),  # 158.067
        ("EUR", True, "DE", 129, 108, 21, 129),  # 20.597
        ("EUR", True, "FI", 999, 796, 203, 999),  # 202.984
        ("EUR", True, "FR", 3, 2, 1, 3),  # 0.5
        ("EUR", True, "SE", 1, 1, 0, 1),  # 0.2
        ("CHF", True, "CH", 990, 916, 74, 990),  # 74.182
        ("JPY", True, "FR", 1000, 833, 167, 1000),  # 166.667
        ("JPY", True, "FR", 9, 7, 2, 9),  # 1.5
        ("KWD", True, "GB", 2990, 2492, 498, 2990),  # 498.333
        ("KWD", True, "GB", 2970, 2475, 495, 2970),
        ("EUR", True, "US", 990, 990, 0, 990),
        # Exclusive: tax = listed × rate / 100, half up.
        ("EUR", False, "FR", 825, 825, 165, 990),
        ("EUR", False, "DE", 990, 990, 188, 1178),  # 188.1
        ("EUR", False, "DE", 50, 50, 10, 60),  # 9.5
        ("EUR", False, "FI", 129, 129, 33, 162),  # 32.895
        ("NOK", False, "NO", 9900, 9900, 2475, 12375),
        ("JPY", False, "SE", 10, 10, 3, 13),  # 2.5
        ("JPY", False, "CH", 1000, 1000, 81, 1081),
        ("KWD", False, "CH", 2990, 2990, 240, 3230),  # 242.19, and cards settle two decimals
        ("KWD", False, "FI", 3100, 3100, 790, 3890),  # 790.5
        ("EUR", False, "CN", 990, 990, 0, 990),
    ],
)
def test_a_line_splits_as_worked_out_by_hand(
    currency: str, inclusive: bool, country: str, listed: int, net: int, vat: int, gross: int
) -> None:
    made = quote(
        [Wanted("a", "a", Money(listed, currency))],
        Buyer(billing_country=country, ip_country=country),
        tax=replace(GERMAN_SHOP, inclusive=inclusive),
    )
    (line,) = made.lines
    assert (line.net.minor, line.tax.minor, line.gross.minor) == (net, vat, gross)
    assert made.gross == Money(gross, currency)


def test_each_line_is_rounded_by_itself() -> None:
    wanted = [Wanted(key, key, Money(129, "EUR")) for key in "abc"]
    made = quote(wanted, Buyer("DE", "DE"), tax=GERMAN_SHOP)
    # 20.597 a line is 21, three times; the tax in 3.87 as a whole would be 62.
    assert made.tax == Money(63, "EUR")
    assert [(each.rate and each.rate.percent, each.tax.minor, each.gross.minor) for each in made.rates] == [
        (Decimal(19), 63, 387)
    ]


@pytest.mark.parametrize(
    ("billing", "ip", "card", "country", "agreement"),
    [
        ("FR", "FR", None, "FR", Agreement.AGREED),
        ("FR", "DE", "DE", "DE", Agreement.AGREED),
        ("FR", "DE", "FR", "FR", Agreement.AGREED),
        ("fr", None, None, "FR", Agreement.SINGLE),
        (None, "IT", None, "IT", Agreement.SINGLE),
        ("FR", "DE", None, "FR", Agreement.CONFLICT),
        ("FR", "DE", "IT", "FR", Agreement.CONFLICT),
        (None, "DE", "IT", "DE", Agreement.CONFLICT),
        (None, None, None, "DE", Agreement.NONE),
        ("MC", "FR", None, "FR", Agreement.AGREED),
        ("IM", "GB", None, "GB", Agreement.AGREED),
        ("EL", "GR", None, "GR", Agreement.AGREED),
    ],
)
def test_two_pieces_of_evidence_that_agree_decide(
    billing: str | None, ip: str | None, card: str | None, country: str, agreement: Agreement
) -> None:
    basis = tax.settle(Buyer(billing, ip, card), GERMAN_SHOP)
    assert (basis.country, basis.agreement) == (country, agreement)
    assert basis.taxed_in == Place(country)
    assert len(basis.evidence) == sum(piece is not None for piece in (billing, ip, card))


@pytest.mark.parametrize(
    ("home", "collects", "country", "number", "treatment", "taxed_in"),
    [
        ("DE", "EU", "FR", FRENCH, Treatment.REVERSE_CHARGE, "FR"),
        ("DE", "DE", "FR", FRENCH, Treatment.REVERSE_CHARGE, "FR"),
        ("DE", "EU", "FR", None, Treatment.TAXED, "FR"),
        ("DE", "DE", "FR", None, Treatment.TAXED, "DE"),  # below the one-stop shop's threshold
        ("FR", "EU", "FR", FRENCH, Treatment.TAXED, "FR"),  # at home a business pays like anyone
        ("DE", "EU", "IT", FRENCH, Treatment.TAXED, "IT"),  # another country's number
        ("DE", "EU", "US", None, Treatment.NOT_COLLECTED, None),
        ("US", "EU", "FR", FRENCH, Treatment.REVERSE_CHARGE, "FR"),
        ("US", "US", "FR", None, Treatment.NOT_COLLECTED, None),
        ("DE", "", "DE", None, Treatment.NOT_COLLECTED, None),
        ("DE", "EU,NO", "NO", VatNumber("NO995525828MVA", "NO"), Treatment.REVERSE_CHARGE, "NO"),
        ("DE", "EU,CH", "CH", VatNumber("CHE107787577IVA", "CH"), Treatment.TAXED, "CH"),
    ],
)
def test_who_owes_the_tax_and_where(
    home: str, collects: str, country: str, number: VatNumber | None, treatment: Treatment, taxed_in: str | None
) -> None:
    rules = replace(GERMAN_SHOP, home=home, collects_in=countries(collects))
    basis = tax.settle(Buyer(country, country, vat_number=number), rules)
    assert (basis.treatment, basis.taxed_in and basis.taxed_in.country) == (treatment, taxed_in)


@pytest.mark.parametrize(
    ("verdict", "confirmed_only", "treatment"),
    [
        (Verdict.UNKNOWN, False, Treatment.REVERSE_CHARGE),
        (Verdict.UNKNOWN, True, Treatment.TAXED),
        (Verdict.VALID, True, Treatment.REVERSE_CHARGE),
        (Verdict.INVALID, False, Treatment.TAXED),
    ],
)
def test_what_a_register_says_of_the_number_counts(
    verdict: Verdict, confirmed_only: bool, treatment: Treatment
) -> None:
    buyer = Buyer("FR", "FR", vat_number=FRENCH, vat_answer=VatAnswer(verdict, "a register"))
    assert tax.settle(buyer, replace(GERMAN_SHOP, confirmed_only=confirmed_only)).treatment is treatment


def test_a_reverse_charge_leaves_out_the_tax_that_a_price_holds() -> None:
    wanted, business = [Wanted("a", "a", Money(990, "EUR"))], Buyer("FR", "FR", vat_number=FRENCH)
    (line,) = quote(wanted, business, tax=GERMAN_SHOP).lines
    assert (line.asked.minor, line.relief.minor, line.net.minor, line.tax.minor, line.gross.minor) == (
        990,
        165,
        825,
        0,
        825,
    )
    (line,) = quote(wanted, business, tax=replace(GERMAN_SHOP, inclusive=False)).lines
    assert (line.relief.minor, line.net.minor, line.tax.minor, line.gross.minor) == (0, 990, 0, 990)


@pytest.mark.parametrize(
    ("country", "on", "percent"),
    [
        ("EE", date(2025, 6, 30), "22"),
        ("EE", date(2025, 7, 1), "24"),
        ("FI", date(2024, 8, 31), "24"),
        ("FI", date(2024, 9, 1), "25.5"),
        ("RO", date(2025, 7, 31), "19"),
        ("RO", date(2025, 8, 1), "21"),
        ("SK", date(2024, 12, 31), "20"),
        ("SK", date(2025, 1, 1), "23"),
        ("CH", TODAY, "8.1"),
        ("CN", TODAY, None),
        ("DE", date(2023, 12, 31), None),
    ],
)
def test_a_rate_holds_from_its_first_day_on(country: str, on: date, percent: str | None) -> None:
    found = BuiltInRates().rate_for(Place(country), on, "audio")
    assert found == (TaxRate(country, Decimal(percent)) if percent else None)


def test_every_member_has_one_rate_on_any_day() -> None:
    for country in EU:
        rows = sorted((row for row in PERIODS if row.country == country), key=lambda row: row.since)
        assert rows[0].since == date(2024, 1, 1)
        assert rows[-1].until is None
        assert all(row.until == after.since for row, after in pairwise(rows))


# Numbers from the registers' own examples and from python-stdnum's documentation.
@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("DE136695976", "DE", "DE136695976"),
        ("136 695 976", "de", "DE136695976"),
        ("EL094259216", "GR", "EL094259216"),
        ("094259216", "GR", "EL094259216"),
        ("GR094259216", "GR", "EL094259216"),
        ("FR 40 303 265 045", "FR", "FR40303265045"),
        ("FR40303265045", "MC", "FR40303265045"),
        ("GB 980 7806 84", "GB", "GB980780684"),
        ("NO 995 525 828 MVA", "NO", "NO995525828MVA"),
        ("CHE-107.787.577 IVA", "CH", "CHE107787577IVA"),
    ],
)
def test_a_vat_number_is_read_with_its_check_digits(text: str, country: str, number: str) -> None:
    assert vat_numbers.read(text, country).number == number


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("DE136695977", "DE"),
        ("FR40303265045", "DE"),
        ("EU372022452", "DE"),
        ("", "DE"),
        ("DE136695976", "US"),
        ("DE136695976", None),
        ("NO995525829MVA", "NO"),
    ],
)
def test_what_is_no_vat_number_of_that_country_is_refused(text: str, country: str | None) -> None:
    with pytest.raises(vat_numbers.BadVatNumber):
        vat_numbers.read(text, country)

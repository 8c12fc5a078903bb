"""What is paid for what is wanted."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import Money, step
from app.pricing.contract import (
    Buyer,
    CurrencyTerms,
    Holding,
    Line,
    Quote,
    Reduction,
    Refusal,
    TaxRules,
    Unpriceable,
    VatNumber,
    Wanted,
)
from app.pricing.quoting import check_named, most_named, quote
from app.pricing.rates import BuiltInRates, countries

NO_TAX = TaxRules(BuiltInRates(), date(2026, 11, 21))
NOBODY = Buyer()


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def album(key: str = "album", price: int = 990, *, tracks: str = "", named: int | None = None) -> Wanted:
    return Wanted(
        key,
        f"offer-{key}",
        eur(price),
        open_price=named is not None,
        named=None if named is None else eur(named),
        releases=frozenset({(key, f"label of {key}")}),
        completes=frozenset(tracks.split()),
    )


def paid(*amounts: int, refunded: int = 0, currency: str = "EUR") -> Buyer:
    return Buyer(
        holdings=tuple(
            Holding(f"line{n}", f"t{n}", Money(amount, currency), refunded) for n, amount in enumerate(amounts, 1)
        )
    )


def minors(made: Quote, field: str) -> list[int]:
    return [getattr(line, field).minor for line in made.lines]


@pytest.mark.parametrize(
    ("buyer", "wanted", "credit"),
    [
        (paid(129), album(tracks="t1 t2"), 129),
        (paid(129, 99), album(tracks="t1 t2"), 228),
        (paid(129, 99), album(tracks="t2"), 99),
        (paid(129), album(tracks="t7"), 0),
        (paid(129), album(tracks=""), 0),
        (paid(600, 600), album(tracks="t1 t2"), 990),  # never below nothing
        (paid(129, refunded=129), album(tracks="t1"), 0),
        (paid(129, refunded=29), album(tracks="t1"), 100),
        (paid(129, refunded=500), album(tracks="t1"), 0),
        (paid(129, currency="USD"), album(tracks="t1"), 0),
        (paid(0), album(tracks="t1"), 0),
        (paid(300), album(price=500, tracks="t1", named=1000), 300),
        (paid(300), album(price=500, tracks="t1", named=600), 100),  # never below the least
        (paid(300), album(price=500, tracks="t1", named=500), 0),
    ],
)
def test_who_owns_tracks_pays_less_for_their_album(buyer: Buyer, wanted: Wanted, credit: int) -> None:
    made = quote([wanted], buyer, tax=NO_TAX)
    (line,) = made.lines
    assert line.credit == made.credit == eur(credit)
    assert line.gross.minor == line.list_price.minor - credit
    assert sum(each.amount.minor for each in line.credits) == credit


def test_a_credit_names_the_purchase_it_is_from() -> None:
    (line,) = quote([album(price=200, tracks="t1 t2")], paid(150, 150), tax=NO_TAX).lines
    assert [(each.holding, each.track_id, each.amount.minor) for each in line.credits] == [
        ("line1", "t1", 150),
        ("line2", "t2", 50),
    ]


def test_a_purchase_is_credited_once() -> None:
    made = quote([album("b", tracks="t1"), album("a", tracks="t1")], paid(129), tax=NO_TAX)
    assert {line.key: line.credit.minor for line in made.lines} == {"a": 129, "b": 0}


@pytest.mark.parametrize(
    ("coupon", "discounts", "refusal"),
    [
        (Reduction("C", percent=Decimal(10)), [99, 13], None),  # 111.9 is 112
        (Reduction("C", percent=Decimal("33.33")), [330, 43], None),  # 372.96 is 373
        (Reduction("C", percent=Decimal(100)), [990, 129], None),
        (Reduction("C", currencies=(CurrencyTerms("EUR", off=500),)), [442, 58], None),  # 442.359, 57.640
        (Reduction("C", currencies=(CurrencyTerms("EUR", off=99_999),)), [990, 129], None),
        (Reduction("C", percent=Decimal(10), release_ids=frozenset({"a"})), [99, 0], None),
        (Reduction("C", percent=Decimal(10), label_ids=frozenset({"label of b"})), [0, 13], None),
        (Reduction("C", percent=Decimal(10), release_ids=frozenset({"x"})), [0, 0], Refusal.NOTHING_ELIGIBLE),
        (Reduction("C", percent=Decimal("0.01")), [0, 0], Refusal.NOTHING_ELIGIBLE),  # rounds to nothing
        (Reduction("C", currencies=(CurrencyTerms("USD", off=500),)), [0, 0], Refusal.CURRENCY),
        (Reduction("C", percent=Decimal(10), currencies=(CurrencyTerms("EUR", least=1119),)), [99, 13], None),
        (
            Reduction("C", percent=Decimal(10), currencies=(CurrencyTerms("EUR", least=1120),)),
            [0, 0],
            Refusal.BELOW_LEAST,
        ),
    ],
)
def test_a_coupon_is_split_over_its_lines(coupon: Reduction, discounts: list[int], refusal: Refusal | None) -> None:
    made = quote([album("a", 990), album("b", 129)], NOBODY, coupon, tax=NO_TAX)
    assert minors(made, "discount") == discounts
    assert made.discount == eur(sum(discounts))
    assert made.gross == eur(1119 - sum(discounts))
    assert made.refusal is refusal
    assert made.coupon == (None if refusal else "C")


def test_a_coupon_comes_after_the_credit_and_off_no_amount_that_was_named() -> None:
    half = Reduction("C", percent=Decimal(50))
    made = quote([album("a", 990, tracks="t1"), album("b", 100, named=700)], paid(190), half, tax=NO_TAX)
    assert minors(made, "discount") == [400, 0]
    assert minors(made, "gross") == [400, 700]


def test_of_a_bundle_all_releases_must_be_meant() -> None:
    bundle = Wanted("a", "a", eur(1000), releases=frozenset({("r1", "l1"), ("r2", None)}))
    for releases, labels, meant in (({"r1"}, set(), False), ({"r1", "r2"}, set(), True), ({"r2"}, {"l1"}, True)):
        coupon = Reduction("C", Decimal(10), release_ids=frozenset(releases), label_ids=frozenset(labels))
        assert (quote([bundle], NOBODY, coupon, tax=NO_TAX).refusal is None) is meant


def test_an_open_price_takes_an_amount_between_its_bounds() -> None:
    assert quote([album(price=500, named=500)], NOBODY, tax=NO_TAX).gross == eur(500)
    assert quote([album(price=0, named=0)], NOBODY, tax=NO_TAX).is_free
    assert check_named(None, eur(500)) == eur(500)
    assert most_named(eur(500)) == eur(100_000)
    assert most_named(eur(5000)) == eur(500_000)
    assert most_named(eur(99_999_999)) == eur(99_999_999)
    assert most_named(Money(3000, "JPY")) == Money(300_000, "JPY")
    for named in (499, 100_001):
        with pytest.raises(Unpriceable, match=r"from 5\.00 to 1000\.00 EUR"):
            quote([album(price=500, named=named)], NOBODY, tax=NO_TAX)
    with pytest.raises(Unpriceable):
        check_named(Money(600, "USD"), eur(500))


def test_what_cannot_be_priced_is_refused() -> None:
    with pytest.raises(Unpriceable, match="nothing to buy"):
        quote([], NOBODY, tax=NO_TAX)
    with pytest.raises(Unpriceable, match="one currency"):
        quote([album("a"), Wanted("b", "b", Money(990, "USD"))], NOBODY, tax=NO_TAX)
    with pytest.raises(Unpriceable, match="no amount to name"):
        quote([Wanted("a", "a", eur(990), named=eur(1000))], NOBODY, tax=NO_TAX)
    with pytest.raises(ValueError, match="one key"):
        quote([album("a"), album("a")], NOBODY, tax=NO_TAX)


def test_three_decimals_are_paid_in_two() -> None:
    dinars = Wanted("a", "a", Money(3050, "KWD"))
    (line,) = quote([dinars], NOBODY, Reduction("C", Decimal("7.77")), tax=NO_TAX).lines
    assert (line.discount.minor, line.gross.minor) == (240, 2810)
    with pytest.raises(Unpriceable, match="paid with two decimals"):
        quote([Wanted("a", "a", Money(0, "KWD"), open_price=True, named=Money(3055, "KWD"))], NOBODY, tax=NO_TAX)


def test_what_costs_nothing_is_an_order_without_a_payment() -> None:
    made = quote([album(price=0)], NOBODY, tax=NO_TAX)
    assert made.is_free
    assert not quote([album(price=1)], NOBODY, tax=NO_TAX).is_free


CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])
AMOUNTS = st.integers(0, 500_000)
TRACKS = st.frozensets(st.sampled_from(["t1", "t2", "t3", "t4"]))


@st.composite
def carts(draw: st.DrawFn) -> tuple[list[Wanted], Buyer, Reduction | None, TaxRules]:
    currency = draw(CURRENCIES)
    unit = step(currency)
    wanted = []
    for number in range(draw(st.integers(1, 6))):
        price = Money(draw(AMOUNTS) // unit * unit, currency)
        open_price = draw(st.booleans())
        most = most_named(price).minor
        named = Money(draw(st.integers(price.minor // unit, most // unit)) * unit, currency) if open_price else None
        releases = draw(st.frozensets(st.sampled_from([("r1", "l1"), ("r2", "l1"), ("r3", None)]), min_size=1))
        wanted.append(
            Wanted(f"k{number}", f"o{number}", price, open_price, named, releases=releases, completes=draw(TRACKS))
        )
    country = st.sampled_from([None, "DE", "FR", "FI", "CH", "NO", "US"])
    holdings = [
        Holding(f"h{n}", track, Money(draw(AMOUNTS), draw(CURRENCIES)), draw(AMOUNTS))
        for n, track in enumerate(sorted(draw(TRACKS)))
    ]
    buyer = Buyer(
        draw(country),
        draw(country),
        vat_number=draw(st.sampled_from([None, VatNumber("FR40303265045", "FR")])),
        holdings=tuple(holdings),
    )
    percent = draw(st.one_of(st.none(), st.decimals("0.01", "100", places=2)))
    off = None if percent is not None else draw(st.integers(1, 1_000_000))
    least = draw(st.one_of(st.none(), st.integers(1, 500_000)))
    terms = (CurrencyTerms(currency, off, least),) if off or least else ()
    releases = draw(st.frozensets(st.sampled_from(["r1", "r2", "r3"])))
    coupon = draw(st.sampled_from([None, Reduction("C", percent, terms, releases)]))
    rules = TaxRules(BuiltInRates(), date(2026, 11, 21), draw(st.booleans()), "DE", countries("EU,CH,NO"))
    return wanted, buyer, coupon, rules


def numbers(line: Line) -> dict[str, int]:
    fields = ("list_price", "credit", "discount", "relief", "net", "tax", "gross", "asked")
    return {field: getattr(line, field).minor for field in fields}


@given(carts())
def test_every_line_and_every_total_adds_up(cart: tuple[list[Wanted], Buyer, Reduction | None, TaxRules]) -> None:
    wanted, buyer, coupon, rules = cart
    made = quote(wanted, buyer, coupon, tax=rules)
    assert [line.key for line in made.lines] == [each.key for each in wanted]
    for each, line in zip(wanted, made.lines, strict=True):
        n = numbers(line)
        assert all(value >= 0 for value in n.values())
        assert n["discount"] + n["credit"] <= n["list_price"]
        assert n["net"] + n["tax"] == n["gross"]
        assert n["asked"] == (n["gross"] + n["relief"] if rules.inclusive else n["net"] + n["relief"])
        assert n["credit"] == sum(credit.amount.minor for credit in line.credits)
        assert not each.open_price or n["asked"] >= each.price.minor
        assert n["gross"] % step(made.currency) == 0
    for field in ("list_price", "credit", "discount", "relief", "net", "tax", "gross"):
        assert getattr(made, field).minor == sum(numbers(line)[field] for line in made.lines)
    for field in ("net", "tax", "gross"):
        assert getattr(made, field).minor == sum(getattr(rate, field).minor for rate in made.rates)
    worth = sum(holding.worth for holding in buyer.holdings if holding.paid.currency == made.currency)
    assert made.credit.minor <= worth
    assert (made.coupon is not None) == (made.discount.minor > 0)


@given(carts(), st.randoms())
def test_the_order_of_things_changes_nothing(
    cart: tuple[list[Wanted], Buyer, Reduction | None, TaxRules], random: object
) -> None:
    wanted, buyer, coupon, rules = cart
    straight = quote(wanted, buyer, coupon, tax=rules)
    shuffled = list(wanted)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    turned = Buyer(buyer.billing_country, buyer.ip_country, vat_number=buyer.vat_number, holdings=buyer.holdings[::-1])
    other = quote(shuffled, turned, coupon, tax=rules)
    assert {line.key: line for line in other.lines} == {line.key: line for line in straight.lines}
    assert (other.gross, other.tax, other.rates, other.refusal) == (
        straight.gross,
        straight.tax,
        straight.rates,
        straight.refusal,
    )

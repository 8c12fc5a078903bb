"""Where tax is owed, by whom, and how an amount splits into net and tax.

The buyer's country (Council Implementing Regulation (EU) 282/2011, art. 24b and 24f, and elsewhere by the same means):
two pieces of evidence that agree decide it. Where there is one piece only, it decides, and the basis says `single`.
Where several were gathered and no two agree, the country the buyer declared for billing decides, and the basis says
`conflict`: the card's country, which comes after the payment, may still settle it (`service.add_card_country`), and
until then the sale is one for a person to look at. Where there is nothing at all, the shop's own country decides.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from app.pricing.contract import (
    Agreement,
    Buyer,
    EvidenceKind,
    Place,
    TaxBasis,
    TaxRate,
    TaxRules,
    Treatment,
    Verdict,
)
from app.pricing.rates import EU, vat_country
from app.pricing.rounding import half_up

# Where a business that buys from abroad owes the tax itself (EU: Directive 2006/112/EC art. 196; GB: VAT Act 1994
# s. 8; NO: merverdiavgiftsloven § 11-3). Swiss law has a registered shop charge businesses like anyone.
_REVERSE_CHARGE = EU | {"GB", "NO"}


def settle(buyer: Buyer, rules: TaxRules) -> TaxBasis:
    """Where the buyer is, and what follows for tax."""
    evidence = _evidence(buyer)
    country, agreement = _country(evidence)
    home = vat_country(rules.home)
    country = country or home
    taxed_in, treatment = _treatment(country, home, buyer, rules)
    place = None
    if taxed_in is not None:
        own = taxed_in == country
        place = Place(taxed_in, buyer.region if own else None, buyer.postal_code if own else None)
    return TaxBasis(
        country=country,
        taxed_in=place,
        treatment=treatment,
        agreement=agreement,
        evidence=evidence,
        vat_number=buyer.vat_number,
        vat_answer=buyer.vat_answer,
    )


def inside(amount: int, rate: TaxRate, unit: int = 1) -> int:
    """The tax in an amount that includes it, half up to whole units of so many minor units."""
    percent = Fraction(rate.percent)
    return half_up(amount * percent / (100 + percent) / unit) * unit


def on_top(amount: int, rate: TaxRate, unit: int = 1) -> int:
    """The tax on an amount that is without it, likewise."""
    return half_up(amount * Fraction(rate.percent) / 100 / unit) * unit


def _evidence(buyer: Buyer) -> tuple[tuple[EvidenceKind, str], ...]:
    found = (
        (EvidenceKind.BILLING, vat_country(buyer.billing_country)),
        (EvidenceKind.IP, vat_country(buyer.ip_country)),
        (EvidenceKind.CARD, vat_country(buyer.card_country)),
    )
    return tuple((kind, country) for kind, country in found if country is not None)


def _country(evidence: tuple[tuple[EvidenceKind, str], ...]) -> tuple[str | None, Agreement]:
    if not evidence:
        return None, Agreement.NONE
    most, times = Counter(country for _kind, country in evidence).most_common(1)[0]
    if times > 1:
        return most, Agreement.AGREED
    # The first is the one the buyer declared, where they did.
    return evidence[0][1], Agreement.SINGLE if len(evidence) == 1 else Agreement.CONFLICT


def _treatment(country: str | None, home: str | None, buyer: Buyer, rules: TaxRules) -> tuple[str | None, Treatment]:
    collects = rules.collects_in
    if country is None or not collects:
        return None, Treatment.NOT_COLLECTED
    taxed_in = country
    if country not in collects:
        # A member's shop that isn't in the one-stop shop sells little abroad and owes its own VAT (art. 59c).
        if not (home in EU and country in EU and home in collects):
            return None, Treatment.NOT_COLLECTED
        assert home is not None
        taxed_in = home
    if country != home and country in _REVERSE_CHARGE and _is_business(country, buyer, rules):
        return country, Treatment.REVERSE_CHARGE
    return taxed_in, Treatment.TAXED


def _is_business(country: str, buyer: Buyer, rules: TaxRules) -> bool:
    number = buyer.vat_number
    if number is None or number.country != country or buyer.vat_answer.verdict is Verdict.INVALID:
        return False
    return buyer.vat_answer.verdict is Verdict.VALID or not rules.confirmed_only

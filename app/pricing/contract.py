"""The words of a quote: what is wanted, by whom, under which terms, and what it comes to. Values only, all frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from app.core.errors import WavecrateError
from app.core.money import Money


class Unpriceable(WavecrateError):
    """This can't be priced as it was asked for; the message says what to change."""


class TaxUnknown(Unpriceable):
    """What tax is due can't be said now; the message says what helps. Nobody guesses."""


class EvidenceKind(StrEnum):
    """Where a piece of evidence for the buyer's country comes from."""

    BILLING = "billing"
    IP = "ip"
    CARD = "card"


class Agreement(StrEnum):
    """How far the evidence for the buyer's country agrees."""

    AGREED = "agreed"  # two pieces or more name one country
    SINGLE = "single"  # there is one piece only
    CONFLICT = "conflict"  # there are several, and no two agree
    NONE = "none"


class Treatment(StrEnum):
    """What becomes of tax."""

    TAXED = "taxed"
    REVERSE_CHARGE = "reverse_charge"  # the buyer, a business, owes it to their own country
    NOT_COLLECTED = "not_collected"


class Verdict(StrEnum):
    """What a register says of a VAT number."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"  # nobody was asked, or nobody answered


class Refusal(StrEnum):
    """Why a coupon takes nothing off these things."""

    NOTHING_ELIGIBLE = "nothing_eligible"
    CURRENCY = "currency"
    BELOW_LEAST = "below_least"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing to be priced, in the currency it is to be paid in.

    `key` is the caller's and names the line. `price` is the list price; with `open_price` it is the least, and `named`
    what the buyer gives. `releases` are the releases it is (on), each with its label. `completes` are the tracks whose
    earlier price comes off: none for gifts, tracks and rentals.
    """

    key: str
    offer_id: str
    price: Money
    open_price: bool = False
    named: Money | None = None
    category: str = "audio"
    releases: frozenset[tuple[str, str | None]] = frozenset()
    completes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Holding:
    """A track the buyer owns by itself. `key` names the purchase (an order line).

    `paid` is what was asked for it then after credit and discount, as prices are listed (with tax where they include
    it); `refunded` is the part of it that went back, in the same minor units.
    """

    key: str
    track_id: str
    paid: Money
    refunded: int = 0

    @property
    def worth(self) -> int:
        """What is still paid for it, in minor units; never below zero."""
        return max(0, self.paid.minor - self.refunded)


@dataclass(frozen=True, slots=True)
class Place:
    """Where tax is due: an ISO 3166 country; the others where a table wants them (states of the USA)."""

    country: str
    region: str | None = None
    postal_code: str | None = None


@dataclass(frozen=True, slots=True)
class VatNumber:
    """A VAT number whose format and check digits are right: with its prefix, without blanks; and its ISO country."""

    number: str
    country: str


@dataclass(frozen=True, slots=True)
class VatAnswer:
    """What a register said, when (ISO 8601) and under which reference."""

    verdict: Verdict
    source: str
    asked_at: str | None = None
    reference: str | None = None
    name: str | None = None


NOT_ASKED = VatAnswer(Verdict.UNKNOWN, "not asked")


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who buys. Countries are ISO 3166 alpha-2; what isn't known is None."""

    billing_country: str | None = None
    ip_country: str | None = None
    card_country: str | None = None
    region: str | None = None
    postal_code: str | None = None
    vat_number: VatNumber | None = None
    vat_answer: VatAnswer = NOT_ASKED
    holdings: tuple[Holding, ...] = ()


@dataclass(frozen=True, slots=True)
class CurrencyTerms:
    """A coupon in one currency, in minor units: what it takes off (None: a percentage), and the least order."""

    currency: str
    off: int | None = None
    least: int | None = None


@dataclass(frozen=True, slots=True)
class Reduction:
    """What a coupon does, once it is known that this buyer may use it (`coupons.check`).

    With releases or labels it counts for those only; with currencies it holds only in those.
    """

    code: str
    percent: Decimal | None = None
    currencies: tuple[CurrencyTerms, ...] = ()
    release_ids: frozenset[str] = frozenset()
    label_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A rate in percent, the country it belongs to and what the tax is called there."""

    country: str
    percent: Decimal
    name: str = "VAT"


class TaxTable(Protocol):
    """Rates by place, day and category ("audio", "film"): the built-in table, or an adapter of a tax service.

    An adapter that asks over the network reads everything before a quote is made and answers from what it read: quotes
    are made inside transactions.
    """

    def rate_for(self, place: Place, on: date, category: str) -> TaxRate | None:
        """The rate, or None where no tax is due; a table that should know and doesn't raises TaxUnknown."""
        ...


@dataclass(frozen=True, slots=True)
class TaxRules:
    """How the shop taxes: `inclusive` prices hold the tax; `home` is its country; it collects in `collects_in`."""

    table: TaxTable
    on: date
    inclusive: bool = True
    home: str | None = None
    collects_in: frozenset[str] = frozenset()
    confirmed_only: bool = False


@dataclass(frozen=True, slots=True)
class TaxBasis:
    """Why a quote is taxed as it is: to be kept with the order.

    `country` is the buyer's; `taxed_in` where the tax is owed, None where none is collected.
    """

    country: str | None
    taxed_in: Place | None
    treatment: Treatment
    agreement: Agreement
    evidence: tuple[tuple[EvidenceKind, str], ...] = ()
    vat_number: VatNumber | None = None
    vat_answer: VatAnswer = NOT_ASKED


@dataclass(frozen=True, slots=True)
class Credit:
    """Part of what was paid for a track, taken off its album. `holding` is the purchase's key: a refund of that
    purchase gives back only what wasn't credited."""

    holding: str
    track_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Line:
    """One priced thing. list - credit - discount = asked; net + tax = gross.

    Inclusive prices: gross is what is asked, less `relief`, the tax that a reverse charge leaves out. Exclusive: net is
    what is asked.
    """

    key: str
    offer_id: str
    list_price: Money
    credit: Money
    discount: Money
    relief: Money
    net: Money
    tax: Money
    gross: Money
    rate: TaxRate | None
    credits: tuple[Credit, ...] = ()

    @property
    def asked(self) -> Money:
        """What the list asks after credit and discount; what a later `Holding.paid` says."""
        return Money(self.list_price.minor - self.credit.minor - self.discount.minor, self.list_price.currency)


@dataclass(frozen=True, slots=True)
class RateTotal:
    """All lines of one rate; None: lines without tax."""

    rate: TaxRate | None
    net: Money
    tax: Money
    gross: Money


@dataclass(frozen=True, slots=True)
class Quote:
    """What everything comes to: each total is the sum of its lines to the minor unit, `gross` is what is paid."""

    currency: str
    inclusive: bool
    lines: tuple[Line, ...]
    list_price: Money
    credit: Money
    discount: Money
    relief: Money
    net: Money
    tax: Money
    gross: Money
    rates: tuple[RateTotal, ...]
    basis: TaxBasis
    coupon: str | None = None
    refusal: Refusal | None = None

    @property
    def is_free(self) -> bool:
        """Whether there is nothing to pay: an order without a payment."""
        return self.gross.minor == 0

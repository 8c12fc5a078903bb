"""Invoices and credit notes: what one says, whether it adds up, and how it is kept as facts.

The figures come from whoever sold; nothing is worked out here, but what does not add up is refused. From the same data
`render` makes the same bytes, so an invoice is kept as its facts and drawn whenever somebody asks for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from app.core.errors import WavecrateError
from app.core.money import Money


class BadInvoice(WavecrateError, ValueError):
    """The figures do not add up, or something an invoice must say is missing."""


@dataclass(frozen=True, slots=True)
class Party:
    """A seller or a buyer, as they are to be addressed. A guest may be no more than an e-mail address."""

    name: str
    address: tuple[str, ...] = ()
    vat_id: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One thing sold: amounts in minor units for the whole line, the tax rate in percent."""

    title: str
    quantity: int
    net: int
    tax_rate: Decimal
    tax: int
    gross: int


@dataclass(frozen=True, slots=True)
class TaxTotal:
    """What all lines of one rate come to."""

    rate: Decimal
    net: int
    tax: int


@dataclass(frozen=True, slots=True)
class InvoiceData:
    """Everything an invoice says. With `corrects`, the number of an invoice, it is the credit note for that one.

    Amounts are integers of `currency`'s minor units, positive on credit notes too. `reverse_charge` prints the sentence
    the law asks for; `notes` are printed as they are.
    """

    number: str
    issued_on: date
    supplied_on: date
    seller: Party
    buyer: Party
    currency: str
    lines: tuple[InvoiceLine, ...]
    tax_totals: tuple[TaxTotal, ...]
    locale: str = "en"
    order_number: str | None = None
    corrects: str | None = None
    reverse_charge: bool = False
    paid_by: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Money(0, self.currency)
        if not (self.number.strip() and self.seller.name.strip() and self.lines):
            raise BadInvoice("An invoice has a number, a seller and at least one line.")
        for line in self.lines:
            if line.net + line.tax != line.gross:
                raise BadInvoice(f"{line.title!r}: {line.net} and {line.tax} tax are not {line.gross}.")
        rates = {line.tax_rate for line in self.lines}
        if len(rates) != len(self.tax_totals) or rates != {total.rate for total in self.tax_totals}:
            raise BadInvoice("There must be one total for each tax rate.")
        for total in self.tax_totals:
            lines = [line for line in self.lines if line.tax_rate == total.rate]
            if (sum(line.net for line in lines), sum(line.tax for line in lines)) != (total.net, total.tax):
                raise BadInvoice(f"The lines at {total.rate} % do not come to their total.")
        if self.reverse_charge and any(total.tax for total in self.tax_totals):
            raise BadInvoice("With reverse charge the buyer owes the tax: none may be charged.")

    @property
    def is_credit_note(self) -> bool:
        """Whether it gives back what an invoice charged."""
        return self.corrects is not None

    @property
    def net(self) -> Money:
        """All lines without tax."""
        return Money(sum(line.net for line in self.lines), self.currency)

    @property
    def tax(self) -> Money:
        """All tax."""
        return Money(sum(line.tax for line in self.lines), self.currency)

    @property
    def gross(self) -> Money:
        """What is paid, or given back."""
        return Money(sum(line.gross for line in self.lines), self.currency)


_FACTS = TypeAdapter(InvoiceData)


def to_facts(data: InvoiceData) -> dict[str, Any]:
    """What JSON can hold of it, all of it."""
    facts: dict[str, Any] = _FACTS.dump_python(data, mode="json")
    return facts


def from_facts(facts: dict[str, Any]) -> InvoiceData:
    """The same again. Facts of a newer release, which this one cannot know, are left out."""
    known = {field.name for field in fields(InvoiceData)}
    return _FACTS.validate_python({name: value for name, value in facts.items() if name in known})


def filename(data: InvoiceData) -> str:
    """What to call the file: ASCII, whatever the number holds."""
    number = re.sub(r"[^A-Za-z0-9]+", "-", data.number).strip("-") or "document"
    return f"{'credit-note' if data.is_credit_note else 'invoice'}-{number}.pdf"


def render(data: InvoiceData) -> bytes:
    """The PDF, in the data's locale; within an application context, since its words are translated."""
    from app.letters import invoice_page  # the page draws what is defined here

    return invoice_page.draw(data)

"""An invoice on paper: A4, as many pages as it takes, archivable and readable aloud, no clock read."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pylopdf_fonts_zh_cn
import typst
from flask import current_app
from flask_babel import force_locale, format_date
from flask_babel import gettext as _

from app.core.money import Money
from app.letters.invoice import InvoiceData, Party

# Archivable (ISO 19005-2, level A) and accessible (ISO 14289-1).
_STANDARDS: list[Any] = ["a-2a", "ua-1"]
_LANG = {"en": "en", "zh_Hans": "zh"}


def draw(data: InvoiceData) -> bytes:
    """The PDF of an invoice or a credit note.

    Where a name holds what no font here can draw, it shows a box in that place and promises no standard.
    """
    with force_locale(data.locale):
        facts = json.dumps(_facts(data), ensure_ascii=True, sort_keys=True)
    # Typst brings Libertinus Serif along; Chinese comes from Noto Serif SC. The machine’s own fonts play no part.
    compiler = typst.Compiler(
        Path(str(current_app.root_path)) / "templates" / "letters" / "invoice.typ",
        font_paths=[pylopdf_fonts_zh_cn.serif_path().parent],
        ignore_system_fonts=True,
        sys_inputs={"facts": facts},
    )
    drawn_at = datetime.combine(data.issued_on, time(), UTC)
    try:
        made = compiler.compile(format="pdf", pdf_standards=_STANDARDS, timestamp=drawn_at)
    except typst.TypstError:
        made = compiler.compile(format="pdf", timestamp=drawn_at)
    assert isinstance(made, bytes)
    return made


def _facts(data: InvoiceData) -> dict[str, Any]:
    def amount(minor: int) -> str:
        return Money(minor, data.currency).format(data.locale)

    name = _("Credit note") if data.is_credit_note else _("Invoice")
    foot = (data.seller.name, _vat(data.seller), f"{name} {data.number}")
    facts = (
        (_("Date of issue"), _day(data.issued_on)),
        (_("Date of supply"), _day(data.supplied_on)),
        (_("Order number"), data.order_number),
        (_("Corrects invoice"), data.corrects),
        (_("Paid by"), data.paid_by),
    )
    taxes = (
        (_("Tax at %(rate)s on %(net)s", rate=_percent(total.rate), net=amount(total.net)), amount(total.tax))
        for total in data.tax_totals
    )
    return {
        "name": name,
        "number": _shown(data.number),
        "lang": _LANG[data.locale],
        "foot": _shown(" · ".join(part for part in foot if part)),
        "seller": _party(data.seller),
        "buyer": _party(data.buyer),
        "facts": [[label, _shown(value)] for label, value in facts if value],
        "lines": [
            [
                _shown(line.title),
                str(line.quantity),
                amount(line.net),
                _percent(line.tax_rate),
                amount(line.tax),
                amount(line.gross),
            ]
            for line in data.lines
        ],
        "totals": [[_("Total without tax"), amount(data.net.minor)], *(list(tax) for tax in taxes)],
        "last": [_("Total credited") if data.is_credit_note else _("Total"), amount(data.gross.minor)],
        "notes": [_shown(note) for note in _notes(data)],
        "words": {
            "from": _("Seller"),
            "to": _("Buyer"),
            "page": _("Page %(number)s of %(pages)s", number="{number}", pages="{pages}"),
            "columns": [_("Title"), _("Quantity"), _("Net"), _("Tax rate"), _("Tax"), _("Total")],
        },
    }


def _party(party: Party) -> dict[str, Any]:
    lines = [_shown(line) for line in (*party.address, _vat(party)) if line]
    return {"name": _shown(party.name), "lines": lines}


def _vat(party: Party) -> str:
    return _("VAT number %(number)s", number=party.vat_id) if party.vat_id else ""


def _notes(data: InvoiceData) -> list[str]:
    notes = list(data.notes)
    if data.reverse_charge:
        # Its name must stand there whatever the language (Directive 2006/112/EC, Article 226, 11a).
        notes.insert(0, _("Reverse charge: the buyer owes the tax (Article 196 of Directive 2006/112/EC)."))
    if data.is_credit_note:
        notes.append(_("This document takes back what the invoice named above charged, as far as its lines say."))
    return notes


def _shown(text: str) -> str:
    """The text on one line, without what cannot be seen: such characters have no place in an archived document."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _day(day: date) -> str:
    return str(format_date(day, "long", rebase=False))


def _percent(rate: Decimal) -> str:
    """20 %, 5.5 %: as many decimals as it has."""
    return f"{rate.normalize():f} %"

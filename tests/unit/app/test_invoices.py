"""Invoices: they add up or are refused, and what a PDF reader finds in them is what they say."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pypdfium2
import pytest
from flask import Flask
from support.letter_samples import invoice_data

from app.factory import create_app
from app.letters import invoice
from app.letters.invoice import BadInvoice, InvoiceData, InvoiceLine, Party, TaxTotal
from app.settings import ROOT, Settings

_DRAW = """
import hashlib, sys
sys.path[:0] = ["tests"]
from support.letter_samples import invoice_data
from app.factory import create_app
from app.letters import invoice
from app.settings import Settings
from tests.unit.app.test_invoices import SETTINGS
with create_app(Settings(**SETTINGS)).app_context():
    print(hashlib.sha256(invoice.render(invoice_data(60))).hexdigest())
"""

SETTINGS = {
    "database_url": "postgresql://nowhere/shop",
    "s3_endpoint_url": "http://127.0.0.1:9",
    "s3_access_key": "a",
    "s3_secret_key": "b",
    "secret_key": "x" * 20,
    "signing_secret": "x" * 20,
    "stripe_webhook_secret": "x" * 20,
}


@pytest.fixture(scope="module", autouse=True)
def shop() -> Iterator[Flask]:
    """Its words and its templates; no server of it is needed."""
    made = create_app(Settings(**SETTINGS))
    with made.app_context():
        yield made


def _pages(data: InvoiceData) -> list[str]:
    """What PDFium reads on each page."""
    document = pypdfium2.PdfDocument(invoice.render(data))
    return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in document]


def test_an_invoice_says_everything_it_must() -> None:
    [page] = _pages(invoice_data(2))
    for said in (
        "Invoice\n2026-1001",
        "Tidewater Tonträger GmbH",
        "20457 Hamburg",
        "VAT number DE123456789",
        "林小雨",
        "人民路 1 号",
        "November 21, 2026",
        "November 20, 2026",
        "Harbour Lights 1 €8.32 19 % €1.58 €9.90",
        "夜航 1 €8.32 19 % €1.58 €9.90",
        "Total without tax €16.64",
        "Tax at 19 % on €16.64 €3.16",
        "Total €19.80",
        "Page 1 of 1",
    ):
        assert said in page


def test_it_writes_numbers_and_days_as_its_reader_does() -> None:
    [page] = _pages(invoice_data(1, locale="zh_Hans"))
    assert "2026" in page
    assert "月" in page
    [page] = _pages(
        invoice_data(
            1,
            currency="KWD",
            lines=(InvoiceLine("Ebb", 2, 1234, Decimal(0), 0, 1234),),
            tax_totals=(TaxTotal(Decimal(0), 1234, 0),),
        )
    )
    assert "TotalKWD1.234" in "".join(page.split())


def test_sixty_lines_take_several_pages_each_with_its_heads() -> None:
    titles = tuple(f"{number}. 港口灯火 Harbour Lights" for number in range(1, 61))
    pages = _pages(invoice_data(60, titles=titles))
    assert len(pages) >= 2
    for number, page in enumerate(pages, 1):
        assert "Title Quantity Net Tax rate Tax Total" in page
        assert f"Page {number} of {len(pages)}" in page
    whole = "\n".join(pages)
    assert [title for title in titles if f"{title} 1 €8.32 19 % €1.58 €9.90" not in whole] == []
    assert "Total €594.00" in pages[-1]


@pytest.mark.parametrize("title", ["A title of many words " * 14, "港口灯火与退潮之后的钟浮标" * 20, "Wavecrate" * 30])
def test_a_long_title_wraps_and_loses_nothing(title: str) -> None:
    pages = _pages(invoice_data(1, titles=(title,)))
    read = "".join("".join(pages).split())
    assert "".join(title.split()) in read.replace("\u200b", "")  # where a word without end may break
    assert "1€8.3219%€1.58€9.90" in read


@pytest.mark.parametrize(
    "text",
    ["#strong[x] $y$ @z <b> \\u{41} // c", "محمد", "Łukasz Żak", "สวัสดี", "😀", "a\x00b\u202ec\nd", "*a* _b_ `c`"],
)
def test_whatever_people_are_called_the_invoice_is_made_and_is_text(text: str) -> None:
    pages = _pages(invoice_data(1, titles=(text,), buyer=Party(text, (text,), text), notes=(text,)))
    assert "Total €9.90" in pages[0]
    if text.isascii() and text.isprintable():
        assert pages[0].count(text) == 5  # the title, the name, the address, the VAT number, the note


def test_the_same_data_makes_the_same_bytes_in_whatever_process() -> None:
    data = invoice_data(60)
    assert invoice.render(data) == invoice.render(invoice.from_facts(invoice.to_facts(data)))
    digests = {
        subprocess.run(
            [sys.executable, "-c", _DRAW],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Shanghai"))
    }
    assert len(digests) == 1


def test_it_is_archivable_and_its_fonts_are_inside() -> None:
    drawn = invoice.render(invoice_data(2))
    assert b"<pdfaid:part>2</pdfaid:part>" in drawn
    assert b"<pdfuaid:part>1</pdfuaid:part>" in drawn
    assert drawn.count(b"/FontFile3") >= 2


def test_a_credit_note_names_the_invoice_it_corrects() -> None:
    data = invoice_data(1, number="2026-1002", corrects="2026-1001")
    [page] = _pages(data)
    assert "Credit note\n2026-1002" in page
    assert "Corrects invoice 2026-1001" in page
    assert "Total credited €9.90" in page
    assert invoice.filename(data) == "credit-note-2026-1002.pdf"


def test_reverse_charge_is_said_and_bears_no_tax() -> None:
    free = {
        "lines": (InvoiceLine("Ebb", 1, 832, Decimal(0), 0, 832),),
        "tax_totals": (TaxTotal(Decimal(0), 832, 0),),
        "reverse_charge": True,
    }
    [page] = _pages(invoice_data(1, buyer=Party("Kay GmbH", (), "ATU12345678"), **free))
    assert "Reverse charge" in page
    with pytest.raises(BadInvoice, match="reverse charge"):
        invoice_data(1, reverse_charge=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": ()},
        {"number": " "},
        {"seller": Party("")},
        {"lines": (InvoiceLine("Ebb", 1, 832, Decimal(19), 158, 991),)},
        {"tax_totals": ()},
        {"tax_totals": (TaxTotal(Decimal(19), 1664, 317),)},
        {"tax_totals": (TaxTotal(Decimal(19), 1664, 316), TaxTotal(Decimal(7), 0, 0))},
        {"tax_totals": (TaxTotal(Decimal(7), 1664, 316),)},
    ],
)
def test_figures_that_do_not_add_up_are_refused(changes: dict) -> None:
    with pytest.raises(BadInvoice):
        invoice_data(2, **changes)


def test_facts_of_a_newer_release_are_read_without_what_is_unknown() -> None:
    data = invoice_data(2, corrects="2026-1", notes=("Thank you",), paid_by="Visa")
    facts = invoice.to_facts(data) | {"invented_later": 1}
    assert invoice.from_facts(facts) == data
    assert dataclasses.replace(data, issued_on=date(2027, 1, 1)) != data


@pytest.mark.parametrize(
    ("number", "name"), [("2026/7 ü", "invoice-2026-7.pdf"), ('"; x', "invoice-x.pdf"), ("号", "invoice-document.pdf")]
)
def test_a_file_name_is_plain_whatever_the_number(number: str, name: str) -> None:
    assert invoice.filename(invoice_data(1, number=number)) == name

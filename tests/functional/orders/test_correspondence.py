"""What is written about an order: said once, to the buyer, in their language, with an invoice that agrees with it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pypdfium2
import pytest
from flask import Flask
from support import orders, rows
from support.orders import Sold

from app.accounts.models import Account
from app.core import clock, codes
from app.core.db import db, transaction
from app.core.money import Money
from app.letters import invoice as paper
from app.letters import rendering
from app.letters.models import Letter
from app.licenses import service as licenses
from app.orders import cases, claims, correspondence, invoices, waiting
from app.orders.models import CaseKind, Order, OrderRefund, OrderState, RefundOrigin, RefundState

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def write(what: object, *arguments: object, **more: object) -> None:
    with transaction():
        what(*arguments, **more)  # type: ignore[operator]


def only(kind: str) -> Letter:
    [letter] = orders.written(kind)
    return letter


def said(letter: Letter) -> str:
    """Both forms of the letter, as they will be read."""
    words = rendering.write(letter)
    return f"{words.subject}\n{words.text}\n{words.html}"


def invoice_of(letter: Letter) -> paper.InvoiceData:
    [facts] = letter.attachments
    return paper.from_facts(facts)


def printed(data: paper.InvoiceData) -> str:
    return "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(paper.render(data)))


def refund(order: Order, minor: int, lines: dict[str, int], **more: object) -> OrderRefund:
    values = {"origin": RefundOrigin.CUSTOMER, "payment_id": order.payment_id, "state": RefundState.DONE} | more
    made = OrderRefund(
        order_id=order.id,
        reason="asked",
        currency=order.currency,
        amount_minor=minor,
        lines=lines,
        settled_at=clock.now(),
        **values,
    )
    db.session.add(made)
    db.session.commit()
    return made


# Paid


def test_a_receipt_says_what_was_bought_and_brings_the_invoice(app: Flask) -> None:
    ada = rows.account("Ada")
    made = orders.order(
        Sold(rows.release("Tides")),
        Sold(rows.release("Small Hours"), 500, 0),
        account=ada,
        billing={"name": "Ada L", "address": ["1 Quay", "5003 Bergen"], "country": "NO", "vat_id": "NO123"},
    )
    write(correspondence.receipt, made)
    write(correspondence.receipt, made)
    letter = only("receipt")
    assert (letter.to_address, letter.locale, letter.account_id) == (ada.email, "en", ada.id)
    text = said(letter)
    for words in ("Hello Ada,", "Tides – Mira Sol", "€9.90", "€14.90", "it’s yours", "The invoice is attached"):
        assert words in text
    assert f"{app.extensions['settings'].base_url}/orders/{made.id}" in text
    data = invoice_of(letter)
    assert data == invoices.invoice(made)
    assert (data.number, data.order_number, data.paid_by) == (f"INV-{made.number}", str(made.number), "Card")
    assert data.buyer == paper.Party("Ada L", ("1 Quay", "5003 Bergen", "Norway", ada.email), "NO123")
    assert [(line.title, line.net, line.tax, line.gross, line.tax_rate) for line in data.lines] == [
        ("Tides – Mira Sol", 832, 158, 990, Decimal(19)),
        ("Small Hours – Mira Sol", 500, 0, 500, Decimal(0)),
    ]
    assert [(total.rate, total.net, total.tax) for total in data.tax_totals] == [
        (Decimal(0), 500, 0),
        (Decimal(19), 832, 158),
    ]
    assert (data.gross, data.reverse_charge, data.corrects) == (made.total, False, None)


def test_a_receipt_is_in_the_buyers_language_and_so_is_the_invoice(app: Flask) -> None:
    made = orders.order(Sold(rows.release()), account=rows.account("林小雨"), locale="zh_Hans")
    write(correspondence.receipt, made)
    letter = only("receipt")
    assert letter.locale == "zh_Hans"
    assert "林小雨" in said(letter)
    text = printed(invoice_of(letter))
    assert "发票" in text


def test_with_reverse_charge_the_invoice_says_who_owes_the_tax(app: Flask) -> None:
    made = orders.order(
        Sold(rows.release(), 832, 0), account=rows.account(), reverse_charge=True, billing={"vat_id": "ATU12345678"}
    )
    data = invoices.invoice(made)
    assert (data.reverse_charge, data.tax.minor, data.buyer.vat_id) == (True, 0, "ATU12345678")
    assert "Article 196" in printed(data)


def test_what_cost_nothing_has_a_receipt_and_no_invoice(app: Flask) -> None:
    made = orders.order(Sold(rows.release(), 0, 0), account=rows.account())
    write(correspondence.receipt, made)
    letter = only("receipt")
    assert letter.attachments == []
    assert "There was nothing to pay." in said(letter)
    assert "invoice" not in said(letter)


def test_a_receipt_says_when_what_is_not_out_yet_opens_and_where_gifts_go(app: Flask) -> None:
    release = rows.release("Soon")
    release.released_on = date(2031, 5, 3)
    db.session.commit()
    made = orders.order(
        Sold(release),
        Sold(rows.release("Given"), gift_to="kay@example.org", gift_on=date(2031, 12, 24)),
        account=rows.account(),
    )
    write(correspondence.receipt, made)
    text = said(only("receipt"))
    assert "3 May 2031" in text
    assert "kay@example.org" in text
    assert "24 December 2031" in text
    assert "it’s yours" not in text
    assert "Soon – Mira Sol" in invoice_of(only("receipt")).notes[0]


def test_a_guest_gets_a_receipt_to_pass_on_and_a_letter_to_keep(app: Flask) -> None:
    made = orders.claimable(
        Sold(rows.release("Tides")),
        Sold(rows.release("Given"), gift_to="kay@example.org"),
        email="guest@example.org",
        billing={"name": "Gus"},
    )
    write(correspondence.receipt, made)
    receipt, guest = only("receipt"), only("guest_order")
    assert receipt.to_address == guest.to_address == "guest@example.org"
    assert "Hello Gus," in said(receipt)
    assert "Another letter from us has the link" in said(receipt)
    assert "/claims/" not in said(receipt)
    [waits] = [each for each in waiting.of_order(made.id) if each.line_id is None]
    assert waiting.letter_link(waits) in said(guest)
    assert "Tides" in said(guest)
    assert "Given" not in said(guest)
    assert "€9.90" in said(guest)


def test_an_order_that_waits_for_its_payment_is_told_so_and_one_that_is_paid_is_not(app: Flask) -> None:
    made = orders.order(Sold(rows.release()), account=rows.account())
    write(correspondence.placed, made)
    assert orders.written() == []
    made.state, made.paid_at = OrderState.PENDING, None
    for _time in range(2):
        write(correspondence.placed, made)
        write(correspondence.payment_failed, made)
    assert "as soon as the money has arrived" in said(only("order_placed"))
    assert "€9.90" in said(only("payment_failed"))
    assert said(only("payment_failed")).count("/cart") >= 2


def test_who_is_forgotten_is_not_written_to(app: Flask) -> None:
    ada = rows.account()
    made = orders.order(Sold(rows.release()), account=ada)
    ada.closed_at, made.email = clock.now(), ""
    db.session.commit()
    write(correspondence.receipt, made)
    assert orders.written() == []
    made.email = "still@example.org"
    write(correspondence.receipt, made)
    assert only("receipt").to_address == "still@example.org"


# Gifts


def test_the_gift_letter_has_giver_message_link_and_code(app: Flask) -> None:
    found = orders.gift(
        rows.release("Tides"),
        giver=rows.account("Ada"),
        more={"gift_from": "Aunt <Ada>", "gift_message": "Happy day!\nYours"},
    )
    letter = only("gift")
    assert (letter.to_address, letter.account_id) == ("friend@example.org", None)
    text = said(letter)
    assert "Aunt <Ada>" in text
    assert "Aunt &lt;Ada&gt;" in text
    for words in ("Tides – Mira Sol", "> Happy day!", waiting.link(found), codes.spelled(found.code)):
        assert words in text
    assert "9.90" not in text


def test_a_gift_that_is_not_out_yet_says_when_it_plays(app: Flask) -> None:
    release = rows.release("Soon")
    release.released_on = date(2031, 5, 3)
    db.session.commit()
    orders.gift(release)
    assert "It comes out on 3 May 2031" in said(only("gift"))


def test_the_giver_learns_that_it_was_unwrapped_once(app: Flask) -> None:
    ada = rows.account("Ada")
    found, kay = orders.gift(giver=ada), rows.account("Kay")
    for _time in range(2):
        with transaction():
            claims.claim(found.id, kay)
    text = said(only("gift_claimed"))
    assert only("gift_claimed").to_address == ada.email
    assert "friend@example.org has unwrapped your gift" in text
    assert "Kay" not in text


# Given back


def test_a_whole_refund_says_what_left_and_credits_the_invoice(app: Flask) -> None:
    made = orders.order(Sold(rows.release("Tides")), account=rows.account())
    orders.give_back(made, made.lines[0], 990, "re_9", tax=158)
    row = refund(made, 990, {made.lines[0].id: 990}, gateway_id="re_9")
    for _time in range(2):
        write(correspondence.refunded, made, row, row.amount)
    letter = only("refund")
    text = said(letter)
    for words in ("refunded", "We have given back the €9.90 you paid", "This has left your library", "credit note"):
        assert words in text
    note = invoice_of(letter)
    assert (note.number, note.corrects) == (f"CN-{made.number}-1", f"INV-{made.number}")
    assert (note.net.minor, note.tax.minor, note.gross) == (832, 158, made.total)


def test_a_credit_note_says_what_the_ledger_says(app: Flask) -> None:
    """Half a cent goes where the books put it, also where sharing out anew would put it elsewhere."""
    made = orders.order(Sold(rows.release("Tides")), account=rows.account())
    orders.give_back(made, made.lines[0], 330, "re_1", tax=50)
    row = refund(made, 330, {made.lines[0].id: 330}, gateway_id="re_1")
    write(correspondence.refunded, made, row, row.amount)
    note = invoice_of(only("refund"))
    assert [(line.net, line.tax, line.gross) for line in note.lines] == [(280, 50, 330)]
    text = said(only("refund"))
    assert "We have given back €3.30 of the €9.90 you paid" in text
    assert "left your library" not in text


def test_two_refunds_of_one_line_take_it_with_the_second_and_their_notes_have_numbers_of_their_own(app: Flask) -> None:
    made = orders.order(Sold(rows.release("A")), Sold(rows.release("B")), account=rows.account())
    line = made.lines[0]
    for number, (minor, tax) in enumerate(((330, 53), (660, 105)), 1):
        orders.give_back(made, line, minor, f"re_{number}", tax=tax)
        row = refund(made, minor, {line.id: minor}, gateway_id=f"re_{number}")
        write(correspondence.refunded, made, row, row.amount)
    first, second = orders.written("refund")
    assert [invoice_of(each).number for each in (first, second)] == [f"CN-{made.number}-1", f"CN-{made.number}-2"]
    assert "left your library" not in said(first)
    assert "This has left your library" in said(second)
    assert "B – Mira Sol" not in said(second)
    total = invoice_of(first).tax.minor + invoice_of(second).tax.minor
    assert total == line.tax_minor


def test_a_second_payment_is_no_business_of_the_invoice(app: Flask) -> None:
    made = orders.order(Sold(rows.release("Tides")), account=rows.account())
    row = refund(made, 990, {}, origin=RefundOrigin.DUPLICATE, payment_id="pi_second", gateway_id="re_2")
    write(correspondence.refunded, made, row, row.amount)
    letter = only("refund")
    assert letter.attachments == []
    assert "You paid for the same thing twice" in said(letter)
    assert "left your library" not in said(letter)


def test_refunds_made_at_the_gateway_are_told_one_by_one(app: Flask) -> None:
    made = orders.order(Sold(rows.release("A")), Sold(rows.release("B"), 510, 0), account=rows.account())
    for reference in ("re_abcdefgh1", "re_abcdefgh2", "re_abcdefgh1"):
        write(correspondence.refunded, made, None, Money(500, "EUR"), reference=reference)
    letters = orders.written("refund")
    assert len(letters) == 2
    notes = [invoice_of(letter) for letter in letters]
    assert len({note.number for note in notes}) == 2
    assert [note.gross.minor for note in notes] == [500, 500]
    assert [line.gross for line in notes[0].lines] == [330, 170]


def test_a_refunded_gift_has_left_nobodys_library(app: Flask) -> None:
    found = orders.gift()
    orders.give_back(found.order, found.order.lines[0], 990, "re_9", tax=158)
    row = refund(found.order, 990, {str(found.line_id): 990}, gateway_id="re_9")
    write(correspondence.refunded, found.order, row, row.amount)
    assert "left your library" not in said(only("refund"))
    assert len(only("refund").attachments) == 1


# What came out


def awaited(title: str, *, days: int = 3) -> rows.Release:
    release = rows.release(title, 2, title_zh=f"{title}（中）")
    release.released_on = orders.in_days(days)
    db.session.commit()
    return release


def test_everybody_who_waited_is_told_on_the_day_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    release, later = awaited("Soon"), awaited("Later", days=30)
    ada, lin, kay = rows.account("Ada"), rows.account("林"), rows.account("Kay")
    orders.order(Sold(release), Sold(later), account=ada)
    orders.order(Sold(release.tracks[0]), Sold(release.tracks[1]), account=lin, locale="zh_Hans")
    orders.claimable(Sold(release), email="guest@example.org")
    given, unclaimed = orders.gift(release), orders.gift(release)
    with transaction():
        claims.claim(given.id, kay)
    lost = orders.order(Sold(release), account=rows.account())
    licenses.set_standing(lost.lines[0].id, False, "refunded")
    db.session.commit()
    day = NOW.replace(hour=0, minute=0) + timedelta(days=3)
    monkeypatch.setattr(clock, "now", lambda: day)
    orders.order(Sold(release), account=rows.account("Late"))
    for moment, told in ((day - timedelta(minutes=1), 0), (day, 4), (day + timedelta(hours=1), 0)):
        with transaction():
            assert correspondence.preorders_out(moment) == told
    letters = {letter.to_address: letter for letter in orders.written("preorder_released")}
    assert set(letters) == {ada.email, lin.email, "guest@example.org", kay.email}
    assert "It’s out: Soon" in said(letters[ada.email])
    assert f"/releases/{release.id}" in said(letters[ada.email])
    assert "Soon（中）" in said(letters[lin.email])
    assert "You have not taken it into an account yet" in said(letters["guest@example.org"])
    assert "/claims/" in said(letters["guest@example.org"])
    assert unclaimed.to_email not in letters


def test_word_of_what_came_out_is_not_sent_weeks_late_nor_of_what_is_hidden(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    hidden, old = awaited("Hidden"), awaited("Old")
    both = orders.bundle(hidden, old)
    orders.order(Sold(both), account=rows.account())
    hidden.status, hidden.published_at = "draft", None
    db.session.commit()
    with transaction():
        assert correspondence.preorders_out(NOW + timedelta(days=20)) == 0
        assert correspondence.preorders_out(NOW + timedelta(days=4)) == 1
    assert only("preorder_released").context["title"] == "Old"


# Cases


def test_the_operator_is_told_of_a_dispute_and_of_a_case(app: Flask) -> None:
    made = orders.order(Sold(rows.release()), account=rows.account())
    with transaction():
        cases.raise_case(
            CaseKind.DISPUTE, "dispute:dp_1", order_id=made.id, facts={"amount": "9.90 EUR", "reason": "fraudulent"}
        )
        cases.raise_case(
            CaseKind.MISMATCH,
            "payment:pi_1",
            order_id=made.id,
            payment_id="pi_1",
            facts={"expected": "9.90 EUR", "found": "0.01 EUR"},
        )
        cases.raise_case(CaseKind.BOOKS, "books:1", facts={"surprise": 3})
    dispute = only("dispute")
    assert dispute.to_address == app.extensions["settings"].mail_from
    for words in ("€9.90", "fraudulent", str(made.number)):
        assert words in said(dispute)
    assert "Answer by" not in said(dispute)
    mismatch, books = orders.written("case")
    for words in ("9.90 EUR", "0.01 EUR", "pi_1", "A payment is not what was ordered", "/staff/cases/"):
        assert words in said(mismatch)
    for words in ("Expected: 9.90 EUR", "Found: 0.01 EUR", "Payment: pi_1"):
        assert words in said(mismatch)
    assert "None" not in said(books)
    assert "surprise: 3" in said(books)


def test_what_a_case_is_about_is_told_in_words(app: Flask) -> None:
    words = {
        "expected": "Expected",
        "found": "Found",
        "amount": "Amount",
        "reason": "Reason",
        "error": "What went wrong",
        "billing": "Billing country",
        "card": "Card’s country",
    }
    with transaction():
        cases.raise_case(CaseKind.BOOKS, "books:1", facts={name: f"this {name}" for name in words})
    [letter] = orders.written("case")
    for name, word in words.items():
        assert f"{word}: this {name}" in said(letter)


def test_a_credit_note_of_what_the_books_do_not_have_yet_takes_back_the_lines_that_were_asked_for(app: Flask) -> None:
    made = orders.order(Sold(rows.release("Tides")), Sold(rows.release("Mains")), account=rows.account())
    row = refund(made, 330, {made.lines[1].id: 330}, gateway_id="re_1")
    [(found, data)] = invoices.credit_notes(made)
    assert found is row
    assert [(line.title, line.gross) for line in data.lines] == [("Mains – Mira Sol", 330)]


@pytest.mark.parametrize("kind", list(CaseKind))
def test_there_are_words_for_every_kind_of_case(app: Flask, kind: CaseKind) -> None:
    with transaction():
        cases.raise_case(kind, f"{kind}:1", facts={"amount": "9.90 EUR"})
    [letter] = orders.written()
    assert "9.90" in said(letter)


def test_a_letter_names_the_account_as_it_is_now(app: Flask) -> None:
    ada: Account = rows.account("Ada")
    made = orders.order(Sold(rows.release()), account=ada, email="old@example.org")
    write(correspondence.receipt, made)
    assert only("receipt").to_address == ada.email != "old@example.org"

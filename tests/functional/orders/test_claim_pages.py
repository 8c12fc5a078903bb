"""Pages of gifts and of what a guest bought: who sees what, and what their buttons do."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pypdfium2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import orders, rows
from support.orders import Sold
from werkzeug.test import TestResponse

from app.accounts import service as accounts
from app.accounts.models import Account, Role
from app.core import clock, codes
from app.core.db import db, transaction
from app.letters import service as post
from app.letters.models import Letter
from app.licenses import queries as held
from app.licenses import service as licenses
from app.orders import claims, waiting
from app.orders.models import Claim, Order, OrderRefund

PASSWORD = "nine white boats"


def signed_in(app: Flask, person: Account) -> FlaskClient:
    browser = app.test_client()
    rows.sign_in(browser, person)
    return browser


def path(found: Claim, *, by_letter: bool = False) -> str:
    link = waiting.letter_link(found) if by_letter else waiting.link(found)
    return "/claims/" + link.rpartition("/")[2]


def guest_claim(**more: object) -> Claim:
    made = orders.claimable(Sold(rows.release("Tides"), **more), email="guest@example.org")  # type: ignore[arg-type]
    [found] = waiting.of_order(made.id)
    return found


def fresh(found: Claim) -> Claim:
    db.session.rollback()
    return db.session.get_one(Claim, found.id, populate_existing=True)


def as_guest(browser: FlaskClient, order: Order) -> FlaskClient:
    """The browser that made the order without an account."""
    with browser.session_transaction() as session:
        session["orders"] = [order.id]
    return browser


def follow(browser: FlaskClient, answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    return browser.get(answer.location).text


# Taking


def test_a_gift_says_what_it_is_and_from_whom_and_nothing_of_its_price(app: Flask, client: FlaskClient) -> None:
    note = {"gift_from": "Aunt <Ada>", "gift_message": "Happy day!"}
    found = orders.gift(rows.release("Tides"), more=note)
    answer = client.get(path(found))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-store"
    # Its address is its key: no other site is told. (The shop's own pages are, or no form of this one was believed.)
    assert answer.headers["Referrer-Policy"] == "same-origin"
    for said in ("A gift from Aunt &lt;Ada&gt;", "Tides", "Happy day!", "Sign in", f"next={path(found)}"):
        assert said in answer.text
    for unsaid in ("9.90", found.to_email, f"Order {found.order.number}"):
        assert unsaid not in answer.text


def test_whoever_is_signed_in_takes_it_with_one_button(app: Flask) -> None:
    release, kay = rows.release("Tides"), rows.account("Kay")
    found, browser = orders.gift(release), signed_in(app, kay)
    assert "Add to my library" in browser.get(path(found)).text
    assert fresh(found).claimed_by is None
    page = follow(browser, browser.post(path(found)))
    assert "Yours now: Tides – Mira Sol." in page
    assert held.owned_release_ids(kay.id) == {release.id}
    assert "This is yours." in browser.get(path(found)).text
    assert "Yours now" in follow(browser, browser.post(path(found)))


def test_who_is_not_signed_in_is_sent_to_sign_in_and_comes_back(app: Flask, client: FlaskClient) -> None:
    found = orders.gift()
    answer = client.post(path(found))
    assert (answer.status_code, answer.location) == (303, f"/sign-in?next={path(found)}")
    with transaction():
        accounts.register("kay@example.org", PASSWORD, "Kay")
    data = {"email": "kay@example.org", "password": PASSWORD, "next": path(found)}
    assert client.post("/sign-in", data=data).location == path(found)
    assert "Add to my library" in client.get(path(found)).text


def test_who_comes_second_or_has_it_already_is_told_what_to_do(app: Flask) -> None:
    release, kay, eve, ada = rows.release(), rows.account(), rows.account(), rows.account()
    found = orders.gift(release)
    rows.own(ada, release=release)
    owner = signed_in(app, ada)
    page = owner.get(path(found)).text
    assert "You have this already" in page
    assert "Add to my library" not in page
    assert "You have this already" in follow(owner, owner.post(path(found)))
    assert fresh(found).claimed_by is None
    first, second = signed_in(app, kay), signed_in(app, eve)
    first.post(path(found))
    assert "Somebody has taken this gift already" in second.get(path(found)).text
    assert "Somebody has taken this gift already" in follow(second, second.post(path(found)))
    assert fresh(found).claimed_by == kay.id


def test_a_gift_whose_money_went_back_says_so(app: Flask, client: FlaskClient) -> None:
    found = orders.gift()
    licenses.set_standing(str(found.line_id), False, "refunded")
    db.session.commit()
    assert "Ask the giver about it" in client.get(path(found)).text
    browser = signed_in(app, rows.account())
    assert "Ask the giver about it" in follow(browser, browser.post(path(found)))


def test_a_link_that_is_none_opens_nothing(app: Flask, client: FlaskClient) -> None:
    found = orders.gift()
    for bad in (path(found)[:-1], "/claims/x", f"/claims/{found.id}", "/claims/%00"):
        for answer in (client.get(bad), client.post(bad), client.post(f"{bad}/account")):
            assert answer.status_code == 404, bad
            assert "This link opens nothing" in answer.text


# A guest's order, and an account for it


def test_a_guests_letter_makes_an_account_at_once(app: Flask, client: FlaskClient) -> None:
    found = guest_claim()
    page = client.get(path(found, by_letter=True)).text
    for said in ("Make an account, and it is yours", "guest@example.org is yours", "€9.90", str(found.order.number)):
        assert said in page
    data = {"name": "Gus", "password": PASSWORD}
    page = follow(client, client.post(path(found, by_letter=True) + "/account", data=data))
    assert "Welcome, Gus." in page
    assert "Yours now: Tides – Mira Sol." in page
    made = accounts.by_email("guest@example.org")
    assert made is not None
    assert fresh(found).claimed_by == made.id
    order = db.session.get_one(Order, found.order_id, populate_existing=True)
    assert order.account_id == made.id
    assert client.get(f"/orders/{order.id}").status_code == 200
    assert client.get("/account/security").status_code == 200


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "", "password": PASSWORD}, "Tell us your name"),
        ({"name": "Gus", "password": "short"}, "A password has"),
        ({"name": "Gus", "password": "password1"}, "password"),
    ],
)
def test_a_password_nobody_should_have_makes_no_account(
    app: Flask, client: FlaskClient, data: dict[str, str], said: str
) -> None:
    found = guest_claim()
    answer = client.post(path(found, by_letter=True) + "/account", data=data)
    assert answer.status_code == 422
    assert said in answer.text
    assert "field__error" in answer.text
    assert accounts.by_email("guest@example.org") is None
    assert fresh(found).claimed_by is None


def test_no_other_link_makes_an_account(app: Flask, client: FlaskClient) -> None:
    """The link on an order's page was not sent to the address; a gift's letter is made to be passed on."""
    found, gift = guest_claim(), orders.gift()
    data = {"name": "Eve", "password": PASSWORD}
    for link in (path(found), path(gift), path(gift, by_letter=True)):
        assert "Make an account and take it" not in client.get(link).text
        answer = client.post(f"{link}/account", data=data)
        assert (answer.status_code, answer.location) == (303, link)
    assert accounts.by_email("guest@example.org") is accounts.by_email(gift.to_email) is None


def test_a_guest_who_has_an_account_signs_in_to_it(app: Flask, client: FlaskClient) -> None:
    found = guest_claim()
    with transaction():
        accounts.register("guest@example.org", PASSWORD, "Gus")
    page = client.get(path(found, by_letter=True)).text
    assert "There is an account with guest@example.org" in page
    assert "There is an account" not in client.get(path(found)).text
    data = {"name": "Gus", "password": PASSWORD}
    answer = client.post(path(found, by_letter=True) + "/account", data=data)
    assert answer.location.startswith("/sign-in?next=/claims/")
    assert "There is an account with this address by now. Sign in to it." in follow(client, answer)


def test_an_account_is_not_made_where_there_is_nothing_to_take(app: Flask, client: FlaskClient) -> None:
    found = guest_claim()
    licenses.set_standing(found.order.lines[0].id, False, "disputed")
    db.session.commit()
    data = {"name": "Gus", "password": PASSWORD}
    assert "a bank holds it" in follow(client, client.post(path(found, by_letter=True) + "/account", data=data))
    assert accounts.by_email("guest@example.org") is None


# Codes


def test_a_code_leads_to_its_gift(app: Flask, client: FlaskClient) -> None:
    found = orders.gift()
    assert client.get("/gift").status_code == 200
    answer = client.post("/gift", data={"code": codes.spelled(found.code).lower()})
    assert (answer.status_code, answer.location) == (303, path(found))
    wrong = client.post("/gift", data={"code": "ABCD-EFGH-JKLM-NPQR"})
    assert wrong.status_code == 422
    assert "There is no gift with this code" in wrong.text
    assert 'value="ABCD-EFGH-JKLM-NPQR"' in wrong.text
    assert "Type the code" in client.post("/gift", data={"code": ""}).text


def test_codes_cannot_be_tried_for_long(app: Flask) -> None:
    found, browser = orders.gift(), signed_in(app, rows.account())
    answers = [browser.post("/gift", data={"code": f"WRONG{number}"}).status_code for number in range(12)]
    assert answers == [422] * 10 + [429] * 2
    refused = browser.post("/gift", data={"code": found.code})
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    # From one address many people may come: their number is another.
    others = [app.test_client().post("/gift", data={"code": "WRONG"}).status_code for _number in range(22)]
    assert others == [422] * 20 + [429] * 2


# The giver


def test_the_giver_sees_how_the_gift_stands_and_what_to_hand_over(app: Flask) -> None:
    ada = rows.account("Ada")
    found = orders.gift(rows.release("Tides"), giver=ada)
    browser = signed_in(app, ada)
    page = browser.get(f"/orders/{found.order_id}").text
    assert "Sent, not unwrapped yet" in page
    there = f"/orders/{found.order_id}/gifts/{found.id}"
    assert there in page
    answer = browser.get(there)
    assert answer.headers["Cache-Control"] == "private, no-store"
    for said in (codes.spelled(found.code), waiting.link(found), "Sent to friend@example.org on", "Send it again"):
        assert said in answer.text
    with transaction():
        claims.claim(found.id, rows.account("Kay"))
    page = browser.get(there).text
    assert "It was unwrapped on" in page
    assert codes.spelled(found.code) not in page
    assert "Unwrapped" in browser.get(f"/orders/{found.order_id}").text


def test_the_giver_sends_it_again_and_elsewhere(app: Flask) -> None:
    ada = rows.account("Ada")
    found = orders.gift(giver=ada, to="wrong@example.org")
    browser, there = signed_in(app, ada), f"/orders/{found.order_id}/gifts/{found.id}"
    again = f"/orders/{found.order_id}/claims/{found.id}/send-again"
    answer = browser.post(again)
    assert answer.location == there
    assert "We sent it to wrong@example.org once more" in follow(browser, answer)
    code = found.code
    assert "The gift goes to kay@example.org" in follow(
        browser, browser.post(there, data={"to_email": "kay@Example.org"})
    )
    assert fresh(found).code != code
    assert [letter.to_address for letter in orders.written("gift")] == ["wrong@example.org"] * 2 + ["kay@example.org"]
    day = orders.in_days(9).isoformat()
    follow(browser, browser.post(there, data={"to_email": "lin@example.org", "on": day}))
    assert (fresh(found).send_at.date().isoformat(), fresh(found).sent_at) == (day, None)
    page = browser.get(there).text
    assert "Goes to lin@example.org on" in page
    assert f'value="{day}"' in page
    for data, said in (
        ({"to_email": "nobody"}, "This is no e-mail address"),
        ({"to_email": "lin@example.org", "on": orders.in_days(-1).isoformat()}, "from today on"),
        ({"to_email": "lin@example.org", "on": "soon"}, "Not a valid date"),
        ({"to_email": ""}, "Type an e-mail address"),
    ):
        answer = browser.post(there, data=data)
        assert (answer.status_code, said in answer.text) == (422, True), said


def test_letters_cannot_be_sent_without_end(app: Flask) -> None:
    ada = rows.account("Ada")
    found = orders.gift(giver=ada)
    browser, again = signed_in(app, ada), f"/orders/{found.order_id}/claims/{found.id}/send-again"
    answers = [browser.post(again).status_code for _number in range(7)]
    assert answers == [303] * 5 + [429] * 2


def test_nobody_but_the_giver_sees_the_code_not_even_who_runs_the_shop(app: Flask, client: FlaskClient) -> None:
    found = orders.gift(giver=rows.account("Ada"))
    staff, other = rows.account("Sam"), rows.account("Eve")
    staff.role = Role.ADMIN
    db.session.commit()
    there = f"/orders/{found.order_id}/gifts/{found.id}"
    again = f"/orders/{found.order_id}/claims/{found.id}/send-again"
    for person in (staff, other):
        browser = signed_in(app, person)
        for answer in (browser.get(there), browser.post(there, data={"to_email": person.email}), browser.post(again)):
            assert answer.status_code == 404
    page = signed_in(app, staff).get(f"/orders/{found.order_id}")
    assert page.status_code == 200
    assert found.id not in page.text
    assert found.code not in re.sub("-", "", page.text)
    for answer in (client.get(there), client.post(there), client.post(again)):
        assert (answer.status_code, "sign in first" in answer.text) == (404, True)
    assert fresh(found).to_email == "friend@example.org"


def test_a_claim_of_another_order_is_not_reached_through_ones_own(app: Flask) -> None:
    ada = rows.account("Ada")
    mine, theirs = orders.gift(giver=ada), orders.gift(rows.release("B"))
    browser = signed_in(app, ada)
    assert browser.get(f"/orders/{mine.order_id}/gifts/{theirs.id}").status_code == 404
    assert browser.post(f"/orders/{mine.order_id}/claims/{theirs.id}/send-again").status_code == 404


def test_a_guest_gives_and_takes_in_the_browser_that_paid(app: Flask) -> None:
    made = orders.claimable(
        Sold(rows.release("Tides")), Sold(rows.release("Given"), gift_to="kay@example.org"), email="guest@example.org"
    )
    guest, gift = sorted(waiting.of_order(made.id), key=lambda each: each.line_id is not None)
    browser = as_guest(app.test_client(), made)
    page = browser.get(f"/orders/{made.id}").text
    assert "Not in a library yet" in page
    assert path(guest) in page
    assert path(guest, by_letter=True) not in page
    assert codes.spelled(gift.code) in browser.get(f"/orders/{made.id}/gifts/{gift.id}").text
    answer = browser.post(f"/orders/{made.id}/claims/{guest.id}/send-again")
    assert "We sent it to guest@example.org once more" in follow(browser, answer)
    assert browser.get(f"/orders/{made.id}/gifts/{guest.id}").status_code == 404
    assert len(orders.written("guest_order")) == 2


# Invoices


def test_the_invoice_is_the_buyers_and_who_reads_orders(app: Flask, client: FlaskClient) -> None:
    ada, eve, staff = rows.account("Ada"), rows.account("Eve"), rows.account("Sam")
    staff.role = Role.SUPPORT
    made = orders.order(Sold(rows.release("Tides")), account=ada)
    guests = orders.order(Sold(rows.release("B")), email="guest@example.org")
    free = orders.order(Sold(rows.release("C"), 0, 0), account=ada)
    db.session.commit()
    for browser, order in (
        (signed_in(app, ada), made),
        (signed_in(app, staff), made),
        (as_guest(client, guests), guests),
    ):
        answer = browser.get(f"/orders/{order.id}/invoice.pdf")
        assert (answer.status_code, answer.content_type) == (200, "application/pdf")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="invoice-INV-{order.number}.pdf"'
        assert answer.headers["Cache-Control"] == "private, no-store"
        text = pypdfium2.PdfDocument(answer.data)[0].get_textpage().get_text_range()
        assert f"INV-{order.number}" in text
        assert "€9.90" in text
    assert "invoice.pdf" in signed_in(app, ada).get(f"/orders/{made.id}").text
    assert "invoice.pdf" not in signed_in(app, ada).get(f"/orders/{free.id}").text
    for browser, order in ((signed_in(app, eve), made), (app.test_client(), made), (signed_in(app, ada), free)):
        assert browser.get(f"/orders/{order.id}/invoice.pdf").status_code == 404


def test_a_credit_note_is_there_for_each_refund_of_the_invoice(app: Flask) -> None:
    ada = rows.account("Ada")
    made = orders.order(Sold(rows.release("Tides")), account=ada)
    orders.give_back(made, made.lines[0], 330, "re_1", tax=53)
    for minor, lines, payment_id, gateway_id in (
        (330, {made.lines[0].id: 330}, made.payment_id, "re_1"),
        (990, {}, "pi_second", "re_2"),
    ):
        db.session.add(
            OrderRefund(
                order_id=made.id,
                payment_id=payment_id,
                origin="staff",
                reason="asked",
                currency="EUR",
                amount_minor=minor,
                lines=lines,
                state="done",
                gateway_id=gateway_id,
                settled_at=clock.now(),
            )
        )
    db.session.commit()
    browser = signed_in(app, ada)
    page = browser.get(f"/orders/{made.id}").text
    [address] = re.findall(r'href="(/orders/[^"]+/credit-notes/[^"]+)"', page)
    assert "Credit note over €3.30 (PDF)" in page
    answer = browser.get(address)
    assert answer.content_type == "application/pdf"
    text = pypdfium2.PdfDocument(answer.data)[0].get_textpage().get_text_range()
    for said in (f"CN-{made.number}-1", f"INV-{made.number}", "€2.77", "€0.53", "€3.30"):
        assert said in text
    second = db.session.query(OrderRefund).filter_by(gateway_id="re_2").one()
    for other in (signed_in(app, rows.account("Eve")), app.test_client()):
        assert other.get(address).status_code == 404
    assert browser.get(f"/orders/{made.id}/credit-notes/{second.id}.pdf").status_code == 404


def test_the_giver_is_told_when_a_letter_came_to_nothing(app: Flask) -> None:
    ada = rows.account("Ada")
    found = orders.gift(giver=ada)
    browser, there = signed_in(app, ada), f"/orders/{found.order_id}/gifts/{found.id}"
    assert "could not be delivered" not in browser.get(there).text
    [letter] = orders.written("gift")
    with transaction():
        post.not_sent(letter, "no such mailbox", for_good=True)
    assert "could not be delivered" in browser.get(there).text
    browser.post(there, data={"to_email": "kay@example.org"})
    assert "could not be delivered" not in browser.get(there).text


def test_every_form_needs_its_token(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    ada = rows.account("Ada")
    found, guest = orders.gift(giver=ada), guest_claim()
    browser = signed_in(app, ada)
    for there in (
        path(found),
        path(guest, by_letter=True) + "/account",
        "/gift",
        f"/orders/{found.order_id}/gifts/{found.id}",
        f"/orders/{found.order_id}/claims/{found.id}/send-again",
    ):
        answer = browser.post(there, data={"to_email": "eve@example.org", "code": found.code})
        assert (answer.status_code, "open too long" in answer.text) == (400, True), there
    assert fresh(found).to_email == "friend@example.org"
    assert len(db.session.query(Letter).filter_by(kind="gift").all()) == 1


class _Inputs(HTMLParser):
    """The attributes of a page's inputs, by their names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str | None]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "input":
            self.found[told.get("name") or ""] = told


def test_what_the_fields_say_and_ask_of_a_browser(app: Flask, client: FlaskClient) -> None:
    page = client.get("/gift").text
    code = _Inputs(page).found["code"]
    assert "Gift code" in page
    assert "16 letters and digits, like ABCD-EFGH-JKLM-NPQR; blanks and small letters don’t matter." in page
    about = ("type", "autocomplete", "autocapitalize", "spellcheck", "maxlength")
    assert [code[each] for each in about] == ["text", "off", "characters", "false", "60"]
    assert "autofocus" in code
    for typed, said in (("", "Type the code."), ("x" * 61, "Field cannot be longer than 60 characters.")):
        refused = client.post("/gift", data={"code": typed})
        assert (refused.status_code, said in refused.text) == (422, True)
    assert "Field cannot be longer" not in client.post("/gift", data={"code": "x" * 60}).text

    giver = rows.account("Giver")
    found = orders.gift(giver=giver)
    browser, there = signed_in(app, giver), f"/orders/{found.order_id}/gifts/{found.id}"
    page = browser.get(there).text
    fields = _Inputs(page).found
    assert "E-mail of who gets it" in page
    assert ">Day" in page
    assert "Leave it empty to have it sent at once." in page
    about = ("type", "autocomplete", "maxlength", "value")
    assert [fields["to_email"][each] for each in about] == ["email", "off", "254", "friend@example.org"]
    assert (fields["on"]["type"], fields["on"]["min"]) == ("date", clock.now().date().isoformat())
    for typed, said in (("", "Type an e-mail address."), ("x" * 255, "Field cannot be longer than 254 characters.")):
        refused = browser.post(there, data={"to_email": typed, "on": ""})
        assert (refused.status_code, said in refused.text) == (422, True)

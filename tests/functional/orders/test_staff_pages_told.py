"""What staff are told of orders and cases, word by word: a page that says less, or the wrong thing, costs money."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import FrozenInstanceError
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update
from support import rows, selling
from support.selling import fresh, placed, sold
from support.till import Till

from app.accounts.models import Account, Role
from app.audit.models import AuditEntry
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.ledger import queries as ledger
from app.orders import cases, queries, remedies, settlement, staff_queries, strays
from app.orders.models import Case, CaseKind, Claim, Order, OrderState, RefundOrigin, RefundState
from app.orders.staff_queries import Dossier, LineFacts, Wanted


@pytest.fixture
def till(app: Flask, tmp_path: Path) -> Till:
    return Till(app, tmp_path)


@pytest.fixture
def manager(client: FlaskClient) -> Account:
    return rows.staff(client, Role.MANAGER, "Mo")


def words(html: str) -> str:
    """What is read of it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def part(page: str, name: str) -> str:
    """The section of the page whose heading has that id."""
    return page.partition(f'<h2 id="{name}">')[2].partition("</section>")[0]


def facts(section: str) -> list[tuple[str, str]]:
    return [(words(name), words(value)) for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", section, re.S)]


def items(section: str) -> list[str]:
    return [words(each) for each in re.findall(r"<li>(.*?)</li>", section, re.S)]


def table(section: str) -> list[list[str]]:
    """The cells of each row under the table's head."""
    body = section.partition("</thead>")[2]
    return [
        [words(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)]
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)
    ]


def flashed(page: str) -> list[tuple[str, str]]:
    """The messages on top: how each looks, and what it says."""
    shown = page.partition('<div class="flashes')[2].partition("</div>")[0]
    return [(look, words(said)) for look, said in re.findall(r'<p class="notice([^"]*)">(.*?)</p>', shown, re.S)]


def raised(kind: CaseKind, **more: object) -> Case:
    """A case of that kind."""
    key = f"{kind}:{len(db.session.scalars(select(Case.id)).all())}"
    with transaction():
        assert cases.raise_case(kind, key, **more)  # type: ignore[arg-type]
    return db.session.scalars(select(Case).where(Case.key == key)).one()


def logged(action: str) -> AuditEntry:
    return db.session.scalars(select(AuditEntry).where(AuditEntry.action == action)).one()


def give_back(client: FlaskClient, order: Order, seen: int, **fields: object) -> object:
    data = {"what": "all", "reason": "a scratch", "seen": seen} | fields
    return client.post(f"/staff/orders/{order.id}/refund", data=data)


def mismatched(till: Till, order: Order) -> str:
    """A payment of 9.90 that is not what was ordered any more: it buys nothing. Its id."""
    page = till.open(order)
    with transaction():
        line = order.lines[0]
        line.price_minor, line.net_minor, order.total_minor = 2000, 2000, 2000
    payment: str = till.does.pay(page)["payment_intent"]
    settlement.settle(order.id)
    return payment


def nobodys(till: Till) -> str:
    """A payment of 7.00 that names no order, which the shop has heard of. Its id."""
    price = {"currency": "eur", "unit_amount": 700, "product_data": {"name": "Something"}}
    session = till.client.v1.checkout.sessions.create(
        {"mode": "payment", "success_url": "https://x.test/", "line_items": [{"quantity": 1, "price_data": price}]}
    )
    payment: str = till.does.pay(session.id, email="a@example.org")["payment_intent"]
    till.tell()
    return payment


# Cases: what each says

SAID = {
    CaseKind.MISMATCH: (
        {"expected": "9.90 EUR", "found": "1.00 EUR"},
        "A payment is not what was ordered",
        "Nothing was granted and an unpaid order was closed. The money waits on the account “unapplied” until it is"
        " given back.",
        [
            "Find the payment at the payment service by its number, and who paid it.",
            "Give the money back with the button on this page; the buyer can then order again.",
            "If it is not this shop’s payment at all, the account has another user: see that each has its own.",
            "If amount or currency were changed on the way, somebody tries to pay less: keep the payment’s number.",
        ],
        [("Expected", "9.90 EUR"), ("Found", "1.00 EUR")],
    ),
    CaseKind.REFUND_REFUSED: (
        {"error": "no money left", "reason": "a scratch", "amount": "9.90 EUR"},
        "A refund was not made",
        "What was to be given back is paid still, and its licenses stand again.",
        [
            "Look at the payment at the payment service: it says why, and how much of it is left.",
            "If the money came back from the buyer’s bank (a closed account), ask the buyer where to send it.",
            "If there was not enough on the shop’s account there, top it up, and refund the order again.",
            "If the buyer’s bank disputes the payment, leave it to the dispute: money would go out twice.",
        ],
        [("Amount", "9.90 EUR"), ("Reason", "a scratch"), ("Said by the payment service", "no money left")],
    ),
    CaseKind.DISPUTE: (
        {"due": "2026-12-01", "amount": "9.90 EUR", "reason": "fraudulent"},
        "A bank disputes a payment",
        "The bank took the money and the licenses are shut. Won, they stand again; lost, they are gone for good.",
        [
            "Answer at the payment service before its deadline: the receipt, the plays and downloads are evidence.",
            "Don’t refund a disputed payment: the bank has the money already.",
            "Close this case once it is decided; the books and the licenses follow by themselves.",
        ],
        [("Amount", "9.90 EUR"), ("Reason", "fraudulent"), ("To be answered by", "2026-12-01")],
    ),
    CaseKind.COUNTRY: (
        {"billing": "DE", "card": "FR"},
        "The buyer’s country is not certain",
        "The sale stands, taxed by the country that the buyer named.",
        [
            "Compare the country of the billing address with that of the card, below.",
            "If the buyer named the wrong one, refund the order and have them buy again with the right address.",
            "If theirs is right (somebody abroad), note what convinced you: it is the evidence for the tax office.",
        ],
        [("Country of the billing address", "DE"), ("Country of the card", "FR")],
    ),
    CaseKind.BOOKS: (
        {"differences": ["one is missing", 2]},
        "The books and the payment service differ",
        "The nightly comparison found what is listed below. Nothing was changed.",
        [
            "Run “wavecrate ledger verify”: each difference is printed with what to do about it.",
            "If nothing is left of it, it was under way that night: close this case with a word about that.",
        ],
        [("Differences", "one is missing 2")],
    ),
}


@pytest.mark.parametrize("kind", list(CaseKind))
def test_a_case_says_what_happened_what_was_done_and_what_is_left_to_do(
    client: FlaskClient, manager: Account, kind: CaseKind
) -> None:
    told, title, means, steps, shown = SAID[kind]
    case = raised(kind, facts=told)
    page = client.get(f"/staff/cases/{case.id}").text
    assert words(page.partition("<h1>")[2].partition("</h1>")[0]) == title
    assert words(part(page, "todo").partition("<p>")[2].partition("</p>")[0]) == means
    assert items(part(page, "todo")) == steps
    # In this order, whichever the database keeps them in; no order and no payment are spoken of where there is none.
    assert facts(part(page, "found")) == shown
    listed = client.get("/staff/cases").text
    assert f'href="/staff/cases/{case.id}">{title}</a>' in unescape(listed)
    with pytest.raises(FrozenInstanceError):
        remedies.of(case).title = "Nothing"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        # As older cases kept an amount.
        ({"minor": 990, "currency": "EUR", "reason": "lost"}, [("Amount", "9.90 EUR"), ("Reason", "lost")]),
        # A half of one is no amount.
        ({"minor": 990}, [("minor", "990")]),
        ({"currency": "EUR"}, [("currency", "EUR")]),
        # What has no name of its own stands last under the one it came with; what is empty is left out.
        ({"net": "visa", "found": "that", "error": ""}, [("Found", "that"), ("net", "visa")]),
        ({"differences": []}, []),
    ],
)
def test_what_a_case_found_is_named_as_far_as_it_has_a_name(
    client: FlaskClient, manager: Account, told: dict[str, object], shown: list[tuple[str, str]]
) -> None:
    case = raised(CaseKind.BOOKS, facts=told)
    assert facts(part(client.get(f"/staff/cases/{case.id}").text, "found")) == shown


def test_a_fact_that_is_a_list_is_a_line_each(app: Flask) -> None:
    case = raised(CaseKind.BOOKS, facts={"differences": ["one", 2], "found": 3})
    with app.test_request_context():
        assert remedies.facts(case) == [("Found", "3"), ("Differences", ["one", "2"])]


def test_the_page_of_a_case_leads_to_its_order_and_its_payment(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    order = placed(rows.account(), sold("Tides"))
    payment = till.pay(order)
    case = raised(CaseKind.DISPUTE, order_id=order.id, payment_id=payment, facts={"amount": "9.90 EUR"})
    page = client.get(f"/staff/cases/{case.id}").text
    assert facts(part(page, "found")) == [
        ("Order", f"{order.number} · €9.90"),
        ("Payment", f"{payment} · Its entries in the ledger"),
        ("Amount", "9.90 EUR"),
    ]
    assert f'<a href="/staff/orders/{order.id}">{order.number}</a>' in page
    assert f'about={payment}">Its entries in the ledger</a>' in page
    assert "Waits to be given back" not in page
    # Nothing is typed yet, and nothing wrong.
    assert '<textarea id="outcome" name="outcome" maxlength="1000"></textarea>' in page
    assert "field__error" not in page


def test_cases_are_listed_oldest_first_and_closed_ones_apart(client: FlaskClient, manager: Account) -> None:
    with transaction():
        for number in range(52):
            db.session.add(Case(kind=CaseKind.COUNTRY, key=f"country:{number}", facts={}))
    every = db.session.scalars(select(Case).order_by(Case.number)).all()
    closed = every[0]
    client.post(f"/staff/cases/{closed.id}/close", data={"outcome": "Theirs is right."})

    def listed(**asked: object) -> list[str]:
        return [row[0] for row in table(client.get("/staff/cases", query_string=asked).text)]

    waiting = [str(each.number) for each in every[1:]]
    assert listed() == listed(page="1") == listed(state="open") == waiting[:50]
    assert listed(page="2") == waiting[50:]
    assert listed(page="no number") == waiting[:50]
    assert listed(state="closed") == [str(closed.number)]
    first, apart = client.get("/staff/cases").text, client.get("/staff/cases?state=closed").text
    assert 'href="/staff/cases" aria-current="page"' in first
    assert "Page 1 of 2" in first
    assert "What became of it" not in first
    assert 'href="/staff/cases?state=closed" aria-current="page"' in apart
    assert [row[-1] for row in table(apart)] == ["Theirs is right."]


@pytest.mark.parametrize(("verb", "more"), [("GET", ""), ("POST", "/close"), ("POST", "/give-back")])
def test_a_case_that_is_not_there_is_not_found(client: FlaskClient, manager: Account, verb: str, more: str) -> None:
    answer = client.open(f"/staff/cases/bcdfghjkmnpqrstv{more}", method=verb, data={"outcome": "Done."})
    assert answer.status_code == 404
    assert "There is no such case." in answer.text


# Cases: what is done about them


def test_a_case_is_closed_under_the_name_of_who_did_it(client: FlaskClient, manager: Account) -> None:
    case = raised(CaseKind.COUNTRY, facts={"billing": "DE"})
    answer = client.post(f"/staff/cases/{case.id}/close", data={"outcome": "Asked\0 them:\n they moved."})
    assert (answer.status_code, answer.location) == (303, "/staff/cases")
    assert flashed(client.get(answer.location).text) == [(" notice--success", "The case is closed.")]
    entry = logged("case.close")
    assert (entry.actor_id, entry.subject) == (manager.id, f"case:{case.id}")
    assert entry.facts == {"number": case.number, "kind": "country"}
    page = client.get(f"/staff/cases/{case.id}").text
    assert words(part(page, "done")).startswith("What became of it Asked them: they moved. Mo (")
    assert "Close the case" not in page


@pytest.mark.parametrize("typed", [{}, {"outcome": "  "}])
def test_a_case_is_not_closed_without_a_word(client: FlaskClient, manager: Account, typed: dict[str, str]) -> None:
    case = raised(CaseKind.COUNTRY)
    answer = client.post(f"/staff/cases/{case.id}/close", data=typed)
    assert answer.status_code == 409
    assert 'id="outcome-error">Say what you did about it, for whoever looks at this later.</p>' in answer.text
    assert f'aria-describedby="outcome-error">{typed.get("outcome", "")}</textarea>' in answer.text
    db.session.expire_all()
    assert case.closed_at is None


def test_of_two_who_close_a_case_at_once_the_second_is_told(client: FlaskClient, manager: Account) -> None:
    case = raised(CaseKind.COUNTRY)
    case_id, answers = case.id, []
    db.session.rollback()
    with db.engine.connect() as first, db.engine.connect() as looking:
        # The first has written it and not committed yet.
        done = {"closed_at": clock.now(), "closed_by": manager.id, "outcome": "First."}
        first.execute(update(Case).where(Case.id == case_id).values(**done))
        second = threading.Thread(
            target=lambda: answers.append(client.post(f"/staff/cases/{case_id}/close", data={"outcome": "Second."}))
        )
        second.start()
        waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        while second.is_alive() and not looking.execute(waits).scalar():
            looking.rollback()
            time.sleep(0.01)
        first.commit()
        second.join()
    assert answers[0].status_code == 409
    assert "This case is closed already. Load the page again." in answers[0].text
    db.session.expire_all()
    assert db.session.get_one(Case, case_id).outcome == "First."


def test_what_was_paid_for_nothing_goes_back_under_the_name_of_who_gave_it(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    order = placed(rows.account(), sold("Tides"))
    payment = mismatched(till, order)
    case = db.session.scalars(select(Case)).one()
    there = f"/staff/cases/{case.id}"
    assert ("Waits to be given back", "€9.90") in facts(part(client.get(there).text, "found"))
    answer = client.post(f"{there}/give-back")
    assert (answer.status_code, answer.location) == (303, there)
    assert flashed(client.get(there).text) == [(" notice--success", "€9.90 is on its way back, the way it was paid.")]
    [made] = queries.refunds_of(order.id)
    assert (made.origin, made.asked_by, made.payment_id) == (RefundOrigin.STAFF, manager.id, payment)
    assert (made.reason, made.amount, made.state) == (f"case {case.number}", Money(990, "EUR"), RefundState.DONE)
    entry = logged("payment.give_back")
    assert (entry.actor_id, entry.subject) == (manager.id, f"order:{order.id}")
    assert entry.facts == {"case": case.number, "payment": payment}
    again = client.post(f"{there}/give-back")
    assert (again.status_code, again.location) == (303, there)
    said = "No money of this payment waits to be given back. Load the page again."
    assert flashed(client.get(there).text) == [(" notice--error", said)]


def test_what_names_no_order_goes_back_under_the_key_of_its_case(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    payment = nobodys(till)
    case = db.session.scalars(select(Case)).one()
    there = f"/staff/cases/{case.id}"
    answer = client.post(f"{there}/give-back")
    assert (answer.status_code, answer.location) == (303, there)
    said = "The payment service was asked to give it back. The ledger says below what came of it."
    assert flashed(client.get(there).text) == [(" notice--success", said)]
    [made] = till.client.v1.refunds.list({"payment_intent": payment}).data
    assert (made.amount, made.metadata["key"]) == (700, f"case-{case.id}")
    assert ledger.of_payment(payment).refunded == 700
    entry = logged("payment.give_back")
    assert (entry.actor_id, entry.subject) == (manager.id, f"case:{case.id}")
    assert entry.facts == {"case": case.number, "payment": payment}


def test_what_went_back_at_the_dashboard_meanwhile_is_not_given_back_again(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    order = placed(rows.account(), sold("Tides"))
    payment = mismatched(till, order)
    case = db.session.scalars(select(Case)).one()
    till.refund(payment, 990)  # and the shop hasn't heard
    answer = client.post(f"/staff/cases/{case.id}/give-back")
    assert (answer.status_code, answer.location) == (303, f"/staff/cases/{case.id}")
    [(look, said)] = flashed(client.get(answer.location).text)
    assert (look, said.split(".")[0]) == (" notice--error", "No money of this payment waits to be given back")
    assert queries.refunds_of(order.id) == []
    assert db.session.scalars(select(AuditEntry).where(AuditEntry.action == "payment.give_back")).all() == []


def test_only_a_mismatch_has_money_that_waits(app: Flask) -> None:
    order = placed(rows.account(), sold("Tides"))
    # The smallest amount there is waits, too.
    told = selling.payment(order, captured=Money(1, "EUR"), fee=None)
    selling.follow(order, told)
    case = db.session.scalars(select(Case)).one()
    assert strays.waiting(case) == Money(1, "EUR")
    assert strays.waiting(raised(CaseKind.REFUND_REFUSED, payment_id=told.id)) is None
    assert strays.waiting(raised(CaseKind.MISMATCH)) is None
    with app.test_request_context(), pytest.raises(strays.NothingToGiveBack):
        strays.give_back("bcdfghjkmnpqrstv", by="nobody")


@pytest.mark.parametrize("which", ["order", "case"])
def test_after_the_password_one_is_led_back_to_where_the_money_is(
    till: Till, client: FlaskClient, manager: Account, which: str
) -> None:
    order = placed(rows.account(), sold("Tides"))
    mismatched(till, order)
    case = db.session.scalars(select(Case)).one()
    present = rows.sign_in(client, manager)
    present.proved_at = clock.now() - timedelta(hours=1)
    db.session.commit()
    there = f"/staff/orders/{order.id}" if which == "order" else f"/staff/cases/{case.id}"
    answer = client.post(f"{there}/refund" if which == "order" else f"{there}/give-back")
    assert answer.status_code == 303
    assert answer.location.replace("%2F", "/") == f"/account/prove?next={there}"
    assert queries.refunds_of(order.id) == []


# Orders: finding them


def test_an_order_is_found_by_each_of_its_names_alone(till: Till, client: FlaskClient, manager: Account) -> None:
    """Each name finds by itself: no other way to the same order would find it."""
    ada = rows.account("Ada")
    old, stray, other = placed(ada, sold("Tides")), placed(ada, sold("Harbour")), placed(ada, sold("Wharf"))
    payment = mismatched(till, stray)
    till.pay(other)
    give_back(client, other, 990)
    refund = queries.refunds_of(other.id)[0].gateway_id
    with transaction():
        # Paid before there was a ledger, and with the highest number there can be.
        old.payment_id, old.number, old.email = "p1", 2**63 - 1, "ada_100%@old.example.org"
        ada.email = "zed@example.org"

    def found(q: str, state: str = "") -> list[str]:
        answer = client.get("/staff/orders", query_string={"q": q, "state": state})
        assert answer.status_code == 200
        return [row[0].split()[0] for row in table(answer.text)]

    first, second, third = str(old.number), str(stray.number), str(other.number)
    assert found("") == [first, third, second]  # newest first
    assert found(old.id) == [first]
    assert found("p1") == [first]
    assert found(payment) == [second]
    assert found(str(refund)) == [third]
    assert found(ada.id) == [first, third, second]
    assert found(first) == [first]
    assert found("zed") == found("ZED") == found("  z\0ed ") == [first, third, second]
    assert found("ze") == []  # too short for a part of an address
    assert found("00%@") == found("_10") == [first]  # as they stand, not as patterns
    assert found("___") == found("a%e") == []
    assert found(str(2**63)) == found("²") == found("٣") == []
    assert found("", "refunded") == [third]
    assert found(ada.id, "refunded") == [third]
    assert found("", "lost") == [first, third, second]


def test_the_search_shows_what_was_asked_for(client: FlaskClient, manager: Account) -> None:
    page = client.get("/staff/orders", query_string={"q": "x" * 300, "state": "refunded"}).text
    assert f'value="{"x" * 254}"' in page
    assert '<option value="refunded" selected>Refunded</option>' in page
    assert page.count(" selected>") == 1
    plain = client.get("/staff/orders").text
    assert 'name="q" value=""' in plain
    assert re.findall(
        r'<option value="([a-z]*)"', plain.partition('id="orders-state"')[2].partition("</select>")[0]
    ) == [
        "",
        *OrderState,
    ]
    assert " selected>" not in plain.partition('id="orders-state"')[2].partition("</select>")[0]


def test_the_pages_of_a_search_keep_what_was_asked_for(client: FlaskClient, manager: Account) -> None:
    ada, line = rows.account(), sold("Tides")
    for _number in range(51):
        placed(ada, line)
    asked = {"q": ada.id, "state": "pending"}
    page = unescape(client.get("/staff/orders", query_string=asked).text)
    assert f'rel="next" href="/staff/orders?page=2&q={ada.id}&state=pending"' in page
    assert len(table(page)) == 50
    assert len(table(client.get("/staff/orders", query_string=asked | {"page": "2"}).text)) == 1


@pytest.mark.parametrize(("verb", "more"), [("GET", ""), ("POST", "/refund")])
def test_an_order_that_is_not_there_is_not_found(client: FlaskClient, manager: Account, verb: str, more: str) -> None:
    answer = client.open(f"/staff/orders/bcdfghjkmnpqrstv{more}", method=verb)
    assert answer.status_code == 404
    assert "There is no such order." in answer.text


# Orders: the page of one


def test_the_page_of_an_order_adds_up(till: Till, client: FlaskClient, manager: Account) -> None:
    ada = rows.account("Ada")
    order = placed(ada, sold("Tides", tax=158), sold("Harbour", minor=500))
    payment = till.pay(order)
    other = placed(ada, sold("Wharf"))
    till.pay(other)
    give_back(client, other, 990, reason="another one")
    fresh_page = client.get(f"/staff/orders/{order.id}").text
    # A form that nobody typed into: everything, no line, no amount, no reason.
    form = part(fresh_page, "give-back")
    assert re.findall(r'id="([^"]+)" checked', form) == ["what-all"]
    assert '<input id="amount" name="amount" inputmode="decimal" autocomplete="off" value="" maxlength="40">' in form
    assert re.search(r'<textarea id="refund-reason"[^>]* maxlength="500"[^>]*></textarea>', form)
    assert "Everything that is left: €14.90" in form
    assert re.findall(r'name="line" value="([^"]+)"', form) == [line.id for line in order.lines]
    assert "What staff did" not in fresh_page  # not of this order

    answer = give_back(client, order, 1490, what="lines", line=order.lines[0].id, reason=" a\0  deep\n scratch ")
    assert (answer.status_code, answer.location) == (303, f"/staff/orders/{order.id}")
    page = client.get(answer.location).text
    assert flashed(page) == [(" notice--success", "€9.90 is on its way back, the way it was paid.")]
    assert '<span class="badge badge--good">Paid</span>' in page
    told = dict(facts(part(page, "facts")))
    assert told["Buyer"] == f"Ada · {ada.email}"
    assert f'<a href="/staff/people/{ada.id}">Ada</a>' in page
    assert (told["Total"], told["Paid and kept"]) == ("€14.90", "€5.00")
    lines = table(part(page, "lines"))
    assert [row[:4] for row in lines] == [
        [order.lines[0].title, "€9.90", "€1.58", "€0.00"],
        [order.lines[1].title, "€5.00", "€0.00", "€5.00"],
    ]
    assert [row[4].split()[0] for row in lines] == ["Shut", "Stands"]
    assert table(part(page, "payments")) == [[payment, "€14.90", "€9.90", "€0.00"]]
    [made] = queries.refunds_of(order.id)
    [row] = table(part(page, "refunds"))
    assert row[1:] == ["€9.90", "Given back", f"Mo ({manager.email})", f"a deep scratch {made.gateway_id}"]
    assert "Everything that is left: €5.00" in page
    [done] = items(part(page, "log"))
    assert f"Mo ({manager.email}) · order.refund" in done
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.subject == f"order:{order.id}")).one()
    assert (entry.actor_id, entry.action) == (manager.id, "order.refund")
    assert entry.facts == {"refund": made.id, "minor": 990, "currency": "EUR", "lines": {order.lines[0].id: 990}}


def test_the_page_of_an_unpaid_order_has_nothing_behind_it(client: FlaskClient, manager: Account) -> None:
    order = placed(None, sold("Tides"), email="cy@example.org")
    paid = selling.bought(None, sold("Harbour"))
    page = client.get(f"/staff/orders/{order.id}").text
    assert dict(facts(part(page, "facts")))["Buyer"] == "Guest · cy@example.org"
    assert [row[1:] for row in table(part(page, "lines"))] == [["€9.90", "€0.00", "€0.00", "None"]]
    assert "Give money back" not in page
    for each in ("payments", "refunds", "claims", "letters", "cases", "ledger", "log"):
        assert f'<h2 id="{each}">' not in page, each  # and nothing of the other order
    file = Dossier(order)
    assert (file.left, file.refundable, file.payments, file.claims) == (Money(0, "EUR"), Money(0, "EUR"), [], [])
    assert [each.order_id for each in Dossier(paid).claims] == [paid.id]


def test_a_payment_that_bought_nothing_stands_on_the_page_of_its_order(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    order = placed(rows.account(), sold("Tides"))
    payment = mismatched(till, order)
    page = client.get(f"/staff/orders/{order.id}").text
    assert table(part(page, "payments")) == [[f"{payment} bought nothing", "€9.90", "€0.00", "€0.00"]]
    [case] = db.session.scalars(select(Case))
    assert f'<a href="/staff/cases/{case.id}">Case {case.number}</a>: A payment is not what was ordered</p>' in page
    assert items(part(page, "cases")) == [f"Case {case.number} · A payment is not what was ordered · open"]


def test_claims_and_cases_of_an_order_stand_in_the_order_they_came(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    order = placed(rows.account(), sold("Tides", gift_to="bo@example.org"), sold("Harbour", gift_to="cy@example.org"))
    till.pay(order)
    first = raised(CaseKind.COUNTRY, order_id=order.id, facts={"card": "FR"})
    second = raised(CaseKind.REFUND_REFUSED, order_id=order.id, facts={"error": "no"})
    raised(CaseKind.BOOKS, facts={"differences": ["of no order"]})
    client.post(f"/staff/cases/{first.id}/close", data={"outcome": "Theirs is right."})
    with transaction():
        # Where the rows lie says nothing about when they came.
        db.session.scalars(
            select(Claim).where(Claim.to_email == "bo@example.org")
        ).unique().one().created_at = clock.now()
    page = client.get(f"/staff/orders/{order.id}").text
    assert items(part(page, "cases")) == [
        f"Case {first.number} · The buyer’s country is not certain · Theirs is right.",
        f"Case {second.number} · A refund was not made · open",
    ]
    assert [each.split(" · ")[1] for each in items(part(page, "claims"))] == ["cy@example.org", "bo@example.org"]
    # What is closed needs nobody any more.
    assert re.findall(r'<p class="notice notice--error">(.*?)</p>', page) == [
        f'<a href="/staff/cases/{second.id}">Case {second.number}</a>: A refund was not made'
    ]


def test_every_letter_about_an_order_stands_on_its_page(till: Till, client: FlaskClient, manager: Account) -> None:
    order = placed(
        rows.account(),
        sold("Tides"),
        sold("Harbour", minor=500),
        sold("Wharf", minor=700, gift_to="bo@example.org"),
    )
    payment = till.pay(order)
    selling.bought(None, sold("Pier"))  # its letters are none of this one's
    give_back(client, order, 2190, what="lines", line=order.lines[1].id)
    till.refund(payment, 100)  # at the dashboard
    till.tell()
    raised(CaseKind.COUNTRY, order_id=order.id, facts={"card": "FR"})
    page = client.get(f"/staff/orders/{order.id}").text
    kinds = [each.split(" · ")[1] for each in items(part(page, "letters"))]
    assert sorted(kinds) == ["case", "gift", "receipt", "refund", "refund"]


def test_support_sees_no_log_of_an_order(app: Flask, till: Till, client: FlaskClient, manager: Account) -> None:
    order = placed(rows.account(), sold("Tides"))
    till.pay(order)
    give_back(client, order, 990)
    assert "What staff did" in client.get(f"/staff/orders/{order.id}").text
    browser = app.test_client()
    rows.staff(browser, Role.SUPPORT, "Su")
    assert "What staff did" not in browser.get(f"/staff/orders/{order.id}").text


def test_what_was_typed_into_a_refund_that_can_not_be_is_kept(
    till: Till, client: FlaskClient, manager: Account
) -> None:
    order = placed(rows.account(), sold("Tides"), sold("Harbour", minor=500))
    till.pay(order)

    def answered(**fields: object) -> tuple[int, str, list[str], str]:
        """The status, what is said, what is chosen and the amount that stands there."""
        answer = give_back(client, order, 1490, **fields)
        form = part(answer.text, "give-back")
        said = words(re.findall(r'<p class="notice notice--error" role="alert">(.*?)</p>', form, re.S)[0])
        amount = re.findall(r'name="amount"[^>]* value="([^"]*)"', form)[0]
        return answer.status_code, said, re.findall(r'id="([^"]+)" checked', form), amount

    why = "Say why the money goes back: the buyer may ask, and so may a colleague."
    chosen = f"back-{order.lines[1].id}"
    picked = {"what": "lines", "line": order.lines[1].id, "reason": " "}
    assert answered(**picked) == (400, why, ["what-lines", chosen], "")
    assert answered(reason="") == (400, why, ["what-all"], "")
    nothing = "Choose what to give back: there is nothing left of this, or nothing was chosen."
    assert answered(what="lines", line="bcdfghjkmnpqrstv") == (409, nothing, ["what-lines"], "")
    long = "9" * 50
    status, _said, checked, amount = answered(what="amount", amount=long)
    assert (status, checked, amount) == (400, ["what-amount"], "9" * 40)
    none = "“” is not an amount. Write it like 9.90."
    assert answered(what="amount") == (400, none, ["what-amount"], "")
    much = give_back(client, order, 1490, what="amount", amount="9999,00", reason="a dent")
    assert re.search(r'<textarea id="refund-reason"[^>]*>a dent</textarea>', much.text)
    # Without a word of what, all of it is meant; without a reason or what was seen, nothing is done.
    there = f"/staff/orders/{order.id}/refund"
    stale = client.post(there, data={"reason": "a dent"})
    assert stale.status_code == 409
    seen = "Something was given back since this page was loaded. Look at what is left, then repeat it if need be."
    assert seen in stale.text
    assert client.post(there, data={"seen": "1490"}).status_code == 400
    assert queries.refunds_of(order.id) == []
    assert client.post(there, data={"seen": "1490", "reason": "a dent"}).status_code == 303
    assert fresh(order).state == OrderState.REFUNDED


def test_what_is_read_for_a_page_is_not_changed_by_it(app: Flask) -> None:
    order = placed(None, sold("Tides"))
    [line] = Dossier(order).lines
    assert isinstance(line, LineFacts)
    for each, name in ((Wanted(None, None), "words"), (line, "behind"), (Dossier(order), "order")):
        with pytest.raises(FrozenInstanceError):
            setattr(each, name, None)
    assert [each.id for each in staff_queries.search(Wanted(None, None), 1).items] == [order.id]

"""The outbox page: everybody's mailbox on one's own machine, the staff's alone anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import rows
from support.drain import drain
from support.letter_samples import CONTEXTS, invoice_data

from app.accounts.models import AccountSession, Role
from app.core import queue
from app.core.db import db, transaction
from app.demo import check
from app.letters import invoice, service
from app.letters.models import Letter, LetterState
from app.settings import Settings

ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture
def receipt(app: Flask, settings: Settings) -> str:
    """A receipt that lies in the outbox; its id."""
    return _sent(app, settings, "receipt", "receipt:1")


def _sent(app: Flask, settings: Settings, kind: str, key: str) -> str:
    attachments = [invoice_data()] if kind == "receipt" else []
    with transaction():
        letter = service.enqueue(kind, "ada@example.org", "en", CONTEXTS[kind], key=key, attachments=attachments)
    drain(app, settings, "app.letters.tasks", queue_name=queue.LETTERS)
    db.session.expire_all()
    return letter.id


@pytest.fixture
def production(app: Flask) -> Iterator[None]:
    """The shop in earnest; only what the outbox asks about it is changed."""
    before: Settings = app.extensions["settings"]
    app.extensions["settings"] = before.model_copy(
        update={"environment": "production", "mail_url": "smtp://127.0.0.1:9", "mail_from": "S <s@example.org>"}
    )
    yield
    app.extensions["settings"] = before


def _staff(client: FlaskClient, role: Role = Role.ADMIN) -> AccountSession:
    person = rows.account("Root")
    person.role = role
    db.session.commit()
    return rows.sign_in(client, person)


def test_the_check_of_the_demo_finds_a_letter_on_the_page(client: FlaskClient, receipt: str) -> None:
    page = client.get("/outbox").text
    assert check.letter_in(page, "ada@example.org") == f"/outbox/{receipt}"
    assert check.letter_in(page, "nobody@example.org") is None


def test_a_visitor_of_the_demo_finds_their_letter(client: FlaskClient, receipt: str) -> None:
    page = client.get("/outbox").text
    assert "Order 1001: thank you, and your receipt" in page
    assert "ada@example.org" in page
    page = client.get(f"/outbox/{receipt}").text
    assert f'src="/outbox/{receipt}/body"' in page
    assert 'sandbox="allow-top-navigation-by-user-activation"' in page
    assert "夜航 · 导演剪辑版: €12.90" in page
    assert 'href="/outbox"' in client.get("/").text


def test_the_letter_is_shown_without_rights(client: FlaskClient, receipt: str) -> None:
    answer = client.get(f"/outbox/{receipt}/body")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "; sandbox allow-top-navigation-by-user-activation" in policy
    assert "frame-ancestors 'self'" in policy
    assert '<base target="_top">' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_attachments_and_the_message_can_be_taken_along(client: FlaskClient, receipt: str) -> None:
    answer = client.get(f"/outbox/{receipt}/attachments/0")
    assert (answer.mimetype, answer.data) == ("application/pdf", invoice.render(invoice_data()))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="invoice-2026-1001.pdf"'
    assert client.get(f"/outbox/{receipt}/attachments/1").status_code == 404
    mail = message_from_bytes(client.get(f"/outbox/{receipt}/message").data, policy=default)
    assert mail["Message-ID"] == f"<letter.{receipt}@localhost>"
    assert client.get("/outbox/bcdfghjkmnpqrstv").status_code == 404
    assert client.get("/outbox/bcdfghjkmnpqrstv/body").status_code == 404


def test_nobody_from_elsewhere_reads_it(client: FlaskClient, receipt: str) -> None:
    for path in ("/outbox", f"/outbox/{receipt}", f"/outbox/{receipt}/body", f"/outbox/{receipt}/message"):
        for asked in (
            {"environ_overrides": ELSEWHERE},
            {"headers": {"X-Forwarded-For": "203.0.113.9"}},
            {"headers": {"Via": "1.1 proxy"}},
            {"headers": {"Host": "rebound.example"}},
        ):
            answer = client.get(path, **asked)
            assert answer.status_code == 302, (path, asked)
            assert answer.location.startswith("/sign-in")
    rows.sign_in(client, rows.account())
    assert client.get("/outbox", environ_overrides=ELSEWHERE).status_code == 403


def test_in_production_it_is_for_those_who_may_read_letters(
    app: Flask, settings: Settings, client: FlaskClient, receipt: str, production: None
) -> None:
    assert client.get("/outbox").status_code == 302
    assert client.post(f"/outbox/{receipt}/again").status_code == 302
    rows.sign_in(client, rows.account())
    assert client.get("/outbox").status_code == 403
    _staff(client, Role.EDITOR)
    assert client.get("/outbox").status_code == 403
    _staff(client, Role.SUPPORT)
    assert "receipt" in client.get("/outbox").text
    assert client.get(f"/outbox/{receipt}/body").status_code == 200


def test_in_production_staff_read_it_with_their_second_factor(
    app: Flask, client: FlaskClient, receipt: str, production: None
) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"staff_second_factor": "required"})
    _staff(client).second_factor_at = None
    db.session.commit()
    for path in ("/outbox", f"/outbox/{receipt}/body"):
        assert client.get(path).location == "/account/second-factor"


def test_not_even_administrators_read_what_opens_a_door(
    app: Flask, settings: Settings, client: FlaskClient, receipt: str, production: None
) -> None:
    reset = _sent(app, settings, "reset_password", "reset:1")  # put into words; the server at port 9 takes nothing
    assert db.session.get_one(Letter, reset).html is not None
    _staff(client)
    page = client.get(f"/outbox/{reset}").text
    assert "/reset/" not in page
    assert "cannot be used" in page
    assert client.get(f"/outbox/{reset}/body").status_code == 404
    assert client.get(f"/outbox/{reset}/message").status_code == 404
    assert client.get(f"/outbox/{receipt}/body").status_code == 200


def test_a_letter_that_failed_is_sent_again_on_request(app: Flask, settings: Settings, client: FlaskClient) -> None:
    with transaction():
        letter = service.enqueue("receipt", "nobody", "en", CONTEXTS["receipt"], key="1")
    drain(app, settings, "app.letters.tasks", queue_name=queue.LETTERS)
    db.session.expire_all()
    assert "This is no e-mail address." in client.get(f"/outbox/{letter.id}").text
    db.session.get_one(Letter, letter.id).to_address = "ada@example.org"
    db.session.commit()
    assert client.post(f"/outbox/{letter.id}/again").status_code == 303
    assert 'hx-trigger="load delay:2s"' in client.get("/outbox").text
    drain(app, settings, "app.letters.tasks", queue_name=queue.LETTERS)
    db.session.expire_all()
    assert db.session.get_one(Letter, letter.id).state == LetterState.SENT
    assert 'hx-trigger="load delay:2s"' not in client.get("/outbox").text
    assert client.post(f"/outbox/{letter.id}/again", follow_redirects=True).text.count("Only a letter that failed") == 1
    assert queue.waiting_args(service.SEND) == []


def test_pages_follow_one_another(app: Flask, client: FlaskClient) -> None:
    with transaction():
        for number in range(53):
            service.enqueue("case", "desk@example.org", "en", CONTEXTS["case"] | {"number": number}, key=str(number))
    first = client.get("/outbox").text
    assert first.count("<tr>") == 51
    older = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    assert client.get(older).text.count("<tr>") == 4

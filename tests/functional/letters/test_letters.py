"""Letters: written with what they are about or not at all, once for each key, in the reader's language."""

from __future__ import annotations

import html
import threading
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from sqlalchemy import text
from support.drain import drain
from support.letter_samples import AT, CONTEXTS, invoice_data

from app.core import clock, queue
from app.core.db import db, transaction
from app.core.money import Money
from app.letters import invoice, post, rendering, service
from app.letters.kinds import KINDS, UnknownKind
from app.letters.message import BadAddress, compose, mailbox
from app.letters.models import Letter, LetterState
from app.settings import ROOT, Settings, var_dir

TO = "ada@example.org"


def _enqueue(kind: str = "receipt", *, key: str = "receipt:1", to: str = TO, locale: str = "en", **more: Any) -> Letter:
    context = more.pop("context") if "context" in more else CONTEXTS[kind]
    with transaction():
        return service.enqueue(kind, to, locale, context, key=key, **more)


def _drain(app: Flask, settings: Settings) -> None:
    db.session.expire_all()
    drain(app, settings, "app.letters.tasks", queue_name=queue.LETTERS)
    db.session.rollback()
    db.session.expire_all()


def _unsaved(kind: str = "receipt", locale: str = "en", context: dict | None = None, **more: Any) -> Letter:
    plain = {name: service._plain(value) for name, value in (context or CONTEXTS[kind]).items()}
    facts = {"id": "bcdfghjkmnpqrstv", "to_address": TO, "attachments": [], "created_at": AT}
    return Letter(kind=kind, locale=locale, context=plain, **(facts | more))


def _outbox() -> list[Path]:
    return sorted((var_dir() / "outbox").glob("*"))


@pytest.fixture(autouse=True)
def _empty_outbox() -> None:
    for left in _outbox():
        left.unlink()


def test_a_letter_is_a_row_and_a_job_and_then_a_file(app: Flask, settings: Settings) -> None:
    letter = _enqueue(attachments=[invoice_data(2)])
    assert (letter.state, queue.waiting_args(service.SEND)) == (LetterState.QUEUED, [{"letter_id": letter.id}])
    _drain(app, settings)
    letter = db.session.get_one(Letter, letter.id)
    assert (letter.state, letter.attempts, letter.unsure, letter.error) == (LetterState.SENT, 1, 0, None)
    assert letter.sent_at is not None
    [file] = _outbox()
    assert file.name.endswith(f"-{letter.id}.eml")
    assert file.stat().st_mode & 0o077 == 0
    mail: EmailMessage = message_from_bytes(file.read_bytes(), policy=default)  # type: ignore[assignment]
    assert mail["To"] == TO
    assert mail["Subject"] == letter.subject == "Order 1001: thank you, and your receipt"
    assert mail["Message-ID"] == f"<letter.{letter.id}@localhost>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "en"
    assert mail["List-Unsubscribe"] is None
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert "夜航 · 导演剪辑版: €12.90" in plain.get_content()
    assert "夜航 · 导演剪辑版" in rich.get_content()
    [attached] = mail.iter_attachments()
    assert attached.get_filename() == "invoice-2026-1001.pdf"
    assert attached.get_content() == invoice.render(invoice_data(2))


def test_a_rollback_takes_the_letter_and_its_job_back(app: Flask) -> None:
    service.enqueue("receipt", TO, "en", CONTEXTS["receipt"], key="receipt:1")
    assert len(queue.waiting_args(service.SEND)) == 1
    db.session.rollback()
    assert db.session.query(Letter).count() == 0
    assert queue.waiting_args(service.SEND) == []


def test_one_key_is_one_letter(app: Flask, settings: Settings) -> None:
    first = _enqueue()
    again = _enqueue(to="somebody.else@example.org", locale="zh_Hans")
    assert (again.id, again.to_address, again.locale) == (first.id, TO, "en")
    _drain(app, settings)
    assert _enqueue().state == LetterState.SENT
    _drain(app, settings)
    assert len(_outbox()) == 1
    assert db.session.get_one(Letter, first.id).attempts == 1


def test_two_who_say_the_same_at_once_say_it_once(app: Flask, settings: Settings) -> None:
    began, found = threading.Barrier(4), []

    def say() -> None:
        with app.app_context():
            began.wait()
            found.append(_enqueue().id)
            db.session.remove()

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(queue.waiting_args(service.SEND)) == 1


def test_what_cannot_be_written_is_refused_where_it_is_asked_for(app: Flask) -> None:
    with pytest.raises(UnknownKind):
        _enqueue(context={}, kind="newsletter")
    for kind, context in CONTEXTS.items():
        for name in KINDS[kind].needs:
            with pytest.raises(ValueError, match=name):
                _enqueue(kind, context={key: value for key, value in context.items() if key != name})
    for link in ("javascript:alert(1)", "/orders/1", "ftp://x", ""):
        with pytest.raises(ValueError, match="no address on the web"):
            _enqueue(context=CONTEXTS["receipt"] | {"link": link})
    with pytest.raises(ValueError, match="cannot hold"):
        _enqueue(context=CONTEXTS["receipt"] | {"total": 9.9})
    assert db.session.query(Letter).count() == 0


@pytest.mark.parametrize("locale", ["en", "zh_Hans"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_words_in_both_forms(app: Flask, kind: str, locale: str) -> None:
    words = rendering.write(_unsaved(kind, locale))
    link = CONTEXTS[kind].get("link")
    assert words.subject
    assert "\n" not in words.subject
    if link:
        assert link in words.text
        assert f'href="{link}"' in words.html
    assert f'<html lang="{locale.replace("_", "-")}">' in words.html
    reader = _Reader()
    reader.feed(words.html)
    assert reader.open == []
    assert not reader.fetched, "a letter reads the same without pictures, and tells nobody that it is read"
    assert html.escape(words.subject, quote=False) in html.escape(html.unescape(words.html), quote=False)
    for name in ("number", "giver", "code", "device", "reason", "new_email", "minutes"):
        if name in CONTEXTS[kind]:
            assert str(CONTEXTS[kind][name]) in words.subject + words.text
            assert str(CONTEXTS[kind][name]) in words.html


class _Reader(HTMLParser):
    """Elements left open, and addresses that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in ("src", "srcset", "background", "poster")]
        if tag in ("link", "script", "img", "iframe"):
            self.fetched.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_whatever_was_typed_does_not_break_the_callers_transaction(app: Flask, settings: Settings) -> None:
    typed = "a\x00b\ud800c" + "x" * 400
    letter = _enqueue("gift", context=CONTEXTS["gift"] | {"message": typed}, to=typed)
    _drain(app, settings)
    assert db.session.get_one(Letter, letter.id).state == LetterState.FAILED


def test_the_two_languages_differ(app: Flask) -> None:
    english, chinese = (rendering.write(_unsaved("receipt", locale)) for locale in ("en", "zh_Hans"))
    assert "Order 1001" in english.subject
    assert "订单 1001" in chinese.subject
    assert "2026年11月21日 19:42 UTC" in chinese.text
    assert "21 November 2026, 19:42 UTC" in english.html
    yuan = CONTEXTS["dispute"] | {"amount": Money(990, "CNY")}
    assert "¥9.90" in rendering.write(_unsaved("dispute", "zh_Hans", yuan)).text
    assert "CN¥9.90" in rendering.write(_unsaved("dispute", "en", yuan)).text


def test_a_partial_a_full_and_a_doubled_payments_refund_say_so(app: Flask) -> None:
    partial = CONTEXTS["refund"]
    full = partial | {"full": True, "amount": partial["total"]}
    doubled = full | {"duplicate": True, "lines": []}
    subjects = [rendering.write(_unsaved("refund", "en", context)).subject for context in (partial, full, doubled)]
    assert subjects == ["Order 1001: partly refunded", "Order 1001: refunded", "Order 1001: refunded"]
    texts = [rendering.write(_unsaved("refund", "en", context)).text for context in (partial, full, doubled)]
    assert "€9.90 of the €22.80" in texts[0]
    assert "€22.80 you paid" in texts[1]
    assert "twice" in texts[2]
    assert "left your library" in texts[1]
    assert "left your library" not in texts[2]


def test_what_people_type_is_shown_as_typed_and_never_as_ours(app: Flask) -> None:
    message = '<script>alert(1)</script>\nhttps://evil.example/ "quoted"\n\n-- \nWavecrate'
    context = CONTEXTS["gift"] | {"giver": "<b>Eve</b>\r\nBcc: all@example.org", "message": message, "titles": ["<i>"]}
    words = rendering.write(_unsaved("gift", "en", context))
    assert "<script" not in words.html
    assert "<b>" not in words.html
    assert "<i>" not in words.html
    assert words.html.count('href="https://evil.example') == 0
    for line in message.splitlines():
        assert f"> {line}".rstrip() in words.text
    assert words.subject == "<b>Eve</b> Bcc: all@example.org has a gift for you"


def test_a_template_that_asks_for_more_than_it_is_told_is_no_empty_line(app: Flask) -> None:
    letter = _unsaved("dispute")
    letter.context = {name: value for name, value in letter.context.items() if name != "reason"}
    with pytest.raises(UndefinedError, match="reason"):
        rendering.write(letter)


_ANYTHING = st.text(max_size=300)


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@example(name="", title="=?utf-8?q?a=0D=0ABcc:_all=40example.org?=", artist="")
@given(name=_ANYTHING, title=_ANYTHING, artist=_ANYTHING)
def test_no_name_or_title_becomes_a_header(app: Flask, name: str, title: str, artist: str) -> None:
    context = CONTEXTS["preorder_released"] | {"name": name, "title": title, "artist": artist}
    letter = _unsaved("preorder_released", "en", context)
    words = rendering.write(letter)
    letter.subject, letter.text, letter.html = words.subject, words.text, words.html
    made = compose(letter, "Wavecrate <a@example.org>")
    sent = made.as_bytes()
    assert sent.isascii()
    head, _, _ = sent.partition(b"\r\n\r\n")
    assert max(map(len, sent.split(b"\r\n"))) <= 998
    names = [line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert sorted(names) == sorted(
        b"From To Subject Date Message-ID Auto-Submitted X-Auto-Response-Suppress MIME-Version Content-Type"
        b" Content-Language".split()
    )
    read: EmailMessage = message_from_bytes(sent, policy=default)  # type: ignore[assignment]
    assert [address.addr_spec for address in read["To"].addresses] == [TO]
    assert [address.addr_spec for address in read["From"].addresses] == ["a@example.org"]
    assert "".join(read["Subject"].split()) == "".join(words.subject.split())


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "@example.org",
        "a@",
        "a@b\r\nBcc: c@example.org",
        "a@b.org, c@d.org",
        "a b@c.org",
        "a@b@c",
        "a@..",
        "a\x00 @b.org",
        "<a@b.org",
        "a@b.org>\r\nRCPT TO:<c@d.org",
    ],
)
def test_what_is_no_address_fails_for_good_and_says_so(app: Flask, settings: Settings, address: str) -> None:
    with pytest.raises(BadAddress):
        mailbox(address)
    letter = _enqueue(to=address)
    _drain(app, settings)
    letter = db.session.get_one(Letter, letter.id)
    assert letter.state == LetterState.FAILED
    assert "address" in str(letter.error)
    assert _outbox() == []


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("Ada Lovelace <ada@example.org>", "ada@example.org"),
        ("a.b+c@bücher.example", "a.b+c@xn--bcher-kva.example"),
        ("用户@例子.测试", "用户@xn--fsqu00a.xn--0zwm56d"),
    ],
)
def test_addresses_of_every_alphabet(app: Flask, address: str, written: str) -> None:
    letter = _unsaved(to_address=address, subject="夜航", text="夜航", html="<p>夜航</p>")
    assert mailbox(address).addr_spec == written
    sent = compose(letter, "S <s@example.org>").as_bytes()
    assert f"{written}".encode() in sent.partition(b"\r\n\r\n")[0]
    assert message_from_bytes(sent, policy=default)["Subject"] == "夜航"


def test_a_letter_nobody_asked_for_says_how_to_end_it(app: Flask) -> None:
    context = CONTEXTS["receipt"] | {"unsubscribe_link": "https://shop.example.org/stop/bcdf"}
    made = compose(_unsaved(context=context, subject="x", text="x", html="x"), "S <s@example.org>")
    assert made["List-Unsubscribe"] == "<https://shop.example.org/stop/bcdf>"
    assert made["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_fault_of_ours_is_told_and_waits_for_the_release_that_mends_it(app: Flask, settings: Settings) -> None:
    letter = _enqueue()
    db.session.execute(text("UPDATE letter SET context = context - 'link'"))
    db.session.commit()
    _drain(app, settings)
    letter = db.session.get_one(Letter, letter.id)
    assert (letter.state, letter.attempts) == (LetterState.QUEUED, 0)
    assert "link" in str(letter.error)
    assert queue.waiting_args(service.SEND) == [{"letter_id": letter.id}]
    post.deliver(letter.id, last=True)
    assert db.session.get_one(Letter, letter.id).state == LetterState.FAILED


def test_the_operator_is_told_where_they_want_to_be(app: Flask, settings: Settings) -> None:
    with transaction():
        letter = service.tell_operator("case", CONTEXTS["case"], key="case:1")
    assert mailbox(letter.to_address).addr_spec == "shop@localhost"
    app.extensions["settings"] = settings.model_copy(update={"mail_operator": "Desk <desk@example.org>"})
    with transaction():
        letter = service.tell_operator("dispute", CONTEXTS["dispute"], key="dispute:1")
    assert letter.to_address == "Desk <desk@example.org>"
    _drain(app, settings)
    assert len(_outbox()) == 2


def test_an_unknown_language_becomes_the_shops_own(app: Flask) -> None:
    assert _enqueue(locale="xx").locale == "en"
    assert _enqueue(locale=None, key="2").locale == "en"  # type: ignore[arg-type]


def test_a_person_who_leaves_is_forgotten_and_nothing_is_said_twice(app: Flask, settings: Settings) -> None:
    mine = _enqueue(account_id="bcdfghjkmnpqrstv", attachments=[invoice_data()])
    _enqueue(key="receipt:2", account_id="zzzzzzzzzzzzzzzz")
    _drain(app, settings)
    with transaction():
        assert service.forget("bcdfghjkmnpqrstv") == 1
    gone = db.session.get_one(Letter, mine.id)
    assert (gone.to_address, gone.account_id, gone.context, gone.attachments) == ("", None, {}, [])
    assert (gone.subject, gone.text, gone.html) == (None, None, None)
    assert _enqueue().id == mine.id
    assert db.session.query(Letter).filter(Letter.to_address == TO).count() == 1


def test_what_old_letters_said_is_forgotten_at_night(app: Flask, settings: Settings) -> None:
    for number in range(3):
        _enqueue(key=str(number))
    _drain(app, settings)
    waiting = _enqueue(key="waiting")
    old = clock.now() - timedelta(days=settings.letter_keep_days, minutes=1)
    db.session.execute(text("UPDATE letter SET created_at = :old WHERE key IN ('0', '1', 'waiting')"), {"old": old})
    db.session.commit()
    with transaction():
        queue.defer("letters.forget_old")
    drain(app, settings, "app.letters.tasks")
    db.session.expire_all()
    kept = db.session.query(Letter).filter(Letter.to_address != "").all()
    assert {letter.key for letter in kept} == {"2", "waiting"}
    assert waiting.context


def test_every_kind_has_its_two_templates_and_no_template_lacks_its_kind() -> None:
    folder = ROOT / "app" / "templates" / "letters"
    for suffix in (".txt", ".html"):
        assert {path.stem for path in folder.glob(f"[!_]*{suffix}")} == set(KINDS)

"""Letters over SMTP, to a real server on loopback: taken, put off, refused, and never more than twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from support import certificates
from support.drain import drain
from support.instance import environment, eventually
from support.letter_samples import CONTEXTS, invoice_data
from support.mail_server import PASSWORD, USER, MailServer, mail_server
from support.terminal import wavecrate

from app.core import queue
from app.core.db import db, transaction
from app.engines import processes
from app.letters import post, service
from app.letters.models import Letter, LetterState
from app.letters.tasks import MOST_TRIES
from app.settings import ROOT, Settings

SIGN_IN = "shop:p%40ss%3Aword%2F1"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls") / "mail"
    certificates.write(directory)
    return directory


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def _use(app: Flask, url: str) -> Settings:
    """Have the shop send there, under a name a server would take."""
    found: Settings = app.extensions["settings"]
    changed = found.model_copy(update={"mail_url": url, "mail_from": "Wavecrate <shop@example.org>"})
    app.extensions["settings"] = changed
    return changed


def _letter(kind: str = "receipt", key: str = "1", to: str = "ada@example.org") -> str:
    attachments = [invoice_data()] if kind == "receipt" else []
    with transaction():
        return service.enqueue(kind, to, "en", CONTEXTS[kind], key=key, attachments=attachments).id


def _work(app: Flask, letter_id: str, *, now: bool = False) -> Letter:
    """Let the worker do what is due; with `now`, a retry that waits is due too."""
    if now:
        db.session.execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'"))
        db.session.commit()
    drain(app, app.extensions["settings"], "app.letters.tasks", queue_name=queue.LETTERS)
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Letter, letter_id)


def _jobs() -> list[tuple[str, bool]]:
    """The state of each job that is not done, and whether it is put off."""
    rows = db.session.execute(
        text(
            "SELECT status::text, coalesce(scheduled_at > now(), false) FROM procrastinate_jobs"
            " WHERE status <> 'succeeded' AND queue_name = 'letters'"
        )
    )
    return [(status, later) for status, later in rows]


def test_a_letter_is_taken(app: Flask, server: MailServer) -> None:
    _use(app, f"smtp://127.0.0.1:{server.port}")
    letter = _work(app, _letter())
    assert (letter.state, letter.error) == (LetterState.SENT, None)
    [mail] = server.letters
    assert (mail["From"], mail["To"]) == ("Wavecrate <shop@example.org>", "ada@example.org")
    assert mail["Message-ID"] == f"<letter.{letter.id}@example.org>"
    [attached] = mail.iter_attachments()
    assert attached.get_content().startswith(b"%PDF-")
    assert _jobs() == []


def test_starttls_with_a_sign_in(app: Flask, certificate: Path) -> None:
    with mail_server(certificate) as server:
        ca = certificate / "certificate.pem"
        _use(app, f"smtp://{SIGN_IN}@127.0.0.1:{server.port}?starttls=1&ca={ca}")
        assert _work(app, _letter()).state == LetterState.SENT
        assert server.encrypted == [True]
        assert (USER, PASSWORD) == ("shop", "p@ss:word/1")


def test_tls_from_the_first_byte(app: Flask, certificate: Path) -> None:
    with mail_server(certificate, implicit=True) as server:
        _use(app, f"smtps://127.0.0.1:{server.port}?ca={certificate / 'certificate.pem'}")
        assert _work(app, _letter()).state == LetterState.SENT
        assert len(server.letters) == 1


def test_a_server_that_cannot_prove_its_name_gets_nothing(app: Flask, certificate: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    certificates.write(other, "mail.example.org")
    with mail_server(certificate) as server:
        for ca in ("", f"&ca={other / 'certificate.pem'}"):
            _use(app, f"smtp://{SIGN_IN}@127.0.0.1:{server.port}?starttls=1{ca}")
            letter = _work(app, _letter(key=ca))
            assert letter.state == LetterState.QUEUED
            assert "CERTIFICATE_VERIFY_FAILED" in str(letter.error)
        assert server.letters == []
    with mail_server(other) as server:  # trusted, but for another name
        _use(app, f"smtp://{SIGN_IN}@127.0.0.1:{server.port}?starttls=1&ca={other / 'certificate.pem'}")
        assert "not valid for '127.0.0.1'" in str(_work(app, _letter(key="name")).error)
        assert server.letters == []


def test_without_starttls_no_password_is_said(app: Flask, server: MailServer) -> None:
    _use(app, f"smtp://{SIGN_IN}@127.0.0.1:{server.port}?starttls=1")
    letter = _work(app, _letter())
    assert letter.state == LetterState.QUEUED
    assert "STARTTLS" in str(letter.error)
    assert server.letters == []


def test_a_wrong_password_waits_for_the_right_one_and_is_not_written_down(app: Flask, certificate: Path) -> None:
    with mail_server(certificate) as server:
        _use(app, f"smtp://shop:wrong-word@127.0.0.1:{server.port}?starttls=1&ca={certificate / 'certificate.pem'}")
        letter = _work(app, _letter())
        assert letter.state == LetterState.QUEUED
        assert "535" in str(letter.error)
        assert "wrong-word" not in str(letter.error)
        assert _jobs() == [("todo", True)]
        _use(app, f"smtp://{SIGN_IN}@127.0.0.1:{server.port}?starttls=1&ca={certificate / 'certificate.pem'}")
        assert _work(app, letter.id, now=True).state == LetterState.SENT
        assert len(server.letters) == 1


@pytest.mark.parametrize("where", ["rcpt_answers", "data_answers"])
def test_4xx_is_tried_again_later(app: Flask, server: MailServer, where: str) -> None:
    _use(app, f"smtp://127.0.0.1:{server.port}")
    getattr(server, where).extend(["451 come back later", "452 the disk is full"])
    letter = _work(app, _letter())
    assert (letter.state, letter.attempts, letter.unsure) == (LetterState.QUEUED, 1, 0)
    assert letter.error == "The mail server said 451: come back later"
    assert _jobs() == [("todo", True)]
    assert "452" in str(_work(app, letter.id, now=True).error)
    letter = _work(app, letter.id, now=True)
    assert (letter.state, letter.attempts, letter.error) == (LetterState.SENT, 3, None)
    assert len(server.letters) == 1


@pytest.mark.parametrize("where", ["rcpt_answers", "data_answers"])
def test_5xx_is_told_and_never_tried_again(app: Flask, server: MailServer, where: str) -> None:
    _use(app, f"smtp://127.0.0.1:{server.port}")
    getattr(server, where).append("550 no such person")
    letter = _work(app, _letter())
    assert (letter.state, letter.error) == (LetterState.FAILED, "The mail server said 550: no such person")
    assert _jobs() == []
    assert server.letters == []
    with transaction():
        service.send_again(letter)
    assert _work(app, letter.id).state == LetterState.SENT


def test_a_server_that_is_away_is_waited_for_but_not_for_ever(app: Flask) -> None:
    (port,) = processes.free_ports(1)
    _use(app, f"smtp://127.0.0.1:{port}")
    letter = _work(app, _letter())
    assert (letter.state, _jobs()) == (LetterState.QUEUED, [("todo", True)])
    assert f"127.0.0.1:{port} cannot be used" in str(letter.error)
    db.session.execute(text("UPDATE procrastinate_jobs SET attempts = :most"), {"most": MOST_TRIES})
    db.session.commit()
    letter = _work(app, letter.id, now=True)
    assert (letter.state, _jobs()) == (LetterState.FAILED, [])
    assert "cannot be used" in str(letter.error)


def test_a_silence_after_the_letter_is_met_with_one_more_copy_at_most(app: Flask, server: MailServer) -> None:
    _use(app, f"smtp://127.0.0.1:{server.port}")
    server.data_answers += ["hang up", "hang up", "hang up"]
    letter = _work(app, _letter())
    assert (letter.state, letter.unsure) == (LetterState.QUEUED, 1)
    letter = _work(app, letter.id, now=True)
    assert (letter.state, letter.unsure) == (LetterState.QUEUED, 2)
    letter = _work(app, letter.id, now=True)
    assert letter.state == LetterState.FAILED
    assert "may have been delivered" in str(letter.error)
    assert [mail["Message-ID"] for mail in server.letters] == [f"<letter.{letter.id}@example.org>"] * 2


def test_what_a_door_opening_letter_said_is_forgotten_once_it_is_sent(app: Flask, server: MailServer) -> None:
    _use(app, f"smtp://127.0.0.1:{server.port}")
    letter = _work(app, _letter("reset_password"))
    assert (letter.state, letter.context, letter.text, letter.html) == (LetterState.SENT, {}, None, None)
    assert letter.subject == "Set a new password"
    assert CONTEXTS["reset_password"]["link"] in str(server.letters[0].get_body(("plain",)))
    told = db.session.execute(
        text("SELECT row_to_json(letter)::text || (SELECT count(*) FROM procrastinate_jobs) FROM letter")
    )
    assert "/reset/" not in told.scalar_one()


def test_an_address_beyond_ascii_needs_a_server_that_takes_it(app: Flask, server: MailServer) -> None:
    _use(app, f"smtp://127.0.0.1:{server.port}")
    assert _work(app, _letter(to="用户@例子.测试")).state == LetterState.SENT
    assert server.recipients == ["用户@xn--fsqu00a.xn--0zwm56d"]


def test_a_letter_that_was_sent_is_not_sent_by_a_job_that_comes_late(app: Flask, server: MailServer) -> None:
    _use(app, f"smtp://127.0.0.1:{server.port}")
    letter = _work(app, _letter())
    post.deliver(letter.id)
    post.deliver("no-such-letter")
    assert len(server.letters) == 1


def test_a_worker_killed_once_the_server_has_it_sends_one_more_copy_at_most(
    app: Flask, server: MailServer, tmp_path: Path
) -> None:
    settings = _use(app, f"smtp://127.0.0.1:{server.port}")
    letter_id = _letter()
    env = os.environ | environment(settings) | {"WAVECRATE_VAR": str(tmp_path / "var"), "PYTHONUNBUFFERED": "1"}
    workers: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        log = tmp_path / f"worker{len(workers)}.log"
        command = [sys.executable, "-m", "app.cli", "worker", "--alone"]
        workers.append(processes.start(command, log=log, env=env, cwd=ROOT))

    def state() -> str:
        db.session.rollback()
        db.session.expire_all()
        return db.session.get_one(Letter, letter_id).state

    server.on_data = lambda: os.kill(workers[-1].pid, signal.SIGKILL)
    try:
        for copies in (1, 2):
            start()
            eventually(lambda copies=copies: len(server.letters) == copies and workers[-1].poll() is not None)
            assert state() == LetterState.QUEUED
        server.on_data = lambda: None
        start()
        eventually(lambda: state() != LetterState.QUEUED)
    finally:
        for worker in workers:
            processes.stop(worker, signal.SIGTERM, grace=10)
    letter = db.session.get_one(Letter, letter_id)
    assert letter.state == LetterState.FAILED
    assert "may have been delivered" in str(letter.error)
    assert [mail["Message-ID"] for mail in server.letters] == [f"<letter.{letter_id}@example.org>"] * 2


def test_an_operator_tries_the_mail_server_out_from_the_terminal(settings: Settings, server: MailServer) -> None:
    told = {"mail_url": f"smtp://127.0.0.1:{server.port}", "mail_from": "Wavecrate <shop@example.org>"}
    posting = settings.model_copy(update=told)
    taken = wavecrate(posting, "letter", "you@example.org")
    assert taken.exit_code == 0, taken.stderr
    assert server.letters[0]["To"] == "you@example.org"
    server.rcpt_answers.append("550 no such person")
    refused = wavecrate(posting, "letter", "you@example.org")
    assert (refused.exit_code, refused.stderr) == (1, "Error: The mail server said 550: no such person\n")
    assert "no e-mail address" in wavecrate(posting, "letter", "you").stderr

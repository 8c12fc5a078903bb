"""A mail server on loopback: aiosmtpd, which does what it is told to."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.engines.processes import free_ports

USER, PASSWORD = "shop", "p@ss:word/1"


@dataclass
class MailServer:
    """What it took, and what it answers instead of yes while there is something left."""

    port: int
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    rcpt_answers: list[str] = field(default_factory=list)
    data_answers: list[str] = field(default_factory=list)
    on_data: Callable[[], None] = lambda: None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.rcpt_answers:
            return self.rcpt_answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.data_answers.pop(0) if self.data_answers else "250 taken"
        if answer.startswith("250") or answer == "hang up":
            content = envelope.content if isinstance(envelope.content, bytes) else b""
            self.letters.append(message_from_bytes(content, policy=default))  # type: ignore[arg-type]
            self.recipients += envelope.rcpt_tos
            self.encrypted.append(session.ssl is not None)
        self.on_data()
        if answer == "hang up":
            assert server.transport is not None
            server.transport.abort()
        return answer


@contextmanager
def mail_server(certificate: Path | None = None, *, implicit: bool = False) -> Iterator[MailServer]:
    """Run one. With a certificate's directory, it asks for TLS (from the first byte, or by STARTTLS) and a sign-in."""
    (port,) = free_ports(1)
    found = MailServer(port)
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")

    def authenticate(
        _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
    ) -> AuthResult:
        known = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=known)

    more = (
        {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": authenticate}
        if context is not None and not implicit
        else {}
    )
    controller = Controller(
        found, hostname="127.0.0.1", port=port, ssl_context=context if implicit else None, ready_timeout=30, **more
    )
    controller.start()
    try:
        yield found
    finally:
        controller.stop()

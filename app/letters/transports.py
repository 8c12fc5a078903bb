"""Handing a letter over: to an SMTP server, or into a folder of this machine."""

from __future__ import annotations

import contextlib
import os
import smtplib
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from app.letters.message import is_ascii
from app.settings import MailRoute, var_dir

_TIMEOUT = 30  # seconds without a word from the server
# "Sign in first" in its variants: the letter is in order, the settings are not.
_SIGN_IN_FIRST = frozenset({530, 534, 535, 538})


class NotSent(Exception):
    """The letter was not taken, and may be offered again."""


class Unsure(NotSent):
    """The letter may have been taken: the server went away before it said so."""


class Refused(NotSent):
    """The letter was refused for good; offering it again changes nothing."""


class Transport(Protocol):
    """What letters can be handed to."""

    def send(self, mail: EmailMessage, *, sender: str, to: str, name: str) -> None:
        """Hand the letter over; return once it was taken. `name` is what to call it; raise NotSent or its kin."""


def transport_for(route: MailRoute) -> Transport:
    """What the settings name."""
    if route.folder is not None:
        return Folder(Path(route.folder) if route.folder else var_dir() / "outbox")
    return Smtp(route)


class Folder:
    """One file a letter, as a mail program opens it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, mail: EmailMessage, *, sender: str, to: str, name: str) -> None:
        """Write `<name>.eml`, whole or not at all; the same letter again takes the same place."""
        draft = None
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=self._path, prefix=".", suffix=".part")
            with os.fdopen(descriptor, "wb") as file:
                file.write(mail.as_bytes())
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self._path / f"{name}.eml")
        except OSError as error:
            if draft is not None:
                with contextlib.suppress(OSError):
                    os.unlink(draft)
            raise NotSent(f"The letter could not be written to {self._path}: {error.strerror}.") from error


class Smtp:
    """A submission server (RFC 6409). One connection a letter: the shop writes few, and none waits for another."""

    def __init__(self, route: MailRoute) -> None:
        self._route = route

    def send(self, mail: EmailMessage, *, sender: str, to: str, name: str) -> None:
        """Offer the letter. 4xx, silence and a wrong set-up here raise NotSent, 5xx about the letter Refused, and an
        end without an answer to its last line Unsure."""
        data = mail.as_bytes()
        with self._connected() as server:
            options = [] if is_ascii(mail) else ["SMTPUTF8", "BODY=8BITMIME"]
            if options and not server.has_extn("smtputf8"):
                raise Refused("The mail server knows no addresses beyond ASCII (SMTPUTF8), and this one is.")
            try:
                _accepted(server.mail(sender, options), 250)
                _accepted(server.rcpt(to), 250, 251)
            except (smtplib.SMTPException, OSError) as error:
                raise NotSent(f"The mail server broke off: {error}") from error
            try:
                _accepted(server.data(data), 250)
            except smtplib.SMTPDataError as error:  # what it answers before the first line is sent
                _accepted((error.smtp_code, error.smtp_error), 250)
            except (smtplib.SMTPException, OSError) as error:
                raise Unsure(f"The mail server fell silent while it was handed the letter: {error}") from error

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        route = self._route
        server: smtplib.SMTP | None = None
        try:
            context = ssl.create_default_context(cafile=route.ca_file) if route.security != "plain" else None
            if route.security == "tls":
                server = smtplib.SMTP_SSL(route.host, route.port, timeout=_TIMEOUT, context=context)
            else:
                server = smtplib.SMTP(route.host, route.port, timeout=_TIMEOUT)
            server.ehlo_or_helo_if_needed()
            if route.security == "starttls":
                server.starttls(context=context)
                server.ehlo_or_helo_if_needed()
            if route.user is not None and route.password is not None:
                server.login(route.user, route.password)
        except (smtplib.SMTPException, OSError) as error:
            if server is not None:
                server.close()
            raise NotSent(
                f"The mail server {route.host}:{route.port} cannot be used: {_said(error)}. Check MAIL_URL."
            ) from error
        try:
            yield server
        finally:
            # Whatever became of the letter is known by now; how the server takes leave changes nothing.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()


def _accepted(answer: tuple[int, bytes | str], *codes: int) -> None:
    """Return if the server said one of the codes; else raise by what it said."""
    code, words = answer
    if code in codes:
        return
    said = f"The mail server said {code}: {_text(words)}"
    raise (Refused if 500 <= code < 600 and code not in _SIGN_IN_FIRST else NotSent)(said)


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it said {error.smtp_code}: {_text(error.smtp_error)}"
    return str(error).rstrip(".") or type(error).__name__


def _text(words: bytes | str) -> str:
    return " ".join((words.decode("utf-8", "replace") if isinstance(words, bytes) else words).split())[:500]

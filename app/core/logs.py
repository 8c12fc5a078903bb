"""What the processes say: a line an event, as text or JSON, with the request's or the job's id, and without secrets.

Whatever is written goes through `Redactor`: a secret in force, a signature, a cookie or an e-mail address that ended
up in a message, a field or a traceback does not leave the process.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import SecretStr
from pythonjsonlogger.json import JsonFormatter

from app.settings import Settings

HIDDEN = "[redacted]"

_about: ContextVar[dict[str, str]] = ContextVar("wavecrate_log_about")

# Shorter ones would tear holes into ordinary words; settings refuse them for everything that matters.
_SHORTEST_SECRET = 6
_SHAPES = (
    # the signature of a media path; the play session before it stays, to find a play by
    (re.compile(r"(/media/[0-9]+\.(?:[A-Za-z0-9]{16}(?=\.))?)[^/\s\"'?]*"), rf"\1{HIDDEN}"),
    # presigned addresses, and whatever else signs by query
    (
        re.compile(
            r"(?i)([?&;](?:x-amz-[a-z-]+|awsaccesskeyid|signature|sig|token|key|secret|password|csrf_token)=)"
            r"[^&\s\"'<>]+"
        ),
        rf"\1{HIDDEN}",
    ),
    # what a letter's link opens with
    (re.compile(r"(/(?:welcome|password|account/email)/)[A-Za-z0-9_-]{20,}"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b((?:proxy-)?authorization|cookie|set-cookie|stripe-signature)\b(['\"]?\s*[:=]).*"), r"\1\2 *"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\b((?:__Host-)?wavecrate(?:-id)?|session|remember_token)=[^;\s,\"']+"), rf"\1={HIDDEN}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(?:sk|rk|whsec)_[A-Za-z0-9_]{8,}"), HIDDEN),
    (re.compile(r"[\w.%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"), "[email]"),
)

_NEVER_SHOWN = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "stripe-signature", "password"}
)


def secrets_of(settings: Settings) -> set[str]:
    """Every secret in force, as it is and as it stands in a URL."""
    values = [value for _name, value in settings if isinstance(value, SecretStr)]
    plain = {secret.get_secret_value() for secret in values} | {settings.s3_access_key}
    passwords = (urlsplit(settings.libpq_url).password, settings.mail_route.password)
    plain |= {password for password in passwords if password}
    return {form for secret in plain for form in (secret, quote(secret, safe="")) if len(form) >= _SHORTEST_SECRET}


class Redactor:
    """Takes out of a text what must not be read."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        longest_first = sorted(secrets, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """The text with secrets, signatures, cookies and addresses of people blotted out."""
        if self._secrets:
            text = self._secrets.sub(HIDDEN, text)
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        return text

    def deep(self, value: Any) -> Any:
        """The same for what a JSON line is made of, however nested."""
        if isinstance(value, dict):
            return {
                self.deep(name): HIDDEN if str(name).lower() in _NEVER_SHOWN else self.deep(each)
                for name, each in value.items()
            }
        if isinstance(value, list | tuple | set):
            return [self.deep(each) for each in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self(value if isinstance(value, str) else str(value))


@contextmanager
def about(**facts: str) -> Iterator[None]:
    """Say of every line within what it is about: `request_id`, or `job` and `task`."""
    before = _about.set(facts)
    try:
        yield
    finally:
        _about.reset(before)


def begin(**facts: str) -> None:
    """The same from here on in this thread, until `end`; for entry points that have no block to stand in."""
    _about.set(facts)


def end() -> None:
    """Whatever comes next is about nothing in particular."""
    _about.set({})


def configure(settings: Settings) -> None:
    """Set the process's logging up: everything from INFO on goes to stderr in the format the settings name."""
    redact = Redactor(secrets_of(settings))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(redact) if settings.log_format == "json" else _Text(redact))
    handler.addFilter(_say_what_about)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    for chatty in ("procrastinate", "botocore", "boto3", "urllib3", "alembic", "werkzeug"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _say_what_about(record: logging.LogRecord) -> bool:
    told = getattr(record, "job", None)
    if isinstance(told, dict):  # the queue's own way, arguments and all; ours is the id and the task
        record.job, record.task = str(told.get("id")), told.get("task_name")
        record.__dict__.pop("worker", None)
    for name, value in _about.get({}).items():
        setattr(record, name, value)
    return True


class _Text(logging.Formatter):
    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s %(name)s %(levelname)s %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        told = [f"{name}={getattr(record, name)}" for name in ("request_id", "job", "task") if hasattr(record, name)]
        if told:
            first, newline, rest = line.partition("\n")
            line = f"{first} [{' '.join(told)}]{newline}{rest}"
        return self._redact(line)


class _Json(JsonFormatter):
    def __init__(self, redact: Redactor) -> None:
        super().__init__(
            "{levelname}{name}{process}{message}",
            style="{",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp=True,
            json_ensure_ascii=False,
        )
        self._redact = redact

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        # Before it becomes JSON: a pattern that ends at the line's end must not take the closing brace with it.
        redacted: dict[str, Any] = self._redact.deep(super().process_log_record(log_data))
        return redacted

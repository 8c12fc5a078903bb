"""Writing letters: a row and a job in the caller's transaction, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from app.core import clock, queue
from app.core.db import db
from app.core.i18n import LOCALES
from app.core.money import Money
from app.core.store import settings
from app.letters import invoice
from app.letters.invoice import InvoiceData
from app.letters.kinds import kind_of
from app.letters.models import Letter, LetterState

SEND = "letters.send"
_MOST_UNSURE = 2
_UNSURE = "The mail server went silent after it was handed the letter, twice: it may have been delivered."


def enqueue(
    kind: str,
    to: str,
    locale: str | None,
    context: Mapping[str, Any],
    *,
    key: str,
    attachments: Iterable[InvoiceData] = (),
    account_id: str | None = None,
) -> Letter:
    """Have a letter sent once the caller's transaction is committed; return its row.

    `key` says what the letter is about, like `receipt:<order id>`: of all calls with one key, the first sends, and the
    others change nothing and return its row. `context` holds what the kind needs (see `kinds`), and must not hold more
    than the reader may know; Money, dates and times in it are kept as such. A locale the shop does not speak becomes
    its default. Whether the address takes letters is found out when it is sent.

    Raises UnknownKind, and ValueError where the context lacks something or a link is none.
    """
    wanted = kind_of(kind)
    plain = {name: _plain(value) for name, value in context.items()}
    missing = wanted.needs - plain.keys()
    if missing:
        raise ValueError(f"a letter of kind {kind} needs {', '.join(sorted(missing))}")
    for name, value in plain.items():
        if name.endswith("link") and not str(value).startswith(("https://", "http://")):
            raise ValueError(f"{name} of a letter of kind {kind} is no address on the web: {value!r}")
    row = db.session.execute(
        insert(Letter)
        .values(
            kind=kind,
            key=key,
            to_address=_storable(to).strip()[:320],
            locale=locale if locale in LOCALES else settings().default_locale,
            account_id=account_id,
            context=plain,
            attachments=[invoice.to_facts(each) for each in attachments],
        )
        .on_conflict_do_nothing(index_elements=[Letter.key])
        .returning(Letter.id)
    ).first()
    if row is None:
        return db.session.scalars(select(Letter).where(Letter.key == key)).one()
    queue.defer(SEND, queue_name=queue.LETTERS, args={"letter_id": row.id})
    return db.session.get_one(Letter, row.id)


def tell_operator(kind: str, context: Mapping[str, Any], *, key: str) -> Letter:
    """`enqueue` to whoever runs the shop: MAIL_OPERATOR, else the shop's own address."""
    return enqueue(kind, settings().mail_operator or settings().mail_from, None, context, key=key)


def take(letter_id: str, subject: str, text: str, html: str) -> Letter | None:
    """The letter, counted as about to be handed over in these words; None where there is nothing (more) to send.

    Whoever gets it says afterwards what became of it. If nobody does, twice, the letter ends here: it may have gone
    out both times.
    """
    letter = db.session.scalar(
        select(Letter).where(Letter.id == letter_id).with_for_update().execution_options(populate_existing=True)
    )
    if letter is None or letter.state != LetterState.QUEUED:
        return None
    if letter.unsure >= _MOST_UNSURE:
        letter.state, letter.error = LetterState.FAILED, _UNSURE
        return None
    letter.attempts += 1
    letter.unsure += 1
    letter.subject, letter.text, letter.html = subject, text, html
    return letter


def sent(letter: Letter, *, keep: bool = False) -> None:
    """Note that it was taken. What a secret kind said is forgotten, unless it is to be kept (an outbox is read)."""
    letter.state, letter.sent_at, letter.unsure, letter.error = LetterState.SENT, clock.now(), 0, None
    if keep:
        return
    kind = kind_of(letter.kind)
    if kind.secret or kind.parting:
        letter.context, letter.text, letter.html = {}, None, None
    if kind.parting:
        letter.to_address, letter.account_id, letter.subject = "", None, None


def not_sent(letter: Letter, reason: str, *, for_good: bool, unsure: bool = False) -> None:
    """Note why it was not taken; `unsure` if it might have been after all."""
    letter.error = reason[:2000]
    if not unsure and letter.unsure:
        letter.unsure -= 1
    if for_good:
        letter.state = LetterState.FAILED


def send_again(letter: Letter) -> None:
    """Put a letter that failed on the queue once more."""
    if letter.state == LetterState.FAILED and letter.context:
        letter.state, letter.error, letter.unsure = LetterState.QUEUED, None, 0
        queue.defer(SEND, queue_name=queue.LETTERS, args={"letter_id": letter.id})


def forget(account_id: str) -> int:
    """Forget what was written to a person, and their address; how many letters that were. For account deletion.

    A letter that is still on its way (the one that says goodbye, say) is forgotten when it is old.
    """
    return _forget(Letter.account_id == account_id)


def forget_old() -> int:
    """Forget what letters older than LETTER_KEEP_DAYS said, and to whom; how many."""
    return _forget(Letter.created_at < clock.now() - timedelta(days=settings().letter_keep_days))


def _forget(which: Any) -> int:
    """The row stays: its key keeps the same thing from being said again."""
    rows = db.session.execute(
        update(Letter)
        .where(which, Letter.state != LetterState.QUEUED, Letter.to_address != "")
        .values(to_address="", account_id=None, context={}, attachments=[], subject=None, text=None, html=None)
        .returning(Letter.id)
        .execution_options(synchronize_session="fetch")
    )
    return len(rows.all())


def _plain(value: Any) -> Any:
    """What JSON can hold of it; `rendering` reads it back."""
    if isinstance(value, Money):
        return {"minor": value.minor, "currency": value.currency}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return _storable(value)
    if value is None or isinstance(value, int | bool):
        return value
    raise ValueError(f"a letter cannot hold {value!r}")


def _storable(text: str) -> str:
    """Without what PostgreSQL holds in no text: whatever somebody typed, the caller's transaction must not break."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")

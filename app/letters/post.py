"""One letter on its way: into words, counted, handed over, and what came of it noted.

Nothing is locked and no transaction is open while the mail server is spoken to. A worker killed between the server's
yes and the row's commit leaves the letter queued, with one attempt nobody knows the end of: it is sent once more, under
the same Message-ID. After two such attempts it is not sent again.
"""

from __future__ import annotations

import logging

from app.core import ids
from app.core.db import db, transaction
from app.core.store import settings
from app.letters import rendering, service
from app.letters.message import BadAddress, compose, mailbox
from app.letters.models import Letter, LetterState
from app.letters.transports import NotSent, Refused, Unsure, transport_for

log = logging.getLogger("wavecrate.letters")


def deliver(letter_id: str, *, last: bool = False) -> None:
    """Send the letter if it still is to be sent.

    Raises what kept it from being sent where that may pass; with `last`, it is noted as failed instead.
    """
    letter = db.session.get(Letter, letter_id)
    if letter is None or letter.state != LetterState.QUEUED:
        db.session.rollback()
        return
    try:
        words = rendering.write(letter)
    except Exception as error:
        # A fault of ours, which the next release may mend: it waits like for a server that is away.
        log.exception("letter %s (%s) could not be written", letter_id, letter.kind)
        db.session.rollback()
        _note(letter_id, f"It could not be written: {error}", for_good=last)
        if last:
            return
        raise
    with transaction():
        taken = service.take(letter_id, words.subject, words.text, words.html)
    if taken is not None:
        _hand_over(taken, last=last)


def _hand_over(letter: Letter, *, last: bool) -> None:
    shop = settings()
    route = shop.mail_route
    try:
        mail = compose(letter, shop.mail_from)
        transport_for(route).send(
            mail,
            sender=mailbox(shop.mail_from).addr_spec,
            to=mailbox(letter.to_address).addr_spec,
            name=f"{letter.created_at:%Y%m%dT%H%M%SZ}-{letter.id}",
        )
    except (Refused, BadAddress) as error:
        log.warning("letter %s (%s) was refused: %s", letter.id, letter.kind, error)
        _note(letter.id, str(error), for_good=True)
    except Exception as error:
        if not isinstance(error, NotSent):
            log.exception("letter %s (%s) could not be made into a message", letter.id, letter.kind)
        log.warning("letter %s (%s) was not sent: %s", letter.id, letter.kind, error)
        _note(letter.id, str(error) or type(error).__name__, for_good=last, unsure=isinstance(error, Unsure))
        if not last:
            raise
    else:
        with transaction():
            service.sent(db.session.get_one(Letter, letter.id), keep=route.folder is not None)
        log.info("letter %s (%s) was sent", letter.id, letter.kind)


def try_out(address: str) -> None:
    """Send a letter that says nothing but that it came, at once and past the queue.

    Raises NotSent, or one of its kin, and BadAddress: what the mail server said.
    """
    shop = settings()
    letter = Letter(
        id=ids.new_id(),
        kind="trial",
        to_address=address,
        locale=shop.default_locale,
        context={"link": shop.base_url},
        attachments=[],
    )
    words = rendering.write(letter)
    letter.subject, letter.text, letter.html = words.subject, words.text, words.html
    mail = compose(letter, shop.mail_from)
    transport_for(shop.mail_route).send(
        mail, sender=mailbox(shop.mail_from).addr_spec, to=mailbox(address).addr_spec, name=f"trial-{letter.id}"
    )


def _note(letter_id: str, reason: str, *, for_good: bool, unsure: bool = False) -> None:
    with transaction():
        letter = db.session.get_one(Letter, letter_id, populate_existing=True)
        service.not_sent(letter, reason, for_good=for_good, unsure=unsure)

"""A letter as an e-mail: headers that hold whatever they are given, and its parts."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from app import settings
from app.core import clock
from app.letters import invoice
from app.letters.models import Letter
from app.letters.rendering import one_line

# Seven bits through and through: no server on the way can spoil it, and none needs an extension for it.
_POLICY = SMTP.clone(cte_type="7bit", max_line_length=78)
_POLICY_UTF8 = SMTPUTF8.clone(cte_type="7bit", max_line_length=78)


class BadAddress(ValueError):
    """No letter can be sent to this address."""


def mailbox(text: str) -> Address:
    """The address, with a name where there is one; raise BadAddress."""
    try:
        return settings.mailbox(text)
    except ValueError:
        raise BadAddress("This is no e-mail address.") from None


def is_ascii(mail: EmailMessage) -> bool:
    """Whether its addresses can be written in ASCII; otherwise servers must speak SMTPUTF8 (RFC 6531)."""
    return mail.policy is not _POLICY_UTF8


def compose(letter: Letter, sender: str) -> EmailMessage:
    """The letter as a MIME message; raise BadAddress.

    Its Message-ID is the letter's own: of two copies, receivers can tell that they are one.
    """
    author, reader = mailbox(sender), mailbox(letter.to_address)
    ascii_only = (author.username + reader.username).isascii()
    mail = EmailMessage(_POLICY if ascii_only else _POLICY_UTF8)
    mail["From"] = author
    mail["To"] = reader
    # What looks like an encoded word (RFC 2047) would be decoded, and may hold a line's end: it is taken apart.
    mail["Subject"] = one_line(letter.subject or "", 200).replace("=?", "= ?")
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = f"<letter.{letter.id}@{author.domain}>"
    # RFC 3834: nobody's holiday notice answers it.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    unsubscribe = letter.context.get("unsubscribe_link")
    if unsubscribe:  # only where it is no letter about something the reader did: RFC 2369, RFC 8058
        mail["List-Unsubscribe"] = f"<{one_line(str(unsubscribe), 900)}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(letter.text or "")
    mail.add_alternative(letter.html or "", subtype="html")
    for facts in letter.attachments:
        data = invoice.from_facts(facts)
        mail.add_attachment(
            invoice.render(data), maintype="application", subtype="pdf", filename=invoice.filename(data)
        )
    mail["Content-Language"] = letter.locale.replace("_", "-")  # last: setting content drops such headers
    return mail

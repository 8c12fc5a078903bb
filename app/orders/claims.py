"""What waits for an owner: what a guest bought, and gifts. A signed link or a code makes it an account's.

Nothing here commits. Whoever changes a claim that moves money or licenses holds its order's lock first.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.accounts import service as accounts
from app.accounts.models import Account
from app.core import clock, codes, ids
from app.core.db import db
from app.core.errors import Conflict, WavecrateError
from app.core.money import Money
from app.discovery import events
from app.discovery.models import EventKind
from app.ledger import queries as ledger
from app.ledger.models import Book, EntryKind
from app.ledger.service import Post, write
from app.licenses import queries as held
from app.licenses import service as licenses
from app.licenses.models import License
from app.orders import correspondence, locks
from app.orders.models import Claim, ClaimKind, Order, OrderLine
from app.orders.waiting import find as find
from app.orders.waiting import find_code as find_code
from app.orders.waiting import lines_of, of_order, unknown
from app.orders.waiting import link as link

_NOON = time(12)  # in UTC: the hour at which it is one day nearly everywhere
_LATEST = timedelta(days=366)


class ClaimRefused(Conflict):
    """It can't be made this person's; the message says what to do instead."""


class AlreadyYours(ClaimRefused):
    """The person has all of it. Nothing was taken, so that it can still be somebody else's."""


class BadGift(WavecrateError):
    """A gift can't be sent like that; the message says what to change."""


class Standing(StrEnum):
    """How a claim stands."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    OVER = "over"  # its money went back, or a bank holds it


def make_for(order: Order) -> None:
    """Have everything in a paid order that is nobody's wait for its owner; what is due is sent at once.

    Called with the order locked, when it is paid. A repeat makes nothing new.
    """
    now = clock.now()
    if order.account_id is None and any(not line.is_gift for line in order.lines):
        _make(order, None, order.email, now)
    for line in order.lines:
        if line.is_gift:
            _make(order, line, line.gift_to or "", _moment(line.gift_on, now))
    _send(due(now, order.id), now)


def claim(claim_id: str, account: Account) -> Claim:
    """Make what waits the account's: its licenses, whose clocks start now, and a gift's money, which is earned now.

    Of two who claim at once, one gets it. A repeat by who has it changes nothing. Raises ClaimRefused where somebody
    else has it or nothing stands behind it, AlreadyYours where the person has all of it already.
    """
    found = db.session.get(Claim, claim_id)
    order = locks.locked(found.order_id) if found is not None else None
    if found is None or order is None:
        raise unknown()
    found = db.session.get_one(Claim, claim_id, with_for_update={"of": Claim}, populate_existing=True)
    if found.claimed_by == account.id:
        return found
    if found.claimed_by is not None:
        raise ClaimRefused(taken_text(found))
    # Two claims of one person take turns, so that the second sees what the first brought. Taken last, always.
    db.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"claimant {account.id}", 0))))
    standing = _standing(found)
    if not standing:
        raise ClaimRefused(over_text(found))
    if all(_has(account.id, each) for each in standing):
        raise AlreadyYours(owned_text(found))
    # What doesn't stand now is the person's too, should it stand again: a dispute can be won.
    licenses.assign(_keys(found), account.id)
    found.claimed_at, found.claimed_by = clock.now(), account.id
    if found.kind == ClaimKind.GUEST:
        order.account_id = account.id
    db.session.flush()
    earn(order)
    _learn(found, account, {each.grant_key for each in standing})
    if found.kind == ClaimKind.GIFT:
        correspondence.gift_claimed(found)
    return found


def earn(order: Order) -> None:
    """Book the money of the order's claimed gifts as earned, as far as it isn't yet; the order is locked.

    What was refunded is not moved, and money of a failed refund that came back for a claimed gift is.
    """
    money = ledger.line_money(order.id)
    for found in of_order(order.id):
        waiting = money.get(found.line_id or "", {}).get(Book.GIFTS, 0)
        if found.claimed_at is None or found.line_id is None or waiting <= 0:
            continue
        key, number = f"gift:{found.id}", 1
        while ledger.written(key):
            key, number = f"gift:{found.id}:{number + 1}", number + 1
        amount = Money(waiting, order.currency)
        write(
            EntryKind.GIFT,
            key,
            [
                Post(Book.GIFTS, amount, found.line_id),
                Post(Book.SALES, Money(-waiting, order.currency), found.line_id),
            ],
            at=clock.now(),
            order_id=order.id,
            payment_id=order.payment_id,
        )


def send_due() -> int:
    """Send the letters whose day has come, of what still waits and stands; how many."""
    now = clock.now()
    return _send(due(now), now)


def due(now: datetime, order_id: str | None = None) -> list[Claim]:
    """What is to be sent now, locked; what another process sends already is left out."""
    query = select(Claim).where(
        Claim.sent_at.is_(None), Claim.claimed_at.is_(None), Claim.send_at <= now, Claim.to_email != ""
    )
    if order_id is not None:
        query = query.where(Claim.order_id == order_id)
    locking = query.order_by(Claim.send_at).with_for_update(of=Claim, skip_locked=True)
    return list(db.session.scalars(locking.execution_options(populate_existing=True)).unique())


def send_again(claim_id: str) -> Claim:
    """Send the letter once more, to the address it has now; raise ClaimRefused where nothing waits."""
    found = _waiting(claim_id)
    if not found.to_email:
        raise BadGift(_("This gift has no e-mail address. Type one, or hand over its code."))
    found.sent_at = clock.now()
    correspondence.claim_letter(found, again=ids.new_id())
    db.session.flush()
    return found


def redirect_gift(claim_id: str, *, to_email: str, on: date | None) -> Claim:
    """Have a gift go to another address, or on another day, while nobody has claimed it.

    A new address brings a new code: what went to the old one, or was printed, opens nothing any more. Raises BadGift,
    BadAccount for what is no address, and ClaimRefused where nothing waits.
    """
    found = _waiting(claim_id)
    if found.kind != ClaimKind.GIFT:
        raise unknown()
    now = clock.now()
    address = accounts.normalise_email(to_email)
    moved = address != found.to_email
    if found.sent_at is not None and not moved:
        raise BadGift(_("This gift was sent to this address already. Send it again, or type another address."))
    if on is not None and not now.date() <= on <= now.date() + _LATEST:
        raise BadGift(_("Choose a day from today on, within a year."))
    if moved:
        found.to_email, found.code = address, codes.new()
    found.send_at, found.sent_at = _moment(on, now), None
    if found.line is not None:  # the order's page says where it goes, and nothing of where it was to go
        found.line.gift_to, found.line.gift_on = address, on
    db.session.flush()
    _send(due(now, found.order_id), now)
    return found


def standing(claim: Claim) -> Standing:
    """How it stands now."""
    if claim.claimed_at is not None:
        return Standing.CLAIMED
    return Standing.WAITING if _standing(claim) else Standing.OVER


def owns(claim: Claim, account_id: str) -> bool:
    """Whether the person has all of what can be claimed."""
    there = _standing(claim)
    return bool(there) and all(_has(account_id, each) for each in there)


def taken_text(claim: Claim) -> str:
    """What to tell whoever comes second."""
    if claim.kind == ClaimKind.GIFT:
        return _("Somebody has taken this gift already. If it was not you, ask whoever gave it to you.")
    return _("This order was taken into an account already. Sign in to that account; its library has everything.")


def over_text(claim: Claim) -> str:
    """Why there is nothing to claim, and what to do."""
    if claim.kind == ClaimKind.GIFT:
        return _(
            "This gift was given back to whoever bought it, or their bank holds the money. Ask the giver about it."
        )
    return _(
        "The money of this order went back, or a bank holds it: there is nothing to take. Order again if you like."
    )


def owned_text(claim: Claim) -> str:
    """What to do with what one has already."""
    if claim.kind == ClaimKind.GIFT:
        return _("You have this already, and nothing was taken. The link and the code stay good: pass them on.")
    return _(
        "This account has all of this already, and nothing was taken. Take it into another account, or ask for your "
        "money back."
    )


def _make(order: Order, line: OrderLine | None, to_email: str, send_at: datetime) -> None:
    db.session.execute(
        insert(Claim)
        .values(
            id=ids.new_id(),
            created_at=clock.now(),
            kind=ClaimKind.GUEST if line is None else ClaimKind.GIFT,
            order_id=order.id,
            line_id=line.id if line is not None else None,
            code=codes.new(),
            to_email=to_email.strip(),
            send_at=send_at,
        )
        .on_conflict_do_nothing(index_elements=[Claim.order_id, Claim.line_id])
    )


def _send(claims: Iterable[Claim], now: datetime) -> int:
    count = 0
    for each in claims:
        if _standing(each):
            each.sent_at = now
            correspondence.claim_letter(each)
            count += 1
    db.session.flush()
    return count


def _waiting(claim_id: str) -> Claim:
    """The claim, locked, if it still waits and something stands behind it; else the reason."""
    found = db.session.get(Claim, claim_id, with_for_update={"of": Claim}, populate_existing=True)
    if found is None:
        raise unknown()
    if found.claimed_at is not None:
        raise ClaimRefused(taken_text(found))
    if not _standing(found):
        raise ClaimRefused(over_text(found))
    return found


def _standing(claim: Claim) -> list[License]:
    return [each for each in held.granted(_keys(claim)).values() if each.revoked_at is None]


def _keys(claim: Claim) -> list[str]:
    return [key for line in lines_of(claim) for key, _release, _track in line.grants]


def _has(account_id: str, wanted: License) -> bool:
    """Whether the person has what a license is for; who rents has what a rental of the same is for."""
    release = wanted.subject_release
    if wanted.track_id is not None:
        there = wanted.track_id in held.owned_track_ids(account_id)
    else:
        there = release.id in held.owned_release_ids(account_id)
    return there or (wanted.is_rental and release.id in held.rentals(account_id))


def _learn(claim: Claim, account: Account, standing: set[str]) -> None:
    for line in lines_of(claim):
        if any(key in standing for key, _release, _track in line.grants):
            releases = [release.id for release in line.offer.releases]
            events.note_together(account.id, releases, EventKind.PURCHASE, track_id=line.offer.track_id)


def _moment(on: date | None, now: datetime) -> datetime:
    return now if on is None or on <= now.date() else datetime.combine(on, _NOON, now.tzinfo)

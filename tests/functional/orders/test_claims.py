"""Gifts and guests' orders: claimed once, by one person, and only while money stands behind them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import select
from support import orders, rows
from support.orders import Sold, at_once, claim, license_of

from app.core import clock, codes
from app.core.db import db, transaction
from app.core.errors import NotFound
from app.discovery.models import Event, EventKind
from app.ledger.models import Book, Entry, EntryKind
from app.licenses import queries as held
from app.licenses import service as licenses
from app.orders import claims, entitlement, locks, waiting
from app.orders.models import Claim, ClaimKind, Order

# What waits


def test_a_guests_lines_wait_together_and_each_gift_by_itself(app: Flask) -> None:
    made = orders.claimable(
        Sold(rows.release("Tides")),
        Sold(rows.release("Small Hours")),
        Sold(rows.release("Ferry"), gift_to="kay@example.org"),
        email="guest@example.org",
    )
    guest, gift = sorted(waiting.of_order(made.id), key=lambda each: each.kind, reverse=True)
    assert (guest.kind, guest.to_email, guest.line) == (ClaimKind.GUEST, "guest@example.org", None)
    assert [line.title for line in waiting.lines_of(guest)] == ["Tides – Mira Sol", "Small Hours – Mira Sol"]
    assert (gift.kind, gift.to_email) == (ClaimKind.GIFT, "kay@example.org")
    assert [line.title for line in waiting.lines_of(gift)] == ["Ferry – Mira Sol"]
    assert guest.code != gift.code


def test_what_an_account_buys_for_itself_waits_for_nobody(app: Flask) -> None:
    made = orders.claimable(Sold(rows.release()), account=rows.account())
    assert waiting.of_order(made.id) == []


def test_claims_are_made_once_however_often_the_order_is_fulfilled(app: Flask) -> None:
    made = orders.claimable(Sold(rows.release()), Sold(rows.release("B"), gift_to="kay@example.org"))
    before = {each.id: (each.code, each.sent_at) for each in waiting.of_order(made.id)}
    with transaction():
        claims.make_for(made)
    assert {each.id: (each.code, each.sent_at) for each in waiting.of_order(made.id)} == before
    assert [letter.kind for letter in orders.written()].count("gift") == 1
    assert len(orders.written()) == 2


def test_a_code_has_sixteen_signs_that_are_not_mistaken_for_each_other(app: Flask) -> None:
    found = orders.gift()
    shown = codes.spelled(found.code)
    assert [len(part) for part in shown.split("-")] == [4, 4, 4, 4]
    assert not set(shown) & set("IO01")
    for typed in (shown, shown.lower(), f" {found.code} ", shown.replace("-", " "), shown.replace("-", "–")):
        assert claims.find_code(typed).id == found.id
    wrong = ("A" if found.code[0] != "A" else "B") + found.code[1:]
    for other in (wrong, found.code[:-1], found.code + "A", "", "\x00" * 16, "é" * 16, "O" * 16):
        with pytest.raises(NotFound, match="no gift with this code"):
            claims.find_code(other)


# Links


def test_a_link_opens_its_claim_and_no_other(app: Flask) -> None:
    one, other = orders.gift(), orders.gift(rows.release("B"))
    token = claims.link(one).rpartition("/")[2]
    assert claims.link(one) == f"{app.extensions['settings'].base_url}/claims/{token}"
    assert claims.find(token).id == one.id
    forged = other.id + token[16:]
    cut, turned = token[:-1], token[:-2] + ("AA" if not token.endswith("AA") else "BB")
    for bad in (forged, cut, turned, one.id, "", ".", "\x00" * 16 + token[16:], token + "x", f"{one.id}.{'A' * 43}"):
        with pytest.raises(NotFound, match="opens nothing"):
            claims.find(bad)


def test_a_link_of_the_secret_before_still_opens(app: Flask) -> None:
    found, before = orders.gift(), app.extensions["settings"]
    token = claims.link(found).rpartition("/")[2]
    new = SecretStr("another-secret-key-0123456789")
    app.extensions["settings"] = before.model_copy(update={"secret_key": new, "secret_key_previous": before.secret_key})
    assert claims.find(token).id == found.id
    newer = claims.link(found).rpartition("/")[2]
    assert newer != token
    app.extensions["settings"] = before.model_copy(update={"secret_key": new})
    assert claims.find(newer).id == found.id
    with pytest.raises(NotFound):
        claims.find(token)


def test_only_the_link_in_a_guests_letter_proves_their_address(app: Flask) -> None:
    made = orders.claimable(Sold(rows.release()), email="guest@example.org")
    [guest] = waiting.of_order(made.id)
    handed, lettered = (link(guest).rpartition("/")[2] for link in (waiting.link, waiting.letter_link))
    assert claims.find(handed).id == claims.find(lettered).id == guest.id
    assert waiting.proves_address(guest, lettered)
    assert not waiting.proves_address(guest, handed)
    guest.to_email = "another@example.org"
    assert not waiting.proves_address(guest, lettered), "a letter proves the address that it went to"
    gift = orders.gift()
    for link in (waiting.link(gift), waiting.letter_link(gift)):
        assert not waiting.proves_address(gift, link.rpartition("/")[2])
    assert lettered in orders.written("guest_order")[0].context["link"]


# Claiming


def test_a_claimed_gift_is_the_persons_from_then_on_and_its_money_is_earned(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    giver, kay = rows.account("Ada"), rows.account("Kay")
    release = rows.release()
    found = orders.gift(release, giver=giver)
    assert (orders.on_book(Book.GIFTS), orders.on_book(Book.SALES)) == (-832, 0)
    later = clock.now() + timedelta(days=3)
    monkeypatch.setattr(clock, "now", lambda: later)
    claimed = claim(found, kay)
    assert (claimed.claimed_by, claimed.claimed_at) == (kay.id, later)
    got = license_of(found)
    assert (got.account_id, got.claimed_at, got.begins_at) == (kay.id, later, later)
    assert licenses.may(kay.id, release.tracks[0].id, "stream")
    assert not licenses.may(giver.id, release.tracks[0].id, "stream")
    assert (orders.on_book(Book.GIFTS), orders.on_book(Book.SALES), orders.on_book(Book.TAX)) == (0, -832, -158)
    [entry] = db.session.scalars(select(Entry).where(Entry.kind == EntryKind.GIFT))
    assert (entry.key, entry.order_id, entry.at) == (f"gift:{found.id}", found.order_id, later)
    assert entry.payment_id == found.order.payment_id is not None
    assert {each.line_id for each in entry.postings} == {found.line_id}
    [event] = db.session.scalars(select(Event))
    assert (event.account_id, event.release_id, event.kind) == (kay.id, release.id, EventKind.PURCHASE)
    assert found.order.account_id == giver.id
    [letter] = orders.written("gift_claimed")
    assert (letter.to_address, letter.context["name"]) == (giver.email, "Ada")


def test_a_rental_that_was_given_waits_from_when_it_is_claimed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    found = orders.gift(what=orders.rental(rows.release(), days=30))
    later = clock.now() + timedelta(days=100)
    monkeypatch.setattr(clock, "now", lambda: later)
    claim(found, rows.account())
    assert license_of(found).ends_at == later + timedelta(days=30)
    assert license_of(found).stands(later)


def test_a_guests_order_becomes_the_accounts_with_everything_but_its_gifts(app: Flask) -> None:
    mine, given = rows.release("Tides"), rows.release("Ferry")
    made = orders.claimable(Sold(mine), Sold(rows.release("B").tracks[0]), Sold(given, gift_to="kay@example.org"))
    guest = next(each for each in waiting.of_order(made.id) if each.kind == ClaimKind.GUEST)
    ada = rows.account()
    claim(guest, ada)
    assert held.owned_release_ids(ada.id) == {mine.id}
    assert len(held.owned_track_ids(ada.id)) == 2
    assert db.session.get_one(Order, made.id, populate_existing=True).account_id == ada.id
    assert orders.on_book(Book.GIFTS) == -832
    assert orders.written("gift_claimed") == []
    kay = next(each for each in waiting.of_order(made.id) if each.kind == ClaimKind.GIFT)
    claim(kay, rows.account())
    assert orders.on_book(Book.GIFTS) == 0


def test_a_bundle_is_claimed_whole_and_counts_as_one_purchase(app: Flask) -> None:
    a, b, kay = rows.release("A"), rows.release("B"), rows.account()
    found = orders.gift(what=orders.bundle(a, b))
    claim(found, kay)
    assert held.owned_release_ids(kay.id) == {a.id, b.id}
    assert [one.value for one in db.session.scalars(select(Event))] == [0.5, 0.5]


def test_claiming_again_changes_nothing(app: Flask) -> None:
    found, kay = orders.gift(), rows.account()
    first = claim(found, kay).claimed_at
    again = claim(found, kay)
    assert again.claimed_at == first
    assert len(db.session.scalars(select(Entry)).all()) == 2
    assert len(orders.written("gift_claimed")) == 1
    assert len(db.session.scalars(select(Event)).all()) == 1


def test_what_somebody_has_taken_is_nobody_elses(app: Flask) -> None:
    gift, kay, eve = orders.gift(), rows.account("Kay"), rows.account("Eve")
    claim(gift, kay)
    with pytest.raises(claims.ClaimRefused, match="Somebody has taken this gift already"):
        claim(gift, eve)
    made = orders.claimable(Sold(rows.release("B")))
    [guest] = waiting.of_order(made.id)
    claim(guest, kay)
    with pytest.raises(claims.ClaimRefused, match="taken into an account already"):
        claim(guest, eve)
    assert license_of(gift).account_id == license_of(guest).account_id == kay.id


def test_a_claim_that_is_none_is_not_there(app: Flask) -> None:
    with pytest.raises(NotFound), transaction():
        claims.claim("bcdfghjkmnpqrstv", rows.account())


def test_a_refunded_gift_cannot_be_claimed(app: Flask) -> None:
    found, kay = orders.gift(), rows.account()
    orders.give_back(found.order, found.order.lines[0], 990, tax=158)
    with transaction():
        entitlement.apply(found.order)
    assert claims.standing(found) == claims.Standing.OVER
    with pytest.raises(claims.ClaimRefused, match="given back"):
        claim(found, kay)
    assert db.session.get_one(Claim, found.id, populate_existing=True).claimed_at is None
    assert license_of(found).account_id is None
    made = orders.claimable(Sold(rows.release("B")))
    [guest] = waiting.of_order(made.id)
    licenses.set_standing(made.lines[0].id, False, "disputed")
    db.session.commit()
    with pytest.raises(claims.ClaimRefused, match="a bank holds it"):
        claim(guest, kay)


def test_of_a_guests_order_what_stands_is_claimed_and_the_rest_follows_should_it_stand_again(app: Flask) -> None:
    made = orders.claimable(Sold(rows.release("A")), Sold(rows.release("B")))
    [guest], ada = waiting.of_order(made.id), rows.account()
    second = made.lines[1].id
    licenses.set_standing(second, False, "disputed")
    db.session.commit()
    claim(guest, ada)
    assert len(held.owned_release_ids(ada.id)) == 1
    assert len(db.session.scalars(select(Event)).all()) == 1
    licenses.set_standing(second, True, "")
    db.session.commit()
    assert len(held.owned_release_ids(ada.id)) == 2


def test_a_gift_refunded_in_part_earns_what_is_left(app: Flask) -> None:
    found = orders.gift()
    orders.give_back(found.order, found.order.lines[0], 330, tax=53)
    claim(found, rows.account())
    assert (orders.on_book(Book.GIFTS), orders.on_book(Book.SALES)) == (0, -555)


def test_money_that_comes_back_for_a_claimed_gift_is_earned_once(app: Flask) -> None:
    """A refund that fails after the claim is booked where it came from: the gifts' account."""
    found = orders.gift()
    order, line = found.order, found.order.lines[0]
    orders.give_back(order, line, 330, tax=53)
    claim(found, rows.account())
    with transaction():
        orders.books._reverse(EntryKind.REFUND_FAILED, "refund:re_1", "refund_failed:re_1", clock.now())
    assert orders.on_book(Book.GIFTS) == -277
    for _time in range(2):
        with transaction():
            claims.earn(order)
        assert (orders.on_book(Book.GIFTS), orders.on_book(Book.SALES)) == (0, -832)
    assert db.session.scalar(select(Entry.order_id).where(Entry.key == f"gift:{found.id}:2")) == order.id


def test_a_gift_that_cost_nothing_earns_nothing(app: Flask) -> None:
    found, kay = orders.gift(minor=0, tax=0), rows.account()
    claim(found, kay)
    assert license_of(found).account_id == kay.id
    assert db.session.scalars(select(Entry)).all() == []


# Having it already


def test_who_has_it_already_takes_nothing_and_can_pass_it_on(app: Flask) -> None:
    release, ada, kay = rows.release(), rows.account(), rows.account()
    rows.own(ada, release=release)
    found = orders.gift(release)
    assert claims.owns(found, ada.id)
    assert not claims.owns(found, kay.id)
    with pytest.raises(claims.AlreadyYours, match="pass them on"):
        claim(found, ada)
    assert (license_of(found).account_id, orders.on_book(Book.GIFTS)) == (None, -832)
    claim(found, kay)
    assert license_of(found).account_id == kay.id


def test_who_has_a_part_of_it_can_take_it(app: Flask) -> None:
    a, b, kay = rows.release("A"), rows.release("B"), rows.account()
    rows.own(kay, release=a)
    claim(orders.gift(what=orders.bundle(a, b)), kay)
    assert held.owned_release_ids(kay.id) == {a.id, b.id}
    album, ada = rows.release("C", 2), rows.account()
    rows.own(ada, track=album.tracks[0])
    claim(orders.gift(album), ada)
    assert held.owned_release_ids(ada.id) == {album.id}


def test_what_was_taken_back_or_is_rented_is_not_had_for_good(app: Flask) -> None:
    release, kay = rows.release(), rows.account()
    licenses.revoke(rows.own(kay, release=release), "refunded")
    db.session.commit()
    rented = orders.gift(what=orders.rental(release))
    claim(rented, kay)
    with pytest.raises(claims.AlreadyYours):
        claim(orders.gift(what=release.rental), kay)
    claim(orders.gift(release), kay)
    assert held.owned_release_ids(kay.id) == {release.id}


def test_the_album_holds_its_tracks(app: Flask) -> None:
    album, kay = rows.release("C", 2), rows.account()
    rows.own(kay, release=album)
    with pytest.raises(claims.AlreadyYours):
        claim(orders.gift(what=album.tracks[0]), kay)


def test_a_guests_order_that_the_account_has_already_is_left_alone(app: Flask) -> None:
    release, ada = rows.release(), rows.account()
    rows.own(ada, release=release)
    made = orders.claimable(Sold(release))
    with pytest.raises(claims.AlreadyYours, match="another account"):
        claim(waiting.of_order(made.id)[0], ada)
    assert db.session.get_one(Order, made.id, populate_existing=True).account_id is None


# At once


def test_of_two_who_claim_one_gift_at_once_one_gets_it(app: Flask) -> None:
    for number in range(5):
        found, people = orders.gift(rows.release(f"R{number}")), [rows.account() for _number in range(4)]
        came_to = at_once(app, *(lambda who=who, one=found: claims.claim(one.id, who).claimed_by for who in people))
        refused = [each for each in came_to if isinstance(each, claims.ClaimRefused)]
        [winner] = [each for each in came_to if isinstance(each, str)]
        assert len(refused) == 3, came_to
        assert license_of(found).account_id == winner
        assert (orders.on_book(Book.GIFTS), orders.on_book(Book.SALES)) == (0, -832 * (number + 1))
        assert len(orders.written("gift_claimed")) == number + 1


def test_two_of_one_thing_claimed_at_once_by_one_person_are_one_and_one_stays(app: Flask) -> None:
    for number in range(5):
        release, kay = rows.release(f"R{number}"), rows.account()
        gifts = [orders.gift(release) for _number in range(3)]
        came_to = at_once(app, *(lambda one=one, who=kay: claims.claim(one.id, who).id for one in gifts))
        assert sum(isinstance(each, claims.AlreadyYours) for each in came_to) == 2, came_to
        mine = [each for each in gifts if license_of(each).account_id == kay.id]
        assert [each.id for each in mine] == [each for each in came_to if isinstance(each, str)]


def test_a_claim_and_a_refund_at_once_end_in_one_of_two_ways(app: Flask) -> None:
    ways = set()
    for number in range(12):
        found, kay = orders.gift(rows.release(f"R{number}")), rows.account()
        order_id, line_id = found.order_id, str(found.line_id)

        def give_back(order_id: str = order_id, line_id: str = line_id, number: int = number) -> str:
            order = locks.locked(order_id)
            assert order is not None
            money = orders.books.ledger.line_money(order.id)[line_id]
            book = Book.GIFTS if money.get(Book.GIFTS, 0) > 0 else Book.SALES
            orders.write(
                EntryKind.REFUND,
                f"refund:re_{number}",
                [
                    orders.Post(Book.GATEWAY, orders.Money(-990, "EUR")),
                    orders.Post(book, orders.Money(832, "EUR"), line_id),
                    orders.Post(Book.TAX, orders.Money(158, "EUR"), line_id),
                ],
                at=clock.now(),
                order_id=order.id,
                payment_id=order.payment_id,
            )
            entitlement.apply(order)
            return "given back"

        came_to = at_once(app, lambda one=found, who=kay: claims.claim(one.id, who).id, give_back)
        assert came_to[1] == "given back", came_to
        license_ = license_of(found)
        assert license_.revoked_at is not None
        claimed = came_to[0] == found.id
        assert claimed or isinstance(came_to[0], claims.ClaimRefused), came_to
        assert license_.account_id == (kay.id if claimed else None)
        assert (orders.on_book(Book.GIFTS), orders.on_book(Book.SALES), orders.on_book(Book.TAX)) == (0, 0, 0)
        ways.add(claimed)
    assert ways


# The day


def test_a_gift_waits_for_its_day(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    found = orders.gift(gift_on=orders.in_days(33))
    assert found.send_at == datetime(2026, 12, 24, 12, tzinfo=UTC)
    assert orders.written("gift") == []
    for moment, sent in ((found.send_at - timedelta(seconds=1), 0), (found.send_at, 1), (found.send_at, 0)):
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        with transaction():
            assert claims.send_due() == sent
    [letter] = orders.written("gift")
    assert letter.to_address == "friend@example.org"
    assert db.session.get_one(Claim, found.id, populate_existing=True).sent_at == found.send_at


def test_a_gift_for_today_or_for_a_day_gone_by_goes_at_once(app: Flask) -> None:
    orders.gift(gift_on=orders.in_days(0))
    orders.gift(gift_on=orders.in_days(-2))
    assert len(orders.written("gift")) == 2


def test_nothing_is_sent_of_what_was_claimed_or_refunded_before_its_day(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed, refunded, restored = (orders.gift(rows.release(n), gift_on=orders.in_days(3)) for n in "ABC")
    claim(claimed, rows.account())
    for each in (refunded, restored):
        licenses.set_standing(str(each.line_id), False, "disputed")
    db.session.commit()
    later = clock.now() + timedelta(days=5)
    monkeypatch.setattr(clock, "now", lambda: later)
    with transaction():
        assert claims.send_due() == 0
    licenses.set_standing(str(restored.line_id), True, "")
    with transaction():
        assert claims.send_due() == 1
    assert [letter.context["titles"] for letter in orders.written("gift")] == [["C – Mira Sol"]]


def test_a_letter_that_two_workers_would_send_is_sent_once(app: Flask) -> None:
    found = orders.gift(gift_on=orders.in_days(3))
    found.send_at = clock.now()
    db.session.commit()
    assert sorted(at_once(app, claims.send_due, claims.send_due)) == [0, 1]  # type: ignore[type-var]
    assert len(orders.written("gift")) == 1


def test_a_gift_to_be_handed_over_has_no_letter(app: Flask) -> None:
    found = orders.gift(to="")
    assert orders.written("gift") == []
    with pytest.raises(claims.BadGift, match="no e-mail address"), transaction():
        claims.send_again(found.id)
    kay = rows.account()
    claim(claims.find_code(codes.spelled(found.code)), kay)
    assert license_of(found).account_id == kay.id


# Second thoughts


def test_a_letter_can_be_sent_again_with_the_same_link(app: Flask) -> None:
    found = orders.gift()
    for _time in range(2):
        with transaction():
            claims.send_again(found.id)
    letters = orders.written("gift")
    assert len(letters) == 3
    assert len({letter.context["link"] for letter in letters}) == 1
    assert len({letter.key for letter in letters}) == 3
    assert all(found.code not in letter.key for letter in letters)


def test_a_gift_can_go_to_another_address_and_what_went_to_the_first_opens_nothing(app: Flask) -> None:
    found = orders.gift(to="wrong@example.org")
    old_code, old_token = found.code, claims.link(found).rpartition("/")[2]
    with transaction():
        claims.redirect_gift(found.id, to_email=" Right@Example.org ", on=None)
    found = db.session.get_one(Claim, found.id, populate_existing=True)
    assert [letter.to_address for letter in orders.written("gift")] == ["wrong@example.org", "right@example.org"]
    assert found.code != old_code
    for open_it in (lambda: claims.find_code(old_code), lambda: claims.find(old_token)):
        with pytest.raises(NotFound):
            open_it()
    assert orders.written("gift")[1].context["code"] == codes.spelled(found.code)
    assert found.line is not None
    assert (found.line.gift_to, found.line.gift_on) == ("right@example.org", None)


def test_a_gift_can_go_on_another_day_until_it_went(app: Flask) -> None:
    found = orders.gift(gift_on=orders.in_days(9))
    code = found.code
    with transaction():
        claims.redirect_gift(found.id, to_email=found.to_email, on=orders.in_days(5))
    found = db.session.get_one(Claim, found.id, populate_existing=True)
    assert (found.send_at.date(), found.sent_at, found.code) == (orders.in_days(5), None, code)
    with transaction():
        claims.redirect_gift(found.id, to_email=found.to_email, on=None)
    assert len(orders.written("gift")) == 1
    with pytest.raises(claims.BadGift, match="sent to this address already"), transaction():
        claims.redirect_gift(found.id, to_email=found.to_email, on=orders.in_days(2))
    for day in (-1, 367):
        with pytest.raises(claims.BadGift, match="from today on"), transaction():
            claims.redirect_gift(found.id, to_email="other@example.org", on=orders.in_days(day))


def test_what_was_claimed_or_refunded_is_not_sent_anywhere(app: Flask) -> None:
    claimed, refunded = orders.gift(), orders.gift(rows.release("B"))
    claim(claimed, rows.account())
    licenses.set_standing(str(refunded.line_id), False, "refunded")
    db.session.commit()
    for found in (claimed, refunded):
        with pytest.raises(claims.ClaimRefused), transaction():
            claims.send_again(found.id)
        with pytest.raises(claims.ClaimRefused), transaction():
            claims.redirect_gift(found.id, to_email="other@example.org", on=None)
    made = orders.claimable(Sold(rows.release("C")))
    with pytest.raises(NotFound), transaction():
        claims.redirect_gift(waiting.of_order(made.id)[0].id, to_email="eve@example.org", on=None)
    with pytest.raises(NotFound), transaction():
        claims.send_again("bcdfghjkmnpqrstv")

"""Who may call what: every route by hand, whatever the code declares; and a small world in which to try it."""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import text
from support import rows
from support.letter_samples import invoice_data
from support.shop import offer
from werkzeug.test import TestResponse

from app.accounts import addresses, tokens
from app.accounts.models import Account, Passkey, Role, TokenPurpose
from app.cart.models import Cart, CartItem
from app.catalog import offers, rights
from app.catalog import service as catalog
from app.catalog.models import Kind
from app.core import clock, codes
from app.core.db import db
from app.core.money import Money
from app.letters import invoice
from app.letters.models import Letter, LetterState
from app.licenses.models import License
from app.media.models import Subtitle
from app.orders import waiting
from app.orders.models import Case, CaseKind, Claim, ClaimKind, Order, OrderLine, OrderRefund, OrderState
from app.playback.models import PlaySession
from app.pricing import coupons
from app.pricing.coupons import CouponWish
from app.shelves.models import Boost, Pin, Trial
from app.shelves.shelf import ShelfName
from app.studio.models import Upload
from media_store import keys

_numbers = itertools.count(1)


class Caller(StrEnum):
    """Who tries. What lies about is the customer's, and of the editor's label."""

    ANONYMOUS = "anonymous"
    CUSTOMER = "customer"
    OTHER_CUSTOMER = "other customer"
    EDITOR = "editor"
    OTHER_EDITOR = "editor of another label"
    SUPPORT = "support"
    MANAGER = "manager"
    ADMIN = "admin"


class Outcome(StrEnum):
    """What they get."""

    IN = "in"
    ASKED = "asked to sign in"
    REFUSED = "refused (403)"
    HIDDEN = "not there (404)"


Row = dict[Caller, Outcome]
C, Got = Caller, Outcome


def _row(inside: set[Caller], otherwise: Outcome, **others: Outcome) -> Row:
    row = {caller: Got.IN if caller in inside else otherwise for caller in C}
    if C.ANONYMOUS not in inside:
        row[C.ANONYMOUS] = Got.ASKED
    return row | {C[name]: outcome for name, outcome in others.items()}


_ALL = set(C)
PUBLIC = _row(_ALL, Got.IN)
SIGNED_IN = _row(_ALL - {C.ANONYMOUS}, Got.IN)
# The second half of a sign-in: nobody here has begun one.
WITHOUT_A_PASSWORD_TYPED = dict.fromkeys(C, Got.REFUSED)
# Only the customer has a second factor, so only they have use for recovery codes.
WITHOUT_A_FACTOR = _row({C.CUSTOMER}, Got.REFUSED)
THE_CUSTOMERS_OWN = _row({C.CUSTOMER}, Got.HIDDEN)
IN_THE_CUSTOMERS_CART = _row({C.CUSTOMER}, Got.HIDDEN) | {C.ANONYMOUS: Got.HIDDEN}
THE_CUSTOMERS_FILES = _row({C.CUSTOMER}, Got.REFUSED)
ORDER = _row({C.CUSTOMER, C.SUPPORT, C.MANAGER, C.ADMIN}, Got.HIDDEN)
# A guest's is shown to the browser that ordered it: here, nobody has.
THE_CUSTOMERS_OR_A_GUESTS = _row({C.CUSTOMER}, Got.HIDDEN, ANONYMOUS=Got.HIDDEN)
# Whoever isn't signed in may be a guest who bought in another browser: there is nothing to tell them.
INVOICE = ORDER | {C.ANONYMOUS: Got.HIDDEN}
PLAY = _row({C.CUSTOMER, C.EDITOR, C.MANAGER, C.ADMIN}, Got.REFUSED)
STUDIO = _row({C.EDITOR, C.OTHER_EDITOR, C.MANAGER, C.ADMIN}, Got.REFUSED)
THE_LABELS = _row({C.EDITOR, C.MANAGER, C.ADMIN}, Got.REFUSED, OTHER_EDITOR=Got.HIDDEN)
THE_SENDERS = _row({C.EDITOR}, Got.REFUSED, OTHER_EDITOR=Got.HIDDEN, MANAGER=Got.HIDDEN, ADMIN=Got.HIDDEN)
HELPERS = _row({C.SUPPORT, C.MANAGER, C.ADMIN}, Got.REFUSED)
MANAGERS = _row({C.MANAGER, C.ADMIN}, Got.REFUSED)
ADMINS = _row({C.ADMIN}, Got.REFUSED)

# Open to the guest whose browser made the order; anybody else unknown is asked to sign in by the view itself.
GUESTS_TOO = {"orders.come_back", "orders.show", "orders.status"}

# The request carries its own proof; who sends it makes no difference.
BY_SIGNATURE = {"metrics", "orders.webhook", "playback.media"}

EXPECTED: dict[str, Row] = {
    "accounts.forgotten": PUBLIC,
    "accounts.reset": PUBLIC,
    "accounts.set_language": PUBLIC,
    "accounts.sign_in": PUBLIC,
    "accounts.sign_out": PUBLIC,
    "accounts.sign_up": PUBLIC,
    "accounts.welcome": PUBLIC,
    "accounts.account.address": THE_CUSTOMERS_OWN,
    "accounts.account.address_book": SIGNED_IN,
    "accounts.account.ask_for_new_email": SIGNED_IN,
    "accounts.account.change_email": PUBLIC,
    "accounts.account.change_password": SIGNED_IN,
    "accounts.account.close": SIGNED_IN,
    "accounts.account.devices": SIGNED_IN,
    "accounts.account.export": SIGNED_IN,
    "accounts.account.profile": SIGNED_IN,
    "accounts.account.prove": SIGNED_IN,
    "accounts.account.remove_address": THE_CUSTOMERS_OWN,
    "accounts.account.security": SIGNED_IN,
    "accounts.account.sign_out_device": THE_CUSTOMERS_OWN,
    "accounts.account.sign_out_everywhere": SIGNED_IN,
    "accounts.people.find": HELPERS,
    "accounts.people.send_letter": HELPERS,
    "accounts.people.set_role": ADMINS,
    "accounts.people.show": HELPERS,
    "accounts.people.sign_out": HELPERS,
    "accounts.second.add_passkey": SIGNED_IN,
    "accounts.second.ask_for_passkey": WITHOUT_A_PASSWORD_TYPED,
    "accounts.second.ask_to_add": SIGNED_IN,
    "accounts.second.begin_app": SIGNED_IN,
    "accounts.second.confirm_app": SIGNED_IN,
    "accounts.second.new_codes": WITHOUT_A_FACTOR,
    "accounts.second.own": SIGNED_IN,
    "accounts.second.remove_app": SIGNED_IN,
    "accounts.second.remove_passkey": THE_CUSTOMERS_OWN,
    "accounts.second.show": WITHOUT_A_PASSWORD_TYPED,
    "accounts.second.show_passkey": WITHOUT_A_PASSWORD_TYPED,
    "audit.search": MANAGERS,
    "cart.add": PUBLIC,
    "cart.change_gift": IN_THE_CUSTOMERS_CART,
    "cart.count": PUBLIC,
    "cart.country": PUBLIC,
    "cart.give": PUBLIC,
    "cart.keep_details": PUBLIC,
    "cart.name_price": IN_THE_CUSTOMERS_CART,
    "cart.remove": PUBLIC,
    "cart.show": PUBLIC,
    "discovery.previewed": PUBLIC,
    "discovery.taste.forget": SIGNED_IN,
    "discovery.taste.say": SIGNED_IN,
    "discovery.taste.set_listening": SIGNED_IN,
    "discovery.taste.set_mode": SIGNED_IN,
    "discovery.taste.show": SIGNED_IN,
    "downloads.archive": THE_CUSTOMERS_FILES,
    "downloads.ask_for_archive": THE_CUSTOMERS_FILES,
    "downloads.file": THE_CUSTOMERS_FILES,
    "downloads.release": THE_CUSTOMERS_FILES,
    "healthz": PUBLIC,
    # Asked by the machine the shop runs on, as here; that elsewhere only staff get in is for the room's own tests.
    "letters.again": PUBLIC,
    "letters.attachment": PUBLIC,
    "letters.body": PUBLIC,
    "letters.outbox": PUBLIC,
    "letters.show": PUBLIC,
    "letters.source": PUBLIC,
    "media.image": PUBLIC,
    "media.preview": PUBLIC,
    "ledger.export": MANAGERS,
    "ledger.index": MANAGERS,
    "orders.after_sales.ask_for_refund": THE_CUSTOMERS_OR_A_GUESTS,
    "orders.after_sales.cancel": THE_CUSTOMERS_OR_A_GUESTS,
    "orders.after_sales.refund": THE_CUSTOMERS_OR_A_GUESTS,
    "orders.cases.close": MANAGERS,
    "orders.cases.give_back": MANAGERS,
    "orders.cases.index": MANAGERS,
    "orders.cases.show": MANAGERS,
    "orders.checkout": PUBLIC,
    "orders.claims.code": PUBLIC,
    "orders.claims.credit_note": INVOICE,
    "orders.claims.gift": THE_CUSTOMERS_OR_A_GUESTS,
    "orders.claims.invoice": INVOICE,
    "orders.claims.make_account": PUBLIC,
    "orders.claims.send_again": THE_CUSTOMERS_OR_A_GUESTS,
    "orders.claims.show": PUBLIC,
    "orders.claims.take": PUBLIC,
    "orders.come_back": ORDER,
    "orders.history": SIGNED_IN,
    "orders.show": ORDER,
    "orders.staff.find": HELPERS,
    "orders.staff.refund": MANAGERS,
    "orders.staff.show": HELPERS,
    "orders.status": ORDER,
    "playback.play": PLAY,
    "playback.progress": THE_CUSTOMERS_OWN,
    "pricing.create": MANAGERS,
    "pricing.disable": MANAGERS,
    "pricing.enable": MANAGERS,
    "pricing.export": MANAGERS,
    "pricing.index": MANAGERS,
    "pricing.make_codes": MANAGERS,
    "pricing.new": MANAGERS,
    "pricing.show": MANAGERS,
    "readyz": PUBLIC,
    "shelves.fans_also_bought": PUBLIC,
    "shelves.for_you": PUBLIC,
    "shelves.more": PUBLIC,
    "shelves.staff.boost": THE_LABELS,
    "shelves.staff.count": STUDIO,
    "shelves.staff.create_trial": MANAGERS,
    "shelves.staff.discard_trial": MANAGERS,
    "shelves.staff.find": STUDIO,
    "shelves.staff.index": STUDIO,
    "shelves.staff.new_trial": MANAGERS,
    "shelves.staff.pin": THE_LABELS,
    "shelves.staff.release": THE_LABELS,
    "shelves.staff.start_trial": MANAGERS,
    "shelves.staff.stop_trial": MANAGERS,
    "shelves.staff.trial": MANAGERS,
    "shelves.staff.trials": MANAGERS,
    "shelves.staff.unboost": THE_LABELS,
    "shelves.staff.unpin": THE_LABELS,
    "shelves.tune": PUBLIC,
    "storefront.artist": PUBLIC,
    "storefront.browse": PUBLIC,
    "storefront.bundle": PUBLIC,
    "storefront.home": PUBLIC,
    "storefront.library": SIGNED_IN,
    "storefront.release": PUBLIC,
    "storefront.search": PUBLIC,
    "studio.bundles.create": MANAGERS,
    "studio.bundles.index": MANAGERS,
    "studio.bundles.retire": MANAGERS,
    "studio.edit": THE_LABELS,
    "studio.index": STUDIO,
    "studio.labels.give": ADMINS,
    "studio.labels.show": ADMINS,
    "studio.labels.take": ADMINS,
    "studio.offers.announce": THE_LABELS,
    "studio.offers.save": THE_LABELS,
    "studio.offers.show": THE_LABELS,
    "studio.publish": THE_LABELS,
    "studio.recordings": THE_LABELS,
    "studio.release_state": THE_LABELS,
    "studio.reports.section": THE_LABELS,
    "studio.retry": THE_LABELS,
    "studio.save": THE_LABELS,
    "studio.subtitles.add": THE_LABELS,
    "studio.subtitles.remove": THE_LABELS,
    "studio.unpublish": THE_LABELS,
    "studio.upload": STUDIO,
    "studio.upload_status": THE_SENDERS,
    "studio.uploads.begin": STUDIO,
    "studio.uploads.complete": THE_SENDERS,
    "studio.uploads.drop": THE_SENDERS,
    "studio.uploads.drop_from_page": THE_SENDERS,
    "studio.uploads.parts": THE_SENDERS,
    "studio.uploads.sign": THE_SENDERS,
    "wishlist.add": SIGNED_IN,
    "wishlist.remove": SIGNED_IN,
    "wishlist.show": SIGNED_IN,
}

_ROLES = {
    C.CUSTOMER: Role.CUSTOMER,
    C.OTHER_CUSTOMER: Role.CUSTOMER,
    C.EDITOR: Role.EDITOR,
    C.OTHER_EDITOR: Role.EDITOR,
    C.SUPPORT: Role.SUPPORT,
    C.MANAGER: Role.MANAGER,
    C.ADMIN: Role.ADMIN,
}


@dataclass
class World:
    """One of everything, and a browser for each caller."""

    app: Flask
    people: dict[Caller, Account] = field(default_factory=dict)
    browsers: dict[Caller, FlaskClient] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    of_endpoint: dict[str, dict[str, Any]] = field(default_factory=dict)

    def url(self, rule: Any) -> str:
        """An address of the route's, of what there is."""
        wanted = self.of_endpoint.get(rule.endpoint, {})
        with self.app.test_request_context():
            return url_for(rule.endpoint, **{name: wanted.get(name, self.values.get(name)) for name in rule.arguments})

    def ask(self, caller: Caller, rule: Any, method: str) -> TestResponse:
        """The caller's request."""
        return self.browsers[caller].open(
            self.url(rule), method=method, **BODIES.get(rule.endpoint, lambda _world: {})(self)
        )


# What a request carries that is to do something; without it, it might fail for what it lacks.
BODIES: dict[str, Callable[[World], dict[str, Any]]] = {
    "accounts.account.close": lambda _w: {"data": {"sure": "yes"}},
    "accounts.people.set_role": lambda _w: {"data": {"role": "editor"}},
    "accounts.account.change_password": lambda _w: {"data": {"present": "x", "password": "nine white boats"}},
    "cart.add": lambda w: {"data": {"offer_id": w.values["offer_id"]}},
    "orders.claims.code": lambda _w: {"data": {"code": "ABCD-EFGH-JKLM-NPQR"}},
    "orders.claims.gift": lambda _w: {"data": {"to_email": "eve@example.org"}},
    "playback.progress": lambda _w: {"json": {"position_ms": 1000}},
    "studio.publish": lambda _w: {"data": {"when": "ready"}},
    "studio.uploads.sign": lambda _w: {"json": {"sha256": b64encode(bytes(32)).decode()}},
    "accounts.set_language": lambda _w: {"data": {"locale": "en"}},
    "studio.uploads.begin": lambda _w: {"json": {"filename": "a.wav", "size": 1000, "modified": 1, "head": "0" * 64}},
}


def world(app: Flask, store: Any) -> World:
    """Make it, in the present context."""
    made = World(app)
    number = next(_numbers)
    for caller, role in _ROLES.items():
        person = rows.account(str(caller))
        person.role = role
        made.people[caller] = person
    label, other = catalog.ensure_label(f"Label {number}"), catalog.ensure_label(f"Other {number}")
    rights.give_label(made.people[C.EDITOR], label)
    rights.give_label(made.people[C.OTHER_EDITOR], other)
    db.session.commit()
    customer = made.people[C.CUSTOMER]
    film = rows.release(f"Film {number}", kind=Kind.FILM)
    music = rows.release(f"Tides {number}", tracks=2, artist=f"Mira {number}")
    for release in (film, music):
        release.label = label
    track = music.tracks[0]
    rows.stream(track, store, name=str(number))
    for each in music.tracks:
        rows.download(each, store, "flac", f"flac {each.id}".encode())
    rows.own(customer, release=music)
    sold = offer(release=music)
    order = Order(
        account_id=customer.id,
        email=customer.email,
        locale="en",
        state=OrderState.PAID,
        currency="EUR",
        total_minor=990,
        paid_at=clock.now(),
        checkout_id=f"cs_{number}",
        payment_id=f"pi_{number}",
    )
    order.lines = [OrderLine(offer_id=sold.id, title="Tides", list_minor=990, net_minor=990, price_minor=990)]
    case = Case(kind=CaseKind.DISPUTE, key=f"dispute:{number}")
    play = PlaySession(account_id=customer.id, track_id=track.id, expires_at=clock.now() + timedelta(hours=1))
    upload = Upload(account_id=made.people[C.EDITOR].id, filename="a.wav", size=10, part_size=10, identity="1:0")
    address = addresses.add(customer.id, addresses.Address("Ada", "1 Quay", "Bergen", "NO"))
    subtitle = Subtitle(
        track_id=film.tracks[0].id,
        sha256="0" * 64,
        language="en",
        name="",
        captions=False,
        filename="en.srt",
        encoding="utf-8",
        cues=1,
        webvtt="WEBVTT\n",
    )
    passkey = Passkey(
        account_id=customer.id,
        credential_id=f"key {number}".encode(),
        public_key=b"key",
        sign_count=0,
        name="Key",
    )
    customer.second_factor = True
    letter = Letter(
        kind="trial",
        key=f"trial:{number}",
        to_address=customer.email,
        locale="en",
        context={},
        attachments=[invoice.to_facts(invoice_data())],
        state=LetterState.SENT,
        sent_at=clock.now(),
        subject="Hello",
        text="Hello",
        html="<head></head>Hello",
    )
    given = OrderLine(
        position=2, offer_id=sold.id, title="Tides", list_minor=0, net_minor=0, price_minor=0, gift_to="kay@example.org"
    )
    order.lines.append(given)
    cart = Cart(account_id=customer.id)
    cart.items = [CartItem(offer_id=sold.id, gift_to="friend@example.org")]
    db.session.add_all([cart, order, case, play, upload, subtitle, passkey, letter])
    db.session.flush()
    bundle = offers.make_bundle("Both", [film, music], Money(1490, "EUR"))
    coupon = coupons.create(CouponWish("Summer", percent=Decimal(25)))
    gift = Claim(
        kind=ClaimKind.GIFT,
        order_id=order.id,
        line_id=given.id,
        code=codes.new(),
        to_email="kay@example.org",
        send_at=clock.now(),
        sent_at=clock.now(),
    )
    refund = OrderRefund(
        order_id=order.id,
        payment_id=order.payment_id,
        origin="staff",
        reason="asked",
        currency="EUR",
        amount_minor=100,
        lines={order.lines[0].id: 100},
        state="done",
        settled_at=clock.now(),
    )
    days = {"from_on": clock.now().date(), "until_on": clock.now().date()}
    pin = Pin(release_id=music.id, shelf=ShelfName.FOR_YOU, place=1, **days)
    boost = Boost(release_id=music.id, halves=1, **days)
    trial = Trial(
        name=f"trial-{number}",
        hypothesis="More clicks",
        question="first-shelf",
        variants=[{"way": "for-you", "share": 50}, {"way": "popular", "share": 50}],
        metric="clicks",
        salt="salt",
        days=28,
    )
    db.session.add_all([pin, boost, trial])
    db.session.add_all([gift, refund, License(release_id=music.id, grant_key=given.id)])
    db.session.flush()
    upload.multipart_id = store.multipart.begin(keys.upload(upload.id))
    tokens_made = {
        "accounts.welcome": tokens.issue(TokenPurpose.REGISTER, f"new{number}@example.org", None)[1],
        "accounts.reset": tokens.issue(TokenPurpose.RESET, customer.email, customer.id)[1],
        "accounts.account.change_email": tokens.issue(
            TokenPurpose.CHANGE_EMAIL, f"next{number}@example.org", customer.id
        )[1],
    }
    db.session.commit()
    for caller in C:
        made.browsers[caller] = app.test_client()
        if caller in made.people:
            session = rows.sign_in(made.browsers[caller], made.people[caller])
            if caller is C.CUSTOMER:
                made.of_endpoint["accounts.account.sign_out_device"] = {"session_id": session.id}
    made.values = {
        "account_id": made.people[C.OTHER_CUSTOMER].id,
        "address_id": address.id,
        "boost_id": boost.id,
        "artist_id": music.artist_id,
        "case_id": case.id,
        "claim_id": gift.id,
        "code": "en",
        "coupon_id": coupon.id,
        "format_name": "flac",
        "item_id": cart.items[0].id,
        "letter_id": letter.id,
        "name": "none",
        "number": 1,
        "offer_id": sold.id,
        "order_id": order.id,
        "passkey_id": passkey.id,
        "pin_id": pin.id,
        "refund_id": refund.id,
        "release_id": music.id,
        "session_id": play.id,
        "subtitle_id": subtitle.id,
        "track_id": track.id,
        "trial_id": trial.id,
        "upload_id": upload.id,
    }
    for endpoint in ("show", "take", "make_account"):
        made.of_endpoint[f"orders.claims.{endpoint}"] = {"token": waiting.path(gift).rpartition("/")[2]}
    for endpoint in ("studio.labels.give", "studio.labels.show", "studio.labels.take"):
        made.of_endpoint[endpoint] = {"account_id": made.people[C.OTHER_EDITOR].id, "label_id": other.id}
    for endpoint in ("storefront.bundle", "studio.bundles.retire"):
        made.of_endpoint[endpoint] = {"offer_id": bundle.id}
    made.of_endpoint["letters.attachment"] = {"letter_id": letter.id, "number": 0}
    # The film has no master: nothing of it waits to be made, and the studio has little to say of it.
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("studio."):
            made.of_endpoint.setdefault(rule.endpoint, {"release_id": film.id, "track_id": film.tracks[0].id})
    store.put_bytes(keys.cover("0" * 64), b"a picture", "image/jpeg")
    store.put_bytes(keys.preview("0" * 64, "m4a"), b"a sound", "audio/mp4")
    made.of_endpoint["media.image"] = {"name": "0" * 64 + ".jpg"}
    made.of_endpoint["media.preview"] = {"name": "0" * 64 + ".m4a"}
    for endpoint, token in tokens_made.items():
        made.of_endpoint[endpoint] = {"token": token}
    return made


def outcome(answer: TestResponse) -> Outcome:
    """What an answer comes to."""
    assert answer.status_code < 500, answer.text
    if answer.status_code == 401 or (answer.status_code == 302 and (answer.location or "").startswith("/sign-in")):
        return Got.ASKED
    return {403: Got.REFUSED, 404: Got.HIDDEN}.get(answer.status_code, Got.IN)


def contents() -> str:
    """All rows of all tables, in a few characters."""
    db.session.rollback()
    names = db.session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")).all()
    each = " UNION ALL ".join(
        f"SELECT '{name}' AS t, md5(coalesce(string_agg(r::text, ',' ORDER BY r::text), '')) AS m FROM \"{name}\" r"  # noqa: S608
        for name in names
    )
    return str(db.session.scalar(text(f"SELECT string_agg(t || m, ' ' ORDER BY t) FROM ({each}) AS every")))  # noqa: S608

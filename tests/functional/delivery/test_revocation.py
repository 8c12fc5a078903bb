"""A refund while it plays: the money goes back through the shop or at the gateway, and no further key is given.

Nothing between the license and the key remembers an answer, in either mode, so the promise (5 s) is held to the
letter: not one request that begins after the refund is answered with a key.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from support import rows
from support.instance import eventually
from support.nginx import edge, send
from support.shop import Browser, LiveShop, live_shop, offer

from app.accounts import service as accounts
from app.accounts.models import Role
from app.core.db import db
from app.licenses import service as licenses
from app.licenses.models import Use
from app.orders.models import Order, OrderState
from app.payments import stripe_gateway
from app.settings import Settings
from media_store.s3 import S3Store
from tests.functional.orders.test_purchase import PASSWORD, is_paid, order, put_in_cart, sign_up, to_payment_page
from transcoder.contract import segment_key
from transcoder.playlist import KEY_SECONDS

KEY = bytes(range(16))
HOURS_OF_KEYS = 6 * 3600 // KEY_SECONDS


@dataclass
class Player:
    """Asks for the next key again and again, as a player does each minute, without the wait."""

    port: int
    folder: str
    cookie: str
    refunded: threading.Event = field(default_factory=threading.Event)
    before: list[int] = field(default_factory=list)  # statuses of requests begun before the refund was through
    after: list[int] = field(default_factory=list)
    leaked: list[int] = field(default_factory=list)  # numbers of keys that came after it
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        number = 0
        while not self._stopped.is_set():
            late = self.refunded.is_set()
            answer = send(self.port, "GET", f"{self.folder}key/{number}.key", {"Cookie": self.cookie})
            (self.after if late else self.before).append(answer.status)
            if late and segment_key(KEY, number) in answer.body:
                self.leaked.append(number)
            number = (number + 1) % HOURS_OF_KEYS

    @contextmanager
    def playing(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()


@dataclass
class Sale:
    """Ada has bought it, and it plays from the front under test."""

    live: LiveShop
    buyer: Browser
    track_id: str
    order_id: str
    account_id: str
    player: Player

    def press_play(self) -> requests.Response:
        token = self.buyer.get("/cart").text.split('name="csrf-token" content="')[1].split('"')[0]
        return self.buyer.session.post(
            f"{self.live.url}/play/{self.track_id}", data={"csrf_token": token}, timeout=30, headers=_JSON
        )


_JSON = {"Accept": "application/json"}


@pytest.fixture(params=["edge", "app"])
def sale(request: pytest.FixtureRequest, settings: Settings, store: S3Store, tmp_path: Path) -> Iterator[Sale]:
    with live_shop(settings, tmp_path) as live:
        address = urlsplit(live.url).netloc
        with edge(settings, tmp_path / "edge", app=address) as running:
            release = rows.release("Tides")
            rows.stream(release.tracks[0], store, KEY)
            offer_id = offer(release=release).id
            buyer = Browser(live.url)
            sign_up(buyer)
            put_in_cart(buyer, offer_id)
            to_payment_page(buyer)
            buyer.submit(None)
            eventually(is_paid)
            bought: Order = order()
            port = running.port if request.param == "edge" else int(address.rpartition(":")[2])
            made = Sale(live, buyer, release.tracks[0].id, bought.id, bought.account_id, Player(port, "", ""))
            play = made.press_play()
            assert play.status_code == 200, play.text
            made.player.folder = play.json()["playlist"].removesuffix("multivariant.m3u8")
            made.player.cookie = f"wavecrate-id={buyer.session.cookies['wavecrate-id']}"
            yield made


def _silenced(sale: Sale) -> None:
    """Some requests later, not one of them was answered with a key."""
    player = sale.player
    player.refunded.set()
    eventually(lambda: len(player.after) >= 20)
    assert player.leaked == []
    assert set(player.after) == {403}
    assert 200 in player.before
    assert sale.press_play().status_code == 403
    assert not licenses.may(sale.account_id, sale.track_id, Use.STREAM)


def test_a_refund_in_the_shop_ends_the_keys_of_a_play_that_goes_on(sale: Sale) -> None:
    accounts.ensure_account("root@example.org", PASSWORD, "Root", role=Role.ADMIN)
    db.session.commit()
    admin = Browser(sale.live.url)
    admin.get("/sign-in")
    admin.submit("/sign-in", email="root@example.org", password=PASSWORD)
    admin.get(f"/staff/orders/{sale.order_id}")
    with sale.player.playing():
        eventually(lambda: len(sale.player.before) >= 20)
        assert set(sale.player.before) == {200}
        admin.submit("/refund", reason="It skips.")
        _silenced(sale)
    assert "is on its way back" in admin.page.text


def test_a_refund_at_the_gateway_ends_them_with_its_webhook(sale: Sale) -> None:
    payment_id = order().payment_id
    assert payment_id is not None
    with sale.player.playing():
        eventually(lambda: len(sale.player.before) >= 20)
        assert set(sale.player.before) == {200}
        stripe_gateway.refund(payment_id, None, sale.order_id)
        eventually(lambda: sale.live.undelivered() == 0)
        _silenced(sale)
    assert order().state == OrderState.REFUNDED

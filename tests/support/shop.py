"""The shop and the payment sandbox as two real HTTP servers that know of each other, and a browser without script."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import requests
from flask import Flask, request
from support.sandbox import Controls
from werkzeug.serving import BaseWSGIServer, make_server

from app.catalog.models import BundledRelease, Offer, OfferKind, Price, Release, Track
from app.core.db import db
from app.engines.processes import free_ports
from app.factory import create_app
from app.payments.sandbox import server
from app.payments.sandbox.params import decode
from app.payments.sandbox.webhooks import Courier
from app.settings import Settings


@dataclass
class Request:
    """One request the sandbox got."""

    method: str
    path: str
    params: dict
    headers: dict


@dataclass
class LiveShop:
    """Both servers, running."""

    app: Flask
    url: str
    sandbox: Flask
    sandbox_url: str
    config: server.Config
    requests: list[Request] = field(default_factory=list)
    courier: Courier | None = None

    def deliver(self) -> None:
        """Start (or start again) to deliver webhooks."""
        self.courier = server.start_courier(self.sandbox, self.config)

    @property
    def controls(self) -> Controls:
        """What the sandbox does on demand: pay, settle, dispute, fail."""
        return Controls(self.sandbox)

    def events(self) -> list[dict]:
        """The sandbox's events that the shop is told of, newest first."""
        found = self.sandbox.extensions["sandbox_state"].events()[0]
        return [event for event in found if event["pending_webhooks"]]

    def undelivered(self) -> int:
        """How many events the shop hasn't taken yet."""
        return self.sandbox.extensions["sandbox"].outbox.undelivered()


@contextmanager
def live_shop(settings: Settings, directory: Path, *, deliver: bool = True, csrf: bool = True) -> Iterator[LiveShop]:
    """Start both; with `deliver=False` no webhook leaves the sandbox until `deliver()`."""
    shop_port, sandbox_port = free_ports(2)
    url, sandbox_url = f"http://127.0.0.1:{shop_port}", f"http://127.0.0.1:{sandbox_port}"
    config = server.Config(
        state=directory / "sandbox.sqlite",
        public_url=sandbox_url,
        webhook_url=f"{url}/webhooks/stripe",
        webhook_secret=settings.stripe_webhook_secret.get_secret_value(),
    )
    app = create_app(settings.model_copy(update={"stripe_api_base": sandbox_url, "base_url": url}))
    app.config["WTF_CSRF_ENABLED"] = csrf
    live = LiveShop(app, url, server.create_sandbox(config), sandbox_url, config)

    @live.sandbox.before_request
    def _record() -> None:
        if request.path.startswith("/v1/"):
            params = decode((request.form or request.args).items(multi=True))
            live.requests.append(Request(request.method, request.path, params, dict(request.headers)))

    servers = [
        make_server("127.0.0.1", shop_port, app, threaded=True),
        make_server("127.0.0.1", sandbox_port, live.sandbox, threaded=True),
    ]
    threads = [_serve(each) for each in servers]
    try:
        if deliver:
            live.deliver()
        with app.app_context():
            yield live
            db.session.remove()
    finally:
        if live.courier is not None:
            live.courier.stop()
        for each, thread in zip(servers, threads, strict=True):
            each.shutdown()
            thread.join()
            each.server_close()
        with app.app_context():
            db.engine.dispose()


def _serve(each: BaseWSGIServer) -> threading.Thread:
    thread = threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    return thread


def offer(
    *,
    release: Release | None = None,
    track: Track | None = None,
    bundle: Sequence[Release] = (),
    rental_days: int | None = None,
    open_price: bool = False,
    minor: int = 990,
    currency: str = "EUR",
    **others: int,
) -> Offer:
    """A price for it; `others` are prices by currency. A bundle is called Bundle, and a rental plays for 48 hours."""
    made = Offer(
        kind=OfferKind.BUNDLE if bundle else OfferKind.RENTAL if rental_days else OfferKind.BUY,
        title="Bundle" if bundle else None,
        release_id=release.id if release else None,
        track_id=track.id if track else None,
        price_minor=minor,
        currency=currency,
        open_price=open_price,
        rental_days=rental_days,
        rental_hours=48 if rental_days else None,
    )
    made.members = [
        BundledRelease(release_id=each.id, release=each, position=number) for number, each in enumerate(bundle, 1)
    ]
    made.prices = [Price(currency=code, minor=amount) for code, amount in others.items()]
    db.session.add(made)
    db.session.commit()
    db.session.expire_all()
    return made


class _Forms(HTMLParser):
    """The forms of a page, with what they would send."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str | None, dict[str, str]]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self.forms.append((values.get("action"), {}))
            self._inside = True
        elif tag == "input" and self._inside and values.get("name"):
            if values.get("type") in ("radio", "checkbox") and "checked" not in values:
                return
            self.forms[-1][1][str(values["name"])] = values.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class Browser:
    """Follows links and sends forms, CSRF tokens and all; runs no script."""

    def __init__(self, base: str) -> None:
        self.session = requests.Session()
        self.session.headers["Accept"] = "text/html"
        self.session.headers["Accept-Language"] = "en"
        self.page = requests.Response()
        self._base = base

    def get(self, path: str) -> requests.Response:
        """Go there."""
        self.page = self.session.get(urljoin(self._base, path), timeout=30)
        return self.page

    def submit(self, action: str | None, *, follow: bool = True, **fields: str | None) -> requests.Response:
        """Send the page's first form whose action ends so (None: one without); a field of None is left out."""
        parser = _Forms()
        parser.feed(self.page.text)
        found = [
            form for form in parser.forms if form[0] == action or (action and form[0] and form[0].endswith(action))
        ]
        assert found, f"no form with action {action!r} on {self.page.url}: {[form[0] for form in parser.forms]}"
        target, values = found[0]
        sent = {name: value for name, value in {**values, **fields}.items() if value is not None}
        self.page = self.session.post(
            urljoin(self.page.url, target or ""), data=sent, timeout=30, allow_redirects=follow
        )
        return self.page

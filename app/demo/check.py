"""`script/demo --check`: the main job without a person, over HTTP as a browser would do it, a line per step.

It buys a lossless album, so that what comes out can be compared with the master sample by sample.
"""

from __future__ import annotations

import re
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from flask import Flask
from rich.console import Console
from rich.markup import escape

from app.accounts import service as accounts
from app.catalog import queries as catalog
from app.catalog.models import Kind, Release, Track
from app.core.db import db
from app.core.store import media_store
from app.demo import listening
from app.factory import create_app
from app.licenses import queries as licenses
from app.media import queries as media
from app.settings import load_settings
from media_store import keys

_PATIENCE_SECONDS = 120


class Failed(Exception):
    """A step did not end as it should; the message says what was seen."""


@dataclass
class Run:
    """One shopper's walk through the shop, and what they carry from step to step."""

    base_url: str
    folder: Path
    browser: requests.Session = field(default_factory=requests.Session)
    release: Release | None = None
    track: Track | None = None
    order_path: str = ""
    shelf_before: list[str] = field(default_factory=list)
    email: str = field(default_factory=lambda: f"check-{secrets.token_hex(6)}@wavecrate.example")

    def get(self, path: str, **options: object) -> requests.Response:
        """GET, following redirects."""
        return self.browser.get(urljoin(self.base_url, path), timeout=60, **options)  # type: ignore[arg-type]

    def post(self, path: str, page: str = "/", **options: object) -> requests.Response:
        """POST with the CSRF token that `page` carries."""
        token = re.search(r'<meta name="csrf-token" content="([^"]+)"', self.get(page).text)
        expect(token is not None, f"{page} carries no CSRF token")
        assert token is not None
        headers = {"X-CSRFToken": token[1], "Referer": urljoin(self.base_url, page)}
        return self.browser.post(urljoin(self.base_url, path), headers=headers, timeout=60, **options)  # type: ignore[arg-type]


def expect(true: bool, otherwise: str) -> None:
    """Fail the step unless it is so."""
    if not true:
        raise Failed(otherwise)


def run(base_url: str, shop: Flask | None = None) -> bool:
    """Walk through every step; print each with its time; return whether all went well.

    `shop` is on the database and the store of the one at `base_url`; without it, it is made by the settings here.
    """
    console = Console(highlight=False)
    width = max(len(step.__doc__ or "") for step in STEPS)
    with (shop or create_app(load_settings())).app_context(), tempfile.TemporaryDirectory() as folder:
        walk = Run(base_url, Path(folder))
        for step in STEPS:
            began = time.monotonic()
            try:
                said = step(walk)
            except (Failed, requests.RequestException, OSError) as error:
                console.print(f"[red]✗[/red] {step.__doc__:<{width}}            {escape(str(error))}", soft_wrap=True)
                return False
            db.session.rollback()  # each step looks at the database anew
            seconds = time.monotonic() - began
            console.print(f"[green]✓[/green] {step.__doc__:<{width}} {seconds:6.2f} s  {escape(said)}", soft_wrap=True)
    console.print("The main job works from end to end.")
    return True


def _sign_up(walk: Run) -> str:
    """Sign up by the letter in the outbox"""
    answer = walk.post("/sign-up", "/sign-up", data={"email": walk.email})
    expect(answer.ok, f"the form came back with {answer.status_code}")
    link = _letter(walk)
    answer = walk.post(link, link, data={"name": "Check", "password": secrets.token_urlsafe(16)})
    expect(answer.ok and "/welcome/" not in answer.url, f"the form came back with {answer.status_code}")
    return walk.email


def letter_in(outbox: str, address: str) -> str | None:
    """Where the newest letter to that address is, by the outbox's page; None where there is none yet."""
    found = re.search(rf'href="(/outbox/[^"/]+)"[^>]*>[^<]*</a></td>\s*<td[^>]*>{re.escape(address)}<', outbox)
    return found[1] if found else None


def _letter(walk: Run) -> str:
    """The link in the letter, as the outbox shows it once the worker has sent it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        letter = letter_in(walk.get("/outbox").text, walk.email)
        body = walk.get(f"{letter}/body") if letter else None
        if body is not None and body.ok:
            break
        expect(time.monotonic() < deadline, f"no letter in the outbox after {_PATIENCE_SECONDS} s")
        time.sleep(0.1)
    link = re.search(r'href="([^"]+/welcome/[^"]+)"', body.text)
    expect(link is not None, "the letter has no link that leads on")
    assert link is not None
    return urlsplit(link[1]).path


def _find(walk: Run) -> str:
    """Find a lossless album through search"""
    for release in catalog.newest(limit=100, kind=Kind.AUDIO):
        formats = media.downloads_of(release.tracks[0].id)
        if "flac" in formats and release.offer and len(release.tracks) > 1:
            walk.release, walk.track = release, release.tracks[0]
    expect(walk.release is not None, "no published lossless album has a price")
    assert walk.release is not None
    found = walk.get("/search", params={"q": walk.release.title})
    expect(f"/releases/{walk.release.id}" in found.text, f"searching for {walk.release.title!r} does not find it")
    page = walk.get(f"/releases/{walk.release.id}")
    expect(walk.release.title in page.text, "its page does not name it")
    walk.shelf_before = _shelf(walk)
    return walk.release.title


def _refused_before(walk: Run) -> str:
    """Without a license: no stream, no file"""
    track = _track(walk)
    played = walk.post(f"/play/{track.id}")
    expect(played.status_code == 403, f"play answered {played.status_code}")
    file = walk.get(f"/downloads/{track.id}/flac", allow_redirects=False)
    expect(file.status_code == 403, f"download answered {file.status_code}")
    return ""


def _buy(walk: Run) -> str:
    """Put it in the cart, check out, pay by card"""
    assert walk.release is not None
    page = f"/releases/{walk.release.id}"
    offer = walk.release.offer
    assert offer is not None
    walk.post("/cart/items", page, data={"offer_id": offer.id})
    shown = dict(re.findall(r'name="(total|currency)" value="([^"]+)"', walk.get("/cart").text))
    payment = walk.post("/checkout", "/cart", data=shown)
    expect(payment.ok and not payment.url.startswith(walk.base_url), f"checkout ended at {payment.url}")
    form = {"method": "card", "number": "4000 0000 0000 0002", "expiry": "12 / 34", "cvc": "123"}
    declined = walk.browser.post(payment.url, data=form, timeout=30)
    expect(declined.status_code == 402, f"the card that declines got {declined.status_code}")
    back = walk.browser.post(payment.url, data=form | {"number": "4242 4242 4242 4242"}, timeout=30)
    expect(back.ok and back.url.startswith(walk.base_url), f"paying ended at {back.url} with {back.status_code}")
    walk.order_path = back.url.removeprefix(walk.base_url)
    return offer.price.format("en")


def _license(walk: Run) -> str:
    """The signed webhook turns the order into a license"""
    assert walk.release is not None
    account_id = _account_id(walk)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while walk.release.id not in licenses.owned_release_ids(account_id):
        expect(time.monotonic() < deadline, f"no license after {_PATIENCE_SECONDS} s")
        time.sleep(0.1)
        db.session.rollback()
    expect(walk.release.title in walk.get("/library").text, "the library does not show it")
    return ""


def _stream(walk: Run) -> str:
    """Play: decrypt the lossless stream, compare samples"""
    track = _track(walk)
    answer = walk.post(f"/play/{track.id}")
    expect(answer.ok, f"play answered {answer.status_code}: {answer.text[:200]}")
    stream = listening.fetch_stream(
        lambda url: walk.get(url).content, urljoin(walk.base_url, answer.json()["playlist"]), codec="fLaC"
    )
    file = walk.folder / "stream.mp4"
    file.write_bytes(stream.clear)
    same = listening.compare(file, _master(walk))
    expect(same.equal, f"the stream differs from the master: {same}")
    return f"{stream.segments} segments, {same.samples} samples equal"


def _download(walk: Run) -> str:
    """Download FLAC, in two ranges, compare samples"""
    track = _track(walk)
    link = walk.get(f"/downloads/{track.id}/flac", allow_redirects=False)
    expect(link.status_code == 302, f"the download answered {link.status_code}")
    url = link.headers["Location"]
    first = requests.get(url, headers={"Range": "bytes=0-9999"}, timeout=60)
    rest = requests.get(url, headers={"Range": "bytes=10000-"}, timeout=60)
    expect(first.status_code == rest.status_code == 206, f"ranges answered {first.status_code}, {rest.status_code}")
    file = walk.folder / "download.flac"
    file.write_bytes(first.content + rest.content)
    same = listening.compare(file, _master(walk))
    expect(same.equal, f"the download differs from the master: {same}")
    return first.headers.get("Content-Disposition", "")[:60]


def _shelf_after(walk: Run) -> str:
    """The shelf leaves out what was bought and has moved"""
    assert walk.release is not None
    after = _shelf(walk)
    expect(bool(after), "the shelf is empty")
    expect(walk.release.id not in after, "it still offers what was just bought")
    expect(after != walk.shelf_before, "it shows what it showed before")
    return f"{len(after)} titles"


STEPS: tuple[Callable[[Run], str], ...] = (
    _sign_up,
    _find,
    _refused_before,
    _buy,
    _license,
    _stream,
    _download,
    _shelf_after,
)


def _track(walk: Run) -> Track:
    assert walk.track is not None
    return walk.track


def _account_id(walk: Run) -> str:
    account = accounts.by_email(walk.email)
    expect(account is not None, "signing up made no account")
    assert account is not None
    return str(account.id)


def _shelf(walk: Run) -> list[str]:
    return list(dict.fromkeys(re.findall(r"/releases/([A-Za-z0-9]{16})", walk.get("/shelves/for-you").text)))


def _master(walk: Run) -> Path:
    """The master the track was made from, fetched from the store."""
    file = walk.folder / "master"
    if not file.exists():
        master = media.master_of(_track(walk).id)
        expect(master is not None, "the track has no master")
        assert master is not None
        media_store().get_file(keys.master(master.sha256), file)
    return file

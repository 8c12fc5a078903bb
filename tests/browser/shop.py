"""What a browser test does over and over: the shop's addresses, signing up, buying."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page

from app.accounts import service as accounts
from app.accounts.models import Role
from app.core.db import db, transaction
from tests.support import letters

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "test-results"
PASSWORD = "correct horse battery"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# Theme, language and width, so that every two of them meet; that only three together go wrong is rare.
SCREENS = (("light", "en-GB", 1280), ("dark", "zh-CN", 1280), ("light", "zh-CN", 360), ("dark", "en-GB", 360))
LANGUAGE = {"en-GB": "en", "zh-CN": "zh_Hans"}  # as the shop's addresses name it
_numbers = itertools.count(1)


@dataclass
class Shop:
    """The running shop. `app` is one more on the same database and store, for what a test looks up by itself."""

    base_url: str
    app: Flask
    releases: dict[str, str] = field(default_factory=dict)
    restart_web: Callable[[], None] = lambda: None

    def __str__(self) -> str:
        return self.base_url

    def release_url(self, title: str) -> str:
        """The address of a release's page."""
        return f"{self.base_url}/releases/{self.releases[title]}"

    @property
    def album(self) -> str:
        """The page of an album of two tracks."""
        return self.release_url("Harbour Lights")

    @property
    def film(self) -> str:
        """The page of a film."""
        return self.release_url("Night Ferry")


def letter(shop: Shop, email: str, onward: str | None = None) -> str:
    """Where the link of a letter leads that was sent to a newcomer."""
    with shop.app.app_context():
        link = letters.invitation(email, onward)
        db.session.remove()
    return link


def sign_up(page: Page, shop: Shop) -> str:
    """Make an account by its forms, the letter in between; return its e-mail."""
    email = f"listener{next(_numbers)}@example.org"
    page.goto("/sign-up")
    page.get_by_label("E-mail").fill(email)
    page.locator("#main").get_by_role("button", name="Send me a link").click()
    page.get_by_role("heading", name="Look into your mail").wait_for()
    page.goto(letter(shop, email))
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("#main").get_by_role("button", name="Make an account").click()
    page.wait_for_url("**/")
    return email


def buy(page: Page, release_url: str) -> None:
    """Put the release in the cart, pay by the test card, wait until it is theirs."""
    page.goto(release_url)
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("button", name="Pay").click()
    page.locator("#pay").click()
    page.get_by_role("heading", name="It’s yours").wait_for()


def sign_in_staff(browser: Browser, shop: Shop, **more: object) -> BrowserContext:
    """A context whose first page is signed in as an admin; see `Browser.new_context` for what more it takes."""
    with shop.app.app_context(), transaction():
        accounts.ensure_account("people@example.org", PASSWORD, "Pia", role=Role.ADMIN)
    context = browser.new_context(base_url=shop.base_url, **more)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto("/sign-in?lang=en")
    page.locator("#main [name=email]").fill("people@example.org")
    page.locator("#main [name=password]").fill(PASSWORD)
    page.locator("#main [type=submit]").click()
    page.wait_for_url("**/")
    return context


def faults(page: Page, *, least: bool = False, **options: object) -> list[str]:
    """What axe finds serious about the page, or the least thing, and whether it is wider than its window.

    Needs `bypass_csp`; `options` are those of `axe.run`.
    """
    page.add_script_tag(path=AXE)
    wrong = [
        f"{one['id']}: {[node['target'] for node in one['nodes']][:4]}"
        for one in page.evaluate("async options => (await axe.run(options)).violations", options)
        if least or one["impact"] in ("serious", "critical")
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        wrong.append("wider than the window")
    return wrong

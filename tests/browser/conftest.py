"""A browser, and the real shop for it: gunicorn, the payment sandbox and a worker, on a catalogue that was imported."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from pydantic import SecretStr
from support.ground import TEMPLATE, Engines, settings_on

from app.catalog.models import Kind, Release
from app.core.db import db
from app.core.money import Money
from app.core.store import open_store
from app.engines import processes
from app.factory import create_app
from app.media.models import JobState, TranscodeJob
from app.settings import Settings
from app.studio import importer
from tests.browser.shop import RESULTS, ROOT, Shop
from tests.media_samples import make_audio, make_film, make_image
from transcoder.contract import TagSet

_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture(scope="session")
def live_shop(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop at its own address, with a catalogue that came the way an editor's masters come."""
    directory = tmp_path_factory.mktemp("shop")
    with psycopg.connect(engines.postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE browser TEMPLATE {TEMPLATE}")
    shop_port, sandbox_port = processes.free_ports(2)
    settings = settings_on(engines.postgres.url("browser"), engines.s3, prefix="browser/").model_copy(
        update={
            "base_url": f"http://127.0.0.1:{shop_port}",
            "stripe_api_base": f"http://127.0.0.1:{sandbox_port}",
            "rate_limit_scale": 50,  # every visitor of the run has one address
            "upload_part_mib": 5,  # the least there is: a small file has several parts
        }
    )
    store = open_store(settings)
    store.ensure_bucket()
    store.receive_uploads(settings.base_url, keep_days=28)
    app = create_app(settings)
    servers = _Servers(directory, settings)
    try:
        servers.start_worker()
        with app.app_context():
            report = importer.import_paths(
                [_masters(directory / "masters")],
                price=Money(990, "EUR"),
                track_price=Money(150, "EUR"),
                publish=True,
                on_progress=lambda *_: None,
            )
            assert not report.refused
        servers.start_sandbox(sandbox_port)
        servers.start_web(shop_port)
        with app.app_context():
            _wait_until_ready(servers)
            releases = {release.title: release.id for release in db.session.query(Release)}
            db.session.remove()
        yield Shop(settings.base_url, app, releases, servers.restart_web)
    finally:
        servers.stop()
        with app.app_context():
            db.engine.dispose()
        with psycopg.connect(engines.postgres.url("postgres"), autocommit=True) as admin:
            admin.execute("DROP DATABASE browser WITH (FORCE)")


class _Servers:
    """The shop's processes, as `wavecrate up` starts them."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.directory = directory
        self.settings = settings
        self.running: list[tuple[subprocess.Popen[bytes], Path]] = []
        plain = {
            name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in settings
            if value is not None
        }
        self.env = os.environ | plain | {"PYTHONUNBUFFERED": "1", "WAVECRATE_VAR": str(directory)}

    def start_worker(self) -> None:
        self._start("worker", ["-m", "app.cli", "worker"])

    def start_web(self, port: int) -> None:
        self._start("web", [*_gunicorn(port), "app.wsgi:application()"], f"http://127.0.0.1:{port}/sign-in")

    def restart_web(self) -> None:
        """Kill the shop's web server as a crash would, and start it where it was."""
        gone = next(one for one in self.running if one[1].name == "web.log")
        self.running.remove(gone)
        processes.stop(gone[0], signal.SIGKILL, grace=3)
        self.start_web(int(self.settings.base_url.rpartition(":")[2]))

    def start_sandbox(self, port: int) -> None:
        self.env |= {
            "SANDBOX_STATE": str(self.directory / "sandbox.sqlite"),
            "SANDBOX_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "SANDBOX_WEBHOOK_URL": f"{self.settings.base_url}/webhooks/stripe",
            # Long enough that the browser is back before the webhook is: that is the case to get right.
            "SANDBOX_WEBHOOK_DELAY": "1.5",
            "SANDBOX_SETTLE_DELAY": "86400",  # a bank takes its days until a test says that they are over
        }
        self._start(
            "sandbox", [*_gunicorn(port), "app.payments.sandbox.server:application()"], f"http://127.0.0.1:{port}/"
        )

    def _start(self, name: str, arguments: list[str], answers_at: str | None = None) -> None:
        log = self.directory / f"{name}.log"
        process = processes.start([sys.executable, *arguments], log=log, env=self.env, cwd=ROOT)
        self.running.append((process, log))
        if answers_at:
            processes.wait_for_http(answers_at, process, name=name, log=log, seconds=60)

    def check(self) -> None:
        """Fail with a server's last words if it is gone."""
        for process, log in self.running:
            assert process.poll() is None, processes.tail(log, 40)

    def stop(self) -> None:
        for process, _log in reversed(self.running):
            processes.stop(process, signal.SIGINT, grace=3)


def _gunicorn(port: int) -> list[str]:
    return [
        "-m",
        "gunicorn",
        "--worker-class=gthread",
        "--threads=8",
        "--no-control-socket",
        f"--bind=127.0.0.1:{port}",
    ]


def _masters(folder: Path) -> Path:
    """Tiny masters: one album of two tracks that last long enough to listen to, some singles, one film."""
    album = {"artist": "Mara Voss", "artist_zh": "玛拉·沃斯", "album": "Harbour Lights", "album_zh": "港口灯火"}
    for number, title, title_zh in ((1, "Low Water", "退潮"), (2, "Bell Buoy", "钟浮标")):
        make_audio(
            folder / "harbour" / f"{number}.flac",
            seconds=14,
            frequency=220 * number,
            tags=TagSet(
                title=title,
                title_zh=title_zh,
                track=number,
                track_total=2,
                genre="Folk",
                year=2025,
                label="Tidewater",
                **album,
            ),
            cover=make_image((600, 600), "#27566b"),
        )
    for number, (title, colour) in enumerate(
        (("Copper", "#8c4a24"), ("Small Hours", "#2d2a55"), ("Kite Season", "#a33b2f"))
    ):
        make_audio(
            folder / title / "1.flac",
            seconds=2,
            frequency=330 + 110 * number,
            tags=TagSet(
                title=title, artist="The Ferrymen", artist_zh="摆渡人", album=title, track=1, genre="Jazz", year=2024
            ),
            cover=make_image((600, 600), colour),
        )
    make_film(
        folder / "film" / "ferry.mp4",
        seconds=8,
        size="640x360",
        tags=TagSet(
            title="Night Ferry",
            title_zh="夜航",
            artist="Lin Xiaoyu",
            artist_zh="林小雨",
            album="Night Ferry",
            genre="Documentary",
        ),
        cover=make_image((600, 600), "#1d3b2f"),
    )
    return folder


def _wait_until_ready(servers: _Servers) -> None:
    deadline = time.monotonic() + 120
    while True:
        servers.check()
        db.session.rollback()
        jobs = db.session.query(TranscodeJob).all()
        failed = [job.reason for job in jobs if job.state == JobState.FAILED]
        assert not failed, failed
        shown = db.session.query(Release).filter_by(status="published").count()
        if jobs and all(job.state == JobState.DONE for job in jobs) and shown == db.session.query(Release).count():
            assert db.session.query(Release).filter_by(kind=Kind.FILM).count() == 1
            return
        assert time.monotonic() < deadline, f"{[(job.stage, job.state) for job in jobs]}\n" + "\n".join(
            processes.tail(log, 20) for _process, log in servers.running
        )
        db.session.remove()
        time.sleep(0.3)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright, once."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, and the one without windows where there is one, for these take as much again as the pages; the
    system's, else Playwright's own."""
    flags = [*_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else _FLAGS
    expect.set_options(timeout=20_000)
    installed = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    launched = playwright.chromium.launch(executable_path=installed, args=flags)
    yield launched
    launched.close()


@pytest.fixture
def context(browser: Browser, live_shop: Shop) -> Iterator[BrowserContext]:
    """A fresh visitor: no cookies, English, a desktop window."""
    opened = browser.new_context(base_url=live_shop.base_url, locale="en-GB", viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A tab of theirs. A script error or a refused policy fails the test; a failure leaves a picture."""
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None,
    )
    failures = request.session.testsfailed
    yield opened
    if request.session.testsfailed > failures:
        RESULTS.mkdir(exist_ok=True)
        opened.screenshot(path=RESULTS / f"{request.node.name}.png".replace("/", "-"))
    assert not complaints

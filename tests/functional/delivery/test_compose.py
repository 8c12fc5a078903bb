"""docker-compose.yml, held to its word without containers: its commands, its environment, real servers in its places.

PostgreSQL comes from its wheel instead of its image; S3 is the same SeaweedFS, started by the file's own command.
"""

from __future__ import annotations

import getpass
import hashlib
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import psycopg
import pytest
import requests
import yaml
from flask import Flask
from support import certificates, rows
from support.ground import Engines
from support.shop import Browser

from app.accounts.models import Account
from app.catalog.models import Release
from app.core.db import db
from app.engines import processes
from app.factory import create_app
from app.media import queries as media
from app.settings import ROOT, Settings
from tests.media_samples import make_audio
from transcoder.contract import TagSet
from transcoder.package import decrypt_segment

COMPOSE = ROOT / "docker-compose.yml"
PASSWORD = "a long enough password"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<default>[^}]*))?\}")


def _filled_in(changes: dict[str, str]) -> dict[str, str]:
    """.env.example, with something in every empty place."""
    values = {}
    for line in (ROOT / ".env.example").read_text().splitlines():
        if line and not line.startswith("#"):
            name, value = line.split("=", 1)
            values[name] = value or f"test-{name.lower()}-0123456789"
    return values | changes


def _interpolated(thing: Any, env: dict[str, str]) -> Any:
    """What Compose makes of `${NAME}`, `${NAME:?}` and `${NAME:-default}`."""

    def value(match: re.Match[str]) -> str:
        found = env.get(match["name"], "")
        if not found and match["kind"] == "?":
            raise AssertionError(f"{match['name']} is missing from .env.example")
        return found or (match["default"] or "")

    if isinstance(thing, dict):
        return {key: _interpolated(each, env) for key, each in thing.items()}
    if isinstance(thing, list):
        return [_interpolated(each, env) for each in thing]
    return VARIABLE.sub(value, thing) if isinstance(thing, str) else thing


def _services(env: dict[str, str]) -> dict[str, Any]:
    services: dict[str, Any] = _interpolated(yaml.safe_load(COMPOSE.read_text()), env)["services"]
    return services


def test_compose_itself_reads_the_file(tmp_path: Path) -> None:
    client = next((each for each in ("docker-compose", "docker") if shutil.which(each)), None)
    assert client, "script/test installs a Compose client where it can; Debian, Ubuntu: apt install docker-compose"
    shutil.copy(COMPOSE, tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in _filled_in({}).items()))
    command = [client, "config"] if client == "docker-compose" else [client, "compose", "config"]
    read = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    assert yaml.safe_load(read.stdout)["services"].keys() == _services(_filled_in({})).keys()


def test_nothing_is_published_but_the_edge() -> None:
    services = _services(_filled_in({}))
    assert [name for name, service in services.items() if service.get("ports")] == ["nginx"]
    assert list(services["postgres"]["networks"]) == list(services["s3"]["networks"]) == ["inside"]
    assert yaml.safe_load(COMPOSE.read_text())["networks"]["inside"]["internal"] is True
    for name in ("web", "worker", "nginx"):
        assert services[name]["cap_drop"] == ["ALL"], name


def test_what_nginx_looks_up_once_keeps_its_address() -> None:
    services = _services(_filled_in({}))
    [inside] = yaml.safe_load(COMPOSE.read_text())["networks"]["inside"]["ipam"]["config"]
    subnet, handed_out = (ipaddress.ip_network(inside[name]) for name in ("subnet", "ip_range"))
    edge = services["nginx"]["environment"]
    names = {edge["EDGE_APP"].split(":")[0], urlsplit(edge["S3_ENDPOINT_URL"]).hostname}
    fixed = {ipaddress.ip_address(services[name]["networks"]["inside"]["ipv4_address"]) for name in names}
    assert len(fixed) == len(names) == 2
    assert all(address in subnet and address not in handed_out for address in fixed)
    assert names <= set(services["nginx"]["depends_on"])


def test_the_edge_is_told_everything_of_the_store_that_the_shop_is_told() -> None:
    told = {"S3_BUCKET": "another", "S3_PREFIX": "shop/", "S3_REGION": "eu-central-1"}
    asked = set(re.findall(r"\bS3_[A-Z_]+\b", (ROOT / "nginx" / "start").read_text()))
    given = _services(_filled_in(told))["nginx"]["environment"]
    assert asked <= set(given)
    assert told.items() <= given.items()


def test_every_image_of_ours_has_its_target_and_its_command() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name, service in _services(_filled_in({})).items():
        if "build" in service:
            target = service["build"]["target"]
            assert f" AS {target}\n" in dockerfile, name
            stage = dockerfile.split(f" AS {target}\n")[1].split("\nFROM ")[0]
            assert re.search(r"^USER (?!root)\w+$", stage, re.M), f"{target} runs as root"
    web = _services(_filled_in({}))["web"]["command"]
    assert "CMD [" + ", ".join(f'"{part}"' for part in web) + "]" in dockerfile


@dataclass
class Composed:
    """The services, running."""

    app: Flask
    base_url: str
    store_url: str
    certificate: Path
    environment: dict[str, str]
    track_id: str


@pytest.fixture(scope="module")
def composed(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    directory = tmp_path_factory.mktemp("compose")
    certificates.write(directory / "tls")
    https, store_https, metrics = processes.free_ports(3)
    weed = processes.free_ports(5, offset=10_000)
    base_url, store_url = f"https://localhost:{https}", f"https://localhost:{store_https}"
    env = _filled_in({"BASE_URL": base_url, "S3_PUBLIC_ENDPOINT_URL": store_url})
    env |= {"S3_BUCKET": "another-bucket", "S3_PREFIX": "shop/"}
    with psycopg.connect(engines.postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE composed")
    services = _services(env)
    # What a container would have of its own: addresses, ports and paths.
    stands_for = {
        services["web"]["environment"]["DATABASE_URL"]: engines.postgres.url("composed"),
        "http://s3:8333": f"http://127.0.0.1:{weed[0]}",
        "-ip=s3": "-ip=127.0.0.1",
        "0.0.0.0": "127.0.0.1",  # noqa: S104  # what a container listens on
        "172.28.0.0/24": "127.0.0.0/8",
        "-dir=/data": f"-dir={directory / 's3'}",
        "/srv/wavecrate/": f"{ROOT}/",
        "/tls/": f"{directory / 'tls'}/",
        "/var/cache/edge": str(directory / "cache"),
    }
    stands_for |= {port: str(mine) for port, mine in {"8443": https, "9443": store_https, "9464": metrics}.items()}
    stands_for |= dict(zip(("=8333", "=8888", "=9333", "=9340", "=23646"), (f"={port}" for port in weed), strict=True))

    def here(text: str) -> str:
        for theirs, ours in stands_for.items():
            text = (
                ours
                if theirs.isdigit() and text == theirs
                else text
                if theirs.isdigit()
                else text.replace(theirs, ours)
            )
        return text

    def environment(name: str) -> dict[str, str]:
        service = services[name]
        told = (env if service.get("env_file") else {}) | service.get("environment", {})
        machine = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "WAVECRATE_VAR": str(directory / name),
            "EDGE_RUN": str(directory / "edge"),
            "EDGE_LOG": str(directory / "edge.log"),
            "EDGE_USER": getpass.getuser(),
            "OPENBLAS_NUM_THREADS": "1",
        }
        return {key: here(value) for key, value in told.items()} | machine

    def command(name: str) -> list[str]:
        return [here(part) for part in services[name]["command"]]

    with ExitStack() as stack:

        def start(name: str, argv: list[str], answers_at: str | None = None) -> None:
            log = directory / f"{name}.log"
            process = processes.start(argv, log=log, env=environment(name), cwd=ROOT, death_signal=signal.SIGKILL)
            stop_with = signal.SIGKILL if name == "s3" else signal.SIGTERM
            stack.callback(processes.stop, process, stop_with, 8)
            if answers_at:
                processes.wait_for_http(answers_at, process, name=name, log=log, seconds=60)

        (directory / "s3").mkdir()
        start("s3", ["weed", *command("s3")], f"http://127.0.0.1:{weed[0]}/healthz")
        prepared = subprocess.run(
            command("prepare"), env=environment("prepare"), capture_output=True, text=True, check=False
        )
        assert prepared.returncode == 0, prepared.stderr
        [web] = processes.free_ports(1)  # this late, lest an outgoing connection take it meanwhile
        stands_for.update({"127.0.0.1:8000": f"127.0.0.1:{web}", "web:8000": f"127.0.0.1:{web}"})
        start("web", command("web"), f"http://127.0.0.1:{web}/readyz")
        start("worker", command("worker"))
        start("nginx", command("nginx"), f"http://127.0.0.1:{https}/edge/healthz")  # 400: plain HTTP on a TLS port
        shop = environment("web")
        _wavecrate(shop, "account", "ada@example.org", "--name=Ada", stdin=f"{PASSWORD}\n{PASSWORD}\n")
        master = make_audio(
            directory / "masters" / "ebb.flac", tags=TagSet(title="Ebb", artist="Mira Sol", album="Tides")
        )
        _wavecrate(shop, "import", str(master.parent), "--price=9.90", "--currency=EUR")
        app = create_app(_settings_of(shop))
        with app.app_context():
            track_id = _transcoded(directory / "worker.log")
            release = db.session.query(Release).one()
            rows.own(db.session.query(Account).filter_by(email="ada@example.org").one(), release=release)
            db.session.remove()
        yield Composed(app, base_url, store_url, directory / "tls" / "certificate.pem", shop, track_id)
    with app.app_context():
        db.engine.dispose()
    with psycopg.connect(engines.postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("DROP DATABASE composed WITH (FORCE)")


def _settings_of(environment: dict[str, str]) -> Settings:
    fields = {name: environment[name.upper()] for name in Settings.model_fields if name.upper() in environment}
    return Settings(**fields)


def _wavecrate(environment: dict[str, str], *arguments: str, stdin: str = "") -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env=environment,
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _transcoded(log: Path) -> str:
    """Wait for the worker; the track's id."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        release = db.session.query(Release).one()
        if media.stream_of(release.tracks[0].id) is not None:
            return release.tracks[0].id
        db.session.rollback()
        time.sleep(0.5)
    raise AssertionError(f"the worker made nothing; its log ends:\n{processes.tail(log, 30)}")


@pytest.fixture
def browser(composed: Composed) -> Browser:
    made = Browser(composed.base_url)
    made.session.trust_env = False  # a CA bundle named in the environment would win over ours
    made.session.verify = str(composed.certificate)
    made.session.headers["Referer"] = f"{composed.base_url}/"  # as browsers do; over TLS the forms ask for it
    made.get("/sign-in")
    made.submit("/sign-in", email="ada@example.org", password=PASSWORD)
    assert made.page.status_code == 200
    return made


def test_sign_in_play_and_hear_it_through_the_edge(composed: Composed, browser: Browser) -> None:
    assert {cookie.name for cookie in browser.session.cookies} >= {"__Host-wavecrate", "__Host-wavecrate-id"}
    page = browser.get("/")
    token = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
    headers = {
        "Referer": composed.base_url + "/",
        "X-CSRFToken": token[1] if token else "",
        "Accept": "application/json",
    }
    answer = browser.session.post(f"{composed.base_url}/play/{composed.track_id}", headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    playlist = urljoin(composed.base_url, answer.json()["playlist"])
    multivariant = browser.session.get(playlist, timeout=30)
    assert multivariant.headers["Server"] == "nginx"
    rung = urljoin(playlist, next(line for line in multivariant.text.splitlines() if line and line[0] != "#"))
    media_playlist = browser.session.get(rung, timeout=30).text
    first = next(line for line in media_playlist.splitlines() if line and line[0] != "#")
    key_uri = re.search(r'EXT-X-KEY:METHOD=AES-128,URI="([^"]+)"', media_playlist)
    assert key_uri
    segment = browser.session.get(urljoin(rung, first), timeout=30)
    key = browser.session.get(urljoin(rung, key_uri[1]), timeout=30)
    assert (segment.status_code, key.status_code, len(key.content)) == (200, 200, 16)
    sequence = int(re.search(r"EXT-X-MEDIA-SEQUENCE:(\d+)", media_playlist)[1])  # type: ignore[index]
    assert decrypt_segment(segment.content, key.content, sequence)[4:8] in (b"styp", b"moof", b"sidx")
    strangers = requests.get(urljoin(rung, key_uri[1]), timeout=30, verify=str(composed.certificate))
    assert strangers.status_code == 403


def test_a_download_comes_from_the_stores_public_address(composed: Composed, browser: Browser) -> None:
    sent = browser.session.get(f"{composed.base_url}/downloads/{composed.track_id}/flac", timeout=30)
    assert sent.status_code == 200
    assert sent.url.startswith(composed.store_url)
    assert sent.content[:4] == b"fLaC"
    without = sent.url.split("?")[0]
    assert browser.session.get(without, timeout=30).status_code == 403
    changed = re.sub(r"(X-Amz-Signature=).", r"\g<1>" + ("0" if "Signature=0" not in sent.url else "1"), sent.url)
    assert browser.session.get(changed, timeout=30).status_code == 403
    assert browser.session.delete(sent.url, timeout=30).status_code == 405
    listing = f"{composed.store_url}/?X-Amz-Signature={'0' * 64}"
    assert browser.session.get(listing, timeout=30).status_code == 403


def test_an_upload_goes_to_the_stores_public_address(composed: Composed) -> None:
    with composed.app.app_context():
        store = composed.app.extensions["media_store"]
        key, body, verify = "uploads/bcdfghjkmnpqrstv", b"a master", str(composed.certificate)
        transfer, sha256 = store.multipart.begin(key), hashlib.sha256(body).digest()
        signed = store.multipart.sign(key, transfer, 1, size=len(body), sha256=sha256, seconds=60)
        address = signed.url
        assert address.startswith(f"{composed.store_url}/another-bucket/shop/")
        sent = requests.put(address, data=body, headers=signed.headers, timeout=30, verify=verify)
        assert sent.status_code == 200, sent.text
        store.multipart.complete(key, transfer, store.multipart.parts(key, transfer), {1: sha256})
        assert store.get_bytes(key) == body
        origin = {"Origin": composed.base_url, "Access-Control-Request-Method": "PUT"}
        preflight = requests.options(address, headers=origin, timeout=30, verify=verify)
        assert preflight.headers["Access-Control-Allow-Origin"] in ("*", composed.base_url)
        store.delete(key)

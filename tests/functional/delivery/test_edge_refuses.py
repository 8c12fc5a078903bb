"""No path leads out of a signed stream: the same table against nginx and against the shop itself."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from support import rows
from support.nginx import Edge, edge, send

from app.core import clock
from app.core.db import transaction
from app.licenses import service as licenses
from media_store import keys, signing
from media_store.errors import BadSignature
from tests.functional.delivery.conftest import KEY, Delivery
from tests.functional.playback.test_playback import ATTACKS

SECRETS_WITHIN = (b"the master itself", KEY, b"another-key-here", b"#EXTM3U")


@pytest.mark.parametrize("front", ["edge", "app"])
def test_no_path_leads_out_of_the_stream_from_outside(delivery: Delivery, front: str) -> None:
    store, sha = delivery.store, "ab" * 32
    places = {"master": keys.master(sha), "download": keys.download(sha, "flac"), "preview": keys.preview(sha, "m4a")}
    for name in ("master", "download"):
        store.put_bytes(places[name], b"the master itself, or what is for sale", "application/octet-stream")
    other = rows.stream(rows.release("Other").tracks[0], store, b"another-key-here").key
    folder = delivery.play()
    token = folder.split("/")[2]
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert (
        delivery.ask(front, "GET", folder + "multivariant.m3u8").status == 200
    )  # what is cached now opens nothing else
    leaks = []
    for attack in [
        *ATTACKS,
        "http://127.0.0.1/media/{token}/{other}multivariant.m3u8",
        "/media/{token}/{prefix}a b.m4s",
    ]:
        path = attack.format(token=token, token_changed=changed, prefix=delivery.stream.key, other=other, **places)
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PROPFIND"):
            answer = delivery.ask(front, method, path, {"Content-Length": "0"} if method in ("POST", "PUT") else None)
            refused = answer.status in {400, 403, 404, 405, 501}
            if any(part in answer.body for part in SECRETS_WITHIN) or not refused or "Location" in answer.headers:
                leaks.append(f"{method} {attack}: {answer.status}")
    assert not leaks


@pytest.mark.parametrize("front", ["edge", "app"])
def test_no_other_method_gets_media_from_outside(delivery: Delivery, front: str) -> None:
    folder = delivery.play()
    for name in ("multivariant.m3u8", "aac-64/00001.m4s", "key/0.key"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = delivery.ask(front, method, folder + name, {"Content-Length": "0"})
            assert answer.status == HTTPStatus.METHOD_NOT_ALLOWED, (method, name)


@pytest.mark.parametrize("front", ["edge", "app"])
def test_after_a_refund_there_is_no_further_key(delivery: Delivery, front: str) -> None:
    folder = delivery.play()
    assert len(delivery.ask(front, "GET", folder + "key/0.key").body) == 16
    with transaction():
        licenses.revoke(delivery.grant_key, "refunded")
    for number in (0, 1, 2):
        refused = delivery.ask(front, "GET", f"{folder}key/{number}.key")
        assert refused.status == HTTPStatus.FORBIDDEN, number
        assert refused.headers["Cache-Control"] == "no-store"
        assert KEY not in refused.body


def test_a_key_is_for_the_one_who_pressed_play_at_the_edge_too(delivery: Delivery) -> None:
    address = delivery.play() + "key/0.key"
    assert delivery.ask("edge", "GET", address).status == 200
    assert delivery.get(address).status == 403  # without the owner's cookie


def test_a_prefix_closes_at_its_second_whatever_was_remembered(delivery: Delivery) -> None:
    secret = delivery.settings.signing_secrets[0]
    expires = int(clock.now().timestamp()) + 3
    folder = signing.sign(secret, prefix=delivery.stream.key, session="bcdfghjkmnpqrstv", expires=expires)
    outcomes: dict[bool, set[int]] = {}
    while (before := clock.now().timestamp()) < expires + 1:
        status = delivery.get(folder + "aac-64/00002.m4s").status
        after = clock.now().timestamp()
        if int(before) == int(after):  # a request across a second's turn may be judged on either side
            outcomes.setdefault(int(before) < expires, set()).add(status)
    assert outcomes == {True: {200}, False: {403}}


def test_two_secrets_are_in_force_while_one_is_changed(delivery: Delivery, tmp_path: Path) -> None:
    old, new = delivery.settings.signing_secret, SecretStr("a-new-signing-secret")
    later = int(clock.now().timestamp()) + 60

    def folder(secret: SecretStr) -> str:
        value = secret.get_secret_value()
        return signing.sign(value, prefix=delivery.stream.key, session="bcdfghjkmnpqrstv", expires=later)

    address = f"127.0.0.1:{delivery.app_port}"
    rotating = delivery.settings.model_copy(update={"signing_secret": new, "signing_secret_previous": old})
    with edge(rotating, tmp_path / "rotating", app=address) as front:
        assert [front.send("GET", folder(each) + "multivariant.m3u8").status for each in (old, new)] == [200, 200]
        stranger = folder(SecretStr("some-other-signing-secret"))
        assert front.send("GET", stranger + "multivariant.m3u8").status == 403
    done = rotating.model_copy(update={"signing_secret_previous": None})
    with edge(done, tmp_path / "done", app=address) as front:
        assert [front.send("GET", folder(each) + "multivariant.m3u8").status for each in (old, new)] == [403, 200]


def _forged(key: str, name: str, last: int, session: str, prefix: str) -> str:
    """A token as anybody can put one together who has a key, or believes to."""
    digest = hashlib.md5(f"{key} {last} {session} {prefix} {key}".encode()).digest()  # noqa: S324
    return f"{last}.{session}.{name}{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def test_a_table_of_tokens_is_judged_alike(delivery: Delivery, tmp_path: Path) -> None:
    new, old, gone = "a-new-signing-secret", delivery.settings.signing_secrets[0], "a-secret-that-is-gone"
    both = delivery.settings.model_copy(
        update={"signing_secret": SecretStr(new), "signing_secret_previous": SecretStr(old)}
    )
    session, prefix, other = "bcdfghjkmnpqrstv", delivery.stream.key, keys.stream_prefix("cd" * 32)
    now = int(clock.now().timestamp())
    soon = now + 600

    def token(secret: str, *, session: str = session, prefix: str = prefix, expires: int = soon) -> str:
        return signing.sign(secret, prefix=prefix, session=session, expires=expires).split("/")[2]

    by_new, by_old, by_gone = token(new), token(old), token(gone)
    name_new, name_old, name_gone = (each.split(".")[2][:8] for each in (by_new, by_old, by_gone))
    mac_new, mac_old = by_new[-22:], by_old[-22:]
    assert len({name_new, name_old, name_gone}) == 3
    last = soon - 1
    hashed = hashlib.sha256(f"wavecrate media key\n{new}".encode()).hexdigest()
    spare = {"A": "B", "Q": "R", "g": "h", "w": "x"}[mac_new[-1]]
    hmac_sha256 = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()
    table = {
        "the secret in force": (by_new, True),
        "the one before": (by_old, True),
        "put together from the derived key": (_forged(hashed, name_new, last, session, prefix), True),
        "far in the future": (token(new, expires=999_999_999_999), True),
        "a secret that is gone": (by_gone, False),
        "the one in force under the name of the one before": (_forged(hashed, name_old, last, session, prefix), False),
        "the one in force under a stranger's name": (_forged(hashed, name_gone, last, session, prefix), False),
        "the one in force's MAC, the other's name": (by_new.replace(name_new, name_old), False),
        "the other's MAC, the one in force's name": (by_old.replace(name_old, name_new), False),
        "a good MAC under a stranger's name": (by_new.replace(name_new, name_gone), False),
        "no key": (_forged("", "00000000", last, session, prefix), False),
        "no key, nobody's name": (_forged("", name_gone, last, session, prefix), False),
        "no key, a known name": (_forged("", name_new, last, session, prefix), False),
        "the secret itself for a key": (_forged(new, name_new, last, session, prefix), False),
        "the name for a key": (_forged(name_new, name_new, last, session, prefix), False),
        "another stream's": (token(new, prefix=other), False),
        "another session's": (token(new, session=session[::-1]).replace(session[::-1], session), False),
        "another expiry": (by_new.replace(str(last), str(last + 3600)), False),
        "expired": (token(new, expires=now), False),
        "expired long ago": (token(new, expires=2), False),
        "expired before time began": (token(new, expires=1), False),
        "a zero before the expiry": ("0" + by_new, False),
        "an expiry of 13 digits": (token(new, expires=9_999_999_999_999), False),
        "a negative expiry": (token(new, expires=-5), False),
        "an expiry with a comma": (by_new.replace(str(last), f"{last},{last}"), False),
        "a session too short": (token(new, session=session[1:]), False),
        "spare bits in the last character": (by_new[:-1] + spare, False),
        "padding": (by_new + "==", False),
        "a character more": (by_new + "A", False),
        "a character less": (by_new[:-1], False),
        "no MAC": (by_new[:-22], False),
        "a MAC of zeros": (by_new[:-22] + "A" * 22, False),
        "SHA-256's length": (by_new[:-30] + hmac_sha256, False),
        "the name in capitals": (by_new.replace(name_new, name_new.upper()), name_new.upper() == name_new),
    }
    with edge(both, tmp_path / "both", app=f"127.0.0.1:{delivery.app_port}") as front:
        wrong = []
        for what, (given_token, opens) in table.items():
            for name in ("multivariant.m3u8", "aac-64/00002.m4s"):
                try:
                    signing.verify([new, old], given_token, prefix + name, now=now)
                    python = True
                except BadSignature:
                    python = False
                status = front.send("GET", f"/media/{given_token}/{prefix}{name}").status
                if python is not opens or status != (200 if opens else 403):
                    wrong.append(f"{what}: {name}: Python {python}, nginx {status}")
        assert not wrong
        assert mac_old not in front.log


class _Listener(BaseHTTPRequestHandler):
    """Stands where the store stands, and writes down the headers of what it is asked."""

    seen: ClassVar[list[dict[str, str]]] = []

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append({name.title(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


def test_the_store_never_sees_the_shops_cookies(delivery: Delivery, tmp_path: Path) -> None:
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    elsewhere = delivery.settings.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{listener.server_port}"})
    address = f"/{delivery.settings.s3_bucket}/uploads/x?X-Amz-Signature={'a' * 64}"
    checksum = {"Content-Length": "0", "X-Amz-Checksum-Sha256": "abc"}
    with edge(elsewhere, tmp_path / "listener", app=f"127.0.0.1:{delivery.app_port}") as front:
        put = send(front.store_port, "PUT", address, {"Cookie": delivery.cookie, "Authorization": "Basic x"} | checksum)
        assert put.status == 200
        host = f"127.0.0.1:{front.store_port}"
    listener.shutdown()
    listener.server_close()
    [headers] = _Listener.seen
    assert (headers["X-Amz-Checksum-Sha256"], headers["Host"]) == ("abc", host)
    assert not {"Cookie", "Authorization"} & set(headers)


_TEXT = st.text(alphabet="abcdef0123456789-_./AZ%é\\ ~?\n", max_size=60)


def _tokens(secrets: list[str], prefix: str) -> st.SearchStrategy[tuple[str, str]]:
    """A token and a path: true ones, and true ones with something changed."""
    now = int(clock.now().timestamp())
    expiries = st.sampled_from([now + 3600, now - 1, 1, 999_999_999_999])
    sessions = st.text(alphabet="bcdfghjkmnpqrstvwxzBCDFG0123456789", min_size=16, max_size=16)
    files = st.sampled_from(
        ["multivariant.m3u8", "aac-64/00001.m4s", "aac-64/init.mp4", "none/00009.vtt", "x/key/0.key"]
    )
    signers = st.sampled_from([*secrets, "another-signing-secret"])

    def make(drawn: tuple[int, str, str, str, int, str]) -> tuple[str, str]:
        expires, session, file, signer, place, change = drawn
        signed = signing.sign(signer, prefix=prefix, session=session, expires=expires).removeprefix("/media/") + file
        if place < len(signed):
            signed = signed[:place] + change + signed[place + 1 :]
        token, _, path = signed.partition("/")
        return token, path

    places = st.one_of(st.just(10_000), st.integers(0, 150))
    return st.tuples(expiries, sessions, files, signers, places, st.sampled_from("aA0/.%-_")).map(make)


def test_nginx_and_python_open_the_same(delivery: Delivery, tmp_path: Path) -> None:
    new = SecretStr("a-new-signing-secret")
    both = delivery.settings.model_copy(
        update={"signing_secret": new, "signing_secret_previous": delivery.settings.signing_secret}
    )
    with edge(both, tmp_path / "both", app=f"127.0.0.1:{delivery.app_port}") as front:
        _open_the_same(delivery, front, both.signing_secrets)


def _open_the_same(delivery: Delivery, front: Edge, secrets: list[str]) -> None:
    prefix = delivery.stream.key
    true_token = delivery.play().split("/")[2]
    there = {key.removeprefix(prefix) for key in delivery.store.list(prefix)}
    seen: dict[bool, int] = {True: 0, False: 0}

    def judged_alike(token: str, path: str) -> None:
        raw = f"{token}/{path}".encode("latin-1", "ignore").decode("latin-1")
        if any(character in raw for character in " \n\r\x00?#"):
            return  # another request line altogether
        token, _, path = raw.partition("/")
        try:
            opened: signing.SignedPath | None = signing.verify(secrets, token, path, now=int(clock.now().timestamp()))
        except BadSignature:
            opened = None
        status = front.send("GET", f"/media/{raw}").status
        if opened is None:
            assert status in {400, 403, 404}, status
        else:
            assert status == (200 if opened.file in there else 404)
        seen[opened is not None] += 1

    check: Callable[..., None] = hypothesis_settings(
        max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )(given(_tokens(secrets, prefix))(lambda pair: judged_alike(*pair)))
    check()
    anything: Callable[..., None] = hypothesis_settings(
        max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )(given(_TEXT)(example("../x.m4s")(lambda text: judged_alike(true_token, prefix + text))))
    anything()
    assert min(seen.values()) > 10

"""A play: who may begin one, what its path opens, and what it leaves behind."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from support import rows

from app.accounts.models import Account
from app.catalog.models import Release, Track
from app.core import clock
from app.core.db import db, transaction
from app.core.store import open_store
from app.discovery.models import Event
from app.licenses import service as licenses
from app.media.models import Rendition
from app.playback.models import PlaySession, ResumePosition
from app.settings import Settings
from media_store import keys, signing
from media_store.s3 import S3Store
from transcoder.contract import segment_key

KEY = bytes(range(16))
JSON = {"Accept": "application/json"}


@dataclass
class Shop:
    """An owner of one streamed track, and a stranger."""

    owner: Account
    stranger: Account
    release: Release
    track: Track
    stream: Rendition
    grant_key: str
    client: FlaskClient


@pytest.fixture
def shop(app: Flask, client: FlaskClient, store: S3Store) -> Shop:
    release = rows.release("Tides", tracks=2, title_zh="潮汐", artist_zh="海潮")
    owner, stranger = rows.consenting("Ada"), rows.account("Bo")
    stream = rows.stream(release.tracks[0], store, KEY)
    grant_key = rows.own(owner, release=release)
    rows.sign_in(client, owner)
    return Shop(owner, stranger, release, release.tracks[0], stream, grant_key, client)


def _play(shop: Shop) -> dict[str, Any]:
    answer = shop.client.post(f"/play/{shop.track.id}", headers=JSON)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def _folder(play: dict[str, Any]) -> str:
    return play["playlist"].removesuffix("multivariant.m3u8")


def _decrypt(sealed: bytes, key: bytes, sequence: int = 1) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(sequence.to_bytes(16, "big"))).decryptor()
    clear = decryptor.update(sealed) + decryptor.finalize()
    return clear[: -clear[-1]]


def test_an_owner_plays_from_playlist_to_decrypted_segment(shop: Shop) -> None:
    play = _play(shop)
    assert play["title"] == "Tides 1"
    assert play["artist"] == "Mira Sol"
    assert play["peaks"] == [0, 128, 255]
    assert (play["position_ms"], play["duration_ms"], play["kind"]) == (0, 200_000, "audio")

    answer = shop.client.get(play["playlist"])
    assert answer.content_type == "application/vnd.apple.mpegurl"
    assert "aac-64/index.m3u8" in answer.text
    media_playlist = shop.client.get(_folder(play) + "aac-64/index.m3u8")
    assert 'URI="../key/0.key"' in media_playlist.text
    init = shop.client.get(_folder(play) + "aac-64/init.mp4")
    assert (init.content_type, init.data) == ("video/mp4", b"init")

    key = shop.client.get(_folder(play) + "key/0.key")
    assert key.data == segment_key(KEY, 0)
    assert key.headers["Cache-Control"] == "no-store"
    segment = shop.client.get(_folder(play) + "aac-64/00001.m4s")
    assert "Set-Cookie" not in segment.headers
    assert segment.content_type == "video/iso.segment"
    assert segment.headers["Cache-Control"].startswith("private")
    assert _decrypt(segment.data, key.data) == b"segment of Tides 1"


def test_segments_answer_ranges_and_head(shop: Shop) -> None:
    address = _folder(_play(shop)) + "aac-64/00001.m4s"
    whole = shop.client.get(address).data
    part = shop.client.get(address, headers={"Range": "bytes=4-9"})
    assert (part.status_code, part.data) == (206, whole[4:10])
    assert shop.client.get(address, headers={"Range": "bytes=999-"}).status_code == 416
    head = shop.client.head(address)
    assert (head.status_code, head.data, head.content_length) == (200, b"", len(whole))
    assert shop.client.head(_folder(_play(shop)) + "key/0.key").data == b""


def test_the_player_speaks_the_listeners_language(shop: Shop) -> None:
    answer = shop.client.post(f"/play/{shop.track.id}?lang=zh_Hans", headers=JSON).get_json()
    assert (answer["title"], answer["artist"], answer["release"]) == ("潮汐 1", "海潮", "潮汐")


def test_without_a_license_there_is_a_way_to_one(shop: Shop) -> None:
    rows.sign_in(shop.client, shop.stranger)
    answer = shop.client.post(f"/play/{shop.track.id}")  # whatever a player says it accepts
    assert answer.status_code == 403
    assert "Buy it" in answer.get_json()["error"]
    assert db.session.scalar(select(func.count()).select_from(PlaySession)) == 0


def test_a_guest_is_asked_to_sign_in(app: Flask, shop: Shop) -> None:
    answer = app.test_client().post(f"/play/{shop.track.id}", headers=JSON)
    assert answer.status_code == 401
    assert answer.get_json()["error"]


def test_an_unknown_or_withdrawn_track_is_not_there(shop: Shop) -> None:
    assert shop.client.post("/play/nonesuchnonesuch", headers=JSON).status_code == 404
    draft = rows.release("Draft", published=False)
    assert shop.client.post(f"/play/{draft.tracks[0].id}", headers=JSON).status_code == 404


def test_what_was_bought_plays_on_after_it_was_withdrawn_from_sale(shop: Shop) -> None:
    with transaction():
        shop.release.status, shop.release.published_at = "draft", None
    play = _play(shop)
    assert shop.client.get(_folder(play) + "key/0.key").data == segment_key(KEY, 0)


def test_a_track_still_being_made_says_so(shop: Shop) -> None:
    answer = shop.client.post(f"/play/{shop.release.tracks[1].id}", headers=JSON)
    assert answer.status_code == 409
    assert "still being prepared" in answer.get_json()["error"]


def test_a_refund_is_felt_at_the_next_key_request(shop: Shop) -> None:
    play = _play(shop)
    assert shop.client.get(_folder(play) + "key/0.key").status_code == 200
    with transaction():
        licenses.revoke(shop.grant_key, "refunded")
    refused = shop.client.get(_folder(play) + "key/0.key")
    assert refused.status_code == 403
    assert segment_key(KEY, 0) not in refused.data
    assert refused.headers["Cache-Control"] == "no-store"
    assert shop.client.post(f"/play/{shop.track.id}", headers=JSON).status_code == 403


def test_the_key_is_for_the_person_who_pressed_play(app: Flask, shop: Shop) -> None:
    address = _folder(_play(shop)) + "key/0.key"
    assert app.test_client().get(address).status_code == 403
    other = app.test_client()
    rows.sign_in(other, shop.stranger)
    assert other.get(address).status_code == 403
    rows.own(shop.stranger, release=shop.release)  # a license of one's own is no license to another's play
    assert other.get(address).status_code == 403
    assert shop.client.get(address).status_code == 200


def test_a_play_ends(shop: Shop, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    play = _play(shop)
    later = clock.now() + timedelta(seconds=settings.play_session_seconds)
    monkeypatch.setattr(clock, "now", lambda: later)
    for name in ("multivariant.m3u8", "aac-64/00001.m4s", "key/0.key"):
        assert shop.client.get(_folder(play) + name).status_code == 403


def test_a_token_that_outlives_its_play_opens_no_key(shop: Shop, settings: Settings) -> None:
    play = _play(shop)
    with transaction():
        db.session.get_one(PlaySession, play["session"]).expires_at = clock.now()
    assert shop.client.get(_folder(play) + "key/0.key").status_code == 403


def test_a_play_that_began_before_the_stream_was_replaced_is_heard_to_its_end(shop: Shop) -> None:
    play = _play(shop)
    before = shop.client.get(_folder(play) + "key/0.key").data
    shop.stream.key = keys.stream_prefix("e" * 64)
    db.session.commit()
    assert shop.client.get(_folder(play) + "key/0.key").data == before
    assert "e" * 64 in _play(shop)["playlist"]
    db.session.delete(shop.stream)  # taken off the air: nothing is there to be heard
    db.session.commit()
    assert shop.client.get(_folder(play) + "key/0.key").status_code == 403


def test_a_key_is_given_to_the_plays_own_track_only(shop: Shop, settings: Settings, store: S3Store) -> None:
    """Even a true signature that binds a play to another track's folder gets no key to what is in there."""
    other = rows.release("Other")
    rows.own(shop.owner, release=other)
    folder = rows.stream(other.tracks[0], store, b"another-key-here").key
    play = _play(shop)
    expires = int(clock.now().timestamp()) + 60
    crossed = signing.sign(settings.signing_secrets[0], prefix=folder, session=play["session"], expires=expires)
    assert shop.client.get(crossed + "multivariant.m3u8").status_code == 200
    assert shop.client.get(crossed + "key/0.key").data == shop.client.get(_folder(play) + "key/0.key").data
    invented = signing.sign(settings.signing_secrets[0], prefix=folder, session="nonesuchnonesuch", expires=expires)
    assert shop.client.get(invented + "key/0.key").status_code == 403


def test_while_the_secret_is_changed_plays_go_on(app: Flask, shop: Shop, settings: Settings) -> None:
    old = _play(shop)
    changed = settings.model_copy(
        update={
            "signing_secret": type(settings.signing_secret)("a-new-signing-secret"),
            "signing_secret_previous": settings.signing_secret,
        }
    )
    app.extensions["settings"] = changed
    assert shop.client.get(old["playlist"]).status_code == 200
    new = _play(shop)
    assert shop.client.get(new["playlist"]).status_code == 200
    app.extensions["settings"] = changed.model_copy(update={"signing_secret_previous": None})
    assert shop.client.get(old["playlist"]).status_code == 403
    assert shop.client.get(new["playlist"]).status_code == 200


ATTACKS = [
    "/media/{token}/{master}",
    "/media/{token}/{download}",
    "/media/{token}/{preview}",
    "/media/{token}/{prefix}../../{master}",
    "/media/{token}/{prefix}..%2f..%2f{master}",
    "/media/{token}/{prefix}%2e%2e/%2e%2e/{master}",
    "/media/{token}/{prefix}%252e%252e/%252e%252e/{master}",
    "/media/{token}/{prefix}..\\..\\{master}",
    "/media/{token}/{prefix}..%5c..%5c{master}",
    "/media/{token}/../{master}",
    "/media/{token}/%2e%2e/{master}",
    "/media/../{master}",
    "/media/{master}",
    "/{master}",
    "/{download}",
    "/{prefix}multivariant.m3u8",
    "/media/{prefix}multivariant.m3u8",
    "/media/{token}//{prefix}multivariant.m3u8",
    "/media//{token}/{prefix}multivariant.m3u8",
    "/media/{token}/{prefix}/multivariant.m3u8",
    "/media/{token}/{prefix}aac-64//index.m3u8",
    "/media/{token}/{prefix}./multivariant.m3u8",
    "/media/{token}/{prefix}x/../multivariant.m3u8",
    "/media/{token}/{prefix}multivariant.m3u8/",
    "/media/{token}/{prefix}multivariant.m3u8%00",
    "/media/{token}/{prefix}multivariant.m3u8%0a",
    "/media/{token}/{prefix}multivariant.m3u8%2f",
    "/media/{token}/{prefix}aac-64%2findex.m3u8",
    "/media/{token}/{prefix}%6dultivariant.m3u8",
    "/media/{token}/{prefix}MULTIVARIANT.m3u8",
    "/media/{token}/{prefix}nothing.m3u8",
    "/media/{token}/{prefix}",
    "/media/{token}/",
    "/media/{token}",
    "/media/{token}/{other}multivariant.m3u8",
    "/media/{token}/{other}key/0.key",
    "/media/{token}/{prefix}key/00.key",
    "/media/{token}/{prefix}key/0.m4s",
    "/media/{token}/{prefix}x/0.key",
    "/media/{token}/{prefix}0.key",
    "/media/{token}x/{prefix}multivariant.m3u8",
    "/media/{token_changed}/{prefix}multivariant.m3u8",
    "/media/0.0.0/{prefix}multivariant.m3u8",
]


def test_no_path_leads_out_of_the_stream(shop: Shop, store: S3Store) -> None:
    body = b"the master itself, or the file that is for sale"
    sha = "ab" * 32
    places = {"master": keys.master(sha), "download": keys.download(sha, "flac"), "preview": keys.preview(sha, "m4a")}
    for place in places.values():
        store.put_bytes(place, body, "application/octet-stream")
    other = rows.stream(rows.release("Other").tracks[0], store, b"another-key-here").key
    token = _play(shop)["playlist"].split("/")[2]
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    leaks = []
    for attack in ATTACKS:
        path = attack.format(token=token, token_changed=changed, prefix=shop.stream.key, other=other, **places)
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            answer = shop.client.open(path, method=method)
            secret = any(
                part in answer.data for part in (body, KEY, segment_key(KEY, 0), b"another-key-here", b"#EXTM3U")
            )
            if secret or answer.status_code not in {400, 403, 404, 405} or "Location" in answer.headers:
                leaks.append(f"{method} {attack}: {answer.status}")
    assert not leaks


def test_no_other_method_gets_media(shop: Shop) -> None:
    address = _play(shop)["playlist"]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert shop.client.open(address, method=method).status_code == 405


def _progress(shop: Shop, session: str, **said: Any) -> Any:
    return shop.client.post(f"/plays/{session}/progress", json=said, headers=JSON)


def test_the_next_play_begins_where_this_one_was_left(shop: Shop) -> None:
    play = _play(shop)
    assert _progress(shop, play["session"], position_ms=61_000).get_json() == {"position_ms": 61_000}
    assert _play(shop)["position_ms"] == 61_000
    _progress(shop, play["session"], position_ms=62_000)
    assert _play(shop)["position_ms"] == 62_000
    assert _progress(shop, play["session"], position_ms=199_900, ended=True).get_json() == {"position_ms": 0}
    assert _play(shop)["position_ms"] == 0
    _progress(shop, play["session"], position_ms=198_000)
    assert _play(shop)["position_ms"] == 0  # left within the last seconds: heard to the end


def _told(shop: Shop) -> list[float]:
    return [value for kind, value in _all_told(shop) if kind == "play"]


def _all_told(shop: Shop) -> list[tuple[str, float]]:
    events = db.session.scalars(select(Event).where(Event.account_id == shop.owner.id).order_by(Event.id)).all()
    assert {event.track_id for event in events} <= {shop.track.id}
    return [(event.kind, round(event.value, 3)) for event in events]


def test_the_event_log_hears_each_share_of_a_play_once(shop: Shop) -> None:
    session = _play(shop)["session"]
    for position in (1_000, 15_000, 21_000, 30_000, 30_000, 101_000, 5_000, 120_000):
        _progress(shop, session, position_ms=position)
    assert _told(shop) == [0.1, 0.4]
    _progress(shop, session, position_ms=200_000, ended=True)
    _progress(shop, session, position_ms=200_000, ended=True)
    assert _told(shop) == [0.1, 0.4, 0.5]
    assert sum(_told(shop)) == pytest.approx(1)


def test_two_reports_at_the_same_moment_tell_once(app: Flask, shop: Shop) -> None:
    session = _play(shop)["session"]
    together = threading.Barrier(4)

    browsers = [app.test_client() for _ in range(4)]
    for browser in browsers:
        rows.sign_in(browser, shop.owner)

    def report(browser: FlaskClient) -> int:
        together.wait()
        return browser.post(f"/plays/{session}/progress", json={"position_ms": 110_000}, headers=JSON).status_code

    with ThreadPoolExecutor(4) as pool:
        assert [future.result() for future in [pool.submit(report, browser) for browser in browsers]] == [200] * 4
    assert _told(shop) == [0.5]


def test_skipping_to_the_end_is_not_listening(shop: Shop) -> None:
    session = _play(shop)["session"]
    _progress(shop, session, position_ms=200_000, played_ms=4_000, ended=True)
    assert _told(shop) == [0.02]


def test_a_track_on_repeat_counts_once_in_half_an_hour(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        _progress(shop, _play(shop)["session"], position_ms=190_000)
    assert _all_told(shop) == [("play", 0.9), ("finish", 1.0), ("play", 0.1)]
    later = clock.now() + timedelta(minutes=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    _progress(shop, _play(shop)["session"], position_ms=190_000)
    assert _all_told(shop)[3:] == [("play", 0.9), ("finish", 1.0)]


def test_two_windows_that_play_side_by_side_are_one_listening(shop: Shop) -> None:
    """A track longer than half an hour can't be heard twice within its own length."""
    shop.track.duration_ms = 3_600_000
    db.session.commit()
    first, second = _play(shop)["session"], _play(shop)["session"]
    for session in (first, second):
        _progress(shop, session, position_ms=1_900_000)
    assert _told(shop) == [0.5, 0.5]
    for session in (first, second):
        _progress(shop, session, position_ms=3_500_000)
    assert _told(shop) == [0.5, 0.5]


def test_what_is_heard_out_is_finished_once(shop: Shop) -> None:
    session = _play(shop)["session"]
    _progress(shop, session, position_ms=120_000)
    assert "finish" not in dict(_all_told(shop))
    for _ in range(2):
        _progress(shop, session, position_ms=200_000, ended=True)
    assert [kind for kind, _value in _all_told(shop)] == ["play", "play", "finish"]


def test_going_on_before_the_half_of_it_is_a_skip(shop: Shop) -> None:
    left, late, skipped = _play(shop)["session"], _play(shop)["session"], _play(shop)["session"]
    _progress(shop, left, position_ms=5_000)  # paused, closed, or gone to bed: nothing against it
    _progress(shop, late, position_ms=120_000, skipped=True)
    assert "skip" not in dict(_all_told(shop))
    for _ in range(2):
        _progress(shop, skipped, position_ms=5_000, skipped=True)
    assert [kind for kind, _value in _all_told(shop)] == ["play", "skip"]


def test_without_consent_a_play_tells_nothing(shop: Shop) -> None:
    rows.own(shop.stranger, release=shop.release)
    rows.sign_in(shop.client, shop.stranger)
    session = _play(shop)["session"]
    assert _progress(shop, session, position_ms=190_000, skipped=True).status_code == 200
    assert db.session.scalar(select(func.count()).select_from(Event)) == 0
    assert _play(shop)["position_ms"] == 190_000  # where they left off is theirs, and no taste


def test_progress_is_the_players_own(app: Flask, shop: Shop) -> None:
    session = _play(shop)["session"]
    rows.sign_in(shop.client, shop.stranger)
    assert _progress(shop, session, position_ms=5_000).status_code == 404
    assert app.test_client().post(f"/plays/{session}/progress", json={}, headers=JSON).status_code == 401
    rows.sign_in(shop.client, shop.owner)
    assert _progress(shop, "nonesuchnonesuch", position_ms=5_000).status_code == 404
    assert db.session.scalar(select(func.count()).select_from(ResumePosition)) == 0


def test_after_a_refund_a_play_tells_nothing_more(shop: Shop) -> None:
    session = _play(shop)["session"]
    with transaction():
        licenses.revoke(shop.grant_key, "refunded")
    assert _progress(shop, session, position_ms=150_000).status_code == 403
    assert _told(shop) == []


@pytest.mark.parametrize(
    "said", [None, [], "x", {}, {"position_ms": "1"}, {"position_ms": -1}, {"position_ms": True}, {"position_ms": 1e99}]
)
def test_what_is_no_position_is_refused(shop: Shop, said: object) -> None:
    session = _play(shop)["session"]
    answer = shop.client.post(f"/plays/{session}/progress", json=said, headers=JSON)
    assert answer.status_code == 400
    assert "milliseconds" in answer.get_json()["error"]


def test_a_position_beyond_the_end_is_the_end(shop: Shop) -> None:
    session = _play(shop)["session"]
    assert _progress(shop, session, position_ms=999_000.5).get_json() == {"position_ms": 200_000}


def test_a_missing_object_is_a_404(shop: Shop, settings: Settings) -> None:
    play = _play(shop)
    open_store(settings).delete(shop.stream.key + "aac-64/00001.m4s")
    assert shop.client.get(_folder(play) + "aac-64/00001.m4s").status_code == 404

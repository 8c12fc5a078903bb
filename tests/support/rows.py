"""Rows that a test needs to be there before its story begins, made without the rooms that the test is not about."""

from __future__ import annotations

import hashlib
import itertools

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from flask.testing import FlaskClient

from app.accounts import login, sessions
from app.accounts.models import Account, AccountSession, Role
from app.catalog.models import Artist, Kind, Release, Status, Track
from app.core import clock
from app.core.db import db
from app.discovery.models import Mode, Taste
from app.licenses.models import License
from app.media.models import Master, Rendition, RenditionKind, StreamKey
from media_store import keys
from media_store.interface import MediaStore
from transcoder.contract import segment_key

_numbers = itertools.count(1)


def account(name: str = "Ada") -> Account:
    """A person who can be signed in with `sign_in`; the password hash matches no password."""
    made = Account(email=f"person{next(_numbers)}@example.org", name=name, password_hash="!")
    db.session.add(made)
    db.session.commit()
    return made


def consenting(name: str = "Ada") -> Account:
    """A person who lets what they play and view shape their recommendations."""
    made = account(name)
    db.session.add(Taste(account_id=made.id, mode=Mode.ON, listening=True))
    db.session.commit()
    return made


def release(
    title: str = "Tides",
    tracks: int = 1,
    *,
    published: bool = True,
    kind: Kind = Kind.AUDIO,
    title_zh: str | None = None,
    artist: str = "Mira Sol",
    artist_zh: str | None = None,
) -> Release:
    """A release with so many tracks of 200 s each."""
    by = db.session.query(Artist).filter_by(name=artist).one_or_none() or Artist(name=artist, name_zh=artist_zh)
    made = Release(title=title, title_zh=title_zh, artist=by, kind=kind)
    if published:
        made.status, made.published_at = Status.PUBLISHED, clock.now()
    made.tracks = [
        Track(
            position=number,
            title=f"{title} {number}",
            title_zh=title_zh and f"{title_zh} {number}",
            duration_ms=200_000,
        )
        for number in range(1, tracks + 1)
    ]
    db.session.add(made)
    db.session.commit()
    return made


def confine(release: Release, *countries: str, barred: bool = False) -> Release:
    """Sold in those countries alone; or, barred, everywhere but there."""
    release.territories, release.territories_barred = list(countries), barred
    db.session.commit()
    return release


def own(account: Account, *, release: Release | None = None, track: Track | None = None) -> str:
    """Grant a license; return its grant key."""
    key = f"test-{next(_numbers)}"
    db.session.add(
        License(
            account_id=account.id,
            release_id=release.id if release else None,
            track_id=track.id if track else None,
            grant_key=key,
        )
    )
    db.session.commit()
    return key


def sign_in(client: FlaskClient, account: Account, *, second_factor: bool = True) -> AccountSession:
    """Give the client the cookie that a sign-in would have given it; the session is committed."""
    made, token = sessions.begin(
        account, remembered=False, address="127.0.0.1", user_agent="a test", second_factor=second_factor
    )
    db.session.commit()
    with client.application.app_context():
        name = login.cookie_name()
    client.set_cookie(name, token)
    return made


def staff(client: FlaskClient, role: Role, name: str = "Mo") -> Account:
    """Somebody of that role, whom the client is signed in as."""
    made = account(name)
    made.role = role
    db.session.commit()
    sign_in(client, made)
    return made


def rendition(
    track: Track, kind: RenditionKind, name: str, key: str, content_type: str, size: int, **facts: object
) -> Rendition:
    """Something published for a track, of a master that nobody looks at. The object itself is the test's to store."""
    master = db.session.query(Master).filter_by(track_id=track.id).one_or_none()
    if master is None:
        master = Master(track_id=track.id, sha256="0" * 64, size=1, filename="master.wav", probe={})
        db.session.add(master)
        db.session.flush()
    suffix = key.rpartition(".")[2] if "." in key else ""
    made = Rendition(
        track_id=track.id,
        master_id=master.id,
        kind=kind,
        name=name,
        key=key,
        content_type=content_type,
        suffix=suffix,
        size=size,
        facts=facts,
    )
    db.session.add(made)
    db.session.commit()
    return made


def stream(track: Track, store: MediaStore, key: bytes = b"0123456789abcdef", name: str = "") -> Rendition:
    """A stream of one short segment, encrypted as RFC 8216 wants it, and `key` on record as the stream's own."""
    playlist = (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        '#EXT-X-MAP:URI="init.mp4"\n#EXT-X-KEY:METHOD=AES-128,URI="../key/0.key"\n'
        "#EXTINF:6.0,\n00001.m4s\n#EXT-X-ENDLIST\n"
    )
    encryptor = Cipher(algorithms.AES(segment_key(key, 0)), modes.CBC((1).to_bytes(16, "big"))).encryptor()
    clear = f"segment of {track.title}".encode()
    padding = 16 - len(clear) % 16
    sealed = encryptor.update(clear + bytes([padding]) * padding) + encryptor.finalize()
    folder = keys.stream_prefix(hashlib.sha256(sealed + name.encode()).hexdigest())
    multivariant = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS="mp4a.40.2"\naac-64/index.m3u8\n'
    for member, body in (
        ("multivariant.m3u8", multivariant.encode()),
        ("aac-64/index.m3u8", playlist.encode()),
        ("aac-64/init.mp4", b"init"),
        ("aac-64/00001.m4s", sealed),
    ):
        store.put_bytes(keys.stream_member(folder, member), body, "application/octet-stream")
    if not db.session.query(StreamKey).filter_by(track_id=track.id).count():
        db.session.add(StreamKey(track_id=track.id, key=key))
    return rendition(
        track, RenditionKind.STREAM, "stream", folder, "application/vnd.apple.mpegurl", len(sealed), peaks=[0, 128, 255]
    )


def download(track: Track, store: MediaStore, name: str, body: bytes, content_type: str = "audio/flac") -> Rendition:
    """A stored file of a track in a format."""
    suffix = {"flac": "flac", "wav": "wav", "mp4": "mp4"}.get(name, "mp3")
    key = keys.download(hashlib.sha256(body).hexdigest(), suffix)
    store.put_bytes(key, body, content_type)
    return rendition(track, RenditionKind.DOWNLOAD, name, key, content_type, len(body))

"""A signature opens one stream's folder, for one play, until it expires; whatever is put in the path."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import ROOT
from media_store import signing
from media_store.errors import BadSignature

SECRET = "the-secret-in-force"
SESSION = "bcdfghjkmnpqrstv"
PREFIX = f"streams/{'ab' * 32}/"
OTHER = f"streams/{'cd' * 32}/"
EXPIRES = 2_000_000_000
NOW = EXPIRES - 60

SIGNED = signing.sign(SECRET, prefix=PREFIX, session=SESSION, expires=EXPIRES)
TOKEN = SIGNED.split("/")[2]


def _opens(path: str, *, token: str = TOKEN, secrets: tuple[str, ...] = (SECRET,), now: int = NOW) -> bool:
    try:
        signing.verify(secrets, token, path, now=now)
    except BadSignature:
        return False
    return True


def test_it_opens_what_it_signed() -> None:
    assert f"/media/{TOKEN}/{PREFIX}" == SIGNED
    found = signing.verify([SECRET], TOKEN, PREFIX + "aac-128/00001.m4s", now=NOW)
    assert (found.session, found.prefix, found.file) == (SESSION, PREFIX, "aac-128/00001.m4s")
    assert found.key == PREFIX + "aac-128/00001.m4s"


def test_its_bytes_are_what_secure_link_hashes() -> None:
    """Worked out apart from the module, with sha256sum and md5sum: a change here closes every play that is open."""
    assert TOKEN == "1999999999.bcdfghjkmnpqrstv.c4a922f8-nr2jHQHUahpkmELpRZOvA"


@pytest.mark.parametrize(
    "name",
    [
        "multivariant.m3u8",
        "v1080/index.m3u8",
        "v1080/init.mp4",
        "v1080/00001.m4s",
        "v1080/1234567.m4s",
        "v1080-iframes/index.m3u8",
        "v1080-iframes/00001.m4s",
        "subs-0/index.m3u8",
        "subs-12/00001.vtt",
        "key/0.key",
        "key/1439.key",
        "a/b/c.m4s",
    ],
)
def test_it_opens_what_a_stream_is_made_of(name: str) -> None:
    assert _opens(PREFIX + name)


@pytest.mark.parametrize(("name", "number"), [("key/0.key", 0), ("key/17.key", 17), ("key/0.m4s", None)])
def test_a_path_says_which_key_it_asks_for(name: str, number: int | None) -> None:
    assert signing.verify([SECRET], TOKEN, PREFIX + name, now=NOW).key_number == number


def test_the_edge_reads_a_path_with_the_same_expressions() -> None:
    template = (ROOT / "nginx" / "nginx.conf.template").read_text()

    def unnamed(expression: str) -> str:
        return re.sub(r"\(\?(?:P?<\w+>|:)", "(", expression)

    token, file = unnamed(signing._TOKEN.pattern), unnamed(signing._FILE.pattern)
    assert f"^/media/{token}/(streams/[0-9a-f]{{64}}/)({file})(\\?|$)" in unnamed(template)


def test_it_closes_at_the_second_it_names() -> None:
    assert _opens(PREFIX + "a.m3u8", now=EXPIRES - 1)
    assert not _opens(PREFIX + "a.m3u8", now=EXPIRES)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a.m3u8",
        PREFIX,
        OTHER + "a.m3u8",
        f"masters/{'ab' * 32}",
        f"downloads/{'ab' * 32}.flac",
        f"archives/{'ab' * 32}.zip",
        f"previews/{'ab' * 32}.m4a",
        PREFIX + f"../{'cd' * 32}/a.m3u8",
        PREFIX + f"../../masters/{'ab' * 32}",
        PREFIX + "./a.m3u8",
        PREFIX + "a/../b.m3u8",
        PREFIX + "%2e%2e/b.m3u8",
        PREFIX + "..%2fb.m3u8",
        PREFIX + "/a.m3u8",
        PREFIX + "a//b.m3u8",
        "/" + PREFIX + "a.m3u8",
        PREFIX.replace("/", "//") + "a.m3u8",
        PREFIX.replace("/", "\\") + "a.m3u8",
        PREFIX.upper() + "a.m3u8",
        PREFIX + "a.m3u8/",
        PREFIX + "a.m3u8\n",
        PREFIX + "a.m3u8\x00.m4s",
        PREFIX + "a.m3u8?x=.m4s",
        PREFIX + "a.m3u8;.m4s",
        PREFIX + "A.m3u8",
        PREFIX + "a.flac",
        PREFIX + "0.key",
        PREFIX + "key/00.key",
        PREFIX + "key/-1.key",
        PREFIX + "key/a.key",
        PREFIX + "key/1234567.key",
        PREFIX + "a/key/0.key",
        PREFIX + "a.wav",
        PREFIX + "a",
        PREFIX + ".m3u8",
        PREFIX + "a/b/c/d.m4s",
        PREFIX + "ａ.m4s",
        PREFIX + "１.m4s",
    ],
)
def test_it_opens_nothing_else(path: str) -> None:
    assert not _opens(path)


@given(st.text(max_size=120))
def test_no_text_after_the_prefix_leaves_the_folder(text: str) -> None:
    try:
        found = signing.verify([SECRET], TOKEN, PREFIX + text, now=NOW)
    except BadSignature:
        return
    assert found.key == PREFIX + text
    assert not {"..", ".", ""} & set(text.split("/"))


@pytest.mark.parametrize("index", range(0, len(TOKEN), 3))
def test_a_token_changed_in_any_place_opens_nothing(index: int) -> None:
    changed = TOKEN[:index] + ("1" if TOKEN[index] != "1" else "2") + TOKEN[index + 1 :]
    assert not _opens(PREFIX + "a.m3u8", token=changed)


def test_the_last_character_has_one_spelling() -> None:
    """22 characters carry 132 bits, a digest has 128: the spare bits must not make a second valid token."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [letter for letter in alphabet if _opens(PREFIX + "a.m3u8", token=TOKEN[:-1] + letter)] == [TOKEN[-1]]


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "1.2.3",
        TOKEN + "A",
        TOKEN[:-1],
        "x" + TOKEN,
        TOKEN + "\n",
        TOKEN + "==",
        TOKEN[:-22] + TOKEN[-22:].replace("a", "+"),
        TOKEN.replace("c4a922f8", "C4A922F8"),
        TOKEN.replace("c4a922f8", ""),
        TOKEN.replace("c4a922f8", "c4a922f9"),
        TOKEN.replace(".", "/"),
        "０" + TOKEN[1:],
        "0" + TOKEN,
    ],
)
def test_what_is_no_token_opens_nothing(token: str) -> None:
    assert not _opens(PREFIX + "a.m3u8", token=token)


def test_a_signature_is_good_for_its_own_session_and_expiry() -> None:
    _expires, _session, mac = TOKEN.split(".")
    assert not _opens(PREFIX + "a.m3u8", token=f"{EXPIRES + 3600}.{SESSION}.{mac}")
    assert not _opens(PREFIX + "a.m3u8", token=f"0{EXPIRES}.{SESSION}x.{mac}")
    assert not _opens(PREFIX + "a.m3u8", token=f"{EXPIRES}.{SESSION[::-1]}.{mac}")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"token": "x" + TOKEN}, "not a media path"),
        ({"path": PREFIX + "a.wav"}, "not a media path"),
        ({"secrets": ("another",)}, "the signature does not match"),
        ({"now": EXPIRES}, "the link has expired"),
    ],
)
def test_why_it_opens_nothing_is_said(changed: dict, said: str) -> None:
    given = {"secrets": (SECRET,), "token": TOKEN, "path": PREFIX + "a.m3u8", "now": NOW} | changed
    with pytest.raises(BadSignature, match=f"^{said}$"):
        signing.verify(**given)


def test_what_was_verified_stays_so() -> None:
    found = signing.verify([SECRET], TOKEN, PREFIX + "a.m3u8", now=NOW)
    with pytest.raises(FrozenInstanceError):
        found.prefix = OTHER  # type: ignore[misc]


def test_while_secrets_rotate_both_open() -> None:
    new = "the-secret-to-come"
    assert _opens(PREFIX + "a.m3u8", secrets=(new, SECRET))
    assert _opens(PREFIX + "a.m3u8", secrets=(SECRET, new))
    assert not _opens(PREFIX + "a.m3u8", secrets=(new,))
    assert not _opens(PREFIX + "a.m3u8", secrets=())


@pytest.mark.parametrize("prefix", ["", "masters/", "streams/", "streams/x/", PREFIX + "a/", PREFIX[:-1], "downloads/"])
def test_nothing_but_a_stream_is_ever_signed(prefix: str) -> None:
    with pytest.raises(ValueError, match="stream prefix"):
        signing.sign(SECRET, prefix=prefix, session=SESSION, expires=EXPIRES)

"""Keys are made from hashes alone, and nothing that came from outside becomes part of one."""

from __future__ import annotations

import pytest

from media_store import keys

SHA = "a3" * 32


def test_each_kind_has_its_own_folder() -> None:
    made = [
        keys.master(SHA),
        keys.cover(SHA),
        keys.download(SHA, "flac"),
        keys.archive(SHA),
        keys.preview(SHA, "m4a"),
        keys.stream_prefix(SHA),
        keys.upload("abcdefgh12345678"),
    ]
    assert made == [
        f"masters/{SHA}",
        f"images/{SHA}.jpg",
        f"downloads/{SHA}.flac",
        f"archives/{SHA}.zip",
        f"previews/{SHA}.m4a",
        f"streams/{SHA}/",
        "uploads/abcdefgh12345678",
    ]


@pytest.mark.parametrize("bad", ["", "a3", SHA.upper(), SHA + "0", "../" + SHA, SHA + "\n", SHA[:-1] + "/", "g" * 64])
def test_what_is_no_hash_makes_no_key(bad: str) -> None:
    for make in (keys.master, keys.cover, keys.archive, keys.stream_prefix):
        with pytest.raises(ValueError, match="SHA-256"):
            make(bad)


@pytest.mark.parametrize("bad", ["", "f", ".flac", "FLAC", "fl/ac", "../a", "flac\n", "toolong"])
def test_what_is_no_suffix_makes_no_key(bad: str) -> None:
    for make in (keys.download, keys.preview, keys.cover):
        with pytest.raises(ValueError, match="suffix"):
            make(SHA, bad)


@pytest.mark.parametrize("name", ["multivariant.m3u8", "aac-128/00001.m4s", "audio/aac-128/init.mp4"])
def test_members_of_a_stream(name: str) -> None:
    assert keys.stream_member(keys.stream_prefix(SHA), name) == f"streams/{SHA}/{name}"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a.m4s",
        "../masters/a.m4s",
        "a/../b.m4s",
        "a//b.m4s",
        "./a.m4s",
        "a.m4s/",
        "a",
        ".m4s",
        "a/b/c/d.m4s",
        "é.m4s",
    ],
)
def test_what_is_no_member_of_a_stream_makes_no_key(name: str) -> None:
    with pytest.raises(ValueError, match="member"):
        keys.stream_member(keys.stream_prefix(SHA), name)


@pytest.mark.parametrize("prefix", ["masters/", "streams/", f"streams/{SHA}", f"downloads/{SHA}/", f"streams/{SHA}/x/"])
def test_a_member_lies_in_a_stream_and_nowhere_else(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        keys.stream_member(prefix, "a.m4s")


@pytest.mark.parametrize(
    "bad", ["", "short", "abcdefgh1234567/", "../../../../etc/", "abcdefgh123456789", "äbcdefgh1234567"]
)
def test_what_is_no_upload_id_makes_no_key(bad: str) -> None:
    with pytest.raises(ValueError, match="upload id"):
        keys.upload(bad)


def test_a_key_says_its_digest_and_what_it_belongs_to() -> None:
    digest = "ab" * 32
    folder = keys.stream_prefix(digest)
    for key in (keys.master(digest), keys.cover(digest), keys.archive(digest), keys.preview(digest, "m4a")):
        assert (keys.digest(key), keys.unit(key)) == (digest, key)
    member = keys.stream_member(folder, "aac-64/00001.m4s")
    assert (keys.digest(member), keys.unit(member), keys.unit(folder)) == (None, folder, folder)
    assert keys.digest(keys.upload("abcdefgh12345678")) is None

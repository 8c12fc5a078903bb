"""nginx/start: what it refuses to start with, and where the secrets go."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.nginx import START, edge, environment

from app.core import clock
from app.settings import Settings
from media_store import signing
from media_store.s3 import S3Store

PREFIX = f"streams/{'ab' * 32}/"
# What a shell, sed, printf or nginx might read as its own; and a line's end, which none may take for one of theirs.
ODD = "$request_uri ${HOME} `id` \\n %s%n 'a' \"b\" ;{}# & | \n} 秘密"


def _refused(env: dict[str, str]) -> str:
    ran = subprocess.run(["/bin/sh", str(START), "--check"], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    return ran.stderr


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"SIGNING_SECRET": ""}, "SIGNING_SECRET is missing. Give the edge the shop's own value."),
        ({"SIGNING_SECRET": "too-short"}, "SIGNING_SECRET has fewer than 16 characters."),
        ({"SIGNING_SECRET_PREVIOUS": "too-short"}, "SIGNING_SECRET_PREVIOUS has fewer than 16 characters."),
        ({"S3_SECRET_KEY": ""}, "S3_SECRET_KEY is missing. Give the edge the shop's own value."),
    ],
)
def test_it_does_not_start_without_its_secrets(
    settings: Settings, tmp_path: Path, change: dict[str, str], says: str
) -> None:
    env = environment(settings, app="127.0.0.1:9", directory=tmp_path / "edge", port=8080) | change
    assert _refused(env) == f"nginx/start: {says}\n"
    assert not (tmp_path / "edge").exists()


def test_it_does_not_start_with_keys_that_it_could_not_derive(settings: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "sha256sum"
    broken.parent.mkdir()
    env = environment(settings, app="127.0.0.1:9", directory=tmp_path / "edge", port=8080)
    env["PATH"] = f"{broken.parent}:{env['PATH']}"
    for script in ("exit 0", "exit 127", "echo d41d8cd98f00b204e9800998ecf8427e", "cat"):
        broken.write_text(f"#!/bin/sh\n{script}\n")
        broken.chmod(0o755)
        assert _refused(env) == "nginx/start: sha256sum does not work. Debian, Ubuntu: apt install coreutils\n"


@pytest.mark.parametrize("secret", [ODD, "0123456789abcdef", "-n 16 characters", "\\" * 16, "%" * 17, "x" * 5000])
def test_any_characters_may_be_in_a_secret(settings: Settings, store: S3Store, tmp_path: Path, secret: str) -> None:
    store.put_bytes(PREFIX + "a.m4s", b"a segment", "video/iso.segment")
    other = secret[::-1] + "another"
    both = settings.model_copy(
        update={"signing_secret": SecretStr(other), "signing_secret_previous": SecretStr(secret)}
    )
    later = int(clock.now().timestamp()) + 60
    with edge(both, tmp_path / "edge", app="127.0.0.1:9") as front:
        for signer, status in ((secret, 200), (other, 200), (secret + "x", 403), ("", 403)):
            folder = signing.sign(signer, prefix=PREFIX, session="bcdfghjkmnpqrstv", expires=later)
            assert front.send("GET", folder + "a.m4s").status == status, signer


def test_the_same_secret_twice_is_one(settings: Settings, store: S3Store, tmp_path: Path) -> None:
    store.put_bytes(PREFIX + "a.m4s", b"a segment", "video/iso.segment")
    twice = settings.model_copy(update={"signing_secret_previous": settings.signing_secret})
    later = int(clock.now().timestamp()) + 60
    folder = signing.sign(settings.signing_secrets[0], prefix=PREFIX, session="bcdfghjkmnpqrstv", expires=later)
    with edge(twice, tmp_path / "edge", app="127.0.0.1:9") as front:
        assert front.send("GET", folder + "a.m4s").status == 200


def test_secrets_and_keys_are_where_others_cannot_read_them(settings: Settings, tmp_path: Path) -> None:
    directory = tmp_path / "edge"
    directory.mkdir()
    elsewhere = tmp_path / "elsewhere"
    (directory / "signing.conf").symlink_to(elsewhere)  # laid by somebody who was here before us
    both = settings.model_copy(update={"signing_secret_previous": SecretStr("the-signing-secret-before")})
    old_mask = os.umask(0)
    try:
        with edge(both, directory, app="127.0.0.1:9") as front:
            for path in ("/", "/edge/healthz", f"/media/1.bcdfghjkmnpqrstv.{'0' * 8}{'A' * 22}/{PREFIX}a.m4s"):
                front.send("GET", path)
            logged = front.log
            process = Path(f"/proc/{front.process.pid}")
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    finally:
        os.umask(old_mask)
    signing_conf = directory / "signing.conf"
    assert not elsewhere.exists()
    assert stat.S_IMODE(signing_conf.stat().st_mode) == 0o600
    keys = set(re.findall(r"\b[0-9a-f]{64}\b", signing_conf.read_text()))
    assert len(keys) == 3  # of both, and the one with which nothing is signed
    hidden = {*both.signing_secrets, *keys}
    seen = logged + told.decode("latin-1")
    seen += "".join(
        path.read_text("latin-1") for path in directory.rglob("*") if path.is_file() and path != signing_conf
    )
    assert not [each for each in hidden if each in seen]
    assert not [each for each in both.signing_secrets if each in signing_conf.read_text()]

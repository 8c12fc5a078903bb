"""MAIL_URL and its kin: what is read, and what is refused with its remedy."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.core.logs import secrets_of
from app.settings import MailRoute, Settings

PLAIN = {
    "database_url": "postgresql://db/shop",
    "s3_endpoint_url": "http://s3",
    "s3_access_key": "a",
    "s3_secret_key": "b",
    "secret_key": "x" * 20,
    "signing_secret": "x" * 20,
    "stripe_webhook_secret": "x" * 20,
}
PRODUCTION = PLAIN | {
    "environment": "production",
    "base_url": "https://shop.example.org",
    "stripe_secret_key": "sk_live_0123456789",
    "mail_url": "smtps://shop:secret-word@mail.example.org",
    "mail_from": "Wavecrate <shop@example.org>",
    "seller_address": "Harbour Road 1|20457 Hamburg",
}


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("folder:", MailRoute(folder="")),
        ("folder:/var/spool/a%20b", MailRoute(folder="/var/spool/a b")),
        ("smtp://127.0.0.1:2525", MailRoute(None, "127.0.0.1", 2525)),
        ("smtp://relay", MailRoute(None, "relay", 25)),
        ("smtp://u:p%40s%2Fs@h:587?starttls=1", MailRoute(None, "h", 587, "u", "p@s/s", "starttls")),
        ("smtp://u:p@h?starttls=1&ca=/etc/ca.pem", MailRoute(None, "h", 587, "u", "p", "starttls", "/etc/ca.pem")),
        ("smtps://u:p@h", MailRoute(None, "h", 465, "u", "p", "tls")),
    ],
)
def test_every_way_a_mail_url_is_written(url: str, route: MailRoute) -> None:
    assert MailRoute.parse(url) == route


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://mail.example.org",
        "smtp://",
        "smtp://user@host?starttls=1",
        "smtp://user:secret-word@host",
        "smtp://user:secret-word@host?starttls=yes",
        "smtp://user:secret-word@host?tls=1&starttls=1",
        "smtp://user:secret-word@host:nowhere?starttls=1",
        "smtps://user:secret-word@host/path",
    ],
)
def test_a_wrong_mail_url_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="smtp") as refused:
        MailRoute.parse(url)
    assert "secret-word" not in str(refused.value)
    with pytest.raises(ValidationError):
        Settings(**PLAIN, mail_url=url)


def test_production_boots_with_all_of_it_and_with_nothing_less() -> None:
    assert Settings(**PRODUCTION).seller_lines == ["Harbour Road 1", "20457 Hamburg"]
    for name in ("mail_url", "mail_from", "seller_address"):
        for given in ({}, {name: ""}):
            less = {key: value for key, value in PRODUCTION.items() if key != name} | given
            with pytest.raises(ValidationError, match=name.upper()):
                Settings(**less)
    with pytest.raises(ValidationError, match="MAIL_URL"):
        Settings(**PRODUCTION | {"mail_url": "folder:/tmp/outbox"})


@pytest.mark.parametrize(
    "address", ["Wavecrate", "Wavecrate <shop>", "@example.org", "a@b@c", "a@b\nBcc: x@example.org"]
)
def test_a_sender_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="no mail address"):
        Settings(**PLAIN, mail_from=address)


def test_the_mail_servers_password_is_a_secret() -> None:
    settings = Settings(**PRODUCTION)
    assert "secret-word" in secrets_of(settings)
    assert "secret-word" not in repr(settings)

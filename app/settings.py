"""Settings: read once from the environment, typed, and named when wrong.

The environment wins; `var/instance.env`, which `wavecrate up` writes for the engines it started itself,
fills in the rest, so that a command in a second terminal finds the same database and store.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from email.headerregistry import Address
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
SANDBOX_KEY = "sk_test_sandbox"
_LOCAL_SENDER = "Wavecrate <shop@localhost>"


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and what to do."""


_MAILBOX = re.compile(r"(?:(?P<name>[^<>\x00-\x1f\x7f]*)<(?P<inside>[^<>]+)>|(?P<alone>[^<>]+))")
_LOCAL_PART = re.compile(r'[^\s.@<>()\[\],:;"\\\x00-\x1f\x7f]+(?:\.[^\s.@<>()\[\],:;"\\\x00-\x1f\x7f]+)*')
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*", re.I)


def mailbox(text: str) -> Address:
    """One mail address, alone or as `Name <name@example.org>`, its domain in ASCII (IDNA); ValueError for all else."""
    wrong = ValueError("is no mail address; write it like Wavecrate <shop@example.org>")
    parts = _MAILBOX.fullmatch(text.strip())
    if not parts:
        raise wrong
    local, _, domain = (parts["inside"] or parts["alone"]).rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise wrong from None
    if not (_LOCAL_PART.fullmatch(local) and _DOMAIN.fullmatch(domain)) or len(local) > 64 or len(domain) > 253:
        raise wrong
    name = "".join(char if char.isprintable() else " " for char in parts["name"] or "")
    return Address(" ".join(name.replace('"', " ").replace("=?", "= ?").split())[:100], local, domain)


@dataclass(frozen=True, slots=True)
class MailRoute:
    """Where letters go: into a folder of this machine, or to an SMTP server."""

    folder: str | None = None
    host: str = ""
    port: int = 0
    user: str | None = None
    password: str | None = None
    security: Literal["plain", "starttls", "tls"] = "plain"
    ca_file: str | None = None

    @classmethod
    def parse(cls, url: str) -> MailRoute:
        """Read MAIL_URL; ValueError says what is wrong with it, and never its password."""
        form = "write it like smtp://user:password@host:587?starttls=1, smtps://user:password@host or folder:"
        parts = urlsplit(url.strip())
        if parts.scheme == "folder":
            return cls(folder=unquote(parts.path))
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError(form)
        options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        wrong = options.keys() - {"starttls", "ca"}
        if wrong or options.get("starttls", "1") not in ("0", "1") or parts.path.strip("/"):
            raise ValueError(f"knows the options starttls=1 and ca=FILE; {form}")
        security: Literal["plain", "starttls", "tls"] = "starttls" if options.get("starttls") == "1" else "plain"
        if parts.scheme == "smtps":
            security = "tls"
        try:
            port = parts.port or {"plain": 25, "starttls": 587, "tls": 465}[security]
        except ValueError:
            raise ValueError(form) from None
        user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
        if (user is None) != (password is None):
            raise ValueError(f"needs a user and a password, or neither; {form}")
        if user and security == "plain" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("would send the password in the clear: add ?starttls=1, or use smtps://")
        return cls(None, parts.hostname, port, user, password, security, options.get("ca"))


class Settings(BaseSettings):
    """Every knob of the shop. Field names in capitals are the environment variables."""

    model_config = SettingsConfigDict(extra="ignore", env_file_encoding="utf-8", frozen=True)

    environment: Literal["development", "production"] = "development"
    base_url: str = "http://127.0.0.1:8000"
    secret_key: SecretStr = Field(min_length=16)
    secret_key_previous: SecretStr | None = Field(
        default=None, min_length=16, description="still opens sessions; the one before, while a new one takes over"
    )
    signing_secret: SecretStr = Field(min_length=16, description="signs media URLs; 16 characters or more")
    signing_secret_previous: SecretStr | None = Field(
        default=None, min_length=16, description="still opens media URLs; the one before, while a new one takes over"
    )

    database_url: str
    s3_endpoint_url: str
    s3_public_endpoint_url: str | None = Field(
        default=None, description="the store's address as browsers see it, when it differs"
    )
    s3_bucket: str = "wavecrate"
    s3_prefix: str = Field(default="", description="put before every object key; tests use one each")
    s3_region: str = "us-east-1"
    s3_access_key: str
    s3_secret_key: SecretStr

    stripe_secret_key: SecretStr = SecretStr(SANDBOX_KEY)
    stripe_webhook_secret: SecretStr = Field(min_length=16)
    stripe_api_base: str | None = Field(
        default=None, description="set to the sandbox's address; empty means Stripe itself"
    )
    sandbox_public_url: str | None = Field(
        default=None, description="the sandbox's address as browsers see it, when it differs from STRIPE_API_BASE"
    )

    stripe_currency: str = Field(
        default="EUR", pattern="^[A-Z]{3}$", description="the Stripe account's own currency, as ISO 4217 writes it"
    )

    ffmpeg_binary: str | None = None
    cpu_count: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    x264_preset: str = "veryfast"

    play_session_seconds: int = Field(default=6 * 3600, ge=60)
    download_url_seconds: int = Field(default=900, ge=30)
    upload_part_mib: int = Field(default=16, ge=5, le=5 * 1024, description="least size of an upload's parts")
    upload_keep_days: int = Field(
        default=7, ge=1, description="how long a transfer that stands still can be gone on with"
    )
    worker_heartbeat_seconds: float = Field(default=5.0, gt=0)
    worker_stalled_seconds: float = Field(default=20.0, gt=0)
    worker_grace_seconds: float = Field(default=2.0, ge=0)
    store_grace_hours: float = Field(
        default=24, gt=0, description="how long the store keeps an object that nothing needs, at least"
    )
    play_session_keep_days: int = Field(default=30, ge=1)

    staff_second_factor: Literal["required", "offered"] = Field(
        default="required", description="whether whoever runs the shop must have an app or a passkey"
    )
    rate_limit_scale: int = Field(
        default=1, ge=1, description="multiplies what one network address may try: for a shop whose people share one"
    )

    log_format: Literal["text", "json"] = "text"
    metrics_token: SecretStr | None = Field(
        default=None, min_length=16, description="opens /metrics, as a bearer token"
    )
    metrics_port: int | None = Field(default=None, ge=1, le=65535, description="where a worker answers /metrics")
    metrics_host: str = "127.0.0.1"
    trusted_proxies: str = Field(
        default="127.0.0.1,::1", description="whose word on a request is believed: addresses and networks, with commas"
    )

    mail_url: str = Field(default="folder:", repr=False, description="where letters are handed over")
    mail_from: str = Field(default=_LOCAL_SENDER, description="who letters are from, like Wavecrate <shop@example.org>")
    mail_operator: str | None = Field(default=None, description="who is told of disputes and cases; else MAIL_FROM")
    letter_keep_days: int = Field(default=90, ge=1, description="how long what a letter said is kept")
    seller_name: str = Field(default="Wavecrate", max_length=200, description="who sells, as invoices say it")
    seller_address: str = Field(default="", max_length=500, description="its lines with | between them")
    seller_vat_id: str | None = None
    tax_prices: Literal["inclusive", "exclusive"] = Field(
        default="inclusive", description="whether prices hold the tax or it comes on top"
    )
    tax_source: Literal["built-in", "stripe"] = Field(
        default="built-in", description="who says what rate holds: the shop's own table, or Stripe Tax"
    )
    tax_home: str = Field(default="", description="the country the shop is established in, ISO 3166")
    tax_countries: str = Field(default="", description="where the shop collects VAT, with commas; EU: its members")
    vat_number_check: Literal["format", "confirmed"] = Field(
        default="format", description="what a VAT number needs for reverse charge: check digits, or a register's word"
    )

    refund_days: int = Field(
        default=14, ge=0, le=365, description="so long a buyer can have their money back for what they did not download"
    )

    recommender_factors: int = Field(default=64, ge=2, le=128)
    recommender_device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="where models are trained: auto takes the GPU where CUDA is there"
    )
    default_locale: Literal["en", "zh_Hans"] = "en"

    @field_validator("database_url")
    @classmethod
    def _psycopg_url(cls, value: str) -> str:
        if not value.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("must be a postgresql:// address")
        return value

    @field_validator("base_url", "s3_endpoint_url", "s3_public_endpoint_url", "stripe_api_base", "sandbox_public_url")
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is None or value == "":
            return None
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @field_validator("mail_url")
    @classmethod
    def _mail_route(cls, value: str) -> str:
        MailRoute.parse(value or "folder:")
        return value or "folder:"

    @field_validator("mail_from", "mail_operator")
    @classmethod
    def _mailbox(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value:
            return _LOCAL_SENDER if info.field_name == "mail_from" else None
        mailbox(value)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in filter(None, (part.strip() for part in value.split(","))):
            try:
                ip_network(part, strict=False)
            except ValueError:
                raise ValueError(f"{part!r} is no address or network; write them like 127.0.0.1,10.0.0.0/8") from None
        return value

    @field_validator("tax_home", "tax_countries")
    @classmethod
    def _countries(cls, value: str) -> str:
        for part in filter(None, (part.strip() for part in value.split(","))):
            if not re.fullmatch(r"[A-Za-z]{2}", part):
                raise ValueError(f"{part!r} is no country code; write them like EU,GB,NO")
        return value.upper()

    @model_validator(mode="after")
    def _production_is_strict(self) -> Settings:
        if self.environment == "production":
            if self.uses_sandbox:
                raise ValueError("STRIPE_SECRET_KEY is needed in production: the sandbox gives music away")
            if not self.base_url.startswith("https://"):
                raise ValueError("BASE_URL must be https:// in production: cookies and keys travel over it")
            if self.mail_route.folder is not None:
                raise ValueError("MAIL_URL is needed in production: in a folder, nobody gets their letters")
            if self.mail_from == _LOCAL_SENDER:
                raise ValueError("MAIL_FROM is needed in production: servers refuse letters from nowhere")
            if not self.seller_address:
                raise ValueError("SELLER_NAME and SELLER_ADDRESS are needed in production: invoices must say them")
            if self.staff_second_factor != "required":
                raise ValueError("STAFF_SECOND_FACTOR must be required in production: a stolen password would do")
        return self

    @property
    def mail_route(self) -> MailRoute:
        """Where letters go."""
        return MailRoute.parse(self.mail_url)

    @property
    def seller_lines(self) -> list[str]:
        """The seller's postal address, line by line."""
        return [line.strip() for line in self.seller_address.split("|") if line.strip()]

    @property
    def signing_secrets(self) -> list[str]:
        """The secrets that open media URLs now; the first one signs new ones."""
        both = (self.signing_secret, self.signing_secret_previous)
        return [secret.get_secret_value() for secret in both if secret is not None]

    @property
    def trusted_networks(self) -> list[IPv4Network | IPv6Network]:
        """Where the proxies in front of us are."""
        parts = (part.strip() for part in self.trusted_proxies.split(","))
        return [ip_network(part, strict=False) for part in parts if part]

    @property
    def uses_sandbox(self) -> bool:
        """True when payments go to the local sandbox and no money moves."""
        return self.stripe_secret_key.get_secret_value() == SANDBOX_KEY

    @property
    def sqlalchemy_url(self) -> str:
        """The database address with the driver SQLAlchemy needs named in it."""
        return "postgresql+psycopg://" + self.database_url.split("://", 1)[1]

    @property
    def libpq_url(self) -> str:
        """The database address as psycopg and PostgreSQL's own tools take it."""
        return "postgresql://" + self.database_url.split("://", 1)[1]


def var_dir() -> Path:
    """Where this machine keeps its data: `WAVECRATE_VAR`, else `var/` beside the code."""
    return Path(os.environ.get("WAVECRATE_VAR") or ROOT / "var").resolve()


def load_settings(**overrides: object) -> Settings:
    """Read the settings; raise SettingsError naming each bad one and the remedy."""
    instance_env = var_dir() / "instance.env"
    try:
        return Settings(_env_file=instance_env, **overrides)  # type: ignore[call-arg,arg-type]
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            reason = problem["msg"].removeprefix("Value error, ")
            lines.append(f"  {name}: {reason}" if name else f"  {reason}")
        raise SettingsError(
            "These settings are missing or wrong:\n"
            + "\n".join(lines)
            + "\nSet them in the environment, or run `wavecrate up` (script/demo) to start everything locally."
        ) from None

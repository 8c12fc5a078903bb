"""The sandbox as a WSGI application: `gunicorn --threads=8 'app.payments.sandbox.server:application()'`.

One process with threads: rules for faults and keys under way live in it, the rest in the file. Settings, from the
environment:
- `SANDBOX_STATE`: the SQLite file.
- `SANDBOX_PUBLIC_URL`: the address browsers reach this server at.
- `SANDBOX_WEBHOOK_URL`: the shop's webhook address, or `pull`: then nothing is sent, `/sandbox/outbox` has it all.
- `STRIPE_WEBHOOK_SECRET`: what webhooks are signed with; the shop has the same.
- `STRIPE_SECRET_KEY`: the key the shop must show; `sk_test_sandbox` if not set.
- `SANDBOX_CURRENCY`: the account's own currency; `eur` if not set.
- `SANDBOX_WEBHOOK_DELAY`: seconds before an event is first delivered; 0 if not set.
- `SANDBOX_SETTLE_DELAY`: seconds until a delayed payment or a slow refund ends; 3 if not set.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from app.payments.sandbox import api, control, pages, payments, refunds
from app.payments.sandbox.bank import Bank
from app.payments.sandbox.currencies import SUPPORTED
from app.payments.sandbox.idempotency import Keys
from app.payments.sandbox.state import State
from app.payments.sandbox.webhooks import Courier

PULL = "pull"


class SandboxError(Exception):
    """A setting is missing or wrong; the message names it."""


@dataclass(frozen=True)
class Config:
    """What the sandbox needs to know."""

    state: Path
    public_url: str
    webhook_url: str
    webhook_secret: str
    api_key: str = "sk_test_sandbox"
    webhook_delay: float = 0.0
    settle_delay: float = 3.0
    currency: str = "eur"

    @classmethod
    def from_environment(cls) -> Config:
        """Read the settings; raise SandboxError naming a bad one."""

        def need(name: str) -> str:
            value = os.environ.get(name, "")
            if not value:
                raise SandboxError(f"{name} is not set. See app/payments/sandbox/server.py for what the sandbox needs.")
            return value

        def seconds(name: str, default: float) -> float:
            value = os.environ.get(name) or str(default)
            try:
                return float(value)
            except ValueError:
                raise SandboxError(f"{name} is {value!r}; it must be a number of seconds.") from None

        currency = (os.environ.get("SANDBOX_CURRENCY") or cls.currency).lower()
        if currency not in SUPPORTED:
            raise SandboxError(f"SANDBOX_CURRENCY is {currency!r}; it must be one of {', '.join(sorted(SUPPORTED))}.")
        return cls(
            state=Path(need("SANDBOX_STATE")),
            public_url=need("SANDBOX_PUBLIC_URL").rstrip("/"),
            webhook_url=need("SANDBOX_WEBHOOK_URL"),
            webhook_secret=need("STRIPE_WEBHOOK_SECRET"),
            api_key=os.environ.get("STRIPE_SECRET_KEY") or cls.api_key,
            webhook_delay=seconds("SANDBOX_WEBHOOK_DELAY", cls.webhook_delay),
            settle_delay=seconds("SANDBOX_SETTLE_DELAY", cls.settle_delay),
            currency=currency,
        )


def create_sandbox(config: Config) -> Flask:
    """The server, without its courier: nothing is delivered until `start_courier`."""
    app = Flask(__name__)
    app.config.update(
        API_KEY=config.api_key,
        WEBHOOK_SECRET=config.webhook_secret,
        MAX_CONTENT_LENGTH=1024**2,
        MAX_FORM_MEMORY_SIZE=1024**2,
    )
    bank = Bank(
        State(config.state),
        config.public_url,
        currency=config.currency,
        webhook_delay=config.webhook_delay,
        settle_delay=config.settle_delay,
    )
    bank.happenings = {"settle": payments.settle, "refund": refunds.end, "expire": payments.expire}
    app.extensions["sandbox"] = bank
    app.extensions["sandbox_state"] = bank.state
    app.extensions["sandbox_keys"] = Keys()
    for blueprint in (api.blueprint, control.blueprint, pages.blueprint):
        app.register_blueprint(blueprint)
    return app


def start_courier(app: Flask, config: Config) -> Courier:
    """Deliver events from now on, those first that an earlier run left behind."""
    bank: Bank = app.extensions["sandbox"]
    bank.outbox.retry_now()
    courier = Courier(bank, config.webhook_url, config.webhook_secret)
    bank.wake = courier.wake
    courier.start()
    return courier


def application() -> Flask:
    """The server and its courier, from the environment. gunicorn calls it in its worker, after the fork."""
    config = Config.from_environment()
    app = create_sandbox(config)
    if config.webhook_url != PULL:
        start_courier(app, config)
    return app

"""The sandbox as a WSGI application: `gunicorn 'app.payments.sandbox.server:application()'`.

Settings, from the environment:
- `SANDBOX_STATE`: the SQLite file.
- `SANDBOX_PUBLIC_URL`: the address browsers reach this server at.
- `SANDBOX_WEBHOOK_URL`: the shop's webhook address.
- `STRIPE_WEBHOOK_SECRET`: what webhooks are signed with; the shop has the same.
- `STRIPE_SECRET_KEY`: the key the shop must show; `sk_test_sandbox` if not set.
- `SANDBOX_WEBHOOK_DELAY`: seconds before an event is first delivered; 0 if not set.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from app.payments.sandbox import api, pages
from app.payments.sandbox.state import State
from app.payments.sandbox.webhooks import Courier


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

    @classmethod
    def from_environment(cls) -> Config:
        """Read the settings; raise SandboxError naming a bad one."""

        def need(name: str) -> str:
            value = os.environ.get(name, "")
            if not value:
                raise SandboxError(f"{name} is not set. See app/payments/sandbox/server.py for what the sandbox needs.")
            return value

        delay = os.environ.get("SANDBOX_WEBHOOK_DELAY") or "0"
        try:
            seconds = float(delay)
        except ValueError:
            raise SandboxError(f"SANDBOX_WEBHOOK_DELAY is {delay!r}; it must be a number of seconds.") from None
        return cls(
            state=Path(need("SANDBOX_STATE")),
            public_url=need("SANDBOX_PUBLIC_URL").rstrip("/"),
            webhook_url=need("SANDBOX_WEBHOOK_URL"),
            webhook_secret=need("STRIPE_WEBHOOK_SECRET"),
            api_key=os.environ.get("STRIPE_SECRET_KEY") or cls.api_key,
            webhook_delay=seconds,
        )


def create_sandbox(config: Config) -> Flask:
    """The server, without its courier: nothing is delivered until `start_courier`."""
    app = Flask(__name__)
    app.config.update(
        API_KEY=config.api_key,
        PUBLIC_URL=config.public_url,
        WEBHOOK_DELAY=config.webhook_delay,
        MAX_CONTENT_LENGTH=1024**2,
        MAX_FORM_MEMORY_SIZE=1024**2,
    )
    app.extensions["sandbox_state"] = State(config.state)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(pages.blueprint)
    return app


def start_courier(app: Flask, config: Config) -> Courier:
    """Deliver events from now on, those first that an earlier run left behind."""
    state: State = app.extensions["sandbox_state"]
    state.retry_now()
    courier = Courier(state, config.webhook_url, config.webhook_secret)
    app.extensions["sandbox_courier"] = courier
    courier.start()
    return courier


def application() -> Flask:
    """The server and its courier, from the environment. gunicorn calls it in each worker, after the fork."""
    config = Config.from_environment()
    app = create_sandbox(config)
    start_courier(app, config)
    return app

"""`var/instance.env`: what this machine's own engines are called, and the secrets it made for itself."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_HEADER = "# Written by `wavecrate up` for the engines it starts. Variables in the environment win over these.\n"
_SECRETS = ("SECRET_KEY", "SIGNING_SECRET", "STRIPE_WEBHOOK_SECRET")


def read(path: Path) -> dict[str, str]:
    """The variables in the file; none where there is no file."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#") and "=" in line)


def write(path: Path, values: dict[str, str]) -> None:
    """Replace the file whole; only its owner can read it."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(_HEADER + "".join(f"{name}={value}\n" for name, value in sorted(values.items())))
    draft.replace(path)


def with_secrets(values: dict[str, str]) -> dict[str, str]:
    """The values, and a fresh secret for each that is missing."""
    return {name: secrets.token_urlsafe(32) for name in _SECRETS} | values

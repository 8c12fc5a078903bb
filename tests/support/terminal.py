"""What an operator types, in this process: the shop's modules are not loaded anew for each command."""

from __future__ import annotations

from click.testing import CliRunner, Result
from support.instance import environment

from app.cli import cli
from app.settings import Settings


def wavecrate(settings: Settings, *arguments: str) -> Result:
    """`wavecrate` with those arguments, on those settings."""
    return CliRunner().invoke(cli, arguments, env=environment(settings))

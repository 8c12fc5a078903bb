"""Ids drawn from a seed, so that the same story has the same names, and with them the same order of everything."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar
from unittest import mock

from app.core import codes, ids
from app.payments.sandbox import objects, sessions

T = TypeVar("T")


class Lots:
    """What is used of the module `secrets`."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)

    def choice(self, of: Sequence[T]) -> T:
        """One of them."""
        return self._draw.choice(of)

    def token_hex(self, size: int) -> str:
        """So many bytes in hexadecimal digits."""
        return self._draw.randbytes(size).hex()

    @contextmanager
    def ruling(self) -> Iterator[None]:
        """The shop and the gateway name what they make by these."""
        with ExitStack() as stack:
            for module in (ids, codes, objects, sessions):
                stack.enter_context(mock.patch.object(module, "secrets", self))
            yield

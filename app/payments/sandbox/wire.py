"""Requests as they arrive, against stripe-python's own request types, no key allowed that those don't know.

stripe-python generates them from Stripe's OpenAPI description. Here, where the form has just been decoded, nothing that
calls the sandbox gets past the check: no test, demo or bench has to ask for it, and what it sees is what travelled, not
what a caller meant to send.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args, get_type_hints

import stripe
from pydantic import ConfigDict, TypeAdapter, ValidationError
from stripe import RequestOptions
from typing_extensions import TypedDict, is_typeddict

from app.payments.sandbox.params import BadParameter

VERSION: str = stripe.api_version or ""
"""The version of Stripe's API that the types describe."""

_FORBID = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
# Names the annotations of a call's options use, one of which stripe-python imports for type checkers only.
_NAMES = vars(sys.modules[RequestOptions.__module__]) | {"StripeContext": stripe.StripeContext}
_CODES = {
    "extra_forbidden": "parameter_unknown",
    "missing": "parameter_missing",
    "int_parsing": "parameter_invalid_integer",
}


@cache
def strict(name: str) -> TypeAdapter[Any]:
    """A validator of a request type (`checkout.SessionCreateParams`) that refuses unknown keys at every depth.

    The options of a call (its key, its idempotency key) share the type and never travel as parameters: they go.
    """
    params: Any = stripe.params
    for part in name.split("."):
        params = getattr(params, part)
    hints = get_type_hints(params, localns=_NAMES, include_extras=True)
    wire = TypedDict(params.__name__, {k: v for k, v in hints.items() if k not in RequestOptions.__annotations__})  # type: ignore[misc]
    _forbid_extras(wire, set())
    return TypeAdapter(wire)


def check(name: str, params: dict[str, Any]) -> None:
    """Raise BadParameter, naming the parameter, for the first thing that Stripe's type doesn't take."""
    try:
        strict(name).validate_python(params)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = _named(params, first["loc"])
        what = "Received unknown parameter" if first["type"] == "extra_forbidden" else f"{first['msg']}"
        raise BadParameter(f"{what}: {where}", param=where, code=_CODES.get(first["type"])) from None


def _named(params: Any, location: tuple[str | int, ...]) -> str:
    """The place of an error as Stripe names it: `line_items[0][price_data]`; pydantic's own marks are left out."""
    parts: list[str] = []
    level = params
    for number, part in enumerate(location):
        last = number == len(location) - 1
        if isinstance(level, dict) and (part in level or last):
            level = level.get(part)
        elif isinstance(level, list) and isinstance(part, int) and part < len(level):
            level = level[part]
        else:
            continue
        parts.append(str(part))
    return parts[0] + "".join(f"[{part}]" for part in parts[1:]) if parts else ""


def _forbid_extras(typed_dict: type, seen: set[type]) -> None:
    if typed_dict in seen:
        return
    seen.add(typed_dict)
    typed_dict.__pydantic_config__ = _FORBID  # type: ignore[attr-defined]
    for hint in get_type_hints(typed_dict, localns=_NAMES).values():
        for inner in _typed_dicts(hint):
            _forbid_extras(inner, seen)


def _typed_dicts(hint: Any) -> Iterator[type]:
    if is_typeddict(hint):
        yield hint
    for argument in get_args(hint):
        yield from _typed_dicts(argument)

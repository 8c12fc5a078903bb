"""Stripe's way of writing nested parameters in a form: `line_items[0][price_data][currency]=eur`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_PART = re.compile(r"\[([^\[\]]*)\]")


class BadParameter(Exception):
    """A parameter Stripe would refuse."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


def decode(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nest a form's pairs; a level whose keys are 0, 1, 2… becomes a list, and so does one without any: `expand[]`."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        head = name.split("[", 1)[0]
        path = [head, *_PART.findall(name[len(head) :])]
        level = root
        for part in path[:-1]:
            level = level.setdefault(part or str(len(level)), {})
            if not isinstance(level, dict):
                raise BadParameter(f"Invalid parameter: {name}", param=name)
        level[path[-1] or str(len(level))] = value
    nested: dict[str, Any] = _lists(root)
    return nested


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(inner) for key, inner in value.items()}


class Reader:
    """Takes known parameters out of a level and refuses what is left, as Stripe does."""

    def __init__(self, values: Any, path: str = "") -> None:
        if not isinstance(values, dict):
            raise BadParameter(f"Invalid object: {path}", param=path or None)
        self._left = dict(values)
        self._path = path

    def name(self, key: str) -> str:
        """The parameter's full name, as error messages give it."""
        return f"{self._path}[{key}]" if self._path else key

    def text(self, key: str, *, required: bool = False, most: int = 5000) -> str | None:
        """A string, or None where it may be missing."""
        value = self._left.pop(key, None)
        if value is None or value == "":
            if required:
                raise BadParameter(
                    f"Missing required param: {self.name(key)}.", param=self.name(key), code="parameter_missing"
                )
            return None
        if not isinstance(value, str):
            raise BadParameter(f"Invalid string: {self.name(key)}", param=self.name(key))
        if len(value) > most:
            raise BadParameter(f"Invalid string: {self.name(key)} is longer than {most}.", param=self.name(key))
        return value

    def needed(self, key: str, *, most: int = 5000) -> str:
        """A string that must be there."""
        value = self.text(key, required=True, most=most)
        assert value is not None
        return value

    def integer(self, key: str, *, least: int, most: int, default: int | None = None) -> int:
        """A whole number within bounds."""
        text = self.text(key, required=default is None)
        if text is None:
            assert default is not None
            return default
        if not re.fullmatch(r"-?\d{1,12}", text) or not least <= int(text) <= most:
            raise BadParameter(
                f"Invalid integer: {self.name(key)} must be {least} to {most}.",
                param=self.name(key),
                code="parameter_invalid_integer",
            )
        return int(text)

    def one_of(self, key: str, allowed: Iterable[str], default: str | None = None) -> str:
        """One of some words."""
        value = self.text(key, required=default is None) or default
        assert value is not None
        if value not in set(allowed):
            raise BadParameter(f"Invalid {self.name(key)}: {value}", param=self.name(key))
        return value

    def optional_integer(self, key: str, *, least: int, most: int) -> int | None:
        """A whole number within bounds, or None where there is none."""
        return self.integer(key, least=least, most=most) if key in self._left else None

    def boolean(self, key: str) -> bool | None:
        """`true` or `false`, or None where there is neither."""
        value = self.text(key)
        if value not in (None, "true", "false"):
            raise BadParameter(f"Invalid boolean: {value}", param=self.name(key), code="parameter_invalid_boolean")
        return None if value is None else value == "true"

    def words(self, key: str) -> list[str] | None:
        """A list of strings, or None where there is none."""
        values = self._left.pop(key, None)
        if values is None:
            return None
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise BadParameter(f"Invalid array: {self.name(key)}", param=self.name(key))
        return values

    def interval(self, key: str) -> dict[str, int]:
        """Bounds of a time (`gt`, `gte`, `lt`, `lte`), or the time itself, in seconds since the epoch."""
        value = self._left.get(key)
        if isinstance(value, str):
            at = self.integer(key, least=0, most=10**11)
            return {"gte": at, "lte": at}
        inner = self.inner(key)
        if inner is None:
            return {}
        found = {name: inner.optional_integer(name, least=0, most=10**11) for name in ("gt", "gte", "lt", "lte")}
        inner.end()
        return {name: bound for name, bound in found.items() if bound is not None}

    def url(self, key: str, *, required: bool = True) -> str | None:
        """An http(s) address."""
        value = self.text(key, required=required)
        if value is not None and not re.match(r"https?://[^\s/]+", value):
            raise BadParameter(
                f"Not a valid URL: {self.name(key)}. Give an explicit scheme (such as https).",
                param=self.name(key),
                code="url_invalid",
            )
        return value

    def mapping(self, key: str) -> dict[str, str]:
        """Metadata: up to 50 short strings."""
        values = self._left.pop(key, None) or {}
        if not isinstance(values, dict) or len(values) > 50:
            raise BadParameter(f"Invalid {self.name(key)}", param=self.name(key))
        for inner, value in values.items():
            if not isinstance(value, str) or len(inner) > 40 or len(value) > 500:
                raise BadParameter(f"Invalid {self.name(key)}[{inner}]", param=self.name(key))
        return values

    def inner(self, key: str) -> Reader | None:
        """A nested level, if given."""
        value = self._left.pop(key, None)
        return None if value is None else Reader(value, self.name(key))

    def many(self, key: str) -> list[Reader]:
        """A list of nested levels."""
        values = self._left.pop(key, None)
        if not isinstance(values, list) or not values:
            raise BadParameter(
                f"Missing required param: {self.name(key)}.", param=self.name(key), code="parameter_missing"
            )
        return [Reader(value, f"{self.name(key)}[{index}]") for index, value in enumerate(values)]

    def end(self) -> None:
        """Refuse what nobody asked for."""
        for key in self._left:
            raise BadParameter(
                f"Received unknown parameter: {self.name(key)}", param=self.name(key), code="parameter_unknown"
            )

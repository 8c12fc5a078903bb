"""Where to go back to: only ever a page of our own."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit


def own_path(target: str | None) -> str | None:
    """`target` if it is a path on this site, else None: no scheme, no host, nothing a browser would read as one.

    Browsers take a backslash for a slash and drop tabs and newlines, so text with any of them is refused.
    """
    if not target or not target.startswith("/") or target.startswith("//") or len(target) > 2000:
        return None
    if "\\" in target or any(ord(character) <= 0x20 or ord(character) == 0x7F for character in target):
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target


def without_language(path: str) -> str:
    """The path without `?lang=`, which would win over the language just chosen."""
    parts = urlsplit(path)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "lang"]
    return parts._replace(query=urlencode(query)).geturl()

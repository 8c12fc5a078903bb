"""Every word of the shop is there in Chinese too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[3]
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd%]")


@pytest.fixture(scope="module")
def translated() -> Catalog:
    """The Chinese catalogue as committed."""
    with (ROOT / "app/translations/zh_Hans/LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, locale="zh_Hans")


@pytest.fixture(scope="module")
def source() -> set[str]:
    """Every message that the source marks for translation, singular form."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = set()
    for room in ("app", "transcoder", "media_store"):
        for _file, _line, message, _comments, _context in extract_from_dir(ROOT / room, methods, options):
            found.add(message[0] if isinstance(message, tuple) else message)
    return found


def test_no_message_lacks_a_translation(source: set[str], translated: Catalog) -> None:
    missing = sorted(message for message in source if not _words(translated, message))
    assert not missing


def test_what_is_for_translation_goes_by_a_name_that_is_looked_for() -> None:
    called = re.compile(r"\b(?:lazy_)?n?gettext as (\w+)")
    wrong = {
        str(path.relative_to(ROOT)): name
        for path in (ROOT / "app").rglob("*.py")
        for name in called.findall(path.read_text())
        if name != "_"
    }
    assert not wrong


def test_no_translation_is_a_guess_or_left_over(source: set[str], translated: Catalog) -> None:
    messages = list(_messages(translated))
    assert not [singular for singular, message in messages if message.fuzzy]
    assert not [singular for singular, _message in messages if singular not in source]


def test_placeholders_are_the_same_in_both_languages(translated: Catalog) -> None:
    wrong = []
    for singular, message in _messages(translated):
        plural = message.id[-1] if isinstance(message.id, tuple) else message.id
        for words in _words(translated, singular):
            if sorted(_PLACEHOLDER.findall(words)) != sorted(_PLACEHOLDER.findall(plural)):
                wrong.append((plural, words))
    assert not wrong


def _messages(catalog: Catalog) -> Iterator[tuple[str, object]]:
    for message in catalog:
        if message.id:
            yield (message.id[0] if isinstance(message.id, tuple) else message.id), message


def _words(catalog: Catalog, singular: str) -> list[str]:
    message = catalog.get(singular)
    if message is None:
        return []
    words = message.string if isinstance(message.string, tuple) else (message.string,)
    return list(words) if all(words) else []

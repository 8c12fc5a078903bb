"""Languages as files tell them and as players want them."""

from __future__ import annotations

import pytest

from transcoder import languages


@pytest.mark.parametrize(
    ("told", "tag", "name"),
    [
        ("eng", "en", "English"),
        ("chi", "zh", "中文"),
        ("zho", "zh", "中文"),
        ("cmn", "zh", "中文"),
        ("fre", "fr", "Français"),
        ("ger", "de", "Deutsch"),
        ("yue", "yue", "粵語"),
        ("zh_hant_tw", "zh-Hant-TW", "中文 (繁體, 台灣)"),
        ("PT-br", "pt-BR", "Português (Brasil)"),
        ("und", "", ""),
        ("xx", "", ""),
        ("qzz", "", ""),
        ("", "", ""),
        (None, "", ""),
        ('en",URI="x', "", ""),
    ],
)
def test_tags_and_names(told: str | None, tag: str, name: str) -> None:
    assert languages.language(told) == tag
    assert (languages.language_name(tag) if tag else "") == name


def test_no_two_names_are_alike() -> None:
    told = [("en", ""), ("en", ""), ("", ""), ("zh", "导演评论"), ("", "")]
    assert languages.names(told, "Original") == ["English", "English (2)", "Original", "导演评论", "Original (2)"]

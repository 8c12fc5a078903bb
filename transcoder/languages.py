"""Languages of sound and subtitles: their tags, and how they are called.

Files name them after ISO 639-2, in either of its spellings, or BCP 47; what leaves here is BCP 47 in its shortest form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from babel import Locale, UnknownLocaleError
from babel.core import get_global

# undetermined, uncoded, no linguistic content, several: nothing a player could choose by
_UNTOLD = {"", "und", "mis", "zxx", "mul", "qaa", "root"}
_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,4}")


def language(tag: str | None) -> str:
    """The tag as BCP 47, "chi" as "zh" and "zh_hant_tw" as "zh-Hant-TW"; "" for what names no language."""
    tag = (tag or "").strip()
    if not _TAG.fullmatch(tag):
        return ""
    first, *rest = re.split("[-_]", tag)
    base = first.lower()
    if base in _UNTOLD:
        return ""
    base = get_global("language_aliases").get(base, base).split("_")[0]
    if base not in Locale("en").languages:
        return ""
    return "-".join([base, *(_cased(part) for part in rest)])


def _cased(part: str) -> str:
    """A subtag as RFC 5646 (2.1.1) recommends: scripts in title case, regions in capitals."""
    if len(part) == 4 and part.isalpha():
        return part.title()
    return part.upper() if len(part) == 2 and part.isalpha() else part.lower()


def language_name(tag: str) -> str:
    """How speakers of the language call it, "" where that is not known."""
    try:
        name = Locale.parse(tag, sep="-").get_display_name() or ""
    except (UnknownLocaleError, ValueError):
        return str(Locale("en").languages.get(tag.split("-")[0], ""))
    return name[:1].upper() + name[1:]


def three_letters(tag: str) -> str:
    """The language's code in ISO 639-2/T, as MP4 wants it; "und" where there is none."""
    base = tag.split("-")[0]
    if len(base) == 3:
        return base
    codes = sorted(code for code, short in get_global("language_aliases").items() if short == base and len(code) == 3)
    # Where there are several, the terminology's begins like the short one, the bibliography's like the English name.
    return next((code for code in codes if code.startswith(base)), codes[0] if codes else "und")


def names(told: Sequence[tuple[str, str]], otherwise: str) -> list[str]:
    """A name for each (language, title) that no other of them has: RFC 8216bis, section 4.4.6.1.1, wants that."""
    made: list[str] = []
    for tag, title in told:
        name = title or language_name(tag) or otherwise
        same = sum(each == name or each.startswith(f"{name} (") for each in made)
        made.append(f"{name} ({same + 1})" if same else name)
    return made

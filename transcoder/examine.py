"""The program that opens a master: measures it, reads its tags, and says what it found.

Run by `transcoder.probe` in the sandbox, one process for each file. The master is open twice, as the first two
descriptors that `transcoder.launcher` hands on; what to do comes as JSON in the one argument. Out come one line of
JSON and the cover's bytes.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import PurePath
from typing import Any

from transcoder import measure, tag_reader
from transcoder.errors import NotMedia
from transcoder.launcher import FIRST_INPUT
from transcoder.sniff import Sniffed

_LIBAV, _PYTHON = FIRST_INPUT, FIRST_INPUT + 1


def main() -> None:
    """Examine the master; a refusal is an answer too."""
    asked = json.loads(sys.argv[1])
    sniffed = Sniffed(asked["container"], asked["start"])
    name = asked["name"]
    file = io.BufferedReader(io.FileIO(_PYTHON, closefd=False))
    answer: dict[str, Any] = {}
    cover: bytes | None = None
    try:
        if asked["measure"]:
            suffix = PurePath(name).suffix.lower()
            answer["probe"] = measure.measure(_LIBAV, file, sniffed, suffix).to_dict()
        found, cover = tag_reader.read(file, sniffed, name)
        answer["tags"] = found or _container_tags(sniffed)
    except NotMedia as refused:
        answer = {"refused": refused.message, "facts": refused.facts}
    answer["cover_bytes"] = len(cover or b"")
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + (cover or b""))
    sys.stdout.buffer.flush()


def _container_tags(sniffed: Sniffed) -> dict[str, str]:
    try:
        return tag_reader.plain(measure.container_metadata(_LIBAV, sniffed))
    except Exception:  # tags that can't be read are none
        return {}


if __name__ == "__main__":
    main()

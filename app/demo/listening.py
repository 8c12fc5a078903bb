"""What a player and a critical ear do: fetch an encrypted stream, decrypt it, compare samples."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import av
import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


@dataclass(frozen=True, slots=True)
class Stream:
    """A rendition in the clear: init section and segments, one after the other."""

    clear: bytes
    segments: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a file compares with its master. `samples` counts per channel."""

    equal: bool
    samples: int
    expected: int
    worst: float


def fetch_stream(fetch: Callable[[str], bytes], url: str, *, codec: str) -> Stream:
    """Fetch the first variant whose CODECS names the codec, decrypt every segment (AES-128-CBC, IV by number)."""
    multivariant = fetch(url).decode()
    variants = re.findall(r'#EXT-X-STREAM-INF:[^\n]*CODECS="([^"]+)"[^\n]*\n([^\n#]+)', multivariant)
    playlist_url = next(urljoin(url, uri) for codecs, uri in variants if codec in codecs)
    playlist = fetch(playlist_url).decode()
    init = _attribute(playlist, "#EXT-X-MAP")
    first = int((re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", playlist) or ["", "0"])[1])
    clear, number, key = fetch(urljoin(playlist_url, init)), first, b""
    for line in playlist.splitlines():
        if line.startswith("#EXT-X-KEY"):  # for the segments that follow, until the next
            key = fetch(urljoin(playlist_url, _attribute(line, "#EXT-X-KEY")))
        elif line and not line.startswith("#"):
            clear += _decrypt(fetch(urljoin(playlist_url, line)), key, number)
            number += 1
    return Stream(clear, number - first)


def compare(file: Path, master: Path) -> Comparison:
    """Decode both and compare every sample, as floats of full scale."""
    heard, meant = _samples(file), _samples(master)
    length = min(heard.shape[1], meant.shape[1])
    worst = float(np.abs(heard[:, :length] - meant[:, :length]).max(initial=0.0))
    equal = heard.shape == meant.shape and worst == 0.0
    return Comparison(equal, heard.shape[1], meant.shape[1], worst)


def _attribute(playlist: str, tag: str) -> str:
    found = re.search(rf'{tag}:[^\n]*URI="([^"]+)"', playlist)
    if found is None:
        raise OSError(f"the playlist has no {tag}")
    return found[1]


def _decrypt(data: bytes, key: bytes, number: int) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(number.to_bytes(16, "big"))).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()


def _samples(path: Path) -> npt.NDArray[np.float64]:
    """Every sample as float64 in -1..1, channels first; integers are scaled exactly."""
    blocks = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.audio[0]):
            block: npt.NDArray[Any] = frame.to_ndarray()
            if not frame.format.is_planar:
                block = block.reshape(-1, len(frame.layout.channels)).T
            if np.issubdtype(block.dtype, np.integer):
                block = block.astype(np.float64) / float(-np.iinfo(block.dtype).min)
            blocks.append(block.astype(np.float64))
    return np.concatenate(blocks, axis=1)

"""The whole way: a real master is transcoded, played through HTTP, decrypted, decoded, and compared by samples."""

from __future__ import annotations

import io
import re
from pathlib import Path

import av
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from flask import Flask
from flask.testing import FlaskClient
from media_samples import make_audio
from support import pipeline, rows

from app.settings import Settings
from media_store.s3 import S3Store


def _samples(source: io.BytesIO | str) -> np.ndarray:
    with av.open(source) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    planar = [frame if frame.shape[0] > 1 else frame.reshape(-1, 2).T for frame in frames]
    return np.concatenate(planar, axis=1)


def test_the_lossless_stream_is_the_master_sample_by_sample(
    app: Flask, client: FlaskClient, store: S3Store, settings: Settings, tmp_path: Path
) -> None:
    master = make_audio(tmp_path / "tone.wav", seconds=1.5)
    release, owner = rows.release(), rows.account()
    pipeline.transcode(release.tracks[0], master, store, settings, tmp_path / "work")
    rows.own(owner, release=release)
    rows.sign_in(client, owner)

    play = client.post(f"/play/{release.tracks[0].id}").get_json()
    assert play["peaks"]
    folder = play["playlist"].rpartition("/")[0]
    variants = [line for line in client.get(play["playlist"]).text.splitlines() if line.endswith(".m3u8")]
    named = re.findall(r'URI="([^"]+\.m3u8)"', client.get(play["playlist"]).text)
    lossless = next(name for name in [*variants, *named] if "flac" in name)
    playlist = client.get(f"{folder}/{lossless}").text
    key_line = next(line for line in playlist.splitlines() if line.startswith("#EXT-X-KEY"))
    assert 'URI="../key/0.key"' in key_line
    key = client.get(f"{folder}/key/0.key").data
    given = re.search(r"IV=0x([0-9A-Fa-f]{32})", key_line)

    place = f"{folder}/{lossless.rpartition('/')[0]}"
    stream = client.get(f"{place}/init.mp4").data
    for sequence, name in enumerate(line for line in playlist.splitlines() if line.endswith(".m4s")):
        first = int(re.findall(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", playlist + "#EXT-X-MEDIA-SEQUENCE:0")[0])
        iv = bytes.fromhex(given[1]) if given else (first + sequence).to_bytes(16, "big")
        sealed = client.get(f"{place}/{name}").data
        decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        clear = decryptor.update(sealed) + decryptor.finalize()
        stream += clear[: -clear[-1]]

    played, original = _samples(io.BytesIO(stream)), _samples(str(master))
    assert played.shape == original.shape
    np.testing.assert_array_equal(played, original)

"""Send a file as the studio's page does: announce it, PUT its parts straight to the store, say that it is there."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient


def announcement(name: str, body: bytes, **more: Any) -> dict[str, Any]:
    """What the browser says of a file before it sends it."""
    head = hashlib.sha256(body[: 1024**2]).hexdigest()
    return {"filename": name, "size": len(body), "modified": 1_700_000_000_000, "head": head} | more


def put(url: str, data: bytes, headers: dict[str, str] | None = None) -> int:
    """PUT to the test's own store; return the status."""
    request = urllib.request.Request(url, data=data, method="PUT", headers=headers or {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def part(begun: dict[str, Any], body: bytes, number: int) -> bytes:
    """The bytes of one part."""
    return body[(number - 1) * begun["part_size"] : number * begun["part_size"]]


def sign(client: FlaskClient, begun: dict[str, Any], number: int, data: bytes) -> Any:
    """Ask where to PUT a part."""
    checksum = b64encode(hashlib.sha256(data).digest()).decode()
    return client.post(f"{begun['url']}/parts/{number}", json={"sha256": checksum})


def send_parts(client: FlaskClient, begun: dict[str, Any], body: bytes, numbers: Iterable[int]) -> None:
    """Sign and PUT these parts."""
    for number in numbers:
        data = part(begun, body, number)
        signed = sign(client, begun, number, data)
        assert signed.status_code == 200, signed.text
        assert put(signed.json["url"], data, signed.json["headers"]) == 200


def send(client: FlaskClient, path: Path, name: str | None = None, **more: Any) -> str:
    """Send a file whole; return the upload's id."""
    body = path.read_bytes()
    begun = client.post("/studio/uploads", json=announcement(name or path.name, body, **more))
    assert begun.status_code == 201, begun.text
    count = -(-len(body) // begun.json["part_size"])
    send_parts(client, begun.json, body, range(1, count + 1))
    done = client.post(f"{begun.json['url']}/complete")
    assert done.status_code == 200, done.text
    assert "Being looked at" in client.get(begun.json["url"]).text
    return str(begun.json["id"])

"""What the bucket itself is told: which pages may send to it, and when half-sent uploads go.

Rules of other people's in the same bucket stay as they are. A store that knows no such rules, or keeps them from us,
does without: the message says what to set there by hand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

log = logging.getLogger("media_store.bucket")

_RULE = "wavecrate-uploads"
_LOOPBACK = ("127.0.0.1", "localhost")
_EXPOSED = ["ETag", "x-amz-checksum-sha256"]


def allow_uploads(client: Any, bucket: str, base_url: str) -> bool:
    """Let pages of that address PUT to the bucket; return whether the store took the rule."""
    rules = _read(lambda: client.get_bucket_cors(Bucket=bucket)["CORSRules"], "NoSuchCORSConfiguration")
    if rules is None:
        return False
    ours = next((rule for rule in rules if rule.get("ID") == _RULE), None)
    present = set(ours["AllowedOrigins"]) if ours else set()
    wanted = present | set(_origins(base_url))
    if wanted == present:
        return True
    rule = {
        "ID": _RULE,
        "AllowedOrigins": sorted(wanted),
        "AllowedMethods": ["PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": _EXPOSED,
        "MaxAgeSeconds": 3600,
    }
    others = [each for each in rules if each is not ours]
    return _write(
        lambda: client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [*others, rule]}),
        f"allow PUT from {base_url} in the CORS rules of {bucket}",
    )


def expire_uploads(client: Any, bucket: str, prefix: str, days: int) -> bool:
    """Have the store abort uploads under the prefix begun so many days ago; return whether it took the rule."""
    rules = _read(
        lambda: client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"], "NoSuchLifecycleConfiguration"
    )
    if rules is None:
        return False
    name = f"{_RULE}-{prefix}".rstrip("-/").replace("/", "-")
    rule = {
        "ID": name,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days},
    }
    ours = next((each for each in rules if each.get("ID") == name), None)
    if ours and ours.get("AbortIncompleteMultipartUpload") == rule["AbortIncompleteMultipartUpload"]:
        return True
    others = [each for each in rules if each is not ours]
    return _write(
        lambda: client.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": [*others, rule]}
        ),
        f"abort incomplete uploads under {prefix} of {bucket} after {days} days",
    )


def _origins(base_url: str) -> Iterable[str]:
    parts = urlsplit(base_url)
    port = f":{parts.port}" if parts.port else ""
    names = _LOOPBACK if parts.hostname in _LOOPBACK else (parts.hostname,)
    return [f"{parts.scheme}://{name}{port}" for name in names]


def _read(ask: Callable[[], list[dict[str, Any]]], none_yet: str) -> list[dict[str, Any]] | None:
    try:
        return ask()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        if code == none_yet:
            return []
        log.info("the store keeps its rules from us (%s)", code)
        return None


def _write(tell: Callable[[], Any], by_hand: str) -> bool:
    try:
        tell()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        log.warning("the store did not take a rule (%s); set it by hand: %s", code, by_hand)
        return False
    return True

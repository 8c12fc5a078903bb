"""Whether a request shows that somebody looks at a page, or only that a program fetched it."""

from __future__ import annotations

import re

from werkzeug.wrappers import Request

# Crawlers that say so, as most do: https://developers.google.com/search/docs/crawling-indexing/google-common-crawlers
_CRAWLER = re.compile(r"bot\b|crawl|spider|slurp|archiver|facebookexternalhit|preview", re.IGNORECASE)
# Sec-Purpose as the Fetch standard has it ("prefetch", "prefetch;prerender"); what browsers sent before it; and the
# preloading and the way back of htmx, which fetches the page again for the history.
_PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_NOT_BY_HAND = ("HX-Preloaded", "HX-History-Restore-Request")


def looked_at(request: Request) -> bool:
    """Whether the request is for a page that a person is about to see: a GET, no prefetch, no crawler."""
    if request.method != "GET":
        return False
    ahead = any(word in request.headers.get(name, "").lower() for name in _PURPOSES for word in ("fetch", "prerender"))
    ahead = ahead or any(request.headers.get(name, "").lower() == "preview" for name in _PURPOSES)
    by_program = any(request.headers.get(name) == "true" for name in _NOT_BY_HAND)
    return not (ahead or by_program or _CRAWLER.search(request.headers.get("User-Agent", "")))

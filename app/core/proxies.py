"""What the proxies in front of us say of a request: believed from those we trust, and from nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BELIEVED = "wavecrate.proxy_believed"


class TrustedProxies:
    """WSGI middleware: the client's address and scheme from X-Forwarded-For and -Proto, where a trusted proxy sent
    them. Sets `BELIEVED` in the environment of such requests. One proxy is looked through: ours sends one value."""

    def __init__(self, inner: WSGIApplication, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._inner = inner
        self._looking_through = ProxyFix(inner, x_for=1, x_proto=1)
        self._networks = networks

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ.pop(BELIEVED, None)
        if not self._trusts(environ.get("REMOTE_ADDR", "")):
            return self._inner(environ, start_response)
        environ[BELIEVED] = True
        return self._looking_through(environ, start_response)

    def _trusts(self, address: str) -> bool:
        try:
            caller = ip_address(address)
        except ValueError:
            return True  # a Unix socket: only a process of this machine reaches it
        return any(caller in network for network in self._networks)

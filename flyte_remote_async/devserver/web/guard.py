"""Who may speak to the HTTP port: requests that are meant for it, and no page of another site.

A browser can be made to send requests to a port on loopback, by a page that names it or by a name in DNS that is turned
to it. Both show in the ``Origin`` and the ``Host`` of the request.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Guard", "Hosts"]

_ALWAYS: Final = ("localhost", "127.0.0.1", "[::1]")


class Hosts:
    """The names that the port may be called by.

    Args:
        host: The address that it listens on.
        port: Its port.
        name: The name of this machine, for a server that listens on all of its addresses.
    """

    def __init__(self, host: str, port: int, name: str = "") -> None:
        self._port = port
        self._names = {*_ALWAYS, _bracketed(host), name.lower()} - {""}
        # An address cannot be turned to another machine, as a name can.
        self._any_address = not _is_loopback(host)

    def refusal(self, host: str | None, origin: str | None) -> str:
        """Return why a request is refused; empty where it is not.

        Args:
            host: Its ``Host`` header.
            origin: Its ``Origin`` header; None where it has none, as that of a program.
        """
        if host is None or not self._is_own(host.lower()):
            return f"this devserver is not called {host!r}: use {self._example}"
        if origin is not None and not self._is_own(origin.lower().removeprefix("http://")):
            return f"pages of {origin} may not use this devserver: only its own pages may, from http://{self._example}"
        return ""

    def path_of(self, url: str) -> str:
        """Return the path of a URL of this port; empty for others."""
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        return parts.path if parts.scheme == "http" and self._is_own(parts.netloc.lower()) else ""

    @property
    def _example(self) -> str:
        return f"127.0.0.1:{self._port}"

    def _is_own(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        if port != str(self._port):
            return False
        return name in self._names or (self._any_address and _is_address(name.strip("[]")))


class Guard:
    """ASGI middleware that refuses with 403 what the port is not meant for."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            reason = self._hosts.refusal(headers.get(b"host"), headers.get(b"origin"))
            if reason:
                from starlette.responses import PlainTextResponse

                await PlainTextResponse(reason + "\n", 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)

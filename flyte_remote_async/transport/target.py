"""Where the control plane is: an endpoint as people write it, taken apart."""

from __future__ import annotations

import re
from typing import Final, NoReturn

import attrs

from flyte_remote_async.errors import ConfigError

__all__ = ["Target"]

_TLS_PORT: Final = 443
_PLAINTEXT_PORT: Final = 80
_MAX_PORT: Final = 65535
# Underscores are no hostname's by RFC 952, and common in names that container networks give.
_HOSTNAME: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?"
_EXAMPLES: Final = (
    "write HOST:PORT, dns:///HOST:PORT, https://HOST, ipv4:ADDRESS:PORT, ipv6:[ADDRESS]:PORT or unix:/PATH"
)


@attrs.frozen
class Target:
    """Where to connect to, and whether in plaintext.

    Attributes:
        host: Host name or IP address (without brackets); empty for a Unix socket.
        port: TCP port; 0 for a Unix socket.
        insecure: Whether to speak plaintext rather than TLS.
        unix_path: Path of the Unix socket; empty for TCP.
        scheme: How gRPC resolves the host: ``"dns"``, ``"ipv4"``, ``"ipv6"`` or ``"unix"``.
    """

    host: str
    port: int
    insecure: bool = False
    unix_path: str = ""
    scheme: str = "dns"

    @classmethod
    def parse(cls, endpoint: str, *, insecure: bool = False) -> Target:
        """Return the target that an endpoint means.

        Args:
            endpoint: ``host``, ``host:port``, ``dns:///host:port``, ``http(s)://host[:port]``,
                ``ipv4:address[:port]``, ``ipv6:[address][:port]`` or ``unix:path``. Without a port it is 443,
                or 80 for plaintext.
            insecure: Whether to speak plaintext rather than TLS; ``http://`` means so by itself.

        Raises:
            ConfigError: The endpoint cannot be understood, or contradicts ``insecure``.

        Example:
            >>> str(Target.parse("dns:///flyte.example.com"))
            'flyte.example.com:443'
        """
        text = endpoint.strip()
        scheme, separator, rest = text.partition(":")
        match scheme.lower() if separator else "":
            case "http" | "https" as web if rest.startswith("//"):
                return _from_url(endpoint, text, plaintext=web == "http", insecure=insecure)
            case "unix":
                return _from_unix(endpoint, rest, insecure=insecure)
            case "dns" if not rest.isdecimal():
                # gRPC also has dns://SERVER/HOST, which asks a name server of one's own; grpclib cannot.
                return _from_address(endpoint, rest.removeprefix("///"), insecure=insecure)
            case "ipv4" | "ipv6" as family:
                return _from_address(endpoint, rest, insecure=insecure, family=family)
            case _:
                return _from_address(endpoint, text, insecure=insecure)

    @property
    def grpc_name(self) -> str:
        """The target in gRPC's own naming syntax, such as ``"dns:///host:443"``."""
        match self.scheme:
            case "unix":
                return f"unix:{self.unix_path}"
            case "ipv4" | "ipv6":
                return f"{self.scheme}:{self}"
            case _:
                return f"dns:///{self}"

    @property
    def web_address(self) -> str:
        """The URL of what is served beside the control plane at the same place, such as the console."""
        usual = 80 if self.insecure else 443
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'' if self.insecure else 's'}://{host}{'' if self.port == usual else f':{self.port}'}"

    def __str__(self) -> str:
        """Return the host and port, or the socket, as an error shows it."""
        if self.unix_path:
            return f"unix:{self.unix_path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _from_url(endpoint: str, url: str, *, plaintext: bool, insecure: bool) -> Target:
    if insecure and not plaintext:
        raise ConfigError(f"endpoint {endpoint!r} says https and insecure=True says plaintext: drop one of them")
    from urllib.parse import urlsplit  # few endpoints are URLs

    try:
        parts = urlsplit(url)
    except ValueError as error:
        _refuse(endpoint, str(error))
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        _refuse(endpoint, "gRPC knows no path below the host")
    return _from_address(endpoint, parts.netloc, insecure=plaintext)


def _from_unix(endpoint: str, path: str, *, insecure: bool) -> Target:
    # unix:///absolute is unix:/absolute with an empty authority.
    path = path.removeprefix("//")
    if not path:
        _refuse(endpoint, "the path of the socket is missing")
    return Target("", 0, insecure, path, "unix")


def _from_address(endpoint: str, address: str, *, insecure: bool, family: str = "") -> Target:
    host, port_text = _split(endpoint, address)
    default = _PLAINTEXT_PORT if insecure else _TLS_PORT
    port = _port(endpoint, port_text) if port_text is not None else default
    version = _ip_version(host)
    if family and family != f"ipv{version}":
        _refuse(endpoint, f"{host!r} is no {family[:2].upper()}{family[2:]} address")
    if not version and not re.fullmatch(_HOSTNAME, host):
        _refuse(endpoint, f"{host!r} is no host name" if host else "the host is missing")
    return Target(host, port, insecure, scheme=f"ipv{version}" if version else "dns")


def _split(endpoint: str, address: str) -> tuple[str, str | None]:
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or _ip_version(host) != 6:  # noqa: PLR2004 - IPv6
            _refuse(endpoint, "brackets hold an IPv6 address, and a port follows them")
        return host, rest[1:] if rest else None
    if _ip_version(address):
        return address, None
    host, colon, port = address.rpartition(":")
    return (host, port) if colon else (address, None)


def _ip_version(host: str) -> int:
    try:
        import ipaddress  # connecting pays for it, not the import of the package

        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def _port(endpoint: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:6]) <= _MAX_PORT):
        _refuse(endpoint, f"{text!r} is no port (1 to {_MAX_PORT})")
    return int(text)


def _refuse(endpoint: str, reason: str) -> NoReturn:
    raise ConfigError(f"endpoint {endpoint!r} cannot be used: {reason}; {_EXAMPLES}")

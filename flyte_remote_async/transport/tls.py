"""How to trust the server, and how to prove who we are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from flyte_remote_async.errors import ConfigError

if TYPE_CHECKING:
    import ssl

__all__ = ["TLSOptions", "ssl_context"]

_PEM: Final = b"-----BEGIN "


def _pem(_options: TLSOptions, attribute: attrs.Attribute[bytes | None], value: bytes | None) -> None:
    if value is not None and _PEM not in value:
        raise ConfigError(f"{attribute.name} holds no PEM block (-----BEGIN …): give the contents of a PEM file")


def _certificates(options: TLSOptions, attribute: attrs.Attribute[bytes | None], value: bytes | None) -> None:
    _pem(options, attribute, value)
    if value is not None:
        # gRPC's C core would only say that it cannot connect.
        import ssl

        try:
            ssl.create_default_context(cadata=value.decode("ascii", "replace"))
        except ssl.SSLError as error:
            raise ConfigError(f"{attribute.name} holds no certificate that can be read: {error}") from error


@attrs.frozen(kw_only=True)
class TLSOptions:
    """What a TLS connection is made with.

    Attributes:
        ca_cert: PEM certificates to trust instead of the usual roots; None trusts those.
        client_cert: PEM certificate chain to show to the server (mutual TLS).
        client_key: PEM private key of ``client_cert``.
        server_name: Name that the server's certificate must be for, where it is not the host's.
        verify: Whether to verify the server at all. Without, anyone in between can read and change everything.

    Raises:
        ConfigError: A value is not PEM, a certificate cannot be read, or ``client_cert`` and ``client_key`` are not
            given together.
    """

    ca_cert: bytes | None = attrs.field(default=None, validator=_certificates)
    client_cert: bytes | None = attrs.field(default=None, validator=_pem)
    client_key: bytes | None = attrs.field(default=None, repr=False, validator=_pem)
    server_name: str | None = None
    verify: bool = True

    def __attrs_post_init__(self) -> None:
        if (self.client_cert is None) is not (self.client_key is None):
            raise ConfigError("client_cert and client_key belong together: give both or none")


def ssl_context(options: TLSOptions) -> ssl.SSLContext:
    """Return an SSL context for HTTP/2 made of the options. It reads files: call it off the event loop.

    Args:
        options: What to trust and to show.

    Raises:
        ConfigError: A certificate or key cannot be used.
    """
    import ssl  # grpcio brings a TLS of its own

    try:
        context = _trusting(options)
        if not options.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if options.client_cert is not None and options.client_key is not None:
            import tempfile
            from pathlib import Path

            # Python reads a client certificate from a file only.
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "client.pem")
                file.write_bytes(options.client_key + b"\n" + options.client_cert)
                context.load_cert_chain(file)
    except ssl.SSLError as error:
        raise ConfigError(f"the TLS certificates cannot be used: {error}") from error
    context.set_alpn_protocols(["h2"])
    return context


def _trusting(options: TLSOptions) -> ssl.SSLContext:
    import ssl

    if options.ca_cert is not None:
        return ssl.create_default_context(cadata=options.ca_cert.decode("ascii", "replace"))
    import certifi  # the same roots on every platform; grpcio brings its own, too

    return ssl.create_default_context(cafile=certifi.where())

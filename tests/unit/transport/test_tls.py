"""What a TLS connection is made with."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trustme

from flyte_remote_async.errors import ConfigError
from flyte_remote_async.transport.tls import TLSOptions, ssl_context

PEM = b"-----BEGIN CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ca_cert": b"/etc/ca.pem"}, "ca_cert holds no PEM block"),
        ({"ca_cert": PEM + b"AAAA\n-----END CERTIFICATE-----\n"}, "ca_cert holds no certificate that can be read"),
        ({"client_cert": PEM}, "give both or none"),
        ({"client_key": PEM}, "give both or none"),
        ({"client_cert": b"x", "client_key": PEM}, "client_cert holds no PEM block"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        TLSOptions(**options)


def test_the_private_key_is_not_shown() -> None:
    options = TLSOptions(client_cert=PEM, client_key=b"-----BEGIN PRIVATE KEY-----\nsecret")
    assert "secret" not in repr(options)


def test_the_server_is_verified_unless_told_otherwise() -> None:
    context = ssl_context(TLSOptions())
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.get_ca_certs()
    lax = ssl_context(TLSOptions(verify=False))
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)


def test_a_given_authority_replaces_the_usual_roots() -> None:
    authority = trustme.CA()
    assert len(ssl_context(TLSOptions(ca_cert=authority.cert_pem.bytes())).get_ca_certs()) == 1

"""Endpoints as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.errors import ConfigError
from flyte_remote_async.transport.target import Target


@pytest.mark.parametrize(
    ("endpoint", "insecure", "host", "port", "plaintext", "grpc_name"),
    [
        ("flyte.example.com", False, "flyte.example.com", 443, False, "dns:///flyte.example.com:443"),
        ("flyte.example.com", True, "flyte.example.com", 80, True, "dns:///flyte.example.com:80"),
        (" localhost:30080 ", True, "localhost", 30080, True, "dns:///localhost:30080"),
        ("dns:///flyte:8089", False, "flyte", 8089, False, "dns:///flyte:8089"),
        ("dns:flyte:8089", False, "flyte", 8089, False, "dns:///flyte:8089"),
        ("DNS:///flyte", False, "flyte", 443, False, "dns:///flyte:443"),
        ("dns:81", False, "dns", 81, False, "dns:///dns:81"),
        ("http:81", False, "http", 81, False, "dns:///http:81"),
        ("https://flyte.example.com", False, "flyte.example.com", 443, False, "dns:///flyte.example.com:443"),
        ("https://flyte.example.com:8443/", False, "flyte.example.com", 8443, False, "dns:///flyte.example.com:8443"),
        ("http://flyte_admin", False, "flyte_admin", 80, True, "dns:///flyte_admin:80"),
        ("http://flyte:81", True, "flyte", 81, True, "dns:///flyte:81"),
        ("10.0.0.1:81", False, "10.0.0.1", 81, False, "ipv4:10.0.0.1:81"),
        ("ipv4:10.0.0.1", False, "10.0.0.1", 443, False, "ipv4:10.0.0.1:443"),
        ("[::1]:81", True, "::1", 81, True, "ipv6:[::1]:81"),
        ("::1", True, "::1", 80, True, "ipv6:[::1]:80"),
        ("ipv6:[fe80::1]", False, "fe80::1", 443, False, "ipv6:[fe80::1]:443"),
        ("https://[::1]:8443", False, "::1", 8443, False, "ipv6:[::1]:8443"),
        ("unix:/run/flyte.sock", True, "", 0, True, "unix:/run/flyte.sock"),
        ("unix:///run/flyte.sock", True, "", 0, True, "unix:/run/flyte.sock"),
    ],
)
def test_an_endpoint_is_understood(
    endpoint: str, *, insecure: bool, host: str, port: int, plaintext: bool, grpc_name: str
) -> None:
    target = Target.parse(endpoint, insecure=insecure)
    assert (target.host, target.port, target.insecure, target.grpc_name) == (host, port, plaintext, grpc_name)


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("dns:///flyte.example.com", "flyte.example.com:443"),
        ("[::1]:81", "[::1]:81"),
        ("unix:///run/flyte.sock", "unix:/run/flyte.sock"),
    ],
)
def test_it_is_shown_without_a_scheme(endpoint: str, shown: str) -> None:
    assert str(Target.parse(endpoint)) == shown


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("", "the host is missing"),
        ("   ", "the host is missing"),
        (":8089", "the host is missing"),
        ("dns:///", "the host is missing"),
        ("https://", "the host is missing"),
        ("unix:", "path of the socket is missing"),
        ("flyte:", "'' is no port"),
        ("flyte:http", "'http' is no port"),
        ("flyte:0", "'0' is no port"),
        ("flyte:65536", "'65536' is no port"),
        ("flyte:99999999999", "is no port"),
        ("flyte:-1", "'-1' is no port"),
        ("flyte:٣", "is no port"),
        ("ftp://flyte", "is no port"),
        ("dns://8.8.8.8/flyte:81", "no host name"),
        ("https://flyte/console", "no path below the host"),
        ("https://flyte?x=1", "no path below the host"),
        ("https://user:secret@flyte", "no host name|is no port"),
        ("https://[::1", "cannot be used"),
        ("[::1", "brackets hold an IPv6 address"),
        ("[::1]x", "brackets hold an IPv6 address"),
        ("[10.0.0.1]:81", "brackets hold an IPv6 address"),
        ("two words", "no host name"),
        ("-flyte", "no host name"),
        ("flyte,other", "no host name"),
        ("ipv4:flyte:81", "no IPv4 address"),
        ("ipv6:10.0.0.1:81", "no IPv6 address"),
    ],
)
def test_a_malformed_endpoint_is_refused_with_its_reason(endpoint: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        Target.parse(endpoint)
    assert "HOST:PORT" in str(caught.value)


def test_https_and_plaintext_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match="says https and insecure=True says plaintext"):
        Target.parse("https://flyte", insecure=True)


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("flyte.example.com", "https://flyte.example.com"),
        ("http://localhost:30080", "http://localhost:30080"),
        ("http://[::1]", "http://[::1]"),
    ],
)
def test_the_console_is_at_the_same_place(endpoint: str, address: str) -> None:
    assert Target.parse(endpoint).web_address == address


@given(st.text(max_size=30), st.booleans())
def test_any_text_is_understood_or_refused(endpoint: str, insecure: bool) -> None:
    try:
        target = Target.parse(endpoint, insecure=insecure)
    except ConfigError:
        return
    assert Target.parse(target.grpc_name, insecure=target.insecure) == target

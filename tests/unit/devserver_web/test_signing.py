"""Signed URLs: good for what they were made for, and for nothing else."""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qsl, unquote, urlsplit

import hypothesis.strategies as st
import pytest
from hypothesis import given

from flyte_remote_async.devserver.web.signing import Refusal, Signer

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
SIGNER = Signer()
PATHS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).map(lambda text: f"/b/{text}")


def refusal(
    url: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    *,
    later: float = 0,
    signer: Signer = SIGNER,
    path: str | None = None,
) -> Refusal | None:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    assert signer is not SIGNER or signer.is_mine(query)
    given_headers = {"host": parts.netloc, **(headers or {})}
    now = NOW + dt.timedelta(seconds=later)
    return signer.refusal(method, path or unquote(parts.path), query, given_headers, now=now)


def signed(method: str = "GET", path: str = "/b/k", *, expires_in: float = 60, **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SIGNER.signed(method, "http://h:1", path, now=NOW, expires_in=expires_in, headers=named)


@given(path=PATHS, digest=st.text("abcXYZ019+/=", max_size=10))
def test_it_is_good_for_what_it_was_made_for(path: str, digest: str) -> None:
    assert refusal(signed(path=path)) is None
    assert refusal(signed(path=path), "HEAD") is None
    url = signed("PUT", path, Content_MD5=digest)
    assert refusal(url, "PUT", {"content-md5": digest}) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"method": "DELETE"},
        {"path": "/b/other"},
        {"headers": {"host": "evil:1"}},
    ],
)
def test_it_is_good_for_nothing_else(changed: dict[str, object]) -> None:
    found = refusal(signed(), **changed)  # type: ignore[arg-type]
    assert found is not None
    assert found.code == "SignatureDoesNotMatch"


def test_headers_that_were_signed_must_be_sent() -> None:
    url = signed("PUT", Content_MD5="right")
    for headers in ({}, {"content-md5": "wrong"}):
        found = refusal(url, "PUT", headers)
        assert found is not None
        assert found.code == "SignatureDoesNotMatch"


def test_it_ends() -> None:
    url = signed(expires_in=60)
    assert refusal(url, later=59) is None
    assert refusal(url, later=60) == Refusal("AccessDenied", "Request has expired")
    assert refusal(url.replace("Expires=60", "Expires=600")) is not None
    assert refusal(url + "&uploads=") is not None


def test_a_signature_of_another_server_is_not_good() -> None:
    other = Signer()
    url = signed()
    assert not other.is_mine(dict(parse_qsl(urlsplit(url).query)))
    assert refusal(url, signer=other) is not None
    assert not SIGNER.is_mine({})
    assert SIGNER.refusal("GET", "/b/k", {}, {}, now=NOW) is not None

"""Places in a bucket, as Go writes them."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from flyte_remote_async.devserver.golang.references import BadReferenceError, Reference, constructed, parsed

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=15)


@pytest.mark.parametrize(
    ("parts", "uri"),
    [
        (("p", "d", "x.txt"), "s3://b/p/d/x.txt"),
        (("/p/", "//d", "x/y/"), "s3://b/p/d/x/y"),
        (("p", "d", "../x"), "s3://b/p/x"),
        (("p", "../../../x"), "s3://b/x"),
        (("p", "."), "s3://b/p/"),
        (("p", "a/.."), "s3://b/p/"),
        (("p", "a b"), "s3://b/p/a%20b"),
        (("p", "a (1)!"), "s3://b/p/a%20%281%29%21"),
        (("p", "a(1)!"), "s3://b/p/a(1)!"),
        (("p", "ü=+&"), "s3://b/p/%C3%BC=+&"),
        (("p", "%41"), "s3://b/p/%41"),
        (("p", "x?y#z"), "s3://b/p/x?y#z"),
        (("p", "x?"), "s3://b/p/x"),
    ],
)
def test_a_place_is_a_url(parts: tuple[str, ...], uri: str) -> None:
    assert constructed("s3://b", *parts) == uri


@pytest.mark.parametrize(
    ("uri", "reference"),
    [
        ("s3://b/k/x", Reference("s3", "b", "k/x")),
        ("S3://b//k/", Reference("s3", "b", "k")),
        ("s3://b/a%20b?c#d", Reference("s3", "b", "a b")),
        ("s3://b", Reference("s3", "b", "")),
        ("s3://user@b/k", Reference("s3", "b", "k")),
        ("file:///tmp/x", Reference("file", "", "tmp/x")),
        ("/tmp/x", Reference("", "", "tmp/x")),  # noqa: S108 - nothing is there
        ("nope", Reference("", "", "nope")),
        ("mailto:x", Reference("mailto", "", "")),
        ("", Reference("", "", "")),
    ],
)
def test_a_url_has_a_bucket_and_a_key(uri: str, reference: Reference) -> None:
    assert parsed(uri) == reference


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://b/%zz", 'invalid URL escape "%zz"'),
        ("s3://b/%4", 'invalid URL escape "%4"'),
        ("s3://b/a\nb", "invalid control character in URL"),
        ("://x", "missing protocol scheme"),
        ("1a:b", "first path segment in URL cannot contain colon"),
    ],
)
def test_what_is_no_url_is_said(uri: str, reason: str) -> None:
    with pytest.raises(BadReferenceError, match=reason):
        parsed(uri)


@given(parts=st.lists(TEXTS, min_size=1, max_size=4))
def test_no_part_leads_out_of_the_bucket(parts: list[str]) -> None:
    try:
        uri = constructed("s3://b", *parts)
    except BadReferenceError:
        return
    reference = parsed(uri)
    assert reference.bucket == "b"
    if all(letter.isalnum() for part in parts for letter in part):
        assert reference.key == "/".join(parts).strip("/")

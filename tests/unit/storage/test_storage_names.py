"""Addresses, and the names that are refused before anything is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.errors import StorageError, UnsafePathError
from flyte_remote_async.storage.addresses import parse
from flyte_remote_async.storage.names import check_all, file_name, safe


@pytest.mark.parametrize(
    ("uri", "kind", "container", "key", "account"),
    [
        ("s3://bucket/a/b.csv", "s3", "bucket", "a/b.csv", ""),
        ("S3A://bucket/a/", "s3", "bucket", "a", ""),
        ("gs://bucket/ü ñ#%41", "gs", "bucket", "ü ñ#%41", ""),
        ("gcs://bucket", "gs", "bucket", "", ""),
        ("abfs://box@acc.dfs.core.windows.net/a/b", "azure", "box", "a/b", "acc"),
        ("abfss://box/a", "azure", "box", "a", ""),
        ("https://host:81/a/b?sig=1", "web", "", "a/b", ""),
        ("file:///data/a b", "local", "", "/data/a b", ""),
        ("/data/%20", "local", "", "/data/%20", ""),
    ],
)
def test_addresses(uri: str, kind: str, container: str, key: str, account: str) -> None:
    address = parse(uri)
    assert (address.kind, address.container, address.key, address.account) == (kind, container, key, account)
    assert address.uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "ftp://h/x",
        "ssh://h/x",
        "memory://x",
        "simplecache::s3://b/k",
        "s3:///key",
        "http://",
        "http://[",
        "a/b",
        "",
        "/a\0b",
    ],
)
def test_addresses_that_are_refused(uri: str) -> None:
    with pytest.raises(StorageError):
        parse(uri)


def test_a_web_address_hides_its_query() -> None:
    address = parse("https://u:pw@host/a?sig=secret")
    assert address.shown == "https://host/a"
    assert "secret" not in repr(address)


def test_a_child_lies_below() -> None:
    assert parse("s3://b/a/").child("x/y") == parse("s3://b/a/x/y")


@pytest.mark.parametrize(
    ("uri", "name"),
    [("s3://b/a/report.csv", "report.csv"), ("https://h/a/x%20y.csv?q=1", "x y.csv"), ("file:///t/%20", "%20")],
)
def test_the_name_of_a_file(uri: str, name: str) -> None:
    assert file_name(parse(uri)) == name


UNSAFE = [
    "",
    ".",
    "..",
    "../x",
    "a/../../x",
    "/etc/passwd",
    "a//b",
    "a/",
    "a\0b",
    "a\nb",
    "..\\x",
    "C:\\x",
    "C:x",
    "x" * 256,
    "ü" * 128,
    "\udc80",
]


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names(name: str) -> None:
    with pytest.raises(UnsafePathError) as caught:
        safe(name, "s3://b/d")
    assert caught.value.uri == "s3://b/d"
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("uri", ["s3://b", "s3://b/a/..", "https://h/a%2F..%2Fb", "https://h/%2e%2e", "gs://b/C:x"])
def test_uris_without_a_safe_name(uri: str) -> None:
    with pytest.raises(UnsafePathError):
        file_name(parse(uri))


@pytest.mark.parametrize("name", ["a", "a/b.txt", "üñï çode name.txt", "x" * 255, "...", "a..b", ".hidden", "-rf"])
def test_names_that_are_kept(name: str) -> None:
    assert safe(name, "s3://b") == name


@pytest.mark.parametrize(
    "names",
    [
        ["a", "A"],
        ["d/x", "D/y"],
        ["straße", "STRASSE"],
        ["caf\u00e9", "cafe\u0301"],
        ["a", "a/b"],
        ["A/b", "a"],
        ["ok", "../x"],
    ],
)
def test_names_that_collide(names: list[str]) -> None:
    with pytest.raises(UnsafePathError):
        check_all(names, "s3://b/d")
    with pytest.raises(UnsafePathError):
        check_all(reversed(names), "s3://b/d")


def test_names_that_go_together() -> None:
    check_all(["a", "b/c", "b/d", "b/e/f"], "s3://b/d")


@given(st.text(max_size=40))
def test_a_name_is_safe_or_refused(name: str) -> None:
    try:
        safe(name, "s3://b")
    except UnsafePathError:
        return
    parts = name.split("/")
    assert not {"", ".", ".."} & set(parts)
    assert not any(letter in name for letter in "\0\\")

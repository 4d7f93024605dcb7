"""The S3 face, by hand and by a client that was made for S3."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from typing import TYPE_CHECKING

import anyio
import httpx
import hypothesis.strategies as st
import obstore
import pytest
from hypothesis import given
from obstore.store import S3Store

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.objects import ObjectInfo
from flyte_remote_async.devserver.web.bodies import MalformedBodyError, unchunked
from flyte_remote_async.devserver.web.lists import page_of
from flyte_remote_async.devserver.web.s3xml import keys_to_delete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

BUCKET = "/my-s3-bucket"


async def test_an_object_is_put_read_and_deleted(http: httpx.AsyncClient) -> None:
    url = f"{BUCKET}/a%20b/%C3%BC=+x.txt"
    put = await http.put(url, content=b"0123456789")
    assert put.status_code == 200
    got = await http.get(url)
    assert (got.status_code, got.content) == (200, b"0123456789")
    assert got.headers["content-type"] == "text/plain"
    assert got.headers["etag"] == put.headers["etag"]
    head = await http.head(url)
    assert (head.content, head.headers["content-length"]) == (b"", "10")
    assert (await http.get(url, headers={"If-None-Match": put.headers["etag"]})).status_code == 304
    assert (await http.get(url, headers={"If-Match": '"other"'})).status_code == 412
    assert (await http.delete(url)).status_code == 204
    assert (await http.delete(url)).status_code == 204
    gone = await http.get(url)
    assert (gone.status_code, "<Code>NoSuchKey</Code>" in gone.text) == (404, True)
    assert (await http.head(url)).status_code == 404


async def test_a_key_may_have_line_breaks(http: httpx.AsyncClient) -> None:
    url = f"{BUCKET}/a%0Ab%0A"
    assert (await http.put(url, content=b"x")).status_code == 200
    assert (await http.get(url)).content == b"x"
    assert (await http.get(f"{BUCKET}/a%0Ab")).status_code == 404
    listed = await http.get(f"{BUCKET}?list-type=2&prefix=a%0A&encoding-type=url")
    assert "<Key>a%0Ab%0A</Key>" in listed.text
    elsewhere = await http.get("/other/a%0Ab")
    assert "<Code>NoSuchBucket</Code>" in elsewhere.text


@pytest.mark.parametrize(
    ("header", "status", "body", "place"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=10-", 416, None, None),
        ("bytes=-0", 416, None, None),
    ],
)
async def test_a_part_of_an_object(
    http: httpx.AsyncClient, header: str, status: int, body: bytes | None, place: str | None
) -> None:
    await http.put(f"{BUCKET}/x", content=b"0123456789")
    got = await http.get(f"{BUCKET}/x", headers={"Range": header})
    assert got.status_code == status
    if body is not None:
        assert got.content == body
        assert got.headers.get("content-range") == place


async def test_a_digest_is_checked(http: httpx.AsyncClient) -> None:
    right = base64.b64encode(hashlib.md5(b"data", usedforsecurity=False).digest()).decode()
    assert (await http.put(f"{BUCKET}/x", content=b"data", headers={"Content-MD5": right})).status_code == 200
    for body, digest, code in (
        (b"tada", right, "BadDigest"),
        (b"data", "nonsense", "InvalidDigest"),
        (b"data", base64.b64encode(b"short").decode(), "InvalidDigest"),
    ):
        refused = await http.put(f"{BUCKET}/x", content=body, headers={"Content-MD5": digest})
        assert (refused.status_code, f"<Code>{code}</Code>" in refused.text) == (400, True)
    assert (await http.get(f"{BUCKET}/x")).content == b"data"


async def test_what_is_there_is_not_put_again_where_that_was_asked(http: httpx.AsyncClient) -> None:
    headers = {"If-None-Match": "*"}
    assert (await http.put(f"{BUCKET}/x", content=b"1", headers=headers)).status_code == 200
    assert (await http.put(f"{BUCKET}/x", content=b"2", headers=headers)).status_code == 412
    assert (await http.get(f"{BUCKET}/x")).content == b"1"


async def test_a_request_without_credentials_is_refused(nobody: httpx.AsyncClient) -> None:
    for method, path in (("GET", f"{BUCKET}/x"), ("PUT", f"{BUCKET}/x"), ("GET", BUCKET), ("GET", "/other/x")):
        refused = await nobody.request(method, path)
        assert (refused.status_code, "<Code>AccessDenied</Code>" in refused.text) == (403, True)


async def test_too_large_is_said_before_it_is_sent(
    dev: DevServer, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev.objects._blobs, "largest", 10)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x"

    for content in (b"x" * 11, body()):
        refused = await http.put(f"{BUCKET}/x", content=content)
        assert (refused.status_code, "<Code>EntityTooLarge</Code>" in refused.text) == (400, True)
    assert await dev.objects.list() == []


async def test_a_key_that_cannot_be_kept_is_refused(dev: DevServer, http: httpx.AsyncClient) -> None:
    if not dev.objects._blobs.blocking:
        return
    await http.put(f"{BUCKET}/a", content=b"")
    refused = await http.put(f"{BUCKET}/a/b", content=b"")
    assert (refused.status_code, "<Code>InvalidArgument</Code>" in refused.text) == (400, True)


async def test_a_client_that_vanishes_leaves_nothing(dev: DevServer) -> None:
    host, _, port = dev.http_endpoint.rpartition(":")
    about = f"{BUCKET}/x HTTP/1.1\r\nHost: {dev.http_endpoint}\r\nAuthorization: AWS x\r\n"
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(f"PUT {about}Content-Length: 1000\r\n\r\nhalf".encode())
        await anyio.sleep(0.05)
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(f"GET {about}\r\n".encode())
        assert b"404" in await stream.receive()
    assert await dev.objects.list() == []


# --- the bucket ---


async def test_the_bucket_is_there_and_no_other(http: httpx.AsyncClient) -> None:
    assert (await http.head(BUCKET)).status_code == 200
    assert (await http.put(BUCKET)).status_code == 200
    assert "LocationConstraint" in (await http.get(f"{BUCKET}?location")).text
    for method in ("GET", "PUT"):
        other = await http.request(method, "/other/x")
        assert (other.status_code, "<Code>NoSuchBucket</Code>" in other.text) == (404, True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", BUCKET),
        ("GET", f"{BUCKET}/?versions"),
        ("DELETE", BUCKET),
        ("GET", f"{BUCKET}/x?acl"),
        ("PUT", f"{BUCKET}/x?tagging"),
        ("POST", f"{BUCKET}/x"),
        ("GET", f"{BUCKET}/x?uploadId=1"),
    ],
)
async def test_what_is_not_served_is_said(http: httpx.AsyncClient, method: str, path: str) -> None:
    refused = await http.request(method, path)
    assert (refused.status_code, "<Code>NotImplemented</Code>" in refused.text) == (501, True)


async def test_several_objects_are_deleted_at_once(dev: DevServer, http: httpx.AsyncClient) -> None:
    for key in ("a", "b&c", "d"):
        await dev.objects.put(key, b"")
    body = "<Delete xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Object><Key>a</Key></Object><Object><Key>b&amp;c</Key></Object></Delete>"
    done = await http.post(f"{BUCKET}?delete", content=body)
    assert (done.status_code, done.text.count("<Deleted>")) == (200, 2)
    assert [info.key for info in await dev.objects.list()] == ["d"]
    for bad in ("<Delete", "<!DOCTYPE x><Delete/>"):
        refused = await http.post(f"{BUCKET}?delete", content=bad)
        assert (refused.status_code, "<Code>MalformedXML</Code>" in refused.text) == (400, True)
    refused = await http.post(f"{BUCKET}?delete", content=b" " * ((2 << 20) + 1))
    assert (refused.status_code, "MaxMessageLengthExceeded" in refused.text) == (400, True)
    with pytest.raises(ValueError, match="declarations"):
        keys_to_delete(b"<!ENTITY x>")


async def test_an_object_is_copied(http: httpx.AsyncClient) -> None:
    await http.put(f"{BUCKET}/a%20b", content=b"data")
    for source in ("/my-s3-bucket/a%20b", "my-s3-bucket/a%20b"):
        copied = await http.put(f"{BUCKET}/c", headers={"x-amz-copy-source": source})
        assert (copied.status_code, "CopyObjectResult" in copied.text) == (200, True)
        assert (await http.get(f"{BUCKET}/c")).content == b"data"
    for source in ("/my-s3-bucket/none", "/other/a%20b"):
        assert (await http.put(f"{BUCKET}/c", headers={"x-amz-copy-source": source})).status_code == 404


INFOS = st.lists(st.text("ab/", min_size=1, max_size=6), unique=True, max_size=15).map(
    lambda keys: [ObjectInfo(key, 1, "t", dt.datetime.now(dt.UTC)) for key in sorted(keys)]
)


@given(infos=INFOS, prefix=st.text("ab/", max_size=2), delimiter=st.sampled_from(["", "/"]), limit=st.integers(1, 4))
def test_pages_together_are_the_whole_list(infos: list[ObjectInfo], prefix: str, delimiter: str, limit: int) -> None:
    found = [info for info in infos if info.key.startswith(prefix)]
    whole = page_of(found, prefix=prefix, delimiter=delimiter, after="", limit=1000)
    objects: list[ObjectInfo] = []
    folders: list[str] = []
    after = ""
    while True:
        page = page_of(found, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
        assert len(page.infos) + len(page.folders) <= limit
        objects += page.infos
        folders += page.folders
        after = page.next_token
        if not after:
            break
    assert (objects, folders) == (list(whole.infos), list(whole.folders))
    assert {info.key for info in found} == {info.key for info in objects} | {
        info.key for info in found if any(info.key.startswith(folder) for folder in folders)
    }


async def test_a_list_has_pages(dev: DevServer, http: httpx.AsyncClient) -> None:
    for key in ("a/1", "a/2", "b", "c d"):
        await dev.objects.put(key, b"12")
    first = await http.get(BUCKET, params={"list-type": "2", "delimiter": "/", "max-keys": "2", "encoding-type": "url"})
    assert "<Prefix>a/</Prefix>" in first.text
    assert "<Key>b</Key>" in first.text
    assert "<NextContinuationToken>b</NextContinuationToken>" in first.text
    params = {"list-type": "2", "delimiter": "/", "continuation-token": "b", "encoding-type": "url"}
    assert "<Key>c%20d</Key>" in (await http.get(BUCKET, params=params)).text
    refused = await http.get(BUCKET, params={"list-type": "2", "max-keys": "x"})
    assert (refused.status_code, "max-keys" in refused.text) == (400, True)
    none = await http.get(BUCKET, params={"list-type": "2", "max-keys": "0"})
    assert "<KeyCount>0</KeyCount>" in none.text


# --- in parts ---


async def begun(http: httpx.AsyncClient, key: str = "x") -> str:
    answer = await http.post(f"{BUCKET}/{key}?uploads")
    return answer.text.partition("<UploadId>")[2].partition("</UploadId>")[0]


def completion(*numbers: int) -> str:
    parts = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>x</ETag></Part>" for number in numbers)
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"


async def test_an_object_is_put_in_parts(dev: DevServer, http: httpx.AsyncClient) -> None:
    upload = await begun(http)
    for number, data in ((2, b"wrong"), (2, b"two"), (1, b"one"), (7, b"unused")):
        put = await http.put(f"{BUCKET}/x?partNumber={number}&uploadId={upload}", content=data)
        assert put.headers["etag"] == f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
    assert await dev.objects.list() == []
    for numbers, code in (((), "InvalidPart"), ((1, 3), "InvalidPart"), ((2, 1), "InvalidPartOrder")):
        refused = await http.post(f"{BUCKET}/x?uploadId={upload}", content=completion(*numbers))
        assert (refused.status_code, f"<Code>{code}</Code>" in refused.text) == (400, True)
    done = await http.post(f"{BUCKET}/x?uploadId={upload}", content=completion(1, 2))
    assert (done.status_code, "CompleteMultipartUploadResult" in done.text) == (200, True)
    assert await dev.objects.get("x") == b"onetwo"
    again = await http.post(f"{BUCKET}/x?uploadId={upload}", content=completion(1, 2))
    assert (again.status_code, "<Code>NoSuchUpload</Code>" in again.text) == (404, True)


async def test_an_upload_in_parts_is_aborted(dev: DevServer, http: httpx.AsyncClient) -> None:
    upload = await begun(http)
    await http.put(f"{BUCKET}/x?partNumber=1&uploadId={upload}", content=b"data")
    for number in (0, 10_001):
        refused = await http.put(f"{BUCKET}/x?partNumber={number}&uploadId={upload}", content=b"data")
        assert (refused.status_code, "<Code>InvalidArgument</Code>" in refused.text) == (400, True)
    assert (await http.delete(f"{BUCKET}/other?uploadId={upload}")).status_code == 404
    assert (await http.delete(f"{BUCKET}/x?uploadId={upload}")).status_code == 204
    assert (await http.put(f"{BUCKET}/x?partNumber=1&uploadId={upload}", content=b"")).status_code == 404
    assert await dev.objects.list() == []


async def test_an_upload_in_parts_ends_with_the_server(tmp_path: Path) -> None:
    async with DevServer(objects=tmp_path) as dev:
        async with httpx.AsyncClient(
            base_url=f"http://{dev.http_endpoint}", headers={"Authorization": "AWS x"}
        ) as http:
            upload = await begun(http)
            await http.put(f"{BUCKET}/x?partNumber=1&uploadId={upload}", content=b"data")
        assert len([path async for path in anyio.Path(tmp_path).glob(".drafts-*/*")]) == 1
    assert [entry.name async for entry in anyio.Path(tmp_path).iterdir()] == ["my-s3-bucket"]


async def test_uploads_in_parts_are_bounded(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyte_remote_async.devserver.web.multipart._MOST", 2)
    for _ in range(2):
        assert await begun(http)
    assert "<Code>SlowDown</Code>" in (await http.post(f"{BUCKET}/x?uploads")).text


# --- bodies in chunks ---


async def collected(*pieces: bytes) -> bytes:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return b"".join([piece async for piece in unchunked(body())])


@given(chunks=st.lists(st.binary(min_size=1, max_size=20), max_size=4), cut=st.integers(1, 40))
async def test_chunks_are_joined_wherever_the_network_cuts_them(chunks: list[bytes], cut: int) -> None:
    wire = b"".join(b"%x;chunk-signature=0\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    wire += b"0;chunk-signature=0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
    pieces = [wire[start : start + cut] for start in range(0, len(wire), cut)]
    assert await collected(*pieces) == b"".join(chunks)


@pytest.mark.parametrize("wire", [b"", b"3\r\nab", b"3\r\nabcd\r\n0\r\n\r\n", b"x\r\n", b"1" * 10_000, b"3\r\nabc"])
async def test_a_body_that_is_not_in_chunks_is_refused(wire: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        await collected(wire)


async def test_a_chunked_body_is_unwrapped(http: httpx.AsyncClient) -> None:
    headers = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": "3"}
    put = await http.put(f"{BUCKET}/x", content=b"3\r\nabc\r\n0\r\n\r\n", headers=headers)
    assert put.status_code == 200
    assert (await http.get(f"{BUCKET}/x")).content == b"abc"
    broken = await http.put(f"{BUCKET}/x", content=b"9\r\nabc\r\n", headers=headers)
    assert (broken.status_code, "<Code>IncompleteBody</Code>" in broken.text) == (400, True)


# --- a client ---


async def test_a_client_that_was_made_for_s3(dev: DevServer) -> None:
    store = S3Store(
        "my-s3-bucket",
        config={
            "endpoint": f"http://{dev.http_endpoint}",
            "access_key_id": "any",
            "secret_access_key": "any",
            "region": "us-east-1",
        },
        client_options={"allow_http": True},
    )
    large = bytes(range(256)) * 50_000
    await obstore.put_async(store, "folder/small.txt", b"small")
    await obstore.put_async(store, "folder/large.bin", large, chunk_size=5 << 20)
    assert bytes(await (await obstore.get_async(store, "folder/large.bin")).bytes_async()) == large
    assert bytes(await obstore.get_range_async(store, "folder/large.bin", start=255, length=3)) == large[255:258]
    assert (await obstore.head_async(store, "folder/small.txt"))["size"] == 5
    listed = await obstore.list(store, "folder").collect_async()
    assert sorted(item["path"] for item in listed) == ["folder/large.bin", "folder/small.txt"]
    await obstore.copy_async(store, "folder/small.txt", "copy.txt")
    await obstore.delete_async(store, ["folder/small.txt", "folder/large.bin"])
    assert [info.key for info in await dev.objects.list()] == ["copy.txt"]
    with pytest.raises(FileNotFoundError):
        await obstore.get_async(store, "none")

"""Files go where the control plane says, as flytekit sends them."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from flyte_remote_async.config.values import StorageConfig
from flyte_remote_async.errors import IntegrityError, StorageError, UnavailableError, UnsafePathError
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.storage import patience
from flyte_remote_async.storage.objects import StoredObjects
from flyte_remote_async.storage.uploads import Location, Source, UploadStore
from tests.support.object_server import Answer, object_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.object_server import ObjectServer

pytestmark = pytest.mark.anyio

CANARY = "s3cr3t-signature"
LARGE = bytes(range(256)) * 12_000


class Proxy:
    """Names locations as a data proxy does."""

    def __init__(self, server: ObjectServer) -> None:
        self.server = server
        self.asked: list[tuple[str, str, bytes]] = []
        self.scheme = "s3"

    async def __call__(self, *, filename: str, filename_root: str, content_md5: bytes) -> Location:
        self.asked.append((filename, filename_root, content_md5))
        key = f"bucket/p/d/{filename_root or base64.b32encode(content_md5).decode()}/{filename}"
        # The real one says the length of the digest's text here.
        headers = {"Content-Length": "24", "Content-MD5": base64.b64encode(content_md5).decode(), "x-amz-meta-a": "b"}
        return Location(f"{self.server.url}/{quote(key)}?sig={CANARY}", f"{self.scheme}://{key}", headers)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ObjectServer]:
    monkeypatch.setattr(patience, "_BACKOFF", Backoff(initial=0.001, factor=1.0, longest=0.001))
    async with object_server() as server:
        yield server


@pytest.fixture
def proxy(server: ObjectServer) -> Proxy:
    return Proxy(server)


@pytest.fixture
async def objects(proxy: Proxy) -> AsyncIterator[StoredObjects]:
    objects = StoredObjects(locate=proxy)
    yield objects
    await objects.aclose()


async def test_a_file(objects: StoredObjects, server: ObjectServer, proxy: Proxy, tmp_path: Path) -> None:
    source = tmp_path / "large.bin"
    source.write_bytes(LARGE)
    source.chmod(0o400)
    uri = await objects.upload(source, name="large.bin")
    digest = hashlib.md5(LARGE).digest()  # noqa: S324 - what stores use
    assert uri == f"s3://bucket/p/d/{base64.b32encode(digest).decode()}/large.bin"
    assert server.objects[uri.removeprefix("s3://")] == LARGE
    assert proxy.asked == [("large.bin", "", digest)]
    sent = server.requests[-1].headers
    assert sent["content-length"] == str(len(LARGE))
    assert sent["content-md5"] == base64.b64encode(digest).decode()
    assert sent["x-amz-meta-a"] == "b"
    assert "transfer-encoding" not in sent


@pytest.mark.parametrize("data", [b"", b"text", LARGE])
async def test_bytes_in_a_group(objects: StoredObjects, server: ObjectServer, data: bytes) -> None:
    uri = await objects.upload(data, name="00000", prefix="group")
    assert uri == "s3://bucket/p/d/group/00000"
    assert server.objects["bucket/p/d/group/00000"] == data


async def test_azure_wants_a_kind(objects: StoredObjects, server: ObjectServer, proxy: Proxy) -> None:
    proxy.scheme = "abfs"
    server.fault = lambda _request, answer: _status(answer, 201)
    await objects.upload(b"x", name="x")
    assert server.requests[-1].headers["x-ms-blob-type"] == "BlockBlob"


def _status(answer: Answer, status: int) -> Answer:
    answer.status = status
    return answer


async def test_a_folder(objects: StoredObjects, server: ObjectServer, proxy: Proxy, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "a b.txt").write_bytes(b"a")
    (folder / "sub" / "b").write_bytes(b"b")
    (folder / "link").symlink_to(folder / "sub" / "b")
    uri = await objects.upload_directory(folder)
    group = proxy.asked[0][1]
    assert group
    assert uri == f"s3://bucket/p/d/{group}"
    assert {name.removeprefix(f"bucket/p/d/{group}/"): data for name, data in server.objects.items()} == {
        "a b.txt": b"a",
        "sub/b": b"b",
    }
    (folder / "sub" / "b").write_bytes(b"c")
    assert await objects.upload_directory(folder) != uri
    (folder / "sub" / "b").write_bytes(b"b")
    assert await objects.upload_directory(folder) == uri
    (folder / "a b.txt").rename(folder / "c")
    assert await objects.upload_directory(folder) != uri


async def test_folders_without_files(objects: StoredObjects, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no file in it"):
        await objects.upload_directory(tmp_path)
    with pytest.raises(StorageError, match="no such folder"):
        await objects.upload_directory(tmp_path / "none")


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_what_may_help_is_tried_again(
    objects: StoredObjects, server: ObjectServer, proxy: Proxy, status: int
) -> None:
    answers = iter([status])
    server.fault = lambda _request, answer: _status(answer, next(answers, 200))
    await objects.upload(b"x", name="x")
    assert len(proxy.asked) == 2  # each try has a new signature
    server.fault = lambda _request, answer: _status(answer, status)
    with pytest.raises(StorageError, match="tried 4 times") as caught:
        await objects.upload(b"x", name="x")
    assert CANARY not in str(caught.value)


async def test_a_broken_connection_is_tried_again(objects: StoredObjects, server: ObjectServer) -> None:
    breaks = iter([True, True])
    server.fault = lambda _request, answer: None if next(breaks, False) else answer
    assert await objects.upload(LARGE, name="x")


async def test_a_refusal_is_final(objects: StoredObjects, server: ObjectServer, proxy: Proxy) -> None:
    server.fault = lambda _request, _answer: Answer(400, b"BadDigest")
    with pytest.raises(StorageError, match="400"):
        await objects.upload(b"x", name="x")
    assert len(proxy.asked) == 1


async def test_a_file_that_changes_is_not_stored(
    objects: StoredObjects, server: ObjectServer, proxy: Proxy, tmp_path: Path
) -> None:
    source = tmp_path / "x"
    for changed in (LARGE[:-1] + b"!", LARGE[:1000], b""):
        source.write_bytes(LARGE)
        measured = await Source.measure(source)
        source.write_bytes(changed)
        with pytest.raises(IntegrityError, match="changed"):
            await UploadStore(objects._connections.client, proxy).put(measured, "x", "")
    assert server.objects == {}


async def test_errors_before_anything_is_sent(objects: StoredObjects, server: ObjectServer, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        await objects.upload(tmp_path / "none", name="x")
    with pytest.raises(UnsafePathError):
        await objects.upload(b"x", name="../x")
    with pytest.raises(StorageError, match="without a control plane"):
        await StoredObjects().upload(b"x", name="x")
    assert server.requests == []


async def test_a_control_plane_that_names_no_location() -> None:
    async def fail(**_: object) -> Location:
        raise UnavailableError("down", method="CreateUploadLocation")

    with pytest.raises(UnavailableError):
        await StoredObjects(locate=fail).upload(b"x", name="x")


async def test_a_local_backend_reads_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    objects = StoredObjects(StorageConfig(local=True))
    uri = await objects.upload(b"data", name="x.txt")
    assert uri.startswith(str(tmp_path))
    assert uri.endswith("/x.txt")
    assert await objects.read(uri) == b"data"
    source = tmp_path / "source"
    source.mkdir()
    (source / "y").write_bytes(b"y")
    folder = await objects.upload_directory(source)
    assert await objects.list(folder) == [f"{folder}/y"]
    assert not any(name.endswith(".part") for _, _, files in os.walk(tmp_path) for name in files)
    monkeypatch.setattr("tempfile.tempdir", str(source / "y"))
    with pytest.raises(StorageError, match="on this machine"):
        await objects.upload(b"data", name="x.txt")

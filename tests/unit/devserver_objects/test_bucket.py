"""Objects in memory and in a folder: the same from outside."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import anyio
import hypothesis.strategies as st
import pytest
from hypothesis import given

from flyte_remote_async.devserver.objects import Objects, ObjectTooLargeError, key_of
from flyte_remote_async.devserver.objects.folder import FolderBlobs
from flyte_remote_async.errors import IntegrityError, MalformedMessageError, StorageError, UnsafePathError
from tests.support.cancelling import cancel_at_every_step
from tests.support.open_files import open_below

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

PARTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(["..", ".", "", "%", "%2E"])
KEYS = st.lists(PARTS, min_size=1, max_size=5).map("/".join).filter(bool)


@pytest.fixture(params=["memory", "folder"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Objects]:
    bucket = await Objects.at(None if request.param == "memory" else tmp_path / "objects")
    yield bucket
    await bucket.aclose()


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def test_what_is_put_is_there_until_it_is_deleted(objects: Objects) -> None:
    assert await objects.get("a/b") is None
    assert await objects.head("a/b") is None
    assert await objects.md5("a/b") is None
    first = await objects.put("a/b", b"one")
    assert (first.key, first.size) == ("a/b", 3)
    assert await objects.get("a/b") == b"one"
    assert await objects.md5("a/b") == hashlib.md5(b"one", usedforsecurity=False).digest()
    second = await objects.put("a/b", pieces(b"tw", b"o!"))
    assert await objects.head("a/b") == second
    assert second.etag != first.etag
    assert await objects.delete("a/b")
    assert not await objects.delete("a/b")
    assert await objects.get("a/b") is None


async def test_whoever_is_cancelled_leaves_nothing_open(tmp_path: Path) -> None:
    folder = tmp_path / "objects"

    async def work() -> None:
        bucket = await Objects.at(folder)
        try:
            await bucket.put("x", pieces(b"1", b"2"))
            assert await bucket.get("x") == b"12"
        finally:
            await bucket.aclose()

    def nothing() -> None:
        assert open_below(folder) == []
        assert [path.name for path in folder.glob(".*")] == []

    assert await cancel_at_every_step(work, nothing, stretch=4) > 10


async def test_a_list_is_in_the_order_of_the_bytes_of_its_keys(objects: Objects) -> None:
    keys = ["b/2", "a", "b/1", "b/c/d", "ü", "B", "b-0"]
    for key in keys:
        await objects.put(key, b"")
    assert [info.key for info in await objects.list()] == sorted(keys, key=str.encode)
    assert [info.key for info in await objects.list("b/")] == ["b/1", "b/2", "b/c/d"]
    assert [info.key for info in await objects.list("b/c")] == ["b/c/d"]
    assert [info.key for info in await objects.list("b")] == ["b-0", "b/1", "b/2", "b/c/d"]
    assert await objects.list("none/") == []
    assert await objects.list("b/1") != []


async def test_parts_of_an_object_are_read_from_the_one_that_was_opened(objects: Objects) -> None:
    data = bytes(range(256)) * 4096
    await objects.put("x", data)
    async with objects.open("x") as found:
        assert found is not None
        await objects.put("x", b"another")
        await objects.delete("x")
        assert b"".join([piece async for piece in found.pieces(10, 500_000)]) == data[10:500_000]
        assert b"".join([piece async for piece in found.pieces()]) == data
        assert [piece async for piece in found.pieces(5, 5)] == []


async def test_bytes_with_another_digest_are_not_kept(objects: Objects) -> None:
    await objects.put("x", b"old")
    with pytest.raises(IntegrityError, match="another MD5"):
        await objects.put("x", b"new", md5=bytes(16))
    assert await objects.get("x") == b"old"


async def test_what_breaks_off_is_not_kept(objects: Objects) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await objects.put("x", broken())
    with anyio.CancelScope() as scope:

        async def cancelled() -> AsyncIterator[bytes]:
            yield b"half"
            scope.cancel()
            await anyio.lowlevel.checkpoint()

        await objects.put("x", cancelled())
    assert await objects.list() == []


async def test_an_object_has_a_largest_size(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects._blobs, "largest", 10)
    await objects.put("x", b"0123456789")
    with pytest.raises(ObjectTooLargeError, match="at most 10 bytes"):
        await objects.put("y", pieces(b"01234567", b"89ab"))
    assert await objects.get("y") is None


@given(keys=st.lists(KEYS, unique=True, max_size=4))
async def test_any_key_is_kept_and_none_leads_out_of_the_folder(
    keys: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    bucket = await Objects.at(outside / "objects")
    kept = {}
    for number, key in enumerate(keys):
        try:
            await bucket.put(key, str(number).encode())
        except UnsafePathError:  # the beginning of another's path
            continue
        kept[key] = str(number).encode()
    assert {info.key: await bucket.get(info.key) for info in await bucket.list()} == kept
    for key in keys:
        assert await bucket.get(key) == kept.get(key)
        await bucket.delete(key)
    assert await bucket.list() == []
    await bucket.aclose()
    assert await anyio.to_thread.run_sync(lambda: sorted(path.name for path in outside.rglob("*"))) == [
        "my-s3-bucket",
        "objects",
    ]


async def test_a_folder_is_for_people_too(tmp_path: Path) -> None:
    bucket = await Objects.at(tmp_path)
    await bucket.put("data/über uns/x y.txt", b"1")
    assert (tmp_path / "my-s3-bucket/data/über uns/x y.txt").read_bytes() == b"1"
    (tmp_path / "my-s3-bucket/by hand.txt").write_bytes(b"2")
    assert await bucket.get("by hand.txt") == b"2"
    assert await bucket.get("data") is None
    assert not await bucket.delete("data")
    assert not await bucket.delete("by hand.txt/x")
    await bucket.aclose()
    again = await Objects.at(tmp_path)
    assert [info.key for info in await again.list()] == ["by hand.txt", "data/über uns/x y.txt"]
    await again.aclose()


async def test_keys_that_a_folder_cannot_hold_are_refused(tmp_path: Path) -> None:
    bucket = await Objects.at(tmp_path)
    await bucket.put("a", b"")
    await bucket.put("b/c", b"")
    for key in ("a/b", "b"):
        with pytest.raises(UnsafePathError, match="the beginning of another"):
            await bucket.put(key, b"")
    long = "x" * 256
    with pytest.raises(UnsafePathError, match="longer than a file's name"):
        await bucket.put(long, b"")
    assert await bucket.get(long) is None
    assert not await bucket.delete(long)
    assert await bucket.list(long + "/") == []
    await bucket.aclose()


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="objects cannot be kept in"):
        await Objects.at(tmp_path / "file")


async def test_a_disk_that_breaks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = await Objects.at(tmp_path)

    def broken(*_args: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(FolderBlobs, "place", broken)
    with pytest.raises(StorageError, match=r"cannot be reached: .*Input/output error"):
        await bucket.put("x", b"")
    assert await bucket.list() == []
    await bucket.aclose()


FULL = """
import asyncio, resource, sys
from pathlib import Path
from flyte_remote_async.devserver.objects import Objects
from flyte_remote_async.errors import StorageError

async def main():
    bucket = await Objects.at(Path(sys.argv[1]))
    await bucket.put("small", b"x" * 1000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        await bucket.put("large", b"x" * 1_000_000)
    except StorageError as error:
        print(error)
    print([info.key for info in await bucket.list()], await bucket.get("small") == b"x" * 1000)
    await bucket.put("small", b"y")
    await bucket.aclose()

asyncio.run(main())
"""


def test_a_full_disk_is_said_and_leaves_nothing_half(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout.splitlines()[1:] == ["['small'] True"], done.stderr
    assert "the disk with the devserver's objects is full" in done.stdout
    assert [entry.name for entry in tmp_path.iterdir()] == ["my-s3-bucket"]


async def test_an_archive_is_put_as_a_whole_or_not_at_all(objects: Objects, tmp_path: Path) -> None:
    def archive(*names: str) -> Path:
        path = tmp_path / "objects.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            folder = tarfile.TarInfo("my-s3-bucket/data")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = 4
                tar.addfile(info, io.BytesIO(b"data"))
        return path

    assert await objects.load(archive("my-s3-bucket/a", "./my-s3-bucket/b/c")) == 2
    assert {info.key for info in await objects.list()} == {"a", "b/c"}
    with pytest.raises(MalformedMessageError, match=r"'\.\./x', which is not under my-s3-bucket/"):
        await objects.load(archive("my-s3-bucket/d", "../x"))
    assert await objects.get("d") is None
    (tmp_path / "none.tar").write_bytes(b"nonsense" * 100)
    with pytest.raises(MalformedMessageError, match="no archive of objects"):
        await objects.load(tmp_path / "none.tar")
    with pytest.raises(FileNotFoundError):
        await objects.load(tmp_path / "absent.tar")


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("s3://my-s3-bucket/a/b", "a/b"),
        ("s3://my-s3-bucket/", None),
        ("s3://my-s3-bucket", None),
        ("s3://other/a", None),
        ("/tmp/a", None),  # noqa: S108 - nothing is there
    ],
)
def test_a_uri_names_a_key_of_this_bucket_alone(uri: str, key: str | None) -> None:
    assert key_of(uri) == key

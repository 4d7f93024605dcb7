"""Files and folders appear whole or not at all, and nothing lands outside of the folder that was asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from flyte_remote_async.errors import IntegrityError, ObjectNotFoundError, StorageError, UnsafePathError
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.storage import incoming
from flyte_remote_async.storage.connections import AT_ONCE
from flyte_remote_async.storage.objects import StoredObjects
from tests.support.object_server import Answer, object_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.object_server import ObjectServer, Request

pytestmark = pytest.mark.anyio

LARGE = bytes(range(256)) * 12_000
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def server() -> AsyncIterator[ObjectServer]:
    async with object_server() as server:
        server.objects |= {"b/dir/one.txt": b"one", "b/dir/sub/two.txt": b"two", "b/large": LARGE}
        yield server


@pytest.fixture
def objects(server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> StoredObjects:
    monkeypatch.setattr(incoming, "_BACKOFF", Backoff(initial=0.001, factor=1.0, longest=0.001))
    return StoredObjects(server.config(), stall=5)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sizes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- files ------------------------------------------------------------------------------------------------------------


async def test_a_file(objects: StoredObjects, tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "large"
    await objects.download("s3://b/large", target)
    assert tree(tmp_path) == {"new/folder/large": LARGE}


async def test_a_file_is_replaced_as_a_whole(objects: StoredObjects, server: ObjectServer, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"before")
    server.fault = lambda _request, answer: _cut(answer, 0)
    with pytest.raises(StorageError):
        await objects.download("s3://b/large", target)
    assert tree(tmp_path) == {"file": b"before"}
    server.fault = lambda _request, answer: answer
    await objects.download("s3://b/large", target)
    assert tree(tmp_path) == {"file": LARGE}


def _cut(answer: Answer, size: int) -> Answer:
    answer.cut = size
    return answer


async def test_a_file_that_ends_too_early_is_none(objects: StoredObjects, server: ObjectServer, tmp_path: Path) -> None:
    # The server says the right size in one place, and closes the message early in the other.
    def short(_request: Request, answer: Answer) -> Answer:
        if answer.status == 206:
            answer.body = b""
            answer.headers["Content-Range"] = f"bytes 1000-{len(LARGE) - 1}/{len(LARGE)}"
        else:
            answer.cut = 1000
        return answer

    server.fault = short
    with pytest.raises(StorageError):
        await objects.download("s3://b/large", tmp_path / "x")
    assert tree(tmp_path) == {}


async def test_a_target_that_cannot_be_written(objects: StoredObjects, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be written") as caught:
        await objects.download("s3://b/large", tmp_path / "file" / "below")
    assert isinstance(caught.value.__cause__, OSError)
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        await objects.download("s3://b/large", tmp_path / "folder")
    assert tree(tmp_path) == {"file": b""}


# A limit on the size of files is what a process can put on itself; a full disk fails in the same place, with ENOSPC.
FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from flyte_remote_async.config.values import StorageConfig
from flyte_remote_async.errors import StorageError
from flyte_remote_async.storage.objects import StoredObjects

async def main(source, folder):
    objects = StoredObjects(StorageConfig(local=True))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
    for work in (
        objects.download(source, folder / "file"),
        objects.download_directory(str(Path(source).parent), folder / "all"),
    ):
        try:
            await work
        except StorageError as error:
            assert "cannot be written" in str(error), error
        else:
            raise AssertionError("it was written")

asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX's")
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "large").write_bytes(LARGE)
    (source / "small").write_bytes(b"small")
    target = tmp_path / "target"
    target.mkdir()
    subprocess.run([sys.executable, "-c", FULL_DISK, str(source / "large"), str(target)], check=True, timeout=50)
    assert names(target) == []


# --- folders ----------------------------------------------------------------------------------------------------------


async def test_a_folder(objects: StoredObjects, tmp_path: Path) -> None:
    await objects.download_directory("s3://b/dir", tmp_path / "new" / "folder")
    assert tree(tmp_path) == {"new/folder/one.txt": b"one", "new/folder/sub/two.txt": b"two"}
    await objects.download_directory("s3://b/large", tmp_path / "single")
    assert tree(tmp_path / "single") == {"large": LARGE}


async def test_a_folder_that_is_there_keeps_its_other_files(objects: StoredObjects, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "one.txt").write_bytes(b"before")
    (tmp_path / "sub" / "mine").write_bytes(b"mine")
    await objects.download_directory("s3://b/dir/", tmp_path)
    assert tree(tmp_path) == {"one.txt": b"one", "sub/two.txt": b"two", "sub/mine": b"mine"}


async def test_a_folder_with_nothing_in_it(objects: StoredObjects, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError):
        await objects.download_directory("s3://b/none", tmp_path / "x")
    assert names(tmp_path) == []


async def test_many_files_a_few_at_a_time(objects: StoredObjects, server: ObjectServer, tmp_path: Path) -> None:
    server.objects |= {f"b/many/{number:03}": str(number).encode() for number in range(100)}
    server.delay = 0.002
    await objects.download_directory("s3://b/many", tmp_path / "all")
    assert tree(tmp_path / "all") == {f"{number:03}": str(number).encode() for number in range(100)}
    assert 1 < server.busiest <= AT_ONCE


@pytest.mark.parametrize("cut", ["before", "there"])
async def test_one_file_that_fails_leaves_none(
    objects: StoredObjects, server: ObjectServer, tmp_path: Path, cut: str
) -> None:
    server.objects |= {f"b/many/{number:03}": b"x" for number in range(40)}
    target = tmp_path / "all"
    if cut == "there":
        target.mkdir()
    server.fault = lambda request, answer: Answer(403) if request.path.endswith("017") else answer
    with pytest.raises(StorageError, match="403"):
        await objects.download_directory("s3://b/many", target)
    assert names(tmp_path) == (["all"] if cut == "there" else [])
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    "name", ["b/bad/C:x", "b/bad/a\\b", "b/bad/" + "x" * 300, "b/bad/ONE.txt", "b/bad/one.txt/below", "b/bad/a\nb"]
)
async def test_names_that_are_refused(objects: StoredObjects, server: ObjectServer, tmp_path: Path, name: str) -> None:
    server.objects |= {"b/bad/one.txt": b"one", name: b"evil"}
    with pytest.raises(StorageError):  # a store may refuse it too
        await objects.download_directory("s3://b/bad", tmp_path / "x")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["../evil", "sub/../../evil", "/evil", "..", "sub/./x"])
async def test_lists_that_lead_elsewhere(server: ObjectServer, tmp_path: Path, name: str) -> None:
    """What a store lists is not to be trusted, whatever library reads it."""
    from flyte_remote_async.storage.addresses import parse
    from flyte_remote_async.storage.directories import download_all

    async def evil(_address: object, path: Path) -> None:
        await anyio.Path(path).write_bytes(b"evil")

    with pytest.raises(UnsafePathError):
        await download_all(parse("s3://b/bad"), ["good", name], tmp_path / "x", evil)
    assert names(tmp_path) == []


async def test_links_in_the_target_lead_nowhere(objects: StoredObjects, tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    (target / "sub").symlink_to(outside, target_is_directory=True)
    with pytest.raises(UnsafePathError, match="symbolic link"):
        await objects.download_directory("s3://b/dir", target)
    assert names(outside) == []
    assert names(target) == ["sub"]


async def test_a_link_as_a_file_is_replaced_and_not_followed(objects: StoredObjects, tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.write_bytes(b"mine")
    target.mkdir()
    (target / "one.txt").symlink_to(outside)
    await objects.download_directory("s3://b/dir", target)
    await objects.download("s3://b/dir/one.txt", target / "one.txt")
    assert outside.read_bytes() == b"mine"
    assert tree(target) == {"one.txt": b"one", "sub/two.txt": b"two"}


# --- what is given up -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["file", "folder", "bytes", "stream"])
async def test_a_transfer_that_is_cancelled_leaves_nothing(
    objects: StoredObjects, server: ObjectServer, tmp_path: Path, what: str
) -> None:
    arrived = anyio.Event()

    def stall(_request: Request, answer: Answer) -> Answer:
        if answer.status == 200 and len(answer.body) == len(LARGE):
            arrived.set()
            answer.stall = 2_000_000
        return answer

    server.fault = stall

    async def work() -> None:
        if what == "file":
            await objects.download("s3://b/large", tmp_path / "x")
        elif what == "folder":
            await objects.download_directory("s3://b", tmp_path / "x")
        elif what == "bytes":
            await objects.read("s3://b/large")
        else:
            async with objects.open("s3://b/large") as stream:
                await stream.read()

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        await arrived.wait()
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert names(tmp_path) == []
    assert objects._connections.transfers.borrowed_tokens == 0


TERMINATED = """
import asyncio, signal, sys
from pathlib import Path
from flyte_remote_async.storage.objects import StoredObjects

async def main(url, target):
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    await StoredObjects().download(url, Path(target))

try:
    asyncio.run(main(*sys.argv[1:]))
except asyncio.CancelledError:
    sys.exit(3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM is POSIX's")
async def test_a_process_that_is_terminated_leaves_nothing(server: ObjectServer, tmp_path: Path) -> None:
    def stall(_request: Request, answer: Answer) -> Answer:
        answer.stall = 2_000_000
        return answer

    server.fault = stall
    command = [sys.executable, "-c", textwrap.dedent(TERMINATED), f"{server.url}/b/large", str(tmp_path / "x")]
    async with await anyio.open_process(command, cwd=ROOT, stdout=None, stderr=None) as process:
        with anyio.fail_after(30):
            while not sizes(tmp_path):  # noqa: ASYNC110 - another process's file
                await anyio.sleep(0.02)
        os.kill(process.pid, signal.SIGTERM)
        assert await process.wait() == 3
    assert names(tmp_path) == []


async def test_integrity_comes_before_publishing(server: ObjectServer, tmp_path: Path) -> None:
    server.notes["b/large"] = {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    async with StoredObjects() as objects:
        with pytest.raises(IntegrityError):
            await objects.download(f"{server.url}/b/large", tmp_path / "x")
    assert names(tmp_path) == []

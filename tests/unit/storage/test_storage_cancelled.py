"""Whoever moves data may be cancelled at any step, by asyncio too: no file stays open, no part of one is left."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal

from flyte_remote_async.literals.handles import FlyteDirectory, FlyteFile
from flyte_remote_async.literals.parts import temporary
from flyte_remote_async.storage.objects import StoredObjects
from flyte_remote_async.storage.uploads import Location
from tests.support.cancelling import cancel_at_every_step
from tests.support.eventually import eventually
from tests.support.object_server import object_server
from tests.support.open_files import open_below

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.object_server import ObjectServer

pytestmark = pytest.mark.anyio

DATA = bytes(range(256)) * 1200
FILES = {"one.txt": b"one", "sub/two.txt": b"two"}


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    # Its tasks are not among those of the test's loop.
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(object_server()) as server:
        server.objects |= {"b/data": DATA} | {f"b/dir/{name}": data for name, data in FILES.items()}
        yield server


@pytest.fixture
async def objects(server: ObjectServer) -> AsyncIterator[StoredObjects]:
    objects = StoredObjects(server.config(local=True), stall=30)
    yield objects
    await objects.aclose()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to read."""
    source = tmp_path / "source"
    source.write_bytes(DATA)
    return source


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything lands, temporary folders too."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


async def whole_or_not_at_all(place: Path) -> None:
    """Check what is there, and make room for the next time."""
    # A file that is measured is closed by the thread that does it.
    await eventually(lambda: open_below(place.parent) == [])
    check_and_clear(place)


def check_and_clear(place: Path) -> None:
    left = [path for path in place.rglob("*") if path.is_file()]
    assert not [path for path in left if path.name.startswith(".flyte-") or path.stat().st_size not in (len(DATA), 3)]
    assert not [path.name for path in place.iterdir() if path.name.startswith((".flyte-", "flyte-"))]
    for path in left:
        path.unlink()


@pytest.mark.parametrize("scheme", ["s3", "file"])
async def test_a_download(objects: StoredObjects, source: Path, place: Path, scheme: str) -> None:
    uri = "s3://b/data" if scheme == "s3" else source.as_uri()

    async def work() -> None:
        await objects.download(uri, place / "data")

    assert await cancel_at_every_step(work, lambda: whole_or_not_at_all(place), stretch=4) > 10


async def test_a_download_of_a_folder(objects: StoredObjects, place: Path) -> None:
    async def work() -> None:
        await objects.download_directory("s3://b/dir", place / "dir")

    assert await cancel_at_every_step(work, lambda: whole_or_not_at_all(place), stretch=4) > 10


async def test_a_stream(objects: StoredObjects, source: Path, place: Path) -> None:
    async def work() -> None:
        async with objects.open(source.as_uri()) as stream:
            assert len(await stream.read()) == len(DATA)

    assert await cancel_at_every_step(work, lambda: whole_or_not_at_all(place), stretch=4) > 5


async def test_an_upload(server: ObjectServer, source: Path, place: Path) -> None:
    async def locate(*, filename: str, **_: Any) -> Location:
        return Location(f"{server.url}/b/{filename}", f"s3://b/{filename}", {})

    objects = StoredObjects(server.config(), locate=locate)

    async def work() -> None:
        await objects.upload(source, name="sent")

    assert await cancel_at_every_step(work, lambda: whole_or_not_at_all(place), stretch=4) > 10
    assert server.objects["b/sent"] == DATA
    await objects.aclose()


@pytest.mark.parametrize("kind", [FlyteFile, FlyteDirectory])
async def test_a_handle(objects: StoredObjects, place: Path, kind: type[FlyteFile | FlyteDirectory]) -> None:
    handles: list[FlyteFile | FlyteDirectory] = []

    async def work() -> None:
        handles.append(kind("s3://b/data" if kind is FlyteFile else "s3://b/dir").bound(objects))
        await handles[-1].download()

    def kept_when_the_handle_knows_it() -> None:
        if handles and handles[-1].path != handles[-1].uri:
            shutil.rmtree(handles[-1].path if kind is FlyteDirectory else Path(handles[-1].path).parent)
        assert list(place.iterdir()) == []

    assert await cancel_at_every_step(work, kept_when_the_handle_knows_it, stretch=4) > 10


async def test_a_temporary_folder(place: Path) -> None:
    async def work() -> None:
        async with temporary() as folder:
            (folder / "data").write_bytes(DATA)

    def nothing() -> None:
        assert list(place.iterdir()) == []

    assert await cancel_at_every_step(work, nothing) > 5

"""The files, folders and tables of the recorded executions are read as they were written."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from flyte_remote_async.errors import StorageError, UnsafePathError
from flyte_remote_async.literals import FlyteDirectory, FlyteFile, StructuredDataset
from tests.support import recordings
from tests.support.data_proxy import backend
from tests.support.object_server import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FlyteRemote
    from tests.support.data_proxy import Backend

pytestmark = pytest.mark.anyio

FRAME = pd.DataFrame({"a": range(5), "b": [f"s{number}" for number in range(5)]})


@pytest.fixture
async def recorded() -> AsyncIterator[Backend]:
    async with backend() as made:
        await made.server.load(recordings.DIRECTORY / "state.jsonl.gz")
        made.store.objects.update(await anyio.to_thread.run_sync(_objects))
        yield made


def _objects() -> dict[str, bytes]:
    with tarfile.open(recordings.DIRECTORY / "objects.tar.gz") as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive)
        return {name: file.read() for name, file in files if file is not None}


@pytest.fixture
async def remote(recorded: Backend) -> AsyncIterator[FlyteRemote]:
    async with recorded.remote(storage=recorded.storage) as remote:
        yield remote


async def outputs(remote: FlyteRemote, label: str) -> Any:
    return (await remote.fetch_execution(recordings.labels()[label])).outputs


async def test_a_file(remote: FlyteRemote, tmp_path: Path) -> None:
    file = await (await outputs(remote, "samples.data"))["f"]
    assert isinstance(file, FlyteFile)
    assert file.uri.endswith("/out.txt")
    with pytest.raises(FileNotFoundError, match="download"):
        os.fspath(file)
    path = await file.download(tmp_path)
    assert path == tmp_path / "out.txt"
    assert os.fspath(file) == str(path)
    assert path.read_text() == "hello"
    async with file.open() as stream:
        assert [chunk async for chunk in stream] == [b"hello"]


async def test_a_folder(remote: FlyteRemote, tmp_path: Path) -> None:
    folder = await (await outputs(remote, "more.types"))["dir"]
    assert isinstance(folder, FlyteDirectory)
    path = await folder.download(tmp_path / "folder")
    assert {one.name: one.read_text() for one in path.iterdir()} == {f"f{n}.txt": f"file {n}" for n in range(3)}
    files = await folder.list()
    assert [await file.read() for file in files] == [b"file 0", b"file 1", b"file 2"]


async def test_a_table(remote: FlyteRemote) -> None:
    resolver = await outputs(remote, "samples.data")
    table = await resolver["df"]
    assert isinstance(table, StructuredDataset)
    pd.testing.assert_frame_equal(await table.to_pandas(), FRAME, check_dtype=False)
    assert (await table.to_polars()).to_dict(as_series=False) == FRAME.to_dict("list")
    assert (await table.to_arrow(columns=["b"])).to_pydict() == {"b": list(FRAME["b"])}
    batches = [batch async for batch in table.to_batches(batch_size=2)]
    assert [batch.num_rows for batch in batches] == [2, 2, 1]
    pd.testing.assert_frame_equal(await resolver.get("df", pd.DataFrame), FRAME, check_dtype=False)
    assert isinstance(await resolver.get("df", pl.DataFrame), pl.DataFrame)
    assert isinstance(await resolver.get("df", pa.Table), pa.Table)


async def test_a_file_without_credentials(recorded: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    async with recorded.remote() as remote:
        file = await (await outputs(remote, "samples.data"))["f"]
        assert await file.read() == b"hello"
    assert recorded.ledger.counts["CreateDownloadLocation"] == 1


async def test_a_download_that_fails_leaves_no_temporary_folder(
    recorded: Backend, remote: FlyteRemote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await (await outputs(remote, "samples.data"))["f"]
    folder = await (await outputs(remote, "more.types"))["dir"]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    recorded.store.fault = lambda _request, _answer: Answer(403)
    for handle in (file, folder):
        with pytest.raises(StorageError):
            await handle.download()
        with pytest.raises(FileNotFoundError):
            os.fspath(handle)
    file.uri = "s3://my-s3-bucket/" + "x" * 300
    with pytest.raises(UnsafePathError):
        await file.download()
    assert [entry.name for entry in os.scandir(tmp_path)] == []
    recorded.store.fault = lambda _request, answer: answer
    path = await folder.download()
    assert path.parent == tmp_path
    assert {entry.name for entry in os.scandir(path)} == {"f0.txt", "f1.txt", "f2.txt"}


async def test_a_table_that_a_process_takes_apart(recorded: Backend) -> None:
    async with recorded.remote(storage=recorded.storage, decode_processes=1) as remote:
        resolver = await outputs(remote, "samples.data")
        before = set(children())
        pd.testing.assert_frame_equal(await resolver.get("df", pd.DataFrame), FRAME, check_dtype=False)
        assert set(children()) - before


def children() -> list[str]:
    """Return the processes that this one has started and that still run."""
    tasks = Path("/proc", str(os.getpid()), "task")
    return [child for task in tasks.iterdir() for child in (task / "children").read_text().split()]

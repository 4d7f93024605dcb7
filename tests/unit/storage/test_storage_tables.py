"""Tables in storage, in all the shapes in which programs leave them."""

from __future__ import annotations

import io
import os
import tempfile
from typing import TYPE_CHECKING

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flyte_remote_async.config.values import StorageConfig
from flyte_remote_async.errors import DecodeError, ObjectNotFoundError, StorageError
from flyte_remote_async.literals import StructuredDataset
from flyte_remote_async.storage.objects import StoredObjects
from tests.support.object_server import object_server, signed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.object_server import ObjectServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[ObjectServer]:
    async with object_server() as server:
        yield server


@pytest.fixture(params=["bucket", "signed", "local"])
async def place(
    request: pytest.FixtureRequest, server: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "data").mkdir()

    async def sign(uri: str) -> str:
        return signed(server, uri, "secret")

    made = {
        "bucket": lambda: StoredObjects(server.config()),
        # Lists are what a control plane signs no URL for.
        "signed": lambda: StoredObjects(StorageConfig(s3_endpoint="http://127.0.0.1:1"), sign=sign),
        "local": lambda: StoredObjects(StorageConfig(local=True)),
    }
    async with made[request.param]() as objects:
        place = Place(request.param, objects, server, tmp_path / "data")
        yield place
        # Nothing temporary stays.
        assert [entry.name for entry in os.scandir(tmp_path)] == ["data"]


class Place:
    """Somewhere to put the files of a table."""

    def __init__(self, way: str, objects: StoredObjects, server: ObjectServer, folder: Path) -> None:
        self.way = way
        self.objects = objects
        self.server = server
        self.folder = folder

    def table(self, files: dict[str, bytes], file_format: str = "parquet") -> StructuredDataset:
        if self.way == "local":
            for name, data in files.items():
                path = self.folder / "table" / name if name else self.folder / "table"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            uri = str(self.folder / "table")
        else:
            self.server.objects |= {f"b/table/{name}".rstrip("/"): data for name, data in files.items()}
            uri = "s3://b/table"
        return StructuredDataset(uri=uri, file_format=file_format).bound(self.objects)


def parquet(table: pa.Table, **options: int) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target, **options)
    return target.getvalue()


FIRST = pa.table({"n": [1, 2, 3], "s": ["a", "b", None]})
SECOND = pa.table({"n": [4], "s": ["ü"]})
BOTH = {"n": [1, 2, 3, 4], "s": ["a", "b", None, "ü"]}

SHAPES = {
    "one file": {"": parquet(pa.concat_tables([FIRST, SECOND]))},
    "one file in a folder": {"00000": parquet(pa.concat_tables([FIRST, SECOND]))},
    "numbered files": {"00000": parquet(FIRST), "00001": parquet(SECOND)},
}
LISTED = {
    "the files of Spark": {"_SUCCESS": b"", "part-0.parquet": parquet(FIRST), "part-1.parquet": parquet(SECOND)},
    "one file of Spark": {"_SUCCESS": b"", "part-0.parquet": parquet(pa.concat_tables([FIRST, SECOND]))},
}


@pytest.mark.parametrize("files", SHAPES.values(), ids=SHAPES.keys())
async def test_shapes(place: Place, files: dict[str, bytes]) -> None:
    table = place.table(files)
    assert (await table.to_arrow()).to_pydict() == BOTH
    assert (await table.to_polars()).to_dict(as_series=False) == BOTH
    assert (await table.to_pandas())["n"].tolist() == BOTH["n"]
    assert (await table.to_arrow(columns=["s"])).to_pydict() == {"s": BOTH["s"]}
    batches = [batch async for batch in table.to_batches(batch_size=2)]
    assert pa.Table.from_batches(batches).to_pydict() == BOTH
    assert max(batch.num_rows for batch in batches) == 2
    only = [batch async for batch in table.to_batches(columns=["n"])]
    assert pa.Table.from_batches(only).to_pydict() == {"n": BOTH["n"]}


@pytest.mark.parametrize("files", LISTED.values(), ids=LISTED.keys())
async def test_shapes_that_need_a_list(place: Place, files: dict[str, bytes]) -> None:
    table = place.table(files)
    if place.way == "signed":
        with pytest.raises(StorageError, match="cannot be listed"):
            await table.to_arrow()
        return
    assert (await table.to_arrow()).to_pydict() == BOTH
    batches = [batch async for batch in table.to_batches()]
    assert pa.Table.from_batches(batches).to_pydict() == BOTH


async def test_values_in_the_names_of_folders(place: Place) -> None:
    table = place.table({"day=1/0.parquet": parquet(FIRST), "day=2/0.parquet": parquet(SECOND)})
    if place.way == "signed":
        with pytest.raises(StorageError, match="cannot be listed"):
            await table.to_pandas()
        return
    expected = BOTH | {"day": [1, 1, 1, 2]}
    assert (await table.to_pandas()).astype({"day": int})["day"].tolist() == expected["day"]
    batches = [batch async for batch in table.to_batches(batch_size=1)]
    assert [batch.num_rows for batch in batches] == [1, 1, 1, 1]
    assert pa.Table.from_batches(batches).column_names == ["n", "s", "day"]


@pytest.mark.parametrize("name", [".csv", ""])
async def test_csv(place: Place, name: str) -> None:
    table = place.table({name: b"n,s\n1,a\n2,b\n"}, "csv")
    assert (await table.to_pandas()).to_dict("list") == {"n": [1, 2], "s": ["a", "b"]}
    assert (await table.to_polars(columns=["s"])).to_dict(as_series=False) == {"s": ["a", "b"]}
    assert (await table.to_arrow()).to_pydict() == {"n": [1, 2], "s": ["a", "b"]}
    assert [batch.num_rows async for batch in table.to_batches(batch_size=1)] == [1, 1]


async def test_nothing_there(place: Place) -> None:
    table = place.table({})
    for read in (table.to_pandas, table.to_polars, table.to_arrow):
        with pytest.raises(ObjectNotFoundError):
            await read()
    with pytest.raises(ObjectNotFoundError):
        [batch async for batch in table.to_batches()]
    if place.way != "signed":
        with pytest.raises(ObjectNotFoundError, match="none of a table"):
            await place.table({"_SUCCESS": b""}).to_arrow()


@pytest.mark.parametrize("size", [0, 3, 4, 100, -1, -8])
async def test_a_truncated_file(place: Place, size: int) -> None:
    table = place.table({"": parquet(FIRST)[:size]})
    for read in (table.to_pandas, table.to_polars, table.to_arrow):
        with pytest.raises(DecodeError, match="cannot be read"):
            await read()
    with pytest.raises(DecodeError, match="cannot be read"):
        [batch async for batch in table.to_batches()]


async def test_damage_in_the_middle_of_a_file(place: Place) -> None:
    data = bytearray(parquet(pa.table({"n": list(range(100_000))}), row_group_size=10_000))
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    table = place.table({"": bytes(data)})
    with pytest.raises(DecodeError, match="cannot be read"):
        [batch async for batch in table.to_batches()]
    with pytest.raises(DecodeError, match="cannot be read"):
        await table.to_arrow()


async def test_columns_that_are_not_there(place: Place) -> None:
    table = place.table({"": parquet(FIRST)})
    for read in (table.to_pandas, table.to_polars, table.to_arrow):
        with pytest.raises(DecodeError, match="cannot be read"):
            await read(columns=["zz"])
    with pytest.raises(DecodeError, match="zz"):
        [batch async for batch in table.to_batches(columns=["n", "zz"])]


async def test_batches_that_are_left_early(place: Place) -> None:
    table = place.table({"00000": parquet(FIRST), "00001": parquet(SECOND)})
    batches = table.to_batches(batch_size=1)
    assert (await anext(batches)).num_rows == 1
    await batches.aclose()  # type: ignore[attr-defined]


async def test_batches_of_a_frame() -> None:
    for frame in (pd.DataFrame(BOTH), pl.DataFrame(BOTH), pa.table(BOTH)):
        batches = [batch async for batch in StructuredDataset(frame).to_batches(columns=["n"], batch_size=3)]
        assert pa.Table.from_batches(batches).to_pydict() == {"n": BOTH["n"]}

"""Files and tables among the inputs of a launch are stored first, and those among the outputs are read."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from flyteidl.admin import execution_pb2, task_pb2
from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.errors import (
    ConfigError,
    InvalidInputsError,
    ObjectNotFoundError,
    OutputsUnavailableError,
    StorageError,
    UnavailableError,
)
from flyte_remote_async.literals import FlyteDirectory, FlyteFile, StructuredDataset
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.storage import patience
from tests.support.data_proxy import CANARY, backend
from tests.support.films import Film
from tests.support.object_server import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from flyte_remote_async import FlyteRemote
    from flyte_remote_async.entities import FlyteTask
    from tests.support.data_proxy import Backend

pytestmark = pytest.mark.anyio

FILE = types_pb2.LiteralType(blob=types_pb2.BlobType())
FOLDER = types_pb2.LiteralType(blob=types_pb2.BlobType(dimensionality=types_pb2.BlobType.MULTIPART))
TABLE = types_pb2.LiteralType(structured_dataset_type=types_pb2.StructuredDatasetType(format="parquet"))
NUMBER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
FILES = types_pb2.LiteralType(collection_type=FILE)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backend]:
    monkeypatch.setattr(patience, "_BACKOFF", Backoff(initial=0.001, factor=1.0, longest=0.001))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    async with backend() as made:
        yield made


async def put_task(stage: Backend, remote: FlyteRemote, **inputs: types_pb2.LiteralType) -> FlyteTask:
    task: Any = task_pb2.Task()
    task.id.resource_type, task.id.project, task.id.domain = 1, "flytesnacks", "development"
    task.id.name, task.id.version = "takes", "v1"
    template = task.closure.compiled_task.template
    template.id.CopyFrom(task.id)
    for name, kind in inputs.items():
        template.interface.inputs.variables[name].type.CopyFrom(kind)
    await stage.server.store.put_task(task)
    return await remote.fetch_task("takes", "v1")


def sent(stage: Backend) -> dict[str, literals_pb2.Literal]:
    (request,) = (request for name, request in stage.ledger.calls if name == "CreateExecution")
    return dict(execution_pb2.ExecutionCreateRequest.FromString(request).inputs.literals)


async def test_files_and_folders_go_where_tasks_can_read_them(stage: Backend, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_bytes(b"x")
    (tmp_path / "a.csv").write_bytes(b"a")
    (tmp_path / "b.csv").write_bytes(b"b")
    async with stage.remote() as remote:
        task = await put_task(stage, remote, f=FILE, d=FOLDER, many=FILES)
        await remote.execute(
            task,
            {
                "f": FlyteFile(tmp_path / "a.csv"),
                "d": FlyteDirectory(tmp_path / "folder"),
                "many": [FlyteFile(tmp_path / "b.csv"), FlyteFile("s3://elsewhere/c.csv")],
            },
            domain="staging",
        )
    literals = sent(stage)
    uri = literals["f"].scalar.blob.uri
    assert uri.startswith("s3://bucket/flytesnacks/staging/")
    assert stage.store.objects[uri.removeprefix("s3://")] == b"a"
    folder = literals["d"].scalar.blob
    assert folder.metadata.type.dimensionality == types_pb2.BlobType.MULTIPART
    assert stage.store.objects[f"{folder.uri.removeprefix('s3://')}/x"] == b"x"
    first, second = (one.scalar.blob.uri for one in literals["many"].collection.literals)
    assert stage.store.objects[first.removeprefix("s3://")] == b"b"
    assert second == "s3://elsewhere/c.csv"
    assert len(stage.store.objects) == 3


@pytest.mark.parametrize("wrapped", [True, False])
async def test_frames_become_parquet(stage: Backend, wrapped: bool) -> None:
    frame = pd.DataFrame({"n": [1, 2, 3], "s": ["a", None, "ü"]})
    async with stage.remote() as remote:
        task = await put_task(stage, remote, t=TABLE)
        await remote.execute(task, {"t": StructuredDataset(frame) if wrapped else frame})
    dataset = sent(stage)["t"].scalar.structured_dataset
    assert dataset.metadata.structured_dataset_type.format == "parquet"
    (stored,) = stage.store.objects.values()
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(stored)), frame)


async def test_nothing_is_stored_when_an_input_does_not_fit(stage: Backend, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    async with stage.remote() as remote:
        task = await put_task(stage, remote, f=FILE, n=NUMBER)
        for inputs in (
            {"f": FlyteFile(tmp_path / "a.csv"), "n": "three"},
            {"f": FlyteFile(tmp_path / "a.csv")},
            {"f": FlyteFile(tmp_path / "a.csv"), "n": 3, "more": 1},
        ):
            with pytest.raises(InvalidInputsError):
                await remote.execute(task, inputs)
    assert stage.store.requests == []
    assert "CreateUploadLocation" not in stage.ledger.counts


async def test_a_file_that_cannot_be_stored_launches_nothing(stage: Backend, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    async with stage.remote(max_attempts=1) as remote:
        task = await put_task(stage, remote, f=FILE)
        with pytest.raises(StorageError, match="cannot be read"):
            await remote.execute(task, {"f": FlyteFile(tmp_path / "none")})
        stage.store.fault = lambda _request, _answer: Answer(500)
        with pytest.raises(StorageError, match="500") as caught:
            await remote.execute(task, {"f": FlyteFile(tmp_path / "a.csv")})
        assert CANARY not in str(caught.value)

        async def away(_request: bytes, _metadata: Any) -> bytes:
            raise UnavailableError("away")

        for path in [path for path in stage.handlers if path.endswith("CreateUploadLocation")]:
            stage.handlers[path] = away
        with pytest.raises(UnavailableError):
            await remote.execute(task, {"f": FlyteFile(tmp_path / "a.csv")})
    assert "CreateExecution" not in stage.ledger.counts


@pytest.mark.parametrize("known", [True, False])
async def test_what_was_stored_is_read_by_those_who_may(stage: Backend, tmp_path: Path, known: bool) -> None:
    """With credentials of one's own, and with URLs that the control plane signs."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"a,b\n1,2\n")
    overrides = {"storage": stage.storage} if known else {}
    async with stage.remote(**overrides) as remote:
        task = await put_task(stage, remote, f=FILE)
        execution = await remote.execute(task, {"f": FlyteFile(source)})
        stage.ledger.clear()
        handle = await execution.inputs["f"]
        path = await handle.download(tmp_path / "copy.csv")
        assert path.read_bytes() == b"a,b\n1,2\n"
        assert await handle.read() == b"a,b\n1,2\n"
        async with handle.open() as stream:
            assert await stream.read(3) == b"a,b"
        assert stage.ledger.counts["CreateDownloadLocation"] == (0 if known else 3)
        stage.store.objects.clear()
        with pytest.raises(ObjectNotFoundError):
            await handle.read()


@pytest.mark.parametrize("broken", [False, True])
async def test_outputs_that_the_control_plane_cannot_read_come_from_the_store(stage: Backend, broken: bool) -> None:
    """The last source, where nothing signs a URL and there are credentials."""
    film = Film(stage.server.store)
    message = await film.execution("SUCCEEDED", outputs={"uri": "s3://bucket/meta/outputs.pb"})
    stage.ledger.on_call = refusal("CreateDownloadLocation")
    outputs = literals_pb2.LiteralMap()
    outputs.literals["o0"].scalar.primitive.integer = 7
    stage.store.objects["bucket/meta/outputs.pb"] = b"\xff\xff" if broken else outputs.SerializeToString()
    async with stage.remote(storage=stage.storage, max_attempts=1) as remote:
        execution = await remote.fetch_execution(message.id.name)
        if broken:
            with pytest.raises(OutputsUnavailableError, match="in the store itself"):
                await execution.outputs.all()
        else:
            assert await execution.outputs.all() == {"o0": 7}


def refusal(name: str) -> Any:
    def refuse(method: Any, _request: bytes) -> None:
        if method.name == name:
            raise UnavailableError("no data proxy")

    return refuse


async def test_a_place_for_files_has_to_be_named(stage: Backend) -> None:
    async with stage.remote(project="", domain="") as remote:
        with pytest.raises(ConfigError, match="project and a domain"):
            await remote.context.objects.upload(b"x", name="x")  # type: ignore[union-attr]

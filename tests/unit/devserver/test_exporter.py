"""What is exported from one control plane is what another one takes in."""

from __future__ import annotations

import copy
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async import SignalWanted
from flyte_remote_async.cli.demo_tasks import register
from flyte_remote_async.config import Config
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.exporter import Wanted, export
from flyte_remote_async.devserver.store.lines import read_records, to_line
from flyte_remote_async.errors import NotFoundError
from flyte_remote_async.models.identifiers import ResourceType
from flyte_remote_async.operations.session import open_session
from tests.support.recordings import DIRECTORY, labels

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async.operations.session import Session

STATE = DIRECTORY / "state.jsonl.gz"
PLACE = ("flytesnacks", "development")
UNLIMITED = 1 << 30

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def known() -> dict[tuple[str, str], Any]:
    return {(kind, key): message for kind, key, message in read_records(STATE)}


@pytest.fixture
async def recorded() -> AsyncIterator[DevServer]:
    """Run a devserver that knows the recordings, and gives data of any size."""
    async with DevServer(read_limit_bytes=UNLIMITED) as dev:
        await dev.load(STATE)
        yield dev


@asynccontextmanager
async def session_of(dev: DevServer) -> AsyncIterator[Session]:
    session = await open_session(Config.for_endpoint(dev.endpoint, insecure=True), None)
    try:
        yield session
    finally:
        await session.aclose()


async def exported(dev: DevServer, **wanted: Any) -> dict[tuple[str, str], Any]:
    async with session_of(dev) as session:
        return await export(session, Wanted(*PLACE, **wanted))


def names(found: dict[tuple[str, str], Any], kind: str) -> list[str]:
    return [key.split("/")[2] for found_kind, key in found if found_kind == kind]


async def test_executions_come_out_as_they_went_in(recorded: DevServer, known: dict[tuple[str, str], Any]) -> None:
    # Metrics are reckoned from the rest when they are asked for.
    before = {key: message for key, message in known.items() if key[0] != "EXECUTION_METRICS"}
    roots = [name for label, name in labels().items() if "/" not in label]
    found = await exported(recorded, executions=roots)
    assert found.keys() == before.keys()
    assert [key for key in before if found[key] != before[key]] == []


async def test_a_workflow_brings_what_it_needs_and_runs_elsewhere(recorded: DevServer) -> None:
    found = await exported(recorded, entities=[(ResourceType.WORKFLOW, "samples.chain", "v2")])
    assert names(found, "WORKFLOW") == ["samples.chain", "samples.sub"]
    assert names(found, "TASK") == ["samples.add", "samples.make_point", "samples.use_point"]
    async with DevServer() as other:
        await other.load([to_line(*key, message) for key, message in found.items()])
        register(other, pace=0.0)
        async with other.remote() as remote:
            execution = await remote.execute(await remote.fetch_workflow("samples.chain"), inputs={"a": 3})
            assert await (await execution.wait(timeout=30)).outputs["o0"] == 5


async def test_a_launch_plan_brings_its_workflow_and_those_that_this_starts(recorded: DevServer) -> None:
    found = await exported(recorded, entities=[(ResourceType.LAUNCH_PLAN, "samples.nested_lp", None)])
    assert names(found, "LAUNCH_PLAN") == ["samples.nested_lp", "samples.sub_lp"]
    assert names(found, "WORKFLOW") == ["samples.nested_lp", "samples.sub"]


async def test_without_names_the_newest_of_everything(recorded: DevServer, known: dict[tuple[str, str], Any]) -> None:
    older = copy.deepcopy(known["TASK", "flytesnacks/development/samples.add/v2"])
    older.id.version = older.closure.compiled_task.template.id.version = "v1"
    older.closure.created_at.seconds -= 60
    await recorded.load([to_line("TASK", "flytesnacks/development/samples.add/v1", older)])
    found = await exported(recorded)
    kinds = ["TASK", "WORKFLOW", "LAUNCH_PLAN"]
    assert list(found) == sorted(
        (key for key in known if key[0] in kinds), key=lambda key: (kinds.index(key[0]), key[1])
    )


async def test_what_is_named_must_exist(recorded: DevServer) -> None:
    for kind in (ResourceType.TASK, ResourceType.WORKFLOW, ResourceType.LAUNCH_PLAN):
        for version in (None, "v2"):
            with pytest.raises(NotFoundError, match="nowhere"):
                await exported(recorded, entities=[(kind, "nowhere", version)])
    with pytest.raises(NotFoundError, match="nowhere"):
        await exported(recorded, executions=["nowhere"])


async def test_what_is_referred_to_may_have_gone(known: dict[tuple[str, str], Any]) -> None:
    lines = [to_line(*key, message) for key, message in known.items() if key[0] in {"TASK", "WORKFLOW"}]
    async with DevServer() as dev:
        await dev.load(lines)
        found = await exported(dev, entities=[(ResourceType.WORKFLOW, "samples.chain", "v2")])
        assert names(found, "WORKFLOW") == ["samples.chain", "samples.sub"]
        assert names(found, "LAUNCH_PLAN") == []
        with pytest.raises(NotFoundError):
            await exported(dev, entities=[(ResourceType.LAUNCH_PLAN, "samples.chain", "v2")])


async def test_one_that_still_runs(recorded: DevServer) -> None:
    register(recorded, pace=0.0)
    async with recorded.remote() as remote:
        plan = await remote.fetch_launch_plan("samples.gates")
        execution = await remote.execute(plan, inputs={"a": 1}, name="waits")
        async for event in execution.watch():
            if isinstance(event, SignalWanted):
                break
    found = await exported(recorded, executions=["waits"])
    assert "waits/n0" in {key.split("|")[0] for kind, key in found if kind == "NODE_EXECUTION"}
    async with DevServer() as other:
        await other.load([to_line(*key, message) for key, message in found.items()])
        async with other.remote() as remote:
            assert (await remote.execution("waits").sync()).phase.name == "RUNNING"


async def test_every_message_is_told(recorded: DevServer) -> None:
    counts: list[int] = []
    async with session_of(recorded) as session:
        wanted = Wanted(*PLACE, entities=[(ResourceType.TASK, "samples.add", None)])
        found = await export(session, wanted, on_record=counts.append)
    assert counts == [1]
    assert list(found) == [("TASK", "flytesnacks/development/samples.add/v2")]

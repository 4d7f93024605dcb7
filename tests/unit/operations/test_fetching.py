"""Fetches of entities and executions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from flyteidl.admin import common_pb2, node_execution_pb2, project_pb2

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import ConfigError, MalformedMessageError, NotFoundError, UnavailableError
from flyte_remote_async.models.identifiers import Identifier, ResourceType
from flyte_remote_async.operations.calls import subject_of
from flyte_remote_async.transport.base import Reply
from tests.support import recordings
from tests.support.films import Film, refuse
from tests.support.remotes import remote_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FlyteRemote
    from tests.support.remotes import Ledger

pytestmark = pytest.mark.anyio

KINDS = ["task", "workflow", "launch_plan"]


@attrs.frozen
class Stage:
    """A server with three versions of a task, a workflow and a launch plan, all called ``made.thing``."""

    server: DevServer
    remote: FlyteRemote
    ledger: Ledger

    async def fetch(self, kind: str, *args: Any, **named: Any) -> Any:
        return await getattr(self.remote, f"fetch_{kind}")(*args, **named)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with DevServer() as server, remote_of(server, max_attempts=1) as (remote, ledger):
        known = recordings.load()
        for number, version in enumerate(["v1", "v3", "v2"]):
            for kind, name in (("TASK", "add"), ("WORKFLOW", "branch"), ("LAUNCH_PLAN", "branch")):
                message = known.get(kind, f"flytesnacks/development/samples.{name}/v2")
                message.id.name, message.id.version = "made.thing", version
                if kind == "TASK":  # a task is called what its template is called
                    message.closure.compiled_task.template.id.CopyFrom(message.id)
                message.closure.created_at.seconds = 1_700_000_000 + number
                await getattr(server.store, f"put_{kind.lower()}")(message)
        yield Stage(server, remote, ledger)


@pytest.mark.parametrize("version", [None, "latest"])
@pytest.mark.parametrize("kind", KINDS)
async def test_the_newest_is_the_last_that_was_registered_in_one_request(
    stage: Stage, kind: str, version: str | None
) -> None:
    found = await stage.fetch(kind, "made.thing", version)
    assert (found.id.name, found.id.version) == ("made.thing", "v2")
    assert stage.ledger.total == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_version(stage: Stage, kind: str) -> None:
    found = await stage.fetch(kind, "made.thing", "v1")
    assert found.id.version == "v1"
    assert found.id.resource_type.name == kind.upper()
    assert stage.ledger.total == 1


async def test_a_workflow_with_its_version_has_its_nodes(stage: Stage) -> None:
    assert (await stage.remote.fetch_workflow("made.thing", "v1")).flyte_nodes


@pytest.mark.parametrize("version", [None, "v9"])
@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_not_there(stage: Stage, kind: str, version: str | None) -> None:
    with pytest.raises(NotFoundError, match=r"check the project, the domain, the name and the version") as caught:
        await stage.fetch(kind, "made.nothing", version)
    assert caught.value.entity is not None
    assert caught.value.entity.startswith("flytesnacks/development/made.nothing")


@pytest.mark.parametrize("kind", KINDS)
async def test_another_place(stage: Stage, kind: str) -> None:
    with pytest.raises(NotFoundError, match=r"other/staging/made\.thing"):
        await stage.fetch(kind, "made.thing", project="other", domain="staging")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"project": None}, "no project:"),
        ({"domain": None}, "no domain:"),
        ({"project": None, "domain": None}, "no project and domain:"),
    ],
)
async def test_without_a_place_nothing_is_asked(stage: Stage, config: dict[str, Any], words: str) -> None:
    async with remote_of(stage.server, **config) as (remote, ledger):
        for verb in (remote.fetch_task, remote.fetch_workflow, remote.fetch_launch_plan, remote.fetch_execution):
            with pytest.raises(ConfigError, match=words):
                await verb("made.thing")
        with pytest.raises(ConfigError, match=words):
            remote.execution("made.thing")
        with pytest.raises(ConfigError, match=words):
            await anext(remote.list_executions())
        assert ledger.total == 0


async def test_a_task_by_its_identifier_is_asked_for_once(stage: Stage) -> None:
    id = Identifier(ResourceType.TASK, "flytesnacks", "development", "made.thing", "v1")
    first, second = [await stage.remote.fetch_task_by_id(id) for _ in range(2)]
    assert first is second
    assert stage.ledger.counts == {"GetTask": 1}


async def test_many_who_want_the_same_definition_share_one_request(stage: Stage) -> None:
    id = Identifier(ResourceType.TASK, "flytesnacks", "development", "made.thing", "v1")
    found = await asyncio.gather(*(stage.remote.fetch_task_by_id(id) for _ in range(10)))
    assert all(task is found[0] for task in found)
    assert stage.ledger.counts == {"GetTask": 1}


async def test_a_definition_that_could_not_be_read_is_asked_for_again(stage: Stage) -> None:
    id = Identifier(ResourceType.TASK, "flytesnacks", "development", "made.thing", "v1")
    refuse(stage.ledger, "GetTask", UnavailableError, times=1)
    with pytest.raises(UnavailableError):
        await stage.remote.fetch_task_by_id(id)
    assert (await stage.remote.fetch_task_by_id(id)).id == id


async def test_old_definitions_make_room(stage: Stage) -> None:
    message = recordings.load().get("TASK", "flytesnacks/development/samples.add/v2")
    async with stage.server.store.transaction() as together:
        for number in range(513):
            message.id.name = f"task.n{number}"
            together.put_task(message)
    ids = [Identifier(ResourceType.TASK, "flytesnacks", "development", f"task.n{n}", "v2") for n in range(513)]
    for id in ids:
        await stage.remote.fetch_task_by_id(id)
    stage.ledger.clear()
    await stage.remote.fetch_task_by_id(ids[-1])
    assert stage.ledger.total == 0
    await stage.remote.fetch_task_by_id(ids[0])
    assert stage.ledger.total == 1


async def test_an_execution(stage: Stage) -> None:
    await Film(stage.server.store).execution()
    execution = await stage.remote.fetch_execution("film", type_hints={"o0": int})
    assert execution.phase.name == "RUNNING"
    assert execution.type_hints == {"o0": int}
    assert stage.ledger.counts == {"GetExecution": 1}


async def test_a_handle_is_a_snapshot_that_shows_nothing_yet(stage: Stage) -> None:
    await Film(stage.server.store).execution()
    handle = stage.remote.execution("film", type_hints={"o0": int})
    assert (handle.phase.name, handle.is_done, handle.has_nodes) == ("UNDEFINED", False, False)
    assert stage.ledger.total == 0
    execution = await handle.sync()
    assert execution.phase.name == "RUNNING"
    assert execution.type_hints == {"o0": int}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reply_that_is_no_message(stage: Stage, kind: str) -> None:
    stage.ledger.on_reply = lambda _method, _reply: Reply(b"\xff\xff")
    with pytest.raises(MalformedMessageError, match=r"Get\w+: the reply is malformed"):
        await stage.fetch(kind, "made.thing", "v1")


async def test_a_large_reply_is_parsed_beside_the_loop(stage: Stage) -> None:
    message = recordings.load().get("TASK", "flytesnacks/development/samples.add/v2")
    message.closure.compiled_task.template.custom["large"] = "x" * 1_000_000
    await stage.server.store.put_task(message)
    task = await stage.remote.fetch_task("samples.add", "v2")
    assert task.id.name == "samples.add"
    assert len(task.to_flyte_idl().SerializeToString()) > 1_000_000


async def test_a_large_reply_that_is_no_message(stage: Stage) -> None:
    stage.ledger.on_reply = lambda _method, _reply: Reply(b"\xff" * 1_000_000)
    with pytest.raises(MalformedMessageError, match="GetTask: the reply is malformed"):
        await stage.remote.fetch_task("made.thing", "v1")


async def test_the_newest_is_asked_for_by_time(stage: Stage) -> None:
    await stage.remote.fetch_task("made.thing")
    ((name, request),) = stage.ledger.calls
    asked = common_pb2.ResourceListRequest.FromString(request)
    assert (name, asked.limit, asked.sort_by.key) == ("ListTasks", 1, "created_at")
    assert asked.sort_by.direction == asked.sort_by.DESCENDING


@pytest.mark.parametrize(
    ("request_message", "subject"),
    [
        (project_pb2.ProjectGetRequest(id="flytesnacks"), "flytesnacks"),
        (common_pb2.ObjectGetRequest(id={"project": "p", "domain": "d", "name": "n", "version": "v"}), "p/d/n:v"),
        (node_execution_pb2.NodeExecutionGetRequest(id={"execution_id": {"name": "e"}, "node_id": "n0"}), "e/n0"),
        (node_execution_pb2.NodeExecutionListRequest(workflow_execution_id={"project": "p", "name": "e"}), "p/e"),
        (project_pb2.ProjectListRequest(limit=3), None),
    ],
)
def test_an_error_names_what_its_request_was_about(request_message: Any, subject: str | None) -> None:
    assert subject_of(request_message) == subject


@pytest.mark.parametrize("kind", KINDS)
async def test_an_empty_name_is_refused_before_anything_is_sent(stage: Stage, kind: str) -> None:
    with pytest.raises(ValueError, match=r"the name of a .* is needed, and it is empty"):
        await stage.fetch(kind, "")
    with pytest.raises(ValueError, match="a version is needed"):
        await stage.fetch(kind, "made.thing", "")
    with pytest.raises(TypeError, match="is a string, not None"):
        await stage.fetch(kind, None)
    with pytest.raises(ValueError, match="the name of an execution is needed"):
        stage.remote.execution("")
    with pytest.raises(TypeError, match="the name of an execution is a string"):
        await stage.remote.fetch_execution(5)  # type: ignore[arg-type]
    assert stage.ledger.total == 0

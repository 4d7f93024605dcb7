"""Sync of trees that make no sense, are forbidden, broken, deep or wide: a tree comes back, with the problem noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest
from flyteidl.admin import node_execution_pb2

from flyte_remote_async import NodeKind
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import (
    InternalError,
    InvalidArgumentError,
    MalformedMessageError,
    NotFoundError,
    NotSyncedError,
    PermissionDeniedError,
    UnavailableError,
)
from flyte_remote_async.transport.base import Reply
from tests.support.films import Film, refuse
from tests.support.remotes import remote_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from flyte_remote_async import FlyteNodeExecution, FlyteRemote, FlyteWorkflowExecution
    from flyte_remote_async.transport.base import Method
    from tests.support.remotes import Ledger

pytestmark = pytest.mark.anyio


@attrs.frozen
class Stage:
    """A film that is shown by a devserver to a remote."""

    film: Film
    remote: FlyteRemote
    ledger: Ledger

    async def sync(self, **wanted: bool) -> FlyteWorkflowExecution:
        return await self.remote.execution("film").sync(sync_nodes=True, **wanted)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with DevServer() as server, remote_of(server, max_attempts=1) as (remote, ledger):
        film = Film(server.store)
        await film.execution()
        yield Stage(film, remote, ledger)


def require_odd(node: FlyteNodeExecution, *words: str) -> None:
    assert node.kind is NodeKind.UNKNOWN
    assert node.problem is not None
    for word in words:
        assert word in node.problem
    assert node.to_dict()["problem"] == node.problem


async def test_a_child_execution_that_is_gone(stage: Stage) -> None:
    await stage.film.node("lp", child=Film(stage.film.store, "gone"))
    await stage.film.node("sound")
    look = await stage.sync()
    require_odd(look.node_executions["lp"], "NOT_FOUND", "flytesnacks/development/gone")
    assert look.node_executions["lp"].child_executions == ()
    with pytest.raises(NotSyncedError, match="gone"):
        _ = look.node_executions["lp"].workflow_executions
    assert look.node_executions["sound"].problem is None


async def test_a_child_execution_that_may_not_be_seen(stage: Stage) -> None:
    child = Film(stage.film.store, "secret")
    await child.execution()
    await stage.film.node("lp", child=child)
    refuse(stage.ledger, "GetExecution", lambda: PermissionDeniedError("not yours"), about="secret")
    require_odd((await stage.sync()).node_executions["lp"], "PERMISSION_DENIED", "not yours")


async def test_an_execution_that_names_itself_as_its_child(stage: Stage) -> None:
    await stage.film.node("lp", child=stage.film)
    require_odd((await stage.sync()).node_executions["lp"], "flytesnacks/development/film", "itself a part of")


async def test_an_execution_that_names_its_grandparent_as_its_child(stage: Stage) -> None:
    middle, inner = (Film(stage.film.store, name) for name in ("middle", "inner"))
    await stage.film.node("lp", child=middle)
    await middle.execution()
    await middle.node("lp", child=inner)
    await inner.execution()
    await inner.node("lp", child=stage.film)
    look = await stage.sync()
    assert stage.ledger.counts == {"GetExecution": 3, "ListNodeExecutions": 3}
    (second,) = look.node_executions["lp"].workflow_executions
    (third,) = second.node_executions["lp"].workflow_executions
    require_odd(third.node_executions["lp"], "itself a part of")


async def test_a_parent_whose_children_fit_no_kind(stage: Stage) -> None:
    await stage.film.node("sub", is_parent_node=True)
    await stage.film.node("stray", parent="sub")
    look = await stage.sync()
    require_odd(look.node_executions["sub"], "neither", "film/sub")
    assert list(look.node_executions["sub"].subworkflow_node_executions) == ["stray"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (lambda: InternalError("the database is away"), "the database is away"),
        (lambda: InvalidArgumentError("no such parent"), "no such parent"),
        (lambda: NotFoundError("no such node"), "no such node"),
    ],
)
async def test_a_level_that_the_server_fails_to_give(stage: Stage, error: Callable[[], Exception], words: str) -> None:
    await stage.film.node("sub", is_parent_node=True)
    await stage.film.node("sound")
    refuse(stage.ledger, "ListNodeExecutions", error, about="sub")
    look = await stage.sync()
    require_odd(look.node_executions["sub"], words)
    with pytest.raises(NotSyncedError, match=words):
        _ = look.node_executions["sub"].subworkflow_node_executions
    # The problem passes, and the next look has the level.
    stage.ledger.on_call = lambda _method, _request: None
    await stage.film.node("sub-start-node", parent="sub", spec_node_id="start-node")
    again = await look.sync(sync_nodes=True)
    assert again.node_executions["sub"].kind is NodeKind.SUBWORKFLOW


async def test_attempts_that_the_server_fails_to_give(stage: Stage) -> None:
    await stage.film.node("task")
    refuse(stage.ledger, "ListTaskExecutions", lambda: InternalError("the database is away"))
    look = await stage.sync()
    require_odd(look.node_executions["task"], "the database is away")
    with pytest.raises(NotSyncedError, match="database"):
        _ = look.node_executions["task"].task_executions


async def test_an_outage_is_not_a_problem_of_a_node(stage: Stage) -> None:
    await stage.film.node("task")
    refuse(stage.ledger, "ListTaskExecutions", lambda: UnavailableError("away"))
    with pytest.raises(UnavailableError):
        await stage.sync()


async def test_the_execution_itself_must_be_there(stage: Stage) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        await stage.remote.execution("nobody").sync(sync_nodes=True)


async def test_rows_that_are_no_messages(stage: Stage) -> None:
    await stage.film.node("sub", is_parent_node=True)

    def on_reply(method: Method[Any, Any], reply: Reply) -> Reply:
        is_empty = reply.message == b""
        return Reply(b"\x0a\xff\xff") if method.name == "ListNodeExecutions" and is_empty else reply

    stage.ledger.on_reply = on_reply
    require_odd((await stage.sync()).node_executions["sub"], "ListNodeExecutions", "malformed")


async def test_a_top_level_that_is_no_message_is_an_error(stage: Stage) -> None:
    stage.ledger.on_reply = lambda method, reply: Reply(b"\xff") if method.name.startswith("List") else reply
    with pytest.raises(MalformedMessageError, match="ListNodeExecutions"):
        await stage.sync()


async def test_phases_that_have_no_name_yet(stage: Stage) -> None:
    await stage.film.node("future", 999)
    node = (await stage.sync()).node_executions["future"]
    assert (int(node.phase), node.phase.name, node.is_done) == (999, "UNKNOWN_999", False)
    assert node.to_flyte_idl().closure.phase == 999


async def test_nodes_without_an_id(stage: Stage) -> None:
    await stage.film.node("", is_parent_node=True)
    await stage.film.node("sound")
    look = await stage.sync()
    require_odd(look.node_executions[""], "empty")
    assert stage.ledger.counts["ListNodeExecutions"] == 1


async def test_a_node_that_is_below_itself(stage: Stage) -> None:
    node = await stage.film.node("loop", is_parent_node=True)
    level = node_execution_pb2.NodeExecutionList(node_executions=[node]).SerializeToString()
    stage.ledger.on_reply = lambda method, reply: Reply(level) if method.name == "ListNodeExecutions" else reply
    look = await stage.sync()
    assert stage.ledger.counts == {"GetExecution": 1, "ListNodeExecutions": 2}
    require_odd(look.node_executions["loop"].subworkflow_node_executions["loop"], "'loop'")


async def test_a_thousand_parents_below_each_other(stage: Stage) -> None:
    parent = ""
    async with stage.film.store.transaction() as together:
        film = Film(together)  # type: ignore[arg-type] # it has the same verbs, and keeps what is put
        for depth in range(1000):
            message = _parent(film, f"n{depth}")
            together.put_node(message, parent)
            parent = f"n{depth}"
    look = await stage.sync()
    assert stage.ledger.counts == {"GetExecution": 1, "ListNodeExecutions": 1001}
    node, depth = look.node_executions["n0"], 1
    while node.subworkflow_node_executions:
        (node,) = node.subworkflow_node_executions.values()
        depth += 1
    assert depth == 1000
    again = await look.sync(sync_nodes=True)
    assert again == look


def _parent(film: Film, node_id: str) -> node_execution_pb2.NodeExecution:
    message: Any = node_execution_pb2.NodeExecution(id=film.node_id(node_id))
    message.closure.phase = 2
    message.closure.updated_at.seconds = film.now
    message.metadata.is_parent_node = True
    message.metadata.spec_node_id = node_id
    return cast("node_execution_pb2.NodeExecution", message)


async def put_wide_level(film: Film, count: int) -> None:
    async with film.store.transaction() as together:
        for index in range(count):
            message: Any = node_execution_pb2.NodeExecution(id=film.node_id(f"n{index}"))
            message.closure.phase = 3
            message.closure.created_at.seconds = message.closure.updated_at.seconds = film.now + index
            together.put_node(message)


async def test_a_level_of_three_thousand_nodes_comes_in_pages(stage: Stage) -> None:
    await put_wide_level(stage.film, 3000)
    look = await stage.sync(attempts=False)
    assert list(look.node_executions) == [f"n{index}" for index in range(3000)]
    # The last page is full too, so one more is asked for.
    assert stage.ledger.counts == {"GetExecution": 1, "ListNodeExecutions": 4}
    assert stage.ledger.repeated == []


async def test_pages_that_overlap_are_put_together(stage: Stage) -> None:
    await put_wide_level(stage.film, 1500)

    def on_reply(method: Method[Any, Any], reply: Reply) -> Reply:
        if method.name != "ListNodeExecutions":
            return reply
        page = node_execution_pb2.NodeExecutionList.FromString(reply.message)
        if page.token:
            page.token = "900"  # a row was deleted meanwhile
        return Reply(page.SerializeToString())

    stage.ledger.on_reply = on_reply
    look = await stage.sync(attempts=False)
    assert list(look.node_executions) == [f"n{index}" for index in range(1500)]


async def test_a_page_token_that_comes_twice_is_an_error_and_no_loop(stage: Stage) -> None:
    await put_wide_level(stage.film, 3)
    page = node_execution_pb2.NodeExecutionList(token="1").SerializeToString()
    stage.ledger.on_reply = lambda method, reply: Reply(page) if method.name == "ListNodeExecutions" else reply
    with pytest.raises(MalformedMessageError, match="'1' twice"):
        await stage.sync()
    assert stage.ledger.counts["ListNodeExecutions"] == 2


async def test_definitions_that_are_missing_leave_the_interface_out(stage: Stage) -> None:
    message = await stage.film.execution()
    message.closure.workflow_id.project = "flytesnacks"
    message.closure.workflow_id.name = "made.flow"
    await stage.film.store.put_execution(message)
    child = Film(stage.film.store, "child")
    message.id.CopyFrom(child.id)
    await stage.film.store.put_execution(message)
    await stage.film.node("lp", child=child)
    await stage.film.node("a")
    await stage.film.attempt("a")
    await stage.film.node("b")
    await stage.film.attempt("b")
    look = await stage.sync(definitions=True)
    assert look.flyte_workflow is None
    node = look.node_executions["a"]
    assert node.interface is None
    assert node.task_executions[0].task is None
    assert node.problem is None
    # The two nodes run the same task, and the two executions the same workflow.
    assert stage.ledger.counts["GetTask"] == stage.ledger.counts["GetWorkflow"] == 1


async def test_data_that_cannot_be_read_along_is_left_for_later(stage: Stage) -> None:
    await stage.film.node("a", "SUCCEEDED", output_uri="s3://bucket/a/outputs.pb")
    await stage.film.attempt("a", "SUCCEEDED")
    await stage.film.node("b", "SUCCEEDED", output_uri="s3://bucket/b/outputs.pb")
    refuse(stage.ledger, "GetNodeExecutionData", lambda: InternalError("storage"), times=1)
    stage.ledger.on_reply = lambda method, reply: Reply(b"\xff") if method.name == "GetNodeExecutionData" else reply
    look = await stage.sync(io=True)
    assert stage.ledger.counts["GetNodeExecutionData"] == 2
    assert stage.ledger.counts["GetExecutionData"] == 1
    assert [node.problem for node in look.node_executions.values()] == [None, None]


async def test_an_eager_node_has_attempts_and_nodes(stage: Stage) -> None:
    await stage.film.node("eager", is_parent_node=True, is_eager=True)
    await stage.film.attempt("eager")
    await stage.film.node("eager-0-a", parent="eager")
    node = (await stage.sync()).node_executions["eager"]
    assert [attempt.attempt for attempt in node.task_executions] == [0]
    assert set(node.subworkflow_node_executions) == {"eager-0-a"}


async def test_a_parent_of_no_kind_has_nothing_that_was_left_out(stage: Stage) -> None:
    await stage.film.node("odd", is_parent_node=True)
    await stage.film.node("elsewhere", parent="odd")
    node = (await stage.sync()).node_executions["odd"]
    require_odd(node, "neither those of a subworkflow nor those of a branch")
    assert node.task_executions == ()
    assert [below.id.node_id for below in node.executions if isinstance(below, type(node))] == ["elsewhere"]

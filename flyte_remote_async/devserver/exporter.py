"""What a control plane knows, read from any Flyte as the messages that :meth:`DevServer.load` takes.

Small reads run side by side: each files the message that it got, and starts the reads of what that message refers to.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
from flyteidl.admin import common_pb2, execution_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.concurrency import task_group
from flyte_remote_async.devserver.compiler.references import requirements
from flyte_remote_async.devserver.store.lines import KINDS
from flyte_remote_async.errors import NotFoundError
from flyte_remote_async.models.identifiers import NodeExecutionIdentifier, ResourceType, WorkflowExecutionIdentifier
from flyte_remote_async.operations.reading import PAGE, pages
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from anyio.abc import TaskGroup
    from flyteidl.core import compiler_pb2
    from google.protobuf.message import Message

    from flyte_remote_async.operations.session import Session

__all__ = ["Wanted", "export"]

Records: TypeAlias = "dict[tuple[str, str], Message]"

_GET: Final = {
    ResourceType.TASK: methods.GET_TASK,
    ResourceType.WORKFLOW: methods.GET_WORKFLOW,
    ResourceType.LAUNCH_PLAN: methods.GET_LAUNCH_PLAN,
}
_ORDER: Final = {kind: place for place, kind in enumerate(KINDS)}
_NAMES: Final = {
    ResourceType.TASK: methods.LIST_TASK_IDS,
    ResourceType.WORKFLOW: methods.LIST_WORKFLOW_IDS,
    ResourceType.LAUNCH_PLAN: methods.LIST_LAUNCH_PLAN_IDS,
}


@attrs.frozen
class Wanted:
    """What to read of a project and domain.

    Attributes:
        project: The project.
        domain: The domain.
        entities: Kind, name and version of tasks, workflows and launch plans; None as version is the newest.
        executions: Names of executions.
    """

    project: str
    domain: str
    entities: Sequence[tuple[ResourceType, str, str | None]] = ()
    executions: Sequence[str] = ()


async def export(session: Session, wanted: Wanted, *, on_record: Callable[[int], None] = lambda _: None) -> Records:
    """Read entities and executions, and all that they refer to.

    A workflow brings its tasks, its launch plan of the same name and version, and the launch plans that it starts; an
    execution brings its nodes, attempts, data and child executions, and the entities that it ran.

    Args:
        session: The open parts of a remote.
        wanted: What to read; the newest version of each entity of the project and domain when it names nothing.
        on_record: Is called with the number of messages read so far, after each.

    Returns:
        The messages by kind and key, in the order of the kinds and keys.

    Raises:
        NotFoundError: Something that was named does not exist.
        RPCError: A call did not succeed.
    """
    entities = list(wanted.entities)
    if not entities and not wanted.executions:
        entities = [(kind, name, None) for kind in _GET for name in await _names(session, wanted, kind)]
    async with task_group() as group:
        walk = _Walk(session, group, on_record)
        for kind, name, version in entities:
            group.start_soon(walk.named, wanted, kind, name, version)
        for name in wanted.executions:
            walk.start_execution(WorkflowExecutionIdentifier(wanted.project, wanted.domain, name))
    return dict(sorted(walk.found.items(), key=lambda item: (_ORDER[item[0][0]], item[0][1])))


async def _names(session: Session, wanted: Wanted, kind: ResourceType) -> list[str]:
    request = common_pb2.NamedEntityIdentifierListRequest(project=wanted.project, domain=wanted.domain, limit=PAGE)
    request.sort_by.key = "name"
    request.sort_by.direction = request.sort_by.ASCENDING
    listed = pages(session.calls, _NAMES[kind], request)
    return [id.name async for page in listed for id in page.entities]  # type: ignore[attr-defined]


@attrs.define(eq=False)
class _Walk:
    """Reads what is wanted and what that refers to, each thing once."""

    session: Session
    group: TaskGroup
    on_record: Callable[[int], None]
    found: Records = attrs.field(factory=dict, init=False)
    _begun: set[tuple[str, str]] = attrs.field(factory=set, init=False)

    # --- entities ---

    async def named(self, wanted: Wanted, kind: ResourceType, name: str, version: str | None) -> None:
        fetch: Any = getattr(self.session.fetcher, kind.name.lower())
        async with self.session.reads:
            entity = await fetch(wanted.project, wanted.domain, name, version)
        self._start_entity(kind, entity.id.to_flyte_idl())

    def _start_entity(self, kind: ResourceType, id: identifier_pb2.Identifier) -> None:
        key = f"{id.project}/{id.domain}/{id.name}/{id.version}"
        if (kind.name, key) not in self._begun:
            self._begun.add((kind.name, key))
            self.group.start_soon(self._read_entity, kind, key, id)

    async def _read_entity(self, kind: ResourceType, key: str, id: identifier_pb2.Identifier) -> None:
        # What was named was found already. Workflows need no launch plan, and what ran may have gone since.
        with contextlib.suppress(NotFoundError):
            message = await self._call(_GET[kind], common_pb2.ObjectGetRequest(id=id))
            self._file(kind.name, key, message)
            for other in _references(kind, message):
                self._start_entity(ResourceType(other.resource_type), other)

    # --- executions ---

    def start_execution(self, id: WorkflowExecutionIdentifier) -> None:
        if ("EXECUTION", id.name) not in self._begun:
            self._begun.add(("EXECUTION", id.name))
            self.group.start_soon(self._read_execution, id)

    async def _read_execution(self, id: WorkflowExecutionIdentifier) -> None:
        async with self.session.reads:
            message = await self.session.reader.execution(id)
        self._file("EXECUTION", id.name, message)
        for entity in (message.spec.launch_plan, message.closure.workflow_id):
            if entity.name:
                self._start_entity(ResourceType(entity.resource_type), entity)
        self.group.start_soon(self._read_level, id, "")
        request = execution_pb2.WorkflowExecutionGetDataRequest(id=message.id)
        self._file("EXECUTION_DATA", id.name, await self._call(methods.GET_EXECUTION_DATA, request))

    async def _read_level(self, id: WorkflowExecutionIdentifier, parent: str) -> None:
        async with self.session.reads:
            nodes = await self.session.reader.nodes(id, parent)
        for node in nodes:
            self.group.start_soon(self._read_node, node, parent)
            if node.metadata.is_parent_node:
                self.group.start_soon(self._read_level, id, node.id.node_id)
            child = node.closure.workflow_node_metadata.executionId
            if child.name:
                self.start_execution(WorkflowExecutionIdentifier.from_flyte_idl(child))

    async def _read_node(self, node: node_execution_pb2.NodeExecution, parent: str) -> None:
        if node.closure.HasField("error"):  # which lists cut
            request = node_execution_pb2.NodeExecutionGetRequest(id=node.id)
            node = await self._call(methods.GET_NODE_EXECUTION, request)
        key = f"{node.id.execution_id.name}/{node.id.node_id}"
        self._file("NODE_EXECUTION", f"{key}|{parent}", node)
        self.group.start_soon(self._read_attempts, key, NodeExecutionIdentifier.from_flyte_idl(node.id))
        data = await self._call(
            methods.GET_NODE_EXECUTION_DATA, node_execution_pb2.NodeExecutionGetDataRequest(id=node.id)
        )
        self._file("NODE_EXECUTION_DATA", key, data)
        if node.metadata.is_dynamic:
            await self._read_dynamic(key, node.id)

    async def _read_dynamic(self, key: str, id: identifier_pb2.NodeExecutionIdentifier) -> None:
        with contextlib.suppress(NotFoundError):  # it has made none, or none yet
            request = node_execution_pb2.GetDynamicNodeWorkflowRequest(id=id)
            dynamic = await self._call(methods.GET_DYNAMIC_NODE_WORKFLOW, request)
            self._file("DYNAMIC_WORKFLOW", key, dynamic)
            for entity in _references_of(dynamic.compiled_workflow):
                self._start_entity(ResourceType(entity.resource_type), entity)

    async def _read_attempts(self, node_key: str, id: NodeExecutionIdentifier) -> None:
        async with self.session.reads:
            attempts = await self.session.reader.attempts(id)
        for attempt in attempts:
            self.group.start_soon(self._read_attempt, node_key, attempt)

    async def _read_attempt(self, node_key: str, attempt: task_execution_pb2.TaskExecution) -> None:
        if attempt.closure.HasField("error"):  # which lists cut
            whole = task_execution_pb2.TaskExecutionGetRequest(id=attempt.id)
            attempt = await self._call(methods.GET_TASK_EXECUTION, whole)
        key = f"{node_key}/{attempt.id.task_id.name}/{attempt.id.retry_attempt}"
        self._file("TASK_EXECUTION", key, attempt)
        self._start_entity(ResourceType.TASK, attempt.id.task_id)
        request = task_execution_pb2.TaskExecutionGetDataRequest(id=attempt.id)
        self._file("TASK_EXECUTION_DATA", key, await self._call(methods.GET_TASK_EXECUTION_DATA, request))

    # --- both ---

    async def _call(self, method: Any, request: Message) -> Any:
        async with self.session.reads:
            return await self.session.calls(method, request)

    def _file(self, kind: str, key: str, message: Message) -> None:
        self.found[kind, key] = message
        self.on_record(len(self.found))


def _references(kind: ResourceType, message: Any) -> Iterator[identifier_pb2.Identifier]:
    """Yield the entities that an entity needs to run, those that may be missing included."""
    if kind is ResourceType.LAUNCH_PLAN:
        yield message.spec.workflow_id
    if kind is ResourceType.WORKFLOW:
        yield from _references_of(message.closure.compiled_workflow)
        yield identifier_pb2.Identifier(
            resource_type=identifier_pb2.LAUNCH_PLAN,
            project=message.id.project,
            domain=message.id.domain,
            name=message.id.name,
            version=message.id.version,
        )


def _references_of(compiled: compiler_pb2.CompiledWorkflowClosure) -> Iterator[identifier_pb2.Identifier]:
    yield from (task.template.id for task in compiled.tasks)
    subs = [sub.template for sub in compiled.sub_workflows]
    yield from (sub.id for sub in subs)
    yield from requirements(compiled.primary.template, subs).launch_plans

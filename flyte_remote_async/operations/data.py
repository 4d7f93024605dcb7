"""Inputs and outputs, and never an empty answer for a failed read.

Flyte's data RPCs answer OK with an empty map when the server could not read its storage, or when the data is larger
than the server's read limit (2 MB by default): both happen on a healthy Flyte 1.16.8. So where there must be outputs
and the map is empty, the next source is asked: the signed URL in the answer, then one that the data proxy signs for the
place where the outputs are stored. When none has them, that is an error.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2

from flyte_remote_async.concurrency import task_group
from flyte_remote_async.errors import (
    MalformedMessageError,
    MissingExtraError,
    OutputsUnavailableError,
    RPCError,
    StorageError,
)
from flyte_remote_async.executions.data import ExecutionData
from flyte_remote_async.models.identifiers import (
    Identifier,
    NodeExecutionIdentifier,
    ResourceType,
    TaskExecutionIdentifier,
    WorkflowExecutionIdentifier,
)
from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase
from flyte_remote_async.operations.replies import LiteralBytes, read_data
from flyte_remote_async.policy.node_kinds import END_NODE, START_NODE
from flyte_remote_async.storage import signed_urls
from flyte_remote_async.transport.methods import (
    GET_EXECUTION_DATA,
    GET_NODE_EXECUTION_DATA,
    GET_TASK_EXECUTION_DATA,
    LIST_TASK_EXECUTIONS,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from flyte_remote_async.interface import TypedInterface
    from flyte_remote_async.models.literals import Literal
    from flyte_remote_async.operations.calls import Calls
    from flyte_remote_async.operations.definitions import Definitions
    from flyte_remote_async.operations.replies import DataReply
    from flyte_remote_async.storage.objects import StoredObjects

__all__ = ["DataReader"]


@attrs.frozen
class DataReader:
    """Reads the inputs and outputs of executions, nodes and attempts.

    Attributes:
        calls: Makes the calls.
        definitions: Knows the interfaces.
        objects: Gives the stored objects, for outputs that the control plane cannot read itself.
        max_bytes: The most bytes to take from storage for one map.
        timeout: Seconds that connecting to storage and each read may take.
    """

    calls: Calls
    definitions: Definitions
    objects: Callable[[], StoredObjects]
    max_bytes: int
    timeout: float

    async def of_execution(self, message: execution_pb2.Execution) -> ExecutionData:
        """Return the inputs and outputs of an execution, with their declared types.

        Raises:
            RPCError: The call did not succeed.
        """
        entity = Identifier.from_flyte_idl(message.spec.launch_plan)
        request = execution_pb2.WorkflowExecutionGetDataRequest(id=message.id)
        what = f"execution {WorkflowExecutionIdentifier.from_flyte_idl(message.id)}"
        succeeded = WorkflowPhase(message.closure.phase) is WorkflowPhase.SUCCEEDED
        uri = message.closure.outputs.uri if succeeded else ""
        return await self._read(what, GET_EXECUTION_DATA, request, entity, uri, expects=succeeded)

    async def of_node(
        self, message: node_execution_pb2.NodeExecution, of: Identifier | TypedInterface | None = None
    ) -> ExecutionData:
        """Return the inputs and outputs of a node.

        Args:
            message: The node.
            of: The interface of what it runs, or the task that it runs; None when that is not known.

        Raises:
            RPCError: The call did not succeed.
        """
        request = node_execution_pb2.NodeExecutionGetDataRequest(id=message.id)
        what = f"node {NodeExecutionIdentifier.from_flyte_idl(message.id)}"
        uri = message.closure.output_uri
        expects = bool(uri) and _may_have_outputs(message)
        learn = None if of is not None or message.metadata.is_parent_node else partial(self._task_of, message.id)
        return await self._read(what, GET_NODE_EXECUTION_DATA, request, of, uri, expects=expects, learn=learn)

    async def _task_of(self, id: Any) -> TypedInterface | None:
        """Return the interface of the task that a node ran; None when it ran none, or nobody tells."""
        request = task_execution_pb2.TaskExecutionListRequest(node_execution_id=id, limit=1)
        try:
            found = (await self.calls(LIST_TASK_EXECUTIONS, request)).task_executions
        except (RPCError, MalformedMessageError):
            return None
        return await self._interface(Identifier.from_flyte_idl(found[0].id.task_id)) if found else None

    async def of_attempt(self, message: task_execution_pb2.TaskExecution) -> ExecutionData:
        """Return the inputs and outputs of an attempt, with their declared types; errors as :meth:`of_execution`."""
        request = task_execution_pb2.TaskExecutionGetDataRequest(id=message.id)
        what = f"attempt {TaskExecutionIdentifier.from_flyte_idl(message.id)}"
        succeeded = TaskPhase(message.closure.phase) is TaskPhase.SUCCEEDED
        entity = Identifier.from_flyte_idl(message.id.task_id)
        uri = message.closure.output_uri
        return await self._read(what, GET_TASK_EXECUTION_DATA, request, entity, uri, expects=succeeded)

    async def _read(
        self,
        what: str,
        method: Any,
        request: Any,
        of: Identifier | TypedInterface | None,
        uri: str,
        *,
        expects: bool,
        learn: Callable[[], Awaitable[TypedInterface | None]] | None = None,
    ) -> ExecutionData:
        answers: dict[str, Any] = {}

        async def ask() -> None:
            answers["data"] = await read_data(self.calls, method, request)

        async def declare() -> None:
            answers["interface"] = await self._interface(of) if isinstance(of, Identifier) else of

        async with task_group() as group:
            group.start_soon(ask)
            group.start_soon(declare)
        data: DataReply = answers["data"]
        interface: TypedInterface | None = answers["interface"]
        if interface is None and learn is not None and expects and data.full_outputs.is_empty:
            # Only the interface can tell "has none" from "could not be read".
            interface = await learn()
        inputs = await self._inputs(what, data, interface)
        outputs = await self._outputs(what, data, interface, uri, expects=expects)
        return ExecutionData(
            inputs,
            outputs,
            None if interface is None else interface.inputs,
            None if interface is None else interface.outputs,
        )

    async def _interface(self, id: Identifier) -> TypedInterface | None:
        """Return the interface of a task or launch plan; None when its definition cannot be had."""
        try:
            if id.resource_type is ResourceType.TASK:
                return (await self.definitions.task(id)).interface
            return (await self.definitions.launch_plan(id)).interface
        except (RPCError, MalformedMessageError):
            # The values can be read without: they come as what their literals say.
            return None

    async def _inputs(
        self, what: str, data: DataReply, interface: TypedInterface | None
    ) -> Mapping[str, Literal] | OutputsUnavailableError:
        if not data.full_inputs.is_empty or (interface is not None and not interface.inputs):
            return await data.full_inputs.literals()
        if not data.message.inputs.url:
            # There is no other source, and entities whose inputs all have defaults are started without any.
            return {}
        return await self._rescue(f"the inputs of {what}", data.message.inputs.url, "")

    async def _outputs(
        self, what: str, data: DataReply, interface: TypedInterface | None, uri: str, *, expects: bool
    ) -> Mapping[str, Literal] | OutputsUnavailableError:
        declared_none = interface is not None and not interface.outputs
        if not data.full_outputs.is_empty or declared_none or not expects:
            return await data.full_outputs.literals()
        return await self._rescue(f"the outputs of {what}", data.message.outputs.url, uri)

    async def _rescue(self, what: str, url: str, uri: str) -> Mapping[str, Literal] | OutputsUnavailableError:
        tried = ["the control plane: OK, and an empty map (its storage failed, or the data is past its read limit)"]
        try:
            if url:
                return await self._fetch(url)
            tried.append("a signed URL in the answer: there is none")
        except (OutputsUnavailableError, MalformedMessageError) as error:
            tried.append(f"the signed URL in the answer: {error}")
        if not uri:
            tried.append(
                "the place where they are stored: it is not known. What recovers an execution that had succeeded has "
                "no outputs of its own: read those of that one"
            )
            return OutputsUnavailableError(f"{what} cannot be had; tried:", tried=tried)
        try:
            return await self._signed(uri)
        except (RPCError, OutputsUnavailableError, MalformedMessageError) as error:
            tried.append(f"{uri} through the data proxy: {error}")
        try:
            if await self.objects().reaches(uri):
                return await _parse(await self.objects().read(uri, limit=self.max_bytes))
        except (StorageError, MissingExtraError, MalformedMessageError) as error:
            tried.append(f"{uri} in the store itself: {error}")
        return OutputsUnavailableError(f"{what} cannot be had; tried:", tried=tried)

    async def _signed(self, uri: str) -> Mapping[str, Literal]:
        from flyte_remote_async.operations.objects import sign_with  # few need it

        return await self._fetch(await sign_with(self.calls)(uri))

    async def _fetch(self, url: str) -> Mapping[str, Literal]:
        return await _parse(await signed_urls.read(url, limit=self.max_bytes, timeout=self.timeout))


async def _parse(data: bytes) -> Mapping[str, Literal]:
    return await LiteralBytes(data, 0, len(data)).literals()


def _may_have_outputs(node: node_execution_pb2.NodeExecution) -> bool:
    ended_well = NodePhase(node.closure.phase) in {NodePhase.SUCCEEDED, NodePhase.RECOVERED}
    return ended_well and (node.metadata.spec_node_id or node.id.node_id) not in {START_NODE, END_NODE}

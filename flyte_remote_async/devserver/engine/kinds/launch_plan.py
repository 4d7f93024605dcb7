"""Launch-plan nodes: an execution of its own runs, and the node ends as it does.

Source: flytepropeller ``controller/nodes/subworkflow/launchplan.go`` and ``launchplan/admin.go``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.engine.launching import child_request
from flyte_remote_async.devserver.runners.outcome import Outcome, system_failure, user_failure
from flyte_remote_async.errors import AlreadyExistsError, RPCError

if TYPE_CHECKING:
    from flyteidl.admin import execution_pb2
    from flyteidl.core import literals_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Run

__all__ = ["run_launch_plan"]

_PHASE: Final = core_execution_pb2.WorkflowExecution
_SYSTEM: Final = frozenset({"DATA_LOSS", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED"})


async def run_launch_plan(
    run: Run, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome:
    """Start the execution of a launch plan and return how it ended."""
    plan = await run.platform.store.get_launch_plan(run.execution.spec.launch_plan)
    reference = node.workflow_node.launchplan_ref
    request = child_request(run.execution, plan, record.message.id, reference, inputs, attempt=record.number)
    refused = await _launch(run, request)
    if refused is not None:
        return refused
    child = _identifier(request)
    record.on_abort = partial(_abort, run, child)
    await run.recorder.run_node(record, child)
    await run.platform.executions.join(child)
    record.on_abort = None
    return await _outcome(run, node.id, child)


def _identifier(request: execution_pb2.ExecutionCreateRequest) -> identifier_pb2.WorkflowExecutionIdentifier:
    return identifier_pb2.WorkflowExecutionIdentifier(project=request.project, domain=request.domain, name=request.name)


async def _launch(run: Run, request: execution_pb2.ExecutionCreateRequest) -> Outcome | None:
    """Ask for the execution, and return the failure of the node when it is refused."""
    if run.platform.admin is None:
        return system_failure(
            "RuntimeExecutionError", "the devserver's engine has no service to launch executions with"
        )
    try:
        await run.platform.admin.create(request)
    except AlreadyExistsError:
        return None  # It is the one of this node: its name says so.
    except RPCError as error:
        said = f"rpc error: code = {error.code.title().replace('_', '')} desc = {error.details}"
        if error.code in _SYSTEM:
            name = request.spec.launch_plan.name
            return system_failure(
                "RuntimeExecutionError",
                f"[SystemError] failed to launch workflow [{name}], system error, caused by: {said}",
            )
        return user_failure("RuntimeExecutionError", f"[UserError] failed to launch workflow, caused by: {said}")
    return None


async def _abort(run: Run, child: identifier_pb2.WorkflowExecutionIdentifier, reason: str) -> None:
    cause = f"cascading abort as parent execution id [{run.execution.id.name}] aborted, reason [{reason}]"
    await run.platform.executions.abort(child, cause)


async def _outcome(run: Run, node_id: str, child: identifier_pb2.WorkflowExecutionIdentifier) -> Outcome:
    ended = await run.platform.store.get_execution(child)
    if ended is None:
        return system_failure("NotFound", f"execution {child.name} of node {node_id} is not there any more")
    closure = ended.closure
    if closure.phase == _PHASE.SUCCEEDED:
        return Outcome((await run.platform.store.get_execution_data(child)).outputs)
    if closure.phase == _PHASE.ABORTED:
        code = "RemoteChildWorkflowExecutionFailed"
        return user_failure(
            code,
            f"failed at Node[{node_id}]. {code}: launchplan [{child.name}] aborted, "
            "caused by: launchplan execution aborted",
        )
    unknown = core_execution_pb2.ExecutionError(code="LaunchPlanExecutionFailed", message="Unknown Error")
    return Outcome(error=closure.error if closure.HasField("error") else unknown)

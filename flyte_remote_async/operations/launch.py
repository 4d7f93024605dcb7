"""Launches and terminations.

The client always names the execution: a server that makes up a name itself leaves no way to find out whether a launch
whose answer was lost has happened. A ``CreateExecution`` is sent once and never again, since Flyte overwrites the
stored inputs of the first execution when the same name is created twice; after a failure that says nothing, the name is
read.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs
from flyteidl.admin import execution_pb2

from flyte_remote_async.entities import FlyteLaunchPlan, FlyteTask, FlyteWorkflow
from flyte_remote_async.errors import (
    AbortedError,
    AlreadyExistsError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    MalformedMessageError,
    NotFoundError,
    RPCCancelledError,
    RPCError,
    UnavailableError,
    UnknownError,
)
from flyte_remote_async.models.identifiers import Identifier, ResourceType, WorkflowExecutionIdentifier
from flyte_remote_async.models.phases import WorkflowPhase
from flyte_remote_async.operations.inputs import Inputs, problems_of
from flyte_remote_async.policy.names import RANDOM_BYTES, execution_name, problem_of_name
from flyte_remote_async.transport.methods import CREATE_EXECUTION, TERMINATE_EXECUTION

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteidl.core import literals_pb2

    from flyte_remote_async.literals import Context
    from flyte_remote_async.models.options import LaunchOptions
    from flyte_remote_async.operations.calls import Calls
    from flyte_remote_async.operations.definitions import Definitions
    from flyte_remote_async.operations.reading import Reader

__all__ = ["Launcher"]

# After these the execution may have been created or not.
_AMBIGUOUS: Final = (
    UnavailableError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    UnknownError,
    AbortedError,
    RPCCancelledError,
)


@attrs.frozen
class Launcher:
    """Launches and terminates executions.

    Attributes:
        calls: Makes the calls.
        reader: Reads what was launched.
        definitions: Knows launch plans.
        context_in: Returns what the conversion of inputs may use, for a project and domain.
    """

    calls: Calls
    reader: Reader
    definitions: Definitions
    context_in: Callable[[str, str], Context]

    async def launch(
        self,
        entity: FlyteTask | FlyteWorkflow | FlyteLaunchPlan,
        inputs: Mapping[str, Any],
        *,
        id: WorkflowExecutionIdentifier | None,
        project: str,
        domain: str,
        hints: Mapping[str, Any],
        options: LaunchOptions | None,
    ) -> execution_pb2.Execution:
        """Launch an entity and return the execution.

        Args:
            entity: A task, a workflow (by the launch plan of its name and version) or a launch plan.
            inputs: Input name to Python value, or to a ready literal.
            id: The identity that the execution gets; None makes up a name.
            project: Where it runs, when there is no id.
            domain: Where it runs, when there is no id.
            hints: Input name to Python type, where the value alone does not tell.
            options: How it is launched; None leaves all to the launch plan and the server.

        Raises:
            InvalidInputsError: The inputs do not fit; nothing was sent.
            ValueError: The name is none that Flyte can run; nothing was sent.
            AlreadyExistsError: There is an execution of that name; nothing was sent that would change it.
            RPCError: The launch failed.
        """
        if not isinstance(entity, (FlyteTask, FlyteWorkflow, FlyteLaunchPlan)):
            raise TypeError(f"what is launched is a fetched task, workflow or launch plan, not {entity!r}")
        if not isinstance(inputs, Mapping):
            raise TypeError(f"inputs are a mapping of names to values, not {inputs!r}")
        problem = problem_of_name(id.name) if id else None
        if id is not None and problem is not None:
            reason = f"an execution cannot be called {id.name!r}: {problem}"
            raise ValueError(reason)
        place = (id.project, id.domain) if id else (project, domain)
        literals = await self._check(entity, inputs, hints, self.context_in(*place))
        if id is None:
            id = WorkflowExecutionIdentifier(project, domain, execution_name(secrets.token_bytes(RANDOM_BYTES)))
        else:
            await self._require_free(id)
        request = execution_pb2.ExecutionCreateRequest(
            project=id.project, domain=id.domain, name=id.name, org=id.org, inputs=literals
        )
        request.spec.launch_plan.CopyFrom(_launched(entity).to_flyte_idl())
        if options is not None:
            options.apply_to(request.spec)
        return await self._create(request, id)

    async def _check(
        self,
        entity: FlyteTask | FlyteWorkflow | FlyteLaunchPlan,
        inputs: Mapping[str, Any],
        hints: Mapping[str, Any],
        context: Context,
    ) -> literals_pb2.LiteralMap:
        what = str(entity.id)
        if isinstance(entity, (FlyteTask, FlyteWorkflow)):
            declared = entity.interface.inputs
        else:
            declared = {name: parameter.var for name, parameter in entity.expected_inputs.items()}
        ready = Inputs(what, declared, inputs, hints, context)
        if isinstance(entity, FlyteWorkflow):
            # What the workflow alone tells is told before anything is read; what is required, its launch plan tells.
            await ready.check()
            await ready.check(problems_of(await self._default_launch_plan(entity), inputs))
        elif isinstance(entity, FlyteTask):
            await ready.check(
                {
                    name: f"it is missing, and a task has no default inputs; its type is {variable.type}"
                    for name, variable in declared.items()
                    if name not in inputs
                }
            )
        else:
            await ready.check(problems_of(entity, inputs))
        return await ready.stored()

    async def _default_launch_plan(self, workflow: FlyteWorkflow) -> FlyteLaunchPlan:
        try:
            return await self.definitions.launch_plan(_launched(workflow))
        except NotFoundError as error:
            error.details += (
                f" (a workflow is launched by the launch plan of its name and version, and {workflow.id} has none)"
            )
            raise

    async def _require_free(self, id: WorkflowExecutionIdentifier) -> None:
        try:
            await self.reader.execution(id)
        except NotFoundError:
            return
        reason = "there is an execution of that name; a second launch would overwrite its inputs, so none was sent"
        raise AlreadyExistsError(reason, method=CREATE_EXECUTION.name, entity=str(id))

    async def _create(
        self, request: execution_pb2.ExecutionCreateRequest, id: WorkflowExecutionIdentifier
    ) -> execution_pb2.Execution:
        try:
            await self.calls(CREATE_EXECUTION, request)
        except _AMBIGUOUS as error:
            error.entity = str(id)
            return await self._recover(id, request, error)
        except RPCError as error:
            error.entity = str(id)
            raise
        except MalformedMessageError as error:
            # The server answered OK, so it is there.
            return await self._created(id, error)
        return await self._created(id)

    async def _created(
        self, id: WorkflowExecutionIdentifier, cause: MalformedMessageError | None = None
    ) -> execution_pb2.Execution:
        try:
            return await self.reader.execution(id)
        except RPCError as error:
            error.details += f"; it was created all the same: look for it by its name, {id.name!r}"
            raise error from cause

    async def _recover(
        self, id: WorkflowExecutionIdentifier, request: execution_pb2.ExecutionCreateRequest, failure: RPCError
    ) -> execution_pb2.Execution:
        """Return the execution of a launch whose answer was lost, if it is the one that was asked for."""
        try:
            found = await self.reader.execution(id)
            if found.spec.launch_plan == request.spec.launch_plan:
                return found
            other = Identifier.from_flyte_idl(found.spec.launch_plan)
            failure.details += f"; the execution of that name is another, of {other}"
        except RPCError as error:
            failure.details += (
                f"; whether the execution was created is not known, and looking for it gave {error.code}: "
                f"look for it by its name, {id.name!r}, before launching again"
            )
        raise failure

    async def terminate(self, id: WorkflowExecutionIdentifier, cause: str) -> None:
        """End an execution.

        Args:
            id: Which one.
            cause: Why, for those who read it later.

        Raises:
            FailedPreconditionError: It has ended already.
            RPCError: The call did not succeed.
        """
        request = execution_pb2.ExecutionTerminateRequest(id=id.to_flyte_idl(), cause=cause)
        try:
            await self.calls(TERMINATE_EXECUTION, request)
        except FailedPreconditionError as error:
            # Sent again after a lost answer, it finds what it did the first time.
            if error.attempts == 1 or not await self._was_aborted(id, cause):
                raise

    async def _was_aborted(self, id: WorkflowExecutionIdentifier, cause: str) -> bool:
        closure = (await self.reader.execution(id)).closure
        ended = WorkflowPhase(closure.phase) in {WorkflowPhase.ABORTING, WorkflowPhase.ABORTED}
        return ended and closure.abort_metadata.cause == cause


def _launched(entity: FlyteTask | FlyteWorkflow | FlyteLaunchPlan) -> Identifier:
    """Return what an execution of an entity names as its launch plan."""
    if isinstance(entity, FlyteWorkflow):
        return attrs.evolve(entity.id, resource_type=ResourceType.LAUNCH_PLAN)
    return entity.id

"""FlyteRemote: the way into the package. Each verb is a few lines; what it does is in ``operations``.

An operation is imported by the verb that needs it: a program pays for what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.admin import execution_pb2

from flyte_remote_async.executions import FlyteWorkflowExecution
from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
from flyte_remote_async.remote.signals import SignalVerbs
from flyte_remote_async.remote.waiting import WaitVerbs
from flyte_remote_async.transport.target import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from flyte_remote_async.entities import FlyteLaunchPlan, FlyteTask, FlyteWorkflow
    from flyte_remote_async.executions import FlyteNodeExecution, FlyteTaskExecution
    from flyte_remote_async.executions.data import ExecutionData
    from flyte_remote_async.executions.failure import FailureReport
    from flyte_remote_async.executions.timeline import Timeline
    from flyte_remote_async.models.identifiers import Identifier
    from flyte_remote_async.models.options import LaunchOptions
    from flyte_remote_async.policy.filters import Filter

__all__ = ["FlyteRemote"]


class FlyteRemote(WaitVerbs, SignalVerbs):
    """A way to one Flyte control plane.

    Make one with :meth:`connect`, :meth:`auto` or :meth:`for_sandbox`, and open it with ``async with``, or with
    :meth:`open` and :meth:`aclose` where a framework wants the two apart. It belongs to the event loop that opened it.

    Example:
        ```python
        async with FlyteRemote.connect("dns:///flyte.example.com", project="p", domain="d") as remote:
            execution = await remote.execute(await remote.fetch_workflow("pkg.wf"), inputs={"a": 3})
            execution = await execution.wait(timeout=600)
            print(await execution.outputs["o0"])
        ```
    """

    # --- entities -----------------------------------------------------------------------------------------------

    async def fetch_task(
        self, name: str, version: str | None = None, project: str | None = None, domain: str | None = None
    ) -> FlyteTask:
        """Return a task, in one RPC.

        Args:
            name: Its name, such as ``"samples.add"``.
            version: Its version; None or ``"latest"`` is the newest.
            project: Its project; None is the remote's.
            domain: Its domain; None is the remote's.

        Raises:
            NotFoundError: The control plane does not have it.
            ConfigError: There is no project or domain.
            RPCError: The call did not succeed.
        """
        return await self._open.fetcher.task(*self._place(project, domain), name, version)

    async def fetch_workflow(
        self, name: str, version: str | None = None, project: str | None = None, domain: str | None = None
    ) -> FlyteWorkflow:
        """Return a workflow, in one RPC; arguments and errors as :meth:`fetch_task`.

        The newest one comes out of a list, where Flyte leaves out the nodes: it can be executed and tells its
        interface. With its version it comes whole.
        """
        return await self._open.fetcher.workflow(*self._place(project, domain), name, version)

    async def fetch_launch_plan(
        self, name: str, version: str | None = None, project: str | None = None, domain: str | None = None
    ) -> FlyteLaunchPlan:
        """Return a launch plan, in one RPC; arguments and errors as :meth:`fetch_task`.

        The newest is not always the active one.
        """
        return await self._open.fetcher.launch_plan(*self._place(project, domain), name, version)

    async def fetch_task_by_id(self, id: Identifier) -> FlyteTask:
        """Return the task that an identifier names; it is asked for once.

        Raises:
            NotFoundError: The control plane does not have it.
            RPCError: The call did not succeed.
        """
        return await self._open.definitions.task(id)

    # --- executions ---------------------------------------------------------------------------------------------

    async def execute(
        self,
        entity: FlyteTask | FlyteWorkflow | FlyteLaunchPlan,
        inputs: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        type_hints: Mapping[str, Any] | None = None,
        options: LaunchOptions | None = None,
    ) -> FlyteWorkflowExecution:
        """Launch a task, workflow or launch plan and return its execution.

        Args:
            entity: What to launch; a workflow is launched by the launch plan of its name and version.
            inputs: Input name to Python value, or to a ready literal.
            name: What the execution is called: lower-case letters, digits and ``-``, 63 at most. None makes up a name.
                With a name, the launch costs one more RPC, which looks whether it is free.
            project: Where it runs; None is the remote's project, or else the entity's.
            domain: Where it runs; None is the remote's domain, or else the entity's.
            type_hints: Input or output name to Python type, where the values do not tell.
            options: Labels, environment and more.

        Raises:
            InvalidInputsError: Inputs are unknown, missing, fixed or of the wrong type. Nothing was launched.
            ValueError: The name is none that Flyte can run. Nothing was launched.
            AlreadyExistsError: There is an execution of that name.
            RPCError: The launch failed. When it may have happened all the same, the error gives the name to look for.

        Example:
            ```python
            task = await remote.fetch_task("samples.add")
            execution = await remote.execute(task, {"a": 1, "b": 2}, options=LaunchOptions(labels={"team": "blue"}))
            ```
        """
        config, hints = self.config, type_hints or {}
        project = project or config.project or entity.id.project
        domain = domain or config.domain or entity.id.domain
        message = await self._open.launcher.launch(
            entity,
            inputs or {},
            id=WorkflowExecutionIdentifier(project, domain, name) if name is not None else None,
            project=project,
            domain=domain,
            hints=hints,
            options=options,
        )
        return FlyteWorkflowExecution.from_flyte_idl(message, remote=self, type_hints=hints)

    async def fetch_execution(
        self,
        name: str,
        project: str | None = None,
        domain: str | None = None,
        *,
        type_hints: Mapping[str, Any] | None = None,
    ) -> FlyteWorkflowExecution:
        """Return an execution as it is now, in one RPC.

        Args:
            name: Its name.
            project: Its project; None is the remote's.
            domain: Its domain; None is the remote's.
            type_hints: Output name to the Python type that its value is decoded as.

        Raises:
            NotFoundError: The control plane does not know it.
            ConfigError: There is no project or domain.
            RPCError: The call did not succeed.
        """
        id = self._execution_id(name, project, domain)
        return self._bind(await self._open.reader.execution(id), type_hints)

    def execution(
        self,
        name: str,
        project: str | None = None,
        domain: str | None = None,
        *,
        type_hints: Mapping[str, Any] | None = None,
    ) -> FlyteWorkflowExecution:
        """Return a handle to an execution, without an RPC: for a name out of a database.

        It is a snapshot that shows nothing yet (its phase is ``UNDEFINED``) and can sync, wait and terminate.

        Args:
            name: Its name.
            project: Its project; None is the remote's.
            domain: Its domain; None is the remote's.
            type_hints: Output name to the Python type that its value is decoded as.

        Raises:
            ConfigError: There is no project or domain.
        """
        id = self._execution_id(name, project, domain)
        return self._bind(execution_pb2.Execution(id=id.to_flyte_idl()), type_hints)

    async def list_executions(
        self,
        *,
        limit: int | None = None,
        filters: Sequence[Filter | str] = (),
        sort_by: str = "created_at",
        ascending: bool = False,
        project: str | None = None,
        domain: str | None = None,
    ) -> AsyncIterator[FlyteWorkflowExecution]:
        """Yield executions, the newest first; pages are fetched as they are needed.

        Lists carry errors cut to 100 bytes, which ``error_truncated`` tells: a sync, or ``fetch_execution``, reads them
        whole. Archived executions are left out unless a filter asks for their ``state``.

        Args:
            limit: How many at most; None for all.
            filters: Conditions that must all hold, such as ``filters.eq("phase", "FAILED")``.
            sort_by: Column to sort by.
            ascending: Whether the smallest comes first.
            project: Their project; None is the remote's.
            domain: Their domain; None is the remote's.

        Raises:
            InvalidArgumentError: Flyte does not know the column of a filter, or of the sort.
            RPCError: A call did not succeed.

        Example:
            ```python
            async for execution in remote.list_executions(limit=20, filters=[filters.eq("phase", "FAILED")]):
                print(execution.id.name)
            ```
        """
        from flyte_remote_async.operations import listing

        found = listing.executions(
            self._open.calls,
            *self._place(project, domain),
            limit=limit,
            filters=filters,
            sort_by=sort_by,
            ascending=ascending,
        )
        async for message in found:
            yield FlyteWorkflowExecution.from_flyte_idl(message, remote=self, is_cut=listing.has_cut_error(message))

    async def sync(
        self,
        execution: FlyteWorkflowExecution,
        sync_nodes: bool = False,
        *,
        attempts: bool = True,
        io: bool = False,
        definitions: bool = False,
        signals: bool = False,
    ) -> FlyteWorkflowExecution:
        """Return an execution as it is now; see :meth:`FlyteWorkflowExecution.sync`."""
        from flyte_remote_async.operations.sync import sync
        from flyte_remote_async.policy.sync_plan import Coverage

        wanted = Coverage(attempts=attempts, io=io, definitions=definitions, signals=signals)
        return await sync(self._open, self, execution, sync_nodes=sync_nodes, wanted=wanted)

    async def timeline(self, execution: FlyteWorkflowExecution) -> Timeline:
        """Return where the time of an execution went; see :meth:`FlyteWorkflowExecution.timeline`."""
        from flyte_remote_async.operations.timeline import timeline

        return await timeline(self._open, self, execution)

    async def explain_failure(self, execution: FlyteWorkflowExecution) -> FailureReport | None:
        """Return why an execution failed; see :meth:`FlyteWorkflowExecution.explain_failure`."""
        from flyte_remote_async.operations.failure import explain_failure

        return await explain_failure(self._open, self, execution)

    async def terminate(self, execution: FlyteWorkflowExecution, cause: str) -> None:
        """End an execution; see :meth:`FlyteWorkflowExecution.terminate`."""
        await self._open.launcher.terminate(execution.id, cause)

    async def load_data(
        self, snapshot: FlyteWorkflowExecution | FlyteNodeExecution | FlyteTaskExecution
    ) -> ExecutionData:
        """Return inputs and outputs of an execution, node or attempt; ``snapshot.inputs`` and ``.outputs`` use it.

        Raises:
            RPCError: The call did not succeed.
        """
        # Whoever has a node has loaded its class; a program that watches executions alone does without.
        from flyte_remote_async.executions.node import FlyteNodeExecution

        data = self._open.data
        if isinstance(snapshot, FlyteWorkflowExecution):
            return await data.of_execution(snapshot.to_flyte_idl())
        if isinstance(snapshot, FlyteNodeExecution):
            return await data.of_node(snapshot.to_flyte_idl(), snapshot.interface or snapshot.task_id)
        return await data.of_attempt(snapshot.to_flyte_idl())

    def console_url(self, id: WorkflowExecutionIdentifier) -> str:
        """Return the address of an execution's page in the Flyte console."""
        config = self.config
        base = config.console_endpoint or Target.parse(config.endpoint, insecure=config.insecure).web_address
        return f"{base.rstrip('/')}/console/projects/{id.project}/domains/{id.domain}/executions/{id.name}"

    def _bind(
        self, message: execution_pb2.Execution, type_hints: Mapping[str, Any] | None = None
    ) -> FlyteWorkflowExecution:
        return FlyteWorkflowExecution.from_flyte_idl(message, remote=self, type_hints=type_hints)

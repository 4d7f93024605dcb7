"""FlyteRemote: the way into the package. Each verb is a few lines; what it does is in ``operations``.

An operation is imported by the verb that needs it: a program pays for what it uses.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, overload

from flyteidl.admin import execution_pb2

from flyte_remote_async.config import Config
from flyte_remote_async.errors import ClosedError, ConfigError, FlyteRemoteError
from flyte_remote_async.executions import FlyteWorkflowExecution
from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
from flyte_remote_async.operations.session import open_session
from flyte_remote_async.transport.target import Target

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Unpack

    from flyte_remote_async.config.settings import Others, Overrides
    from flyte_remote_async.entities import FlyteLaunchPlan, FlyteTask, FlyteWorkflow
    from flyte_remote_async.executions import FlyteNodeExecution, FlyteTaskExecution
    from flyte_remote_async.executions.binding import Until
    from flyte_remote_async.executions.data import ExecutionData
    from flyte_remote_async.executions.events import Event
    from flyte_remote_async.executions.failure import FailureReport
    from flyte_remote_async.executions.timeline import Timeline
    from flyte_remote_async.literals import Context, Types
    from flyte_remote_async.models.identifiers import Identifier
    from flyte_remote_async.models.options import LaunchOptions
    from flyte_remote_async.operations.hub.finish import Terms
    from flyte_remote_async.operations.hub.state import WaitState
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.policy.filters import Filter
    from flyte_remote_async.transport.base import Transport

__all__ = ["FlyteRemote"]

Seconds: TypeAlias = "timedelta | float"


class FlyteRemote:
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

    def __init__(
        self,
        configure: Callable[[], Awaitable[Config]],
        channel: Callable[[], Transport] | None = None,
        *,
        types: Types | None = None,
    ) -> None:
        """Prefer :meth:`connect`, :meth:`auto` and :meth:`for_sandbox`.

        Args:
            configure: Gives the configuration when the remote is opened.
            channel: Makes a channel of another kind than gRPC's.
            types: The user's own types.
        """
        self._configure = configure
        self._channel = channel
        self._types = types
        self._session: Session | None = None
        self._closed = False

    # --- making one ---------------------------------------------------------------------------------------------

    @classmethod
    def connect(
        cls,
        endpoint: str | Config,
        *,
        insecure: bool | None = None,
        project: str | None = None,
        domain: str | None = None,
        transport: Literal["grpcio", "grpclib"] | None = None,
        types: Types | None = None,
        **others: Unpack[Others],
    ) -> Self:
        """Return a remote for an endpoint; nothing is sent before its first verb.

        Args:
            endpoint: Host and port such as ``"localhost:30080"`` or ``"dns:///flyte.example.com"``, a URL, or a whole
                :class:`Config`.
            insecure: Whether to speak plaintext instead of TLS; False when nothing says so.
            project: Project that is meant where none is named.
            domain: Domain that is meant where none is named.
            transport: ``"grpcio"``, which is the usual one, or ``"grpclib"`` in pure Python.
            types: The user's own types, which decoding and encoding know besides Flyte's.
            **others: Other fields of :class:`Config`, such as ``timeouts``.

        Raises:
            ConfigError: The endpoint or another value is malformed.
        """
        overrides: Overrides = {
            **others,
            "insecure": insecure,
            "project": project,
            "domain": domain,
            "transport": transport,
        }
        given = (
            endpoint.replace(**overrides)
            if isinstance(endpoint, Config)
            else Config.for_endpoint(endpoint, **overrides)
        )
        Target.parse(given.endpoint, insecure=given.insecure)
        return cls(_ready(given), types=types)

    @classmethod
    def auto(
        cls, file: Path | str | bytes | None = None, *, types: Types | None = None, **overrides: Unpack[Overrides]
    ) -> Self:
        """Return a remote that is set up as Flyte's other clients are: by environment and configuration file.

        Both are read when the remote is opened, in a worker thread.

        Args:
            file: The configuration file; None looks where Flyte's clients look.
            types: The user's own types, which decoding and encoding know besides Flyte's.
            **overrides: Fields of :class:`Config` that come before both.
        """

        async def configure() -> Config:
            return await Config.load_async(file=file, **overrides)

        return cls(configure, types=types)

    @classmethod
    def for_sandbox(cls, *, types: Types | None = None, **overrides: Unpack[Overrides]) -> Self:
        """Return a remote for a local sandbox, as ``flytectl demo start`` makes one.

        Args:
            types: The user's own types, which decoding and encoding know besides Flyte's.
            **overrides: Fields of :class:`Config` that differ from the sandbox's.
        """
        return cls(_ready(Config.for_sandbox(**overrides)), types=types)

    @classmethod
    def over(cls, channel: Callable[[], Transport], config: Config, *, types: Types | None = None) -> Self:
        """Return a remote over channels of another kind, such as the devserver's in-process one.

        Args:
            channel: Makes a channel, again when one has to be replaced.
            config: What else to set up; its endpoint is how errors call the other side.
            types: The user's own types, which decoding and encoding know besides Flyte's.
        """
        return cls(_ready(config), channel, types=types)

    # --- its life -----------------------------------------------------------------------------------------------

    async def open(self) -> Self:
        """Open the remote in the running event loop; opening an open one does nothing.

        Raises:
            ConfigError: The configuration cannot be used.
            ClosedError: It was closed before; make a new one.
            UnsupportedLoopError: The event loop is not asyncio's.
        """
        if self._closed:
            reason = "this remote was closed; make a new one"
            raise ClosedError(reason)
        if self._session is None:
            session = await open_session(await self._configure(), self._channel, self._types)
            if not self._take(session):
                # Another task opened or closed the remote meanwhile.
                await session.aclose()
                return await self.open()
        return self

    def _take(self, session: Session) -> bool:
        if self._closed or self._session is not None:
            return False
        self._session = session
        return True

    async def aclose(self) -> None:
        """Close the remote; calls in flight end with :class:`ClosedError`. Closing twice is fine."""
        if self._session is not None:
            await self._session.aclose()
        self._closed = True

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def config(self) -> Config:
        """How the remote is set up.

        Raises:
            ClosedError: It is not open yet, so a configuration file may not have been read.
        """
        return self._open.config

    @property
    def context(self) -> Context:
        """What decoding and encoding may use: the stored objects of this remote, and the user's own types.

        Raises:
            ClosedError: It is not open yet.
        """
        return self._open.context

    @property
    def _open(self) -> Session:
        if self._session is None:
            reason = "this remote is not open: use `async with remote:` or `await remote.open()`"
            raise ClosedError(reason)
        return self._session

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._session else "not open"
        where = f"{self._session.config.endpoint}, " if self._session else ""
        return f"FlyteRemote({where}{state})"

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

    async def wait(
        self,
        execution: FlyteWorkflowExecution,
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        until: Until = "terminal",
    ) -> FlyteWorkflowExecution:
        """Return an execution when it has ended; see :meth:`FlyteWorkflowExecution.wait`."""
        from flyte_remote_async.operations.hub.waits import condition_of, wait

        condition = condition_of(until)
        return await wait(self._terms(timeout, poll_interval, sync_nodes), execution, condition)

    @overload
    async def wait_all(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: Literal[False] = False,
    ) -> list[FlyteWorkflowExecution]: ...

    @overload
    async def wait_all(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: Literal[True],
    ) -> list[FlyteWorkflowExecution | FlyteRemoteError]: ...

    async def wait_all(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: bool = False,
    ) -> Sequence[FlyteWorkflowExecution | FlyteRemoteError]:
        """Return executions in the given order when all have ended, well or not.

        Ten thousand of them cost a handful of requests a second, and no task each.

        Args:
            executions: The last snapshots, or handles.
            timeout: Seconds (or a timedelta) for all of them together; None waits as long as it takes.
            poll_interval: Seconds (or a timedelta) between two looks; None adapts to the age of each.
            sync_nodes: Whether the snapshots that are returned have their nodes and attempts.
            return_exceptions: Whether an execution that cannot be waited for is its error in the list, instead of
                ending the wait for all.

        Raises:
            WaitTimeoutError: One did not end in time.
            RPCError: The control plane refuses to tell of one.
            ClosedError: The remote was closed.

        Example:
            ```python
            ended = await remote.wait_all(executions, timeout=3600, sync_nodes=False)
            print(sum(execution.is_successful for execution in ended), "of", len(ended))
            ```
        """
        from contextlib import aclosing

        from flyte_remote_async.operations.hub.many import as_completed

        given = tuple(executions)
        found: dict[int, FlyteWorkflowExecution | FlyteRemoteError] = {}
        async with aclosing(as_completed(self._terms(timeout, poll_interval, sync_nodes), given)) as completed:
            async for index, one in completed:
                if isinstance(one, FlyteRemoteError) and not return_exceptions:
                    raise one
                found[index] = one
        return [found[index] for index in range(len(given))]

    @overload
    def as_completed(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: Literal[False] = False,
    ) -> AsyncGenerator[FlyteWorkflowExecution]: ...

    @overload
    def as_completed(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: Literal[True],
    ) -> AsyncGenerator[FlyteWorkflowExecution | FlyteRemoteError]: ...

    async def as_completed(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: bool = False,
    ) -> AsyncGenerator[FlyteWorkflowExecution | FlyteRemoteError]:
        """Yield executions in the order in which they end; arguments and errors as :meth:`wait_all`.

        Example:
            ```python
            async for execution in remote.as_completed(executions):
                print(execution.id.name, execution.phase.name)
            ```
        """
        from contextlib import aclosing

        from flyte_remote_async.operations.hub.many import as_completed

        terms = self._terms(timeout, poll_interval, sync_nodes)
        async with aclosing(as_completed(terms, tuple(executions))) as completed:
            async for _, one in completed:
                if isinstance(one, FlyteRemoteError) and not return_exceptions:
                    raise one
                yield one

    async def watch(
        self,
        execution: FlyteWorkflowExecution,
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
    ) -> AsyncGenerator[Event]:
        """Yield what happens to an execution; see :meth:`FlyteWorkflowExecution.watch`."""
        from contextlib import aclosing

        from flyte_remote_async.operations.hub.watch import watch

        async with aclosing(watch(self._terms(timeout, poll_interval, sync_nodes=True), execution)) as events:
            async for event in events:
                yield event

    @property
    def waits(self) -> tuple[WaitState, ...]:
        """What is waited for and watched at this moment, and how that goes: for a page of health, or a log.

        Example:
            ```python
            for state in remote.waits:
                if state.stale_for > 60:
                    print(state.id, "nothing heard for", state.stale_for, "s:", state.last_error)
            ```
        """
        from flyte_remote_async.operations.hub.state import states

        return states(self._open)

    def _terms(self, timeout: Seconds | None, poll_interval: Seconds | None, sync_nodes: bool) -> Terms:
        from flyte_remote_async.operations.hub.finish import Terms

        return Terms.from_now(
            self._open,
            self,
            timeout=_seconds("timeout", timeout),
            interval=_seconds("poll_interval", poll_interval, above=True),
            sync_nodes=sync_nodes,
        )

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

    # --- inside -------------------------------------------------------------------------------------------------

    def _bind(
        self, message: execution_pb2.Execution, type_hints: Mapping[str, Any] | None = None
    ) -> FlyteWorkflowExecution:
        return FlyteWorkflowExecution.from_flyte_idl(message, remote=self, type_hints=type_hints)

    def _execution_id(self, name: str, project: str | None, domain: str | None) -> WorkflowExecutionIdentifier:
        from flyte_remote_async.policy.names import required

        required("the name of an execution", name)
        return WorkflowExecutionIdentifier(*self._place(project, domain), name)

    def _place(self, project: str | None, domain: str | None) -> tuple[str, str]:
        project, domain = project or self.config.project, domain or self.config.domain
        if not project or not domain:
            missing = " and ".join(word for word, value in (("project", project), ("domain", domain)) if not value)
            reason = f"no {missing}: name it in the call, or once with FlyteRemote.connect(…, project=…, domain=…)"
            raise ConfigError(reason)
        return project, domain


def _ready(config: Config) -> Callable[[], Awaitable[Config]]:
    async def configure() -> Config:
        return config

    return configure


def _seconds(name: str, value: Seconds | None, *, above: bool = False) -> float | None:
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not 0 <= seconds < math.inf or (above and seconds == 0):
        least = "above 0" if above else "of 0 or more"
        reason = f"{name} is a number of seconds or a timedelta {least}, not {value!r}"
        raise ValueError(reason)
    return seconds

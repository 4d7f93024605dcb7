"""What the page shows, read as any client reads it: over the RPCs, with this package's own snapshots."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
import attrs
from flyteidl.admin import node_execution_pb2, project_pb2, task_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.config import Config
from flyte_remote_async.devserver.web.page import lists
from flyte_remote_async.devserver.web.page.details import details_of_execution, details_of_node, values
from flyte_remote_async.devserver.web.page.rows import milliseconds, row_of_execution, rows
from flyte_remote_async.errors import NotFoundError, OutputsUnavailableError
from flyte_remote_async.executions import FlyteNodeExecution, FlyteTaskExecution, FlyteWorkflowExecution
from flyte_remote_async.executions.below import Below
from flyte_remote_async.operations.calls import Calls
from flyte_remote_async.operations.reading import pages
from flyte_remote_async.remote import FlyteRemote
from flyte_remote_async.transport.methods import GET_NODE_EXECUTION, LIST_PROJECTS, LIST_TASK_EXECUTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteidl.core.literals_pb2 import Literal

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.web.guard import Hosts
    from flyte_remote_async.devserver.web.page.lists import Asked
    from flyte_remote_async.executions.failure import FailureReport
    from flyte_remote_async.transport.base import Transport

__all__ = ["Part", "Reader"]

_KEPT: Final = 8
_MOST_PROJECTS: Final = 50
_PAGE: Final = 1000


@attrs.frozen
class Part:
    """An execution, or a node of one.

    Attributes:
        project: The project of the execution.
        domain: Its domain.
        execution: Its name.
        node: The id of the node; empty for the execution itself.
    """

    project: str
    domain: str
    execution: str
    node: str = ""


class Reader:
    """Reads for the page. Snapshots are kept, so that what has ended is read once.

    Args:
        transport: Makes a transport to the devserver.
        clock: The time.
        hosts: The names of the port that serves the page, and the logs that it shows.
    """

    def __init__(self, transport: Callable[[], Transport], clock: Clock, hosts: Hosts) -> None:
        self._calls = Calls(transport())
        self._remote = FlyteRemote.over(transport, Config.for_endpoint("127.0.0.1:1", insecure=True))
        self._clock = clock
        self._hosts = hosts
        self._kept: OrderedDict[Part, tuple[FlyteWorkflowExecution, FailureReport | None]]
        self._kept = OrderedDict()

    async def aclose(self) -> None:
        """End what it reads with. Closing twice is fine."""
        await self._remote.aclose()

    async def places(self) -> dict[str, Any]:
        """Return the projects and domains, each with when its newest execution was created."""
        request = project_pb2.ProjectListRequest(limit=_MOST_PROJECTS)
        found = []
        for project in (await self._calls(LIST_PROJECTS, request)).projects:
            for domain in project.domains:
                asked = lists.Asked(project=project.id, domain=domain.id)
                newest, _ = await lists.page(self._calls, asked, 1)
                at = newest[0].closure.created_at.ToMilliseconds() if newest else None
                found.append({"project": project.id, "domain": domain.id, "newest": at})
        return {"places": found}

    async def executions(self, asked: Asked) -> dict[str, Any]:
        """Return a page of executions, the newest first.

        Raises:
            ValueError: The text or the token cannot be used.
        """
        found, token = await lists.page(self._calls, asked)
        shown = [row_of_execution(FlyteWorkflowExecution.from_flyte_idl(message)) for message in found]
        return {"now": self._now(), "rows": shown, "next": token}

    async def execution(self, part: Part) -> dict[str, Any]:
        """Return an execution with its tree and its timeline.

        Raises:
            NotFoundError: There is none.
        """
        execution, failure = await self._snapshot(part)
        # A thousand nodes take some 50 ms, which the control plane's other callers need not wait for.
        shown, left_out = await anyio.to_thread.run_sync(rows, execution)
        return {"now": self._now(), **details_of_execution(execution, failure), "rows": shown, "left_out": left_out}

    async def node(self, part: Part) -> dict[str, Any]:
        """Return what there is to know about a node, but for its data.

        Raises:
            NotFoundError: There is none.
        """
        return details_of_node(await self._node(part), self._hosts.path_of)

    async def data(self, part: Part) -> dict[str, Any]:
        """Return the inputs and outputs of a node, or of the execution where no node is named.

        Raises:
            NotFoundError: There is none.
        """
        snapshot: Any = await self._part(part)
        data = await self._remote.load_data(snapshot)
        inputs = await anyio.to_thread.run_sync(values, data.inputs, data.input_types)
        outputs = await anyio.to_thread.run_sync(values, data.outputs, data.output_types)
        return {"inputs": inputs, "outputs": outputs}

    async def literal(self, part: Part, side: str, name: str) -> Literal:
        """Return one input or output.

        Args:
            part: Whose.
            side: ``inputs`` or ``outputs``.
            name: Which of them.

        Raises:
            NotFoundError: There is none.
            OutputsUnavailableError: It cannot be read.
        """
        data = await self._remote.load_data(await self._part(part))
        found = data.inputs if side == "inputs" else data.outputs
        if isinstance(found, OutputsUnavailableError):
            raise found
        if name not in found:
            raise NotFoundError(f"there is no {name!r} among the {side}")
        return found[name].to_flyte_idl()

    # --- inside -------------------------------------------------------------------------------------------------

    def _now(self) -> int | None:
        return milliseconds(self._clock.now())

    async def _opened(self) -> FlyteRemote:
        return await self._remote.open()

    async def _snapshot(self, part: Part) -> tuple[FlyteWorkflowExecution, FailureReport | None]:
        kept, failure = self._kept.get(part, (None, None))
        kept = kept or await self._execution(part)
        execution = await kept.sync(sync_nodes=True)
        if execution.is_done and not execution.is_successful and failure is None:
            failure = await execution.explain_failure()
        self._kept[part] = execution, failure
        self._kept.move_to_end(part)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return execution, failure

    async def _part(self, part: Part) -> FlyteWorkflowExecution | FlyteNodeExecution:
        return await (self._node(part) if part.node else self._execution(part))

    async def _execution(self, part: Part) -> FlyteWorkflowExecution:
        remote = await self._opened()
        return await remote.fetch_execution(part.execution, project=part.project, domain=part.domain)

    async def _node(self, part: Part) -> FlyteNodeExecution:
        remote = await self._opened()
        run = identifier_pb2.WorkflowExecutionIdentifier(project=part.project, domain=part.domain, name=part.execution)
        id = identifier_pb2.NodeExecutionIdentifier(execution_id=run, node_id=part.node)
        message = await self._calls(GET_NODE_EXECUTION, node_execution_pb2.NodeExecutionGetRequest(id=id))
        request = task_execution_pb2.TaskExecutionListRequest(node_execution_id=id, limit=_PAGE)
        attempts = [
            FlyteTaskExecution.from_flyte_idl(attempt, remote=remote)
            async for found in pages(self._calls, LIST_TASK_EXECUTIONS, request)
            for attempt in found.task_executions  # type: ignore[attr-defined]
        ]
        attempts.sort(key=lambda attempt: attempt.attempt)
        return FlyteNodeExecution.from_flyte_idl(message, remote=remote, below=Below(attempts=tuple(attempts)))

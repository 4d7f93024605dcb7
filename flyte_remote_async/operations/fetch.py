"""Fetches of single entities: one RPC each, the newest version too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
from flyteidl.admin import common_pb2

from flyte_remote_async.entities import FlyteLaunchPlan, FlyteTask, FlyteWorkflow
from flyte_remote_async.errors import NotFoundError
from flyte_remote_async.models.identifiers import Identifier, ResourceType
from flyte_remote_async.policy.names import required
from flyte_remote_async.transport.methods import (
    GET_LAUNCH_PLAN,
    GET_TASK,
    GET_WORKFLOW,
    LIST_LAUNCH_PLANS,
    LIST_TASKS,
    LIST_WORKFLOWS,
)

if TYPE_CHECKING:
    from flyte_remote_async.operations.calls import Calls
    from flyte_remote_async.transport.base import Method

__all__ = ["Fetcher"]


LATEST: Final = "latest"


@attrs.frozen
class Fetcher:
    """Reads tasks, workflows and launch plans."""

    calls: Calls

    async def task(self, project: str, domain: str, name: str, version: str | None) -> FlyteTask:
        """Return a task.

        Args:
            project: Its project.
            domain: Its domain.
            name: Its name.
            version: Its version; None or ``"latest"`` is the newest.

        Raises:
            ValueError: The name or the version is empty; nothing was sent.
            NotFoundError: The control plane does not have it.
            RPCError: The call did not succeed.
        """
        id = _identifier(ResourceType.TASK, project, domain, name, version)
        if id.version != LATEST:
            return await self.task_by_id(id)
        return FlyteTask.from_task(await self._newest(LIST_TASKS, id, "tasks"))

    async def workflow(self, project: str, domain: str, name: str, version: str | None) -> FlyteWorkflow:
        """Return a workflow; arguments and errors as :meth:`task`.

        The newest version is found in a list, and lists of workflows carry no nodes: it has an interface alone.
        """
        id = _identifier(ResourceType.WORKFLOW, project, domain, name, version)
        if id.version != LATEST:
            return await self.workflow_by_id(id)
        return FlyteWorkflow.from_workflow(await self._newest(LIST_WORKFLOWS, id, "workflows"))

    async def launch_plan(self, project: str, domain: str, name: str, version: str | None) -> FlyteLaunchPlan:
        """Return a launch plan; arguments and errors as :meth:`task`."""
        id = _identifier(ResourceType.LAUNCH_PLAN, project, domain, name, version)
        if id.version != LATEST:
            return await self.launch_plan_by_id(id)
        return FlyteLaunchPlan.from_launch_plan(await self._newest(LIST_LAUNCH_PLANS, id, "launch_plans"))

    async def task_by_id(self, id: Identifier) -> FlyteTask:
        """Return the task that an identifier names; errors as :meth:`task`."""
        return FlyteTask.from_task(await self.calls(GET_TASK, _get(id)))

    async def workflow_by_id(self, id: Identifier) -> FlyteWorkflow:
        """Return the workflow that an identifier names, with its nodes; errors as :meth:`task`."""
        return FlyteWorkflow.from_workflow(await self.calls(GET_WORKFLOW, _get(id)))

    async def launch_plan_by_id(self, id: Identifier) -> FlyteLaunchPlan:
        """Return the launch plan that an identifier names; errors as :meth:`task`."""
        return FlyteLaunchPlan.from_launch_plan(await self.calls(GET_LAUNCH_PLAN, _get(id)))

    async def _newest(self, method: Method[Any, Any], id: Identifier, field: str) -> Any:
        request = common_pb2.ResourceListRequest(
            id=common_pb2.NamedEntityIdentifier(project=id.project, domain=id.domain, name=id.name), limit=1
        )
        request.sort_by.key = "created_at"
        request.sort_by.direction = request.sort_by.DESCENDING
        found = getattr(await self.calls(method, request), field)
        if not found:
            reason = "no version of it is registered"
            raise NotFoundError(reason, method=method.name, entity=f"{id.project}/{id.domain}/{id.name}")
        return found[0]


def _identifier(kind: ResourceType, project: str, domain: str, name: str, version: str | None) -> Identifier:
    # Flyte lists everything when a name is left out, and the newest of that is anything.
    required(f"the name of a {kind.name.lower().replace('_', ' ')}", name)
    if version is not None:
        required("a version", version)
    return Identifier(kind, project, domain, name, version or LATEST)


def _get(id: Identifier) -> common_pb2.ObjectGetRequest:
    return common_pb2.ObjectGetRequest(id=id.to_flyte_idl())

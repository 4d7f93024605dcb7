"""Tasks, workflows and launch plans: read and list. Registering them is in a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.admin import common_pb2, launch_plan_pb2, task_pb2, workflow_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.services.listing import (
    check_limit,
    check_resource_list,
    next_token,
    page,
    query,
)
from flyte_remote_async.devserver.services.refusals import absent, check_entity, check_fields, imply_kind
from flyte_remote_async.devserver.store.filters import equals
from flyte_remote_async.errors import InvalidArgumentError, NotFoundError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.store import Condition, Store

__all__ = ["EntityService", "no_entity"]


def no_entity(kind: str, identifier: identifier_pb2.Identifier) -> NotFoundError:
    """Return the refusal of a request for a task, workflow or launch plan that there is not."""
    named = identifier_pb2.Identifier()
    named.CopyFrom(identifier)
    named.ClearField("resource_type")
    return absent(kind, named)


class EntityService:
    """The RPCs that read what is registered."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.GET_TASK, self.get_task)
        registry.add(methods.LIST_TASKS, self.list_tasks)
        registry.add(methods.LIST_TASK_IDS, self.list_task_ids)
        registry.add(methods.GET_WORKFLOW, self.get_workflow)
        registry.add(methods.LIST_WORKFLOWS, self.list_workflows)
        registry.add(methods.LIST_WORKFLOW_IDS, self.list_workflow_ids)
        registry.add(methods.GET_LAUNCH_PLAN, self.get_launch_plan)
        registry.add(methods.LIST_LAUNCH_PLANS, self.list_launch_plans)
        registry.add(methods.LIST_LAUNCH_PLAN_IDS, self.list_launch_plan_ids)
        registry.add(methods.GET_ACTIVE_LAUNCH_PLAN, self.get_active)
        registry.add(methods.LIST_ACTIVE_LAUNCH_PLANS, self.list_active)

    async def get_task(self, request: common_pb2.ObjectGetRequest) -> task_pb2.Task:
        """Serve GetTask; parts of the identifier that are left out fit any."""
        found = await self._store.get_task(request.id)
        if found is None:
            raise no_entity("TASK", request.id)
        return found

    async def get_workflow(self, request: common_pb2.ObjectGetRequest) -> workflow_pb2.Workflow:
        """Serve GetWorkflow."""
        if request.HasField("id"):
            imply_kind(request.id, identifier_pb2.WORKFLOW)
        check_entity(request, "id", identifier_pb2.WORKFLOW)
        found = await self._store.get_workflow(request.id)
        if found is None:
            raise no_entity("WORKFLOW", request.id)
        return found

    async def get_launch_plan(self, request: common_pb2.ObjectGetRequest) -> launch_plan_pb2.LaunchPlan:
        """Serve GetLaunchPlan."""
        if request.HasField("id"):
            imply_kind(request.id, identifier_pb2.LAUNCH_PLAN)
        check_entity(request, "id", identifier_pb2.LAUNCH_PLAN)
        found = await self._store.get_launch_plan(request.id)
        if found is None:
            raise no_entity("LAUNCH_PLAN", request.id)
        return found

    async def list_tasks(self, request: common_pb2.ResourceListRequest) -> task_pb2.TaskList:
        """Serve ListTasks: whole tasks."""
        check_resource_list(request)
        asked = query("ListTasks", "tasks", request, _within("tasks", request.id))
        tasks, token = await page(self._store, asked, task_pb2.Task)
        return task_pb2.TaskList(tasks=tasks, token=token)

    async def list_workflows(self, request: common_pb2.ResourceListRequest) -> workflow_pb2.WorkflowList:
        """Serve ListWorkflows: their interfaces, and none of their nodes."""
        check_resource_list(request)
        asked = query("ListWorkflows", "workflows", request, _within("workflows", request.id))
        workflows, token = await page(self._store, asked, workflow_pb2.Workflow, "listed")
        return workflow_pb2.WorkflowList(workflows=workflows, token=token)

    async def list_launch_plans(self, request: common_pb2.ResourceListRequest) -> launch_plan_pb2.LaunchPlanList:
        """Serve ListLaunchPlans: of all states."""
        check_resource_list(request)
        return await self._launch_plans("ListLaunchPlans", request, _within("launch_plans", request.id))

    async def get_active(self, request: launch_plan_pb2.ActiveLaunchPlanRequest) -> launch_plan_pb2.LaunchPlan:
        """Serve GetActiveLaunchPlan: the one version of a launch plan that is active."""
        name = request.id
        check_fields(name, "project", "domain", "name")
        where = equals("launch_plans", project=name.project, domain=name.domain, name=name.name, state=1)
        only = common_pb2.ResourceListRequest(limit=1)
        found = (await self._launch_plans("GetActiveLaunchPlan", only, where)).launch_plans
        if not found:
            named = f"{name.project}:{name.domain}:{name.name}"
            raise NotFoundError(f"No active launch plan could be found: {named}")
        return found[0]

    async def list_active(self, request: launch_plan_pb2.ActiveLaunchPlanListRequest) -> launch_plan_pb2.LaunchPlanList:
        """Serve ListActiveLaunchPlans."""
        check_fields(request, "project", "domain")
        check_limit(request)
        where = equals("launch_plans", project=request.project, domain=request.domain, state=1)
        return await self._launch_plans("ListActiveLaunchPlans", request, where)

    async def list_task_ids(
        self, request: common_pb2.NamedEntityIdentifierListRequest
    ) -> common_pb2.NamedEntityIdentifierList:
        """Serve ListTaskIds: each name once."""
        _check_names(request)
        return await self._names("tasks", request, "ListUniqueTaskIdentifiers")

    async def list_workflow_ids(
        self, request: common_pb2.NamedEntityIdentifierListRequest
    ) -> common_pb2.NamedEntityIdentifierList:
        """Serve ListWorkflowIds: each name once."""
        _check_names(request)
        return await self._names("workflows", request, "ListWorkflowIdentifiers")

    async def list_launch_plan_ids(
        self, request: common_pb2.NamedEntityIdentifierListRequest
    ) -> common_pb2.NamedEntityIdentifierList:
        """Serve ListLaunchPlanIds: each name once. Unlike for tasks, project or domain may be left out."""
        if request.limit == 0 or not (request.project or request.domain):
            wrong = "limit" if request.limit == 0 else "filters"
            raise InvalidArgumentError(f"missing and/or invalid parameters: {wrong}")
        return await self._names("launch_plans", request)

    async def _launch_plans(
        self, rpc: str, request: Any, where: tuple[Condition, ...]
    ) -> launch_plan_pb2.LaunchPlanList:
        asked = query(rpc, "launch_plans", request, where)
        plans, token = await page(self._store, asked, launch_plan_pb2.LaunchPlan)
        return launch_plan_pb2.LaunchPlanList(launch_plans=plans, token=token)

    async def _names(
        self, table: str, request: common_pb2.NamedEntityIdentifierListRequest, rpc: str = ""
    ) -> common_pb2.NamedEntityIdentifierList:
        within = {"project": request.project, "domain": request.domain}
        where = equals(table, **{field: value for field, value in within.items() if value})
        request.ClearField("filters")  # Flyte does not look at them
        asked = query(rpc, table, request, where)
        names = await self._store.select(asked.names())
        entities = [
            common_pb2.NamedEntityIdentifier(project=project, domain=domain, name=name)
            for project, domain, name in names
        ]
        return common_pb2.NamedEntityIdentifierList(entities=entities, token=next_token(asked, len(entities)))


def _check_names(request: common_pb2.NamedEntityIdentifierListRequest) -> None:
    check_fields(request, "project", "domain")
    check_limit(request)


def _within(table: str, identifier: common_pb2.NamedEntityIdentifier) -> tuple[Condition, ...]:
    name = {"name": identifier.name} if identifier.name else {}
    return equals(table, project=identifier.project, domain=identifier.domain, **name)

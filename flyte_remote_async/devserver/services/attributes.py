"""Matchable attributes: settings of a project, of a domain of it, or of a workflow in that.

Source: flyteadmin/pkg/manager/impl (resources, validation) and repositories/gormimpl/resource_repo.go of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyteidl.admin import (
    matchable_resource_pb2,
    project_attributes_pb2,
    project_domain_attributes_pb2,
    workflow_attributes_pb2,
)

from flyte_remote_async.devserver.golang.enums import enum_name
from flyte_remote_async.devserver.services.execution_config import PLATFORM, merged
from flyte_remote_async.devserver.services.refusals import check_place, check_project, missing
from flyte_remote_async.devserver.store.sql import Statement
from flyte_remote_async.errors import InternalError, InvalidArgumentError, NotFoundError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyteidl.admin.matchable_resource_pb2 import MatchingAttributes

    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.store import Store
    from flyte_remote_async.devserver.store.rows import Row

__all__ = ["AttributeService", "find_attributes"]

_Kind = matchable_resource_pb2.MatchableResource
# In the order in which Flyte looks; one kind is not among them, and so cannot be set.
_KINDS: Final = {
    "task_resource_attributes": "TASK_RESOURCE",
    "cluster_resource_attributes": "CLUSTER_RESOURCE",
    "execution_queue_attributes": "EXECUTION_QUEUE",
    "execution_cluster_label": "EXECUTION_CLUSTER_LABEL",
    "plugin_overrides": "PLUGIN_OVERRIDE",
    "workflow_execution_config": "WORKFLOW_EXECUTION_CONFIG",
    "cluster_assignment": "CLUSTER_ASSIGNMENT",
}
_ZERO: Final = "0001-01-01 00:00:00 +0000 UTC"  # no time, in Go's words
_OF_PROJECT, _OF_DOMAIN, _OF_WORKFLOW = 5, 10, 100
_MATCHING: Final = (
    "SELECT project, domain, workflow, attributes FROM resources WHERE resource_type = ? AND project IN ('', ?) "
    "AND domain IN ('', ?) AND workflow IN ('', ?) AND launch_plan = '' ORDER BY priority DESC, id LIMIT 1"
)
_EXACT: Final = (
    "SELECT project, domain, workflow, attributes FROM resources WHERE resource_type = ? AND project = ? "
    "AND domain = ? AND workflow = ? AND launch_plan = ''"
)
_ALL: Final = (
    "SELECT project, domain, workflow, attributes FROM resources WHERE resource_type = ? ORDER BY priority DESC, id"
)


async def find_attributes(
    store: Store, kind: str, project: str, domain: str = "", workflow: str = ""
) -> MatchingAttributes | None:
    """Return the most specific attributes of a kind that match, or None.

    Args:
        store: Where they are.
        kind: Name of the kind, such as ``"WORKFLOW_EXECUTION_CONFIG"``.
        project: Project.
        domain: Domain; empty for what holds in all.
        workflow: Name of a workflow; empty for what holds for all.
    """
    found = await _select(store, _MATCHING, kind, project, domain, workflow)
    return found[0].attributes if found else None


class AttributeService:
    """The RPCs about matchable attributes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.UPDATE_PROJECT_ATTRIBUTES, self.update_project)
        registry.add(methods.GET_PROJECT_ATTRIBUTES, self.get_project)
        registry.add(methods.DELETE_PROJECT_ATTRIBUTES, self.delete_project)
        registry.add(methods.UPDATE_PROJECT_DOMAIN_ATTRIBUTES, self.update_domain)
        registry.add(methods.GET_PROJECT_DOMAIN_ATTRIBUTES, self.get_domain)
        registry.add(methods.DELETE_PROJECT_DOMAIN_ATTRIBUTES, self.delete_domain)
        registry.add(methods.UPDATE_WORKFLOW_ATTRIBUTES, self.update_workflow)
        registry.add(methods.GET_WORKFLOW_ATTRIBUTES, self.get_workflow)
        registry.add(methods.DELETE_WORKFLOW_ATTRIBUTES, self.delete_workflow)
        registry.add(methods.LIST_MATCHABLE_ATTRIBUTES, self.list)

    # --- of a project ---

    async def update_project(
        self, request: project_attributes_pb2.ProjectAttributesUpdateRequest
    ) -> project_attributes_pb2.ProjectAttributesUpdateResponse:
        """Serve UpdateProjectAttributes."""
        given = _given(request)
        await check_project(self._store, given.project, "is registered", must_be_active=True)
        if given.matching_attributes.WhichOneof("target") == "plugin_overrides":
            # Flyte looks for the overrides before only where there is a domain.
            raise _incomplete("PLUGIN_OVERRIDE", given.project)
        await self._put(given, _OF_PROJECT, project=given.project)
        return project_attributes_pb2.ProjectAttributesUpdateResponse()

    async def get_project(
        self, request: project_attributes_pb2.ProjectAttributesGetRequest
    ) -> project_attributes_pb2.ProjectAttributesGetResponse:
        """Serve GetProjectAttributes; an execution config is filled up with the platform's own settings."""
        await check_project(self._store, request.project, "exists")
        kind = _name(request.resource_type)
        if not request.project:
            raise _incomplete(kind)
        found = await _select(self._store, _EXACT, kind, request.project, "", "")
        attributes = found[0].attributes if found else matchable_resource_pb2.MatchingAttributes()
        if kind == "WORKFLOW_EXECUTION_CONFIG":
            config = merged([attributes.workflow_execution_config, PLATFORM])
            attributes = matchable_resource_pb2.MatchingAttributes(workflow_execution_config=config)
        elif not found:
            raise _not_found(kind, request.project)
        return project_attributes_pb2.ProjectAttributesGetResponse(
            attributes={"project": request.project, "matching_attributes": attributes}
        )

    async def delete_project(
        self, request: project_attributes_pb2.ProjectAttributesDeleteRequest
    ) -> project_attributes_pb2.ProjectAttributesDeleteResponse:
        """Serve DeleteProjectAttributes."""
        await check_project(self._store, request.project, "is registered", must_be_active=True)
        await self._delete(request, project=request.project)
        return project_attributes_pb2.ProjectAttributesDeleteResponse()

    # --- of a domain of a project ---

    async def update_domain(
        self, request: project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest
    ) -> project_domain_attributes_pb2.ProjectDomainAttributesUpdateResponse:
        """Serve UpdateProjectDomainAttributes."""
        given = _given(request)
        await check_place(self._store, given.project, given.domain)
        await self._put(given, _OF_DOMAIN, project=given.project, domain=given.domain)
        return project_domain_attributes_pb2.ProjectDomainAttributesUpdateResponse()

    async def get_domain(
        self, request: project_domain_attributes_pb2.ProjectDomainAttributesGetRequest
    ) -> project_domain_attributes_pb2.ProjectDomainAttributesGetResponse:
        """Serve GetProjectDomainAttributes: those of the domain, or else of the project."""
        await check_place(self._store, request.project, request.domain)
        found = await self._get(request.resource_type, request.project, request.domain, "")
        return project_domain_attributes_pb2.ProjectDomainAttributesGetResponse(
            attributes={"project": found.project, "domain": found.domain, "matching_attributes": found.attributes}
        )

    async def delete_domain(
        self, request: project_domain_attributes_pb2.ProjectDomainAttributesDeleteRequest
    ) -> project_domain_attributes_pb2.ProjectDomainAttributesDeleteResponse:
        """Serve DeleteProjectDomainAttributes."""
        await check_place(self._store, request.project, request.domain)
        await self._delete(request, project=request.project, domain=request.domain)
        return project_domain_attributes_pb2.ProjectDomainAttributesDeleteResponse()

    # --- of a workflow ---

    async def update_workflow(
        self, request: workflow_attributes_pb2.WorkflowAttributesUpdateRequest
    ) -> workflow_attributes_pb2.WorkflowAttributesUpdateResponse:
        """Serve UpdateWorkflowAttributes; the workflow need not be there."""
        given = _given(request)
        await self._check_workflow(given)
        await self._put(given, _OF_WORKFLOW, project=given.project, domain=given.domain, workflow=given.workflow)
        return workflow_attributes_pb2.WorkflowAttributesUpdateResponse()

    async def get_workflow(
        self, request: workflow_attributes_pb2.WorkflowAttributesGetRequest
    ) -> workflow_attributes_pb2.WorkflowAttributesGetResponse:
        """Serve GetWorkflowAttributes: those of the workflow, or else of the domain, or else of the project."""
        await self._check_workflow(request)
        found = await self._get(request.resource_type, request.project, request.domain, request.workflow)
        return workflow_attributes_pb2.WorkflowAttributesGetResponse(
            attributes={
                "project": found.project,
                "domain": found.domain,
                "workflow": found.workflow,
                "matching_attributes": found.attributes,
            }
        )

    async def delete_workflow(
        self, request: workflow_attributes_pb2.WorkflowAttributesDeleteRequest
    ) -> workflow_attributes_pb2.WorkflowAttributesDeleteResponse:
        """Serve DeleteWorkflowAttributes."""
        await self._check_workflow(request)
        await self._delete(request, project=request.project, domain=request.domain, workflow=request.workflow)
        return workflow_attributes_pb2.WorkflowAttributesDeleteResponse()

    async def list(
        self, request: matchable_resource_pb2.ListMatchableAttributesRequest
    ) -> matchable_resource_pb2.ListMatchableAttributesResponse:
        """Serve ListMatchableAttributes: all of a kind, the most specific first."""
        if request.resource_type not in _Kind.values():
            raise InvalidArgumentError("invalid value for resource_type")
        configurations = await _select(self._store, _ALL, _name(request.resource_type))
        return matchable_resource_pb2.ListMatchableAttributesResponse(configurations=configurations)

    # --- what they share ---

    async def _check_workflow(self, named: Any) -> None:
        await check_place(self._store, named.project, named.domain)
        if not named.workflow:
            raise missing("name")

    async def _put(self, given: Any, priority: int, **scope: str) -> None:
        attributes, kind = given.matching_attributes, _kind(given, scope)
        key = {"project": "", "domain": "", "workflow": "", "launch_plan": "", "resource_type": kind} | scope
        if kind == "PLUGIN_OVERRIDE":
            before = await _select(self._store, _EXACT, kind, key["project"], key["domain"], key["workflow"])
            attributes = _with_overrides(before[0].attributes if before else attributes, attributes)
        row: Row = {**key, "priority": priority}
        _check_scope(row, attributes)
        await self._store.put_attributes(row, attributes)

    async def _get(
        self, resource_type: int, project: str, domain: str, workflow: str
    ) -> matchable_resource_pb2.MatchableAttributesConfiguration:
        kind = _name(resource_type)
        if workflow and not project:
            raise _incomplete(kind, project, domain, workflow)
        found = await _select(self._store, _MATCHING, kind, project, domain, workflow)
        if not found:
            raise _not_found(kind, project, domain, workflow)
        return found[0]

    async def _delete(self, request: Any, **scope: str) -> None:
        # As in Flyte, what is left out fits any: without a domain, those of all domains of the project go.
        given = {name: value for name, value in scope.items() if value}
        await self._store.delete_attributes({**given, "resource_type": _name(request.resource_type)})


async def _select(
    store: Store, sql: str, *values: str
) -> list[matchable_resource_pb2.MatchableAttributesConfiguration]:
    return [
        matchable_resource_pb2.MatchableAttributesConfiguration(
            project=project,
            domain=domain,
            workflow=workflow,
            attributes=matchable_resource_pb2.MatchingAttributes.FromString(attributes),
        )
        for project, domain, workflow, attributes in await store.select(Statement(sql, values))
    ]


def _given(request: Any) -> Any:
    if not request.HasField("attributes"):
        raise missing("attributes")
    return request.attributes


def _kind(given: Any, scope: dict[str, str]) -> str:
    if not given.HasField("matching_attributes"):
        raise missing("matching_attributes")
    kind = _KINDS.get(given.matching_attributes.WhichOneof("target") or "")
    if kind is None:
        raise InvalidArgumentError(f"Unrecognized matching attributes type for request {'-'.join(scope.values())}")
    return kind


def _with_overrides(before: MatchingAttributes, given: MatchingAttributes) -> MatchingAttributes:
    """Return the plugin overrides of both: for each task type the one that is given, or else the one before."""
    overrides = {
        each.task_type: each for each in (*before.plugin_overrides.overrides, *given.plugin_overrides.overrides)
    }
    return matchable_resource_pb2.MatchingAttributes(plugin_overrides={"overrides": overrides.values()})


def _name(number: int) -> str:
    return enum_name(_Kind, number)


def _incomplete(kind: str, project: str = "", domain: str = "", workflow: str = "") -> InternalError:
    scope = f"{project} {domain} {workflow}  {kind}"
    return InternalError(f"unexpected error type for: missing and/or invalid parameters: {{{scope}}}")


def _check_scope(row: Row, attributes: MatchingAttributes) -> None:
    """Refuse to keep what would hold for workflows of no project, or for nothing."""
    if row["project"] or (row["domain"] and not row["workflow"]):
        return
    scope = " ".join(str(value) for value in row.values())
    given = " ".join(map(str, attributes.SerializeToString()))
    raise InvalidArgumentError(f"missing and/or invalid parameters: {{0 {_ZERO} {_ZERO} <nil> {scope} [{given}]}}")


def _not_found(kind: str, project: str, domain: str = "", workflow: str = "") -> NotFoundError:
    scope = f"Project:{project} Domain:{domain} Workflow:{workflow} LaunchPlan: ResourceType:{kind}"
    return NotFoundError(f"Resource [{{{scope}}}] not found")

"""Projects, domains and the server's version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import common_pb2, project_pb2, version_pb2

from flyte_remote_async.devserver.golang.kubernetes import dns_label_problems
from flyte_remote_async.devserver.services.listing import page, query
from flyte_remote_async.devserver.services.refusals import DOMAINS, check_labels, duplicate, missing
from flyte_remote_async.devserver.store.sql import EVERYTHING, Condition
from flyte_remote_async.errors import InvalidArgumentError, NotFoundError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.store import Store

__all__ = ["ProjectService"]

_LONGEST: Final = {"name": 64, "description": 300}


class ProjectService:
    """The RPCs about projects, domains and the version."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.REGISTER_PROJECT, self.create)
        registry.add(methods.UPDATE_PROJECT, self.update)
        registry.add(methods.GET_PROJECT, self.get)
        registry.add(methods.LIST_PROJECTS, self.list)
        registry.add(methods.GET_DOMAINS, self.domains)
        registry.add(methods.GET_VERSION, self.version)

    async def create(self, request: project_pb2.ProjectRegisterRequest) -> project_pb2.ProjectRegisterResponse:
        """Serve RegisterProject."""
        if not request.HasField("project"):
            raise missing("project")
        if not request.project.name:
            raise missing("project_name")
        _check(request.project)
        if not await self._store.add_project(request.project):
            raise duplicate("projects")
        return project_pb2.ProjectRegisterResponse()

    async def update(self, request: project_pb2.Project) -> project_pb2.ProjectUpdateResponse:
        """Serve UpdateProject: the state always, the other parts where they are given."""
        found = await self._found(request.id)
        _check(request)
        found.name = request.name or found.name
        found.description = request.description or found.description
        found.state = request.state
        if request.HasField("labels"):
            found.labels.CopyFrom(request.labels)
        await self._store.put_project(found)
        return project_pb2.ProjectUpdateResponse()

    async def get(self, request: project_pb2.ProjectGetRequest) -> project_pb2.Project:
        """Serve GetProject."""
        if not request.id:
            raise missing("project_id")
        return _with_domains(await self._found(request.id))

    async def list(self, request: project_pb2.ProjectListRequest) -> project_pb2.Projects:
        """Serve ListProjects: by id; without filters those that are not archived; without a limit all of them."""
        asked = project_pb2.ProjectListRequest()
        asked.CopyFrom(request)
        asked.limit = request.limit or EVERYTHING
        if not request.HasField("sort_by"):
            asked.sort_by.CopyFrom(common_pb2.Sort(key="identifier", direction=common_pb2.Sort.ASCENDING))
        where = (
            ()
            if request.filters
            else (Condition('"projects"."state" <> ?', (project_pb2.Project.ARCHIVED,), "projects"),)
        )
        projects, token = await page(self._store, query("ListProjects", "projects", asked, where), project_pb2.Project)
        return project_pb2.Projects(projects=[_with_domains(project) for project in projects], token=token)

    async def domains(self, _: project_pb2.GetDomainRequest) -> project_pb2.GetDomainsResponse:
        """Serve GetDomains."""
        return project_pb2.GetDomainsResponse(domains=_domains())

    async def version(self, _: version_pb2.GetVersionRequest) -> version_pb2.GetVersionResponse:
        """Serve GetVersion: unknown, as the images of Flyte say that were built without one."""
        unknown = version_pb2.Version(Build="unknown", Version="unknown", BuildTime="unknown")
        return version_pb2.GetVersionResponse(control_plane_version=unknown)

    async def _found(self, identifier: str) -> project_pb2.Project:
        found = await self._store.get_project(identifier)
        if found is None:
            raise NotFoundError(f"project [{identifier}] not found")
        return found


def _check(project: project_pb2.Project) -> None:
    if not project.id:
        raise missing("project_id")
    check_labels(project.labels)
    problems = dns_label_problems(project.id)
    if problems:
        raise InvalidArgumentError(f"invalid project id [{project.id}]: [{' '.join(problems)}]")
    for field, longest in _LONGEST.items():
        if len(getattr(project, field).encode()) > longest:
            raise InvalidArgumentError(f"project_{field} cannot exceed {longest} characters")
    if project.domains:
        raise InvalidArgumentError(
            "Domains are currently only set system wide. Please retry without domains included in your request."
        )


def _with_domains(project: project_pb2.Project) -> project_pb2.Project:
    del project.domains[:]
    project.domains.extend(_domains())
    return project


def _domains() -> list[project_pb2.Domain]:
    return [project_pb2.Domain(id=domain, name=domain) for domain in DOMAINS]

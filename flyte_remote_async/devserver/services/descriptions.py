"""Description entities: what the author of a version of a task or workflow says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import description_entity_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.services.listing import ENTITY_TABLES, check_limit, page, query
from flyte_remote_async.devserver.services.refusals import check_fields, imply_kind, missing
from flyte_remote_async.devserver.store import Condition, Query
from flyte_remote_async.devserver.store.filters import equals, parse_filters
from flyte_remote_async.devserver.store.schema import TABLES
from flyte_remote_async.errors import InternalError, InvalidArgumentError, NotFoundError, UnknownError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyteidl.admin import common_pb2

    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.store import Store

__all__ = ["DescriptionService"]

_TABLE: Final = "description_entities"


class DescriptionService:
    """The RPCs about description entities."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.GET_DESCRIPTION_ENTITY, self.get)
        registry.add(methods.LIST_DESCRIPTION_ENTITIES, self.list)

    async def get(self, request: common_pb2.ObjectGetRequest) -> description_entity_pb2.DescriptionEntity:
        """Serve GetDescriptionEntity."""
        if request.HasField("id"):
            imply_kind(request.id, identifier_pb2.TASK)
        if request.id.resource_type == identifier_pb2.UNSPECIFIED:
            raise InvalidArgumentError("invalid value for resource_type")
        check_fields(request.id, "project", "domain", "name", "version")
        named = request.id
        where = equals(_TABLE, project=named.project, domain=named.domain, name=named.name, version=named.version)
        found = await self._store.page(Query(_TABLE, where, limit=1))
        if not found:
            raise NotFoundError("entry not found")
        return _whole(description_entity_pb2.DescriptionEntity.FromString(found[0]))

    async def list(
        self, request: description_entity_pb2.DescriptionEntityListRequest
    ) -> description_entity_pb2.DescriptionEntityList:
        """Serve ListDescriptionEntities: of all versions of a name, and as in Flyte of all kinds that have the name."""
        if not request.HasField("id"):
            raise missing("id")
        check_fields(request.id, "project", "domain", "name")
        check_limit(request)
        if request.filters and request.resource_type not in ENTITY_TABLES:
            raise InternalError("unsupported entity ''")
        filtered_as = ENTITY_TABLES.get(request.resource_type, "tasks")
        where = (
            *equals(_TABLE, project=request.id.project, domain=request.id.domain, name=request.id.name),
            *_conditions(request.filters, filtered_as),
        )
        asked = description_entity_pb2.DescriptionEntityListRequest()
        asked.CopyFrom(request)
        asked.ClearField("filters")
        # Its token is refused under another name.
        found, token = await page(
            self._store, query("ListWorkflows", _TABLE, asked, where), description_entity_pb2.DescriptionEntity
        )
        return description_entity_pb2.DescriptionEntityList(descriptionEntities=map(_whole, found), token=token)


def _conditions(text: str, table: str) -> tuple[Condition, ...]:
    """Return the conditions of a filter, which may name what a list of the entities may, and what is here as well."""
    conditions = parse_filters(text, table)
    for condition in conditions:
        column = condition.sql.split('"')[3]
        if column not in TABLES[_TABLE].columns:
            raise UnknownError(f'failed database operation with column "{column}" does not exist')
    return tuple(
        Condition(condition.sql.replace(f'"{condition.table}".', f'"{_TABLE}".'), condition.values, _TABLE)
        for condition in conditions
    )


def _whole(entity: description_entity_pb2.DescriptionEntity) -> description_entity_pb2.DescriptionEntity:
    """Return a description as Flyte does: with all its parts, also those that nobody wrote."""
    entity.long_description.SetInParent()
    entity.source_code.SetInParent()
    return entity

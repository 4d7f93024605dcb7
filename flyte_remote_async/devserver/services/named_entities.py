"""Named entities: what all versions of a task, workflow or launch plan share, a description and a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyteidl.admin import common_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.golang.enums import enum_name
from flyte_remote_async.devserver.services.listing import ENTITY_TABLES, check_limit, next_token, offset, query, sort
from flyte_remote_async.devserver.services.refusals import check_fields, missing
from flyte_remote_async.devserver.store.filters import equals, parse_filters
from flyte_remote_async.devserver.store.sql import Query, Statement
from flyte_remote_async.errors import InvalidArgumentError, NotFoundError, UnknownError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.store import Store

__all__ = ["NamedEntityService"]

_LONGEST_DESCRIPTION: Final = 300
_SELECT: Final = (
    "SELECT entities.project, entities.domain, entities.name, "
    "named_entity_metadata.description, named_entity_metadata.state FROM ({entities}) AS entities "
    "LEFT JOIN named_entity_metadata ON named_entity_metadata.resource_type = ? "
    "AND named_entity_metadata.project = entities.project AND named_entity_metadata.domain = entities.domain "
    "AND named_entity_metadata.name = entities.name WHERE {where} ORDER BY {order}"
)


class NamedEntityService:
    """The RPCs about named entities."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.GET_NAMED_ENTITY, self.get)
        registry.add(methods.UPDATE_NAMED_ENTITY, self.update)
        registry.add(methods.LIST_NAMED_ENTITIES, self.list)

    async def get(self, request: common_pb2.NamedEntityGetRequest) -> common_pb2.NamedEntity:
        """Serve GetNamedEntity."""
        return await self._get(request)

    async def update(self, request: common_pb2.NamedEntityUpdateRequest) -> common_pb2.NamedEntityUpdateResponse:
        """Serve UpdateNamedEntity: describe, archive, or make active again."""
        _check(request)
        if not request.HasField("metadata"):
            raise missing("metadata")
        if request.metadata.state != common_pb2.NAMED_ENTITY_ACTIVE and request.resource_type not in ENTITY_TABLES:
            kind = enum_name(identifier_pb2.ResourceType, request.resource_type)
            raise InvalidArgumentError(f"Resource [{kind}] cannot have its state updated")
        before = (await self._get(request)).metadata
        if len(request.metadata.description) > _LONGEST_DESCRIPTION:
            raise UnknownError("failed database operation with value too long for type character varying(300)")
        await self._store.put_named_entity(
            common_pb2.NamedEntity(
                resource_type=request.resource_type,
                id=request.id,
                metadata=common_pb2.NamedEntityMetadata(
                    description=request.metadata.description or before.description, state=request.metadata.state
                ),
            )
        )
        return common_pb2.NamedEntityUpdateResponse()

    async def list(self, request: common_pb2.NamedEntityListRequest) -> common_pb2.NamedEntityList:
        """Serve ListNamedEntities; without filters the ones that Flyte generates for single tasks are left out.

        As in Flyte, a page is cut before the filters are applied, so that a page may be shorter than the limit.
        """
        check_fields(request, "project", "domain")
        if request.resource_type == identifier_pb2.UNSPECIFIED:
            raise InvalidArgumentError("invalid value for resource_type")
        check_limit(request)
        conditions = parse_filters(request.filters or "not_like(name,.flytegen%)", "entities")
        key, _ = sort(request, "entities")
        offset("ListNamedEntities", request.token)
        table = _table(request, "list entity names")
        if key not in (None, "project", "domain", "name"):
            raise UnknownError(f'failed database operation with column "{key}" does not exist')
        cut = common_pb2.NamedEntityListRequest()
        cut.CopyFrom(request)
        cut.ClearField("filters")
        asked = query("ListNamedEntities", table, cut, equals(table, project=request.project, domain=request.domain))
        inner = asked.names()
        direction = "DESC" if asked.descending else "ASC"
        order = f"entities.{asked.order_by} {direction}" if asked.order_by else "1, 2, 3"
        where = " AND ".join(condition.sql for condition in conditions)
        values = [value for condition in conditions for value in condition.values]
        sql = _SELECT.format(entities=inner.sql, where=where, order=order)
        found = await self._store.select(Statement(sql, (*inner.values, request.resource_type, *values)))
        entities = [_entity(request.resource_type, row) for row in found]
        return common_pb2.NamedEntityList(entities=entities, token=next_token(asked, len(entities)))

    async def _get(
        self, request: common_pb2.NamedEntityGetRequest | common_pb2.NamedEntityUpdateRequest
    ) -> common_pb2.NamedEntity:
        _check(request)
        table = _table(request, "get NamedEntityMetadata")
        named = {"project": request.id.project, "domain": request.id.domain, "name": request.id.name}
        inner = Query(table, equals(table, **named), limit=1).names()
        sql = _SELECT.format(entities=inner.sql, where="TRUE", order="1")
        found = await self._store.select(Statement(sql, (*inner.values, request.resource_type)))
        if not found:
            raise NotFoundError("entry not found")
        return _entity(request.resource_type, found[0])


def _check(request: common_pb2.NamedEntityGetRequest | common_pb2.NamedEntityUpdateRequest) -> None:
    if request.resource_type == identifier_pb2.UNSPECIFIED:
        raise InvalidArgumentError("invalid value for resource_type")
    if not request.HasField("id"):
        raise missing("id")
    check_fields(request.id, "project", "domain", "name")


def _table(request: Any, what: str) -> str:
    table = ENTITY_TABLES.get(request.resource_type)
    if table is None:
        kind = enum_name(identifier_pb2.ResourceType, request.resource_type)
        raise InvalidArgumentError(f"Cannot {what} for resource type: {kind}")
    return table


def _entity(kind: int, row: tuple[Any, ...]) -> common_pb2.NamedEntity:
    project, domain, name, description, state = row
    return common_pb2.NamedEntity(
        resource_type=identifier_pb2.ResourceType.Name(kind),
        id=common_pb2.NamedEntityIdentifier(project=project, domain=domain, name=name),
        metadata={"description": description or "", "state": state or 0},
    )

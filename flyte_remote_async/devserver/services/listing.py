"""Lists: limit, offset as token, filters and sort, as every list RPC has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flyteidl.core import identifier_pb2
from google.protobuf.message import Message

from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.services.refusals import check_fields, missing
from flyte_remote_async.devserver.store import Query
from flyte_remote_async.devserver.store.filters import COLUMNS, joins, parse_filters
from flyte_remote_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from flyte_remote_async.devserver.store import Condition, Store

__all__ = [
    "ENTITY_TABLES",
    "check_limit",
    "check_resource_list",
    "next_token",
    "offset",
    "page",
    "query",
    "sort",
    "trimmed",
]

M = TypeVar("M", bound=Message)

ENTITY_TABLES: Final = {
    identifier_pb2.TASK: "tasks",
    identifier_pb2.WORKFLOW: "workflows",
    identifier_pb2.LAUNCH_PLAN: "launch_plans",
}
"""The tables of what is registered, by the kind of its identifier."""

_SHOWN_BYTES: Final = 100
_LAST_OFFSET: Final = 2**63 - 1


def check_limit(request: Any) -> None:
    """Refuse a list of nothing."""
    if request.limit == 0:
        raise InvalidArgumentError("invalid value for limit")


def check_resource_list(request: Any) -> None:
    """Refuse a list request without project, domain or limit."""
    if not request.HasField("id"):
        raise missing("id")
    check_fields(request.id, "project", "domain")
    check_limit(request)


def query(rpc: str, table: str, request: Any, where: tuple[Condition, ...]) -> Query:
    """Return the page that a list request asks for.

    Args:
        rpc: What the refusal of a token calls the RPC; nothing where it does not say.
        table: The table that is listed.
        request: The request: its limit, token, sort and, where it has them, filters.
        where: The conditions that hold besides the request's filters.

    Raises:
        InvalidArgumentError: The filters, the sort or the token are not legal.
    """
    conditions = (*where, *parse_filters(getattr(request, "filters", ""), table))
    order_by, descending = sort(request, table)
    return Query(
        table,
        conditions,
        joins=joins(table, conditions),
        order_by=order_by,
        descending=descending,
        limit=request.limit,
        offset=offset(rpc, request.token),
    )


async def page(store: Store, asked: Query, cls: type[M], column: str = "message") -> tuple[list[M], str]:
    """Return the messages of a page, and the token of the next; an empty token when the page is not full."""
    found = [cls.FromString(data) for data in await store.page(asked, column)]
    return found, next_token(asked, len(found))


def next_token(asked: Query, count: int) -> str:
    """Return the token of the page after one that has this many rows."""
    return str(asked.offset + count) if count == asked.limit else ""


def trimmed(message: str) -> str:
    """Return an error message as lists show it: the first hundred bytes, without a character that is cut in two."""
    return message.encode()[:_SHOWN_BYTES].decode(errors="ignore")


def sort(request: Any, table: str) -> tuple[str | None, bool]:
    """Return the column that a list is sorted by, or None, and whether the sort goes down."""
    if not request.HasField("sort_by"):
        return None, False
    asked = request.sort_by
    if asked.key not in COLUMNS[table]:
        raise InvalidArgumentError(f"invalid sort key '{asked.key}'")
    if asked.direction not in (asked.DESCENDING, asked.ASCENDING):
        raise InvalidArgumentError(f"invalid sort order specified: {prototext(asked)}")
    return asked.key, asked.direction == asked.DESCENDING


def offset(rpc: str, token: str) -> int:
    """Return how many rows a token says to leave out."""
    if not token:
        return 0
    if not re.fullmatch(r"[+-]?[0-9]+", token) or not 0 <= int(token) <= _LAST_OFFSET:
        raise InvalidArgumentError(f"invalid pagination token {token}" + (f" for {rpc}" if rpc else ""))
    return int(token)

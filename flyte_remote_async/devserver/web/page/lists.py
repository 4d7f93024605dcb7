"""Pages of executions that match a text by their name or by the name of their workflow.

Flyte's filters must all hold, so there is one list for each of the two, and they are merged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
from flyteidl.admin import common_pb2

from flyte_remote_async.policy.filters import contains, eq, filters_text
from flyte_remote_async.transport.methods import LIST_EXECUTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyteidl.admin import execution_pb2

    from flyte_remote_async.operations.calls import Calls
    from flyte_remote_async.policy.filters import Filter

__all__ = ["LIMIT", "Asked", "merged", "page"]

LIMIT: Final = 50


@attrs.frozen(kw_only=True)
class Asked:
    """Which executions are asked for.

    Attributes:
        project: Their project.
        domain: Their domain.
        text: What their name, or that of their workflow, contains; empty for all.
        phase: The name of their phase; empty for all.
        token: Where the page begins; empty for the first.
    """

    project: str
    domain: str
    text: str = ""
    phase: str = ""
    token: str = ""

    def filters(self) -> list[list[Filter]]:
        """Return the filters of each list.

        Raises:
            ValueError: Flyte's filters cannot hold the text.
        """
        phases = [eq("phase", self.phase)] if self.phase else []
        if not self.text:
            return [phases]
        return [[contains(column, self.text), *phases] for column in ("execution_name", "workflow.name")]

    def offsets(self, lists: int) -> list[int]:
        """Return where the page begins in each list.

        Raises:
            ValueError: The token is none of this list.
        """
        if not self.token:
            return [0] * lists
        parts = self.token.split(".")
        if len(parts) != lists or not all(part.isdecimal() for part in parts):
            raise ValueError(f"the token {self.token!r} is none of this list")
        return [int(part) for part in parts]


def merged(
    lists: Sequence[Sequence[execution_pb2.Execution]], limit: int
) -> tuple[list[execution_pb2.Execution], list[int]]:
    """Return the newest executions of lists that have the newest first, and how many of each list they took.

    What is in several lists is taken once.

    Args:
        lists: The lists.
        limit: How many executions are taken at most.
    """
    taken = [0] * len(lists)
    found: list[execution_pb2.Execution] = []
    while len(found) < limit:
        heads = [each[taken[index]] for index, each in enumerate(lists) if taken[index] < len(each)]
        if not heads:
            break
        newest = max(heads, key=lambda head: head.closure.created_at.ToNanoseconds())
        found.append(newest)
        for index, each in enumerate(lists):
            if taken[index] < len(each) and each[taken[index]].id == newest.id:
                taken[index] += 1
    return found, taken


async def page(calls: Calls, asked: Asked, limit: int = LIMIT) -> tuple[list[execution_pb2.Execution], str]:
    """Return a page of executions, the newest first, and the token of the next one; empty for the last.

    Args:
        calls: Makes the calls.
        asked: Which executions.
        limit: How many at most.

    Raises:
        ValueError: The text or the token cannot be used.
        RPCError: A call did not succeed.
    """
    filters = asked.filters()
    offsets = asked.offsets(len(filters))
    lists = [await _list(calls, asked, each, offset, limit + 1) for each, offset in zip(filters, offsets, strict=True)]
    found, taken = merged(lists, limit)
    is_last = all(count == len(each) for count, each in zip(taken, lists, strict=True))
    token = "" if is_last else ".".join(str(offset + count) for offset, count in zip(offsets, taken, strict=True))
    return found, token


async def _list(calls: Calls, asked: Asked, filters: list[Filter], offset: int, limit: int) -> Any:
    request = common_pb2.ResourceListRequest(
        id=common_pb2.NamedEntityIdentifier(project=asked.project, domain=asked.domain),
        limit=limit,
        token=str(offset) if offset else "",
        filters=filters_text(filters),
    )
    request.sort_by.key = "created_at"
    request.sort_by.direction = request.sort_by.DESCENDING
    return (await calls(LIST_EXECUTIONS, request)).executions

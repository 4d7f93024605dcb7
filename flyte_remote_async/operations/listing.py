"""Lists as async iterators: pages come as they are needed, and nothing comes twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import common_pb2

from flyte_remote_async.operations.reading import pages
from flyte_remote_async.policy.filters import filters_text
from flyte_remote_async.transport.methods import LIST_EXECUTIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from flyteidl.admin import execution_pb2

    from flyte_remote_async.operations.calls import Calls
    from flyte_remote_async.policy.filters import Filter

__all__ = ["executions", "has_cut_error"]

_PAGE: Final = 100


async def executions(
    calls: Calls,
    project: str,
    domain: str,
    *,
    limit: int | None,
    filters: Sequence[Filter | str],
    sort_by: str,
    ascending: bool,
) -> AsyncIterator[execution_pb2.Execution]:
    """Yield executions, by default the newest first.

    Args:
        calls: Makes the calls.
        project: Their project.
        domain: Their domain.
        limit: How many at most; None for all.
        filters: Which of them; all must hold.
        sort_by: Column to sort by.
        ascending: Whether the smallest comes first.

    Raises:
        ValueError: The limit is below 1.
        RPCError: A call did not succeed.
    """
    if limit is not None and limit < 1:
        reason = f"a list needs a limit of 1 or more, or None for all; this is {limit}"
        raise ValueError(reason)
    if isinstance(filters, str):
        raise TypeError(f"filters is a list of filters, not the string {filters!r}: write [{filters!r}]")
    request = common_pb2.ResourceListRequest(
        id=common_pb2.NamedEntityIdentifier(project=project, domain=domain),
        limit=min(limit or _PAGE, _PAGE),
        filters=filters_text(filters),
    )
    request.sort_by.key = sort_by
    request.sort_by.direction = request.sort_by.ASCENDING if ascending else request.sort_by.DESCENDING
    # Pages are cut by offset: what is launched meanwhile moves rows from one page to the next.
    seen: set[str] = set()
    async for page in pages(calls, LIST_EXECUTIONS, request):
        for execution in page.executions:  # type: ignore[attr-defined]
            if execution.id.name in seen:
                continue
            seen.add(execution.id.name)
            yield execution
            if len(seen) == limit:
                return


def has_cut_error(listed: execution_pb2.Execution) -> bool:
    """Return whether the error of an execution that a list gave may be cut."""
    if not listed.closure.HasField("error"):
        return False
    from flyte_remote_async.models.outcomes import is_cut  # most executions have no error

    return is_cut(listed.closure.error.message)

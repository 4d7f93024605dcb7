"""The concurrency policy of a launch plan: how many of its executions may run at a time.

Source: ``checkLaunchPlanConcurrency`` in flyteadmin/pkg/manager/impl/execution_manager.go of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import launch_plan_pb2

from flyte_remote_async.devserver.store import Query
from flyte_remote_async.devserver.store.filters import equals, joins, parse_filters
from flyte_remote_async.errors import AlreadyExistsError, InternalError

if TYPE_CHECKING:
    from flyte_remote_async.devserver.store import Store

__all__ = ["check_concurrency"]

# One that was accepted and is not yet under way does not count: two at the same time may both pass, as in Flyte.
_COUNTED: Final = parse_filters("value_in(phase,QUEUED;RUNNING)", "executions")


async def check_concurrency(store: Store, plan: launch_plan_pb2.LaunchPlan) -> None:
    """Refuse an execution of a launch plan of which enough executions run, of all its versions.

    Raises:
        AlreadyExistsError: The policy is to skip it. The code is Flyte's, although no such execution exists.
        InternalError: The policy is not known.
    """
    if not plan.spec.HasField("concurrency_policy"):
        return
    policy, name = plan.spec.concurrency_policy, plan.id.name
    where = (
        *equals("executions", execution_project=plan.id.project, execution_domain=plan.id.domain),
        *equals("launch_plans", name=name),
        *_COUNTED,
    )
    found = await store.page(Query("executions", where, joins=joins("executions", where), limit=policy.max), "id")
    if len(found) < policy.max or policy.behavior == launch_plan_pb2.CONCURRENCY_LIMIT_BEHAVIOR_UNSPECIFIED:
        return
    if policy.behavior != launch_plan_pb2.CONCURRENCY_LIMIT_BEHAVIOR_SKIP:
        raise InternalError(f"unsupported concurrency-limit behavior: {policy.behavior}")
    raise AlreadyExistsError(f"concurrency limit ({policy.max}) reached for launch plan {name}; skipping execution")

"""An embedded Flyte 1.x control plane for tests, demos and local work."""

from flyte_remote_async.devserver.faults import (
    Cut,
    DatabaseFails,
    Delay,
    Fail,
    Hang,
    KubernetesFails,
    Trickle,
    Truncate,
)
from flyte_remote_async.devserver.runners.dynamic import DynamicWorkflow
from flyte_remote_async.devserver.runners.stand_ins import FlyteRecoverableException, Interrupted, current_attempt
from flyte_remote_async.devserver.server import DevServer

__all__ = [
    "Cut",
    "DatabaseFails",
    "Delay",
    "DevServer",
    "DynamicWorkflow",
    "Fail",
    "FlyteRecoverableException",
    "Hang",
    "Interrupted",
    "KubernetesFails",
    "Trickle",
    "Truncate",
    "current_attempt",
]

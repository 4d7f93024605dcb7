"""An async-first SDK for the Flyte 1.x control plane.

Example:
    >>> async with FlyteRemote.connect("dns:///flyte.example.com", project="p", domain="d") as remote:
    ...     execution = await remote.execute(await remote.fetch_workflow("pkg.wf"), inputs={"a": 3})
    ...     execution = await execution.wait(timeout=600)
    ...     print(await execution.outputs["o0"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyte_remote_async import errors
from flyte_remote_async._version import __version__
from flyte_remote_async.config import AuthConfig, Config, Secret, Timeouts
from flyte_remote_async.errors import FlyteRemoteError
from flyte_remote_async.executions import FlyteWorkflowExecution, RemoteExecutionBase
from flyte_remote_async.models.identifiers import (
    Identifier,
    NodeExecutionIdentifier,
    ResourceType,
    TaskExecutionIdentifier,
    WorkflowExecutionIdentifier,
)
from flyte_remote_async.models.phases import NodeKind, NodePhase, TaskPhase, WorkflowPhase
from flyte_remote_async.remote import FlyteRemote

if TYPE_CHECKING:
    from flyte_remote_async.entities import FlyteLaunchPlan, FlyteNode, FlyteTask, FlyteWorkflow
    from flyte_remote_async.executions import FlyteNodeExecution, FlyteTaskExecution
    from flyte_remote_async.executions.events import (
        AttemptChanged,
        Event,
        ExecutionPhaseChanged,
        LogLinkAdded,
        NodePhaseChanged,
        SignalWanted,
    )
    from flyte_remote_async.executions.failure import FailureReport
    from flyte_remote_async.executions.timeline import Span, SpanKind, Timeline, TimelineSource
    from flyte_remote_async.interface import TypedInterface
    from flyte_remote_async.literals import FlyteDirectory, FlyteError, FlyteFile, StructuredDataset, Types
    from flyte_remote_async.models.literals import Literal, LiteralType, Variable
    from flyte_remote_async.models.options import LaunchOptions
    from flyte_remote_async.models.signals import Signal
    from flyte_remote_async.policy import filters
    from flyte_remote_async.resolver import LiteralsResolver

__all__ = [
    "AttemptChanged",
    "AuthConfig",
    "Config",
    "Event",
    "ExecutionPhaseChanged",
    "FailureReport",
    "FlyteDirectory",
    "FlyteError",
    "FlyteFile",
    "FlyteLaunchPlan",
    "FlyteNode",
    "FlyteNodeExecution",
    "FlyteRemote",
    "FlyteRemoteError",
    "FlyteTask",
    "FlyteTaskExecution",
    "FlyteWorkflow",
    "FlyteWorkflowExecution",
    "Identifier",
    "LaunchOptions",
    "Literal",
    "LiteralType",
    "LiteralsResolver",
    "LogLinkAdded",
    "NodeExecutionIdentifier",
    "NodeKind",
    "NodePhase",
    "NodePhaseChanged",
    "RemoteExecutionBase",
    "ResourceType",
    "Secret",
    "Signal",
    "SignalWanted",
    "Span",
    "SpanKind",
    "StructuredDataset",
    "TaskExecutionIdentifier",
    "TaskPhase",
    "Timeline",
    "TimelineSource",
    "Timeouts",
    "TypedInterface",
    "Types",
    "Variable",
    "WorkflowExecutionIdentifier",
    "WorkflowPhase",
    "__version__",
    "errors",
    "filters",
]

# What a program that only watches executions does not touch is imported when it is first named.
_LATER = {
    "AttemptChanged": "executions.events",
    "Event": "executions.events",
    "ExecutionPhaseChanged": "executions.events",
    "FailureReport": "executions.failure",
    "FlyteDirectory": "literals",
    "FlyteError": "literals",
    "FlyteFile": "literals",
    "FlyteLaunchPlan": "entities",
    "FlyteNode": "entities",
    "FlyteNodeExecution": "executions.node",
    "FlyteTask": "entities",
    "FlyteTaskExecution": "executions.attempt",
    "FlyteWorkflow": "entities",
    "LaunchOptions": "models.options",
    "Literal": "models.literals",
    "LiteralType": "models.literals",
    "LiteralsResolver": "resolver",
    "LogLinkAdded": "executions.events",
    "NodePhaseChanged": "executions.events",
    "Signal": "models.signals",
    "SignalWanted": "executions.events",
    "Span": "executions.timeline",
    "SpanKind": "executions.timeline",
    "StructuredDataset": "literals",
    "Timeline": "executions.timeline",
    "TimelineSource": "executions.timeline",
    "TypedInterface": "interface",
    "Types": "literals",
    "Variable": "models.literals",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "filters":
        return importlib.import_module(f"{__name__}.policy.filters")
    if name in _LATER:
        return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

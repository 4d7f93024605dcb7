"""Snapshots of executions, with the classes of the reference API's module ``flytekit.remote.executions``."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyte_remote_async.executions.base import RemoteExecutionBase
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution

if TYPE_CHECKING:
    from flyte_remote_async.entities import FlyteTask, FlyteWorkflow
    from flyte_remote_async.executions.attempt import FlyteTaskExecution
    from flyte_remote_async.executions.node import FlyteNodeExecution
    from flyte_remote_async.interface import TypedInterface
    from flyte_remote_async.resolver import LiteralsResolver

__all__ = [
    "FlyteNodeExecution",
    "FlyteTask",
    "FlyteTaskExecution",
    "FlyteWorkflow",
    "FlyteWorkflowExecution",
    "LiteralsResolver",
    "RemoteExecutionBase",
    "TypedInterface",
    "abstractmethod",
    "timedelta",
]

# A program that only watches executions, and not their nodes, never touches these.
_LATER = {
    "FlyteNodeExecution": "executions.node",
    "FlyteTask": "entities",
    "FlyteTaskExecution": "executions.attempt",
    "FlyteWorkflow": "entities",
    "LiteralsResolver": "resolver",
    "TypedInterface": "interface",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LATER:
        return getattr(importlib.import_module(f"flyte_remote_async.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

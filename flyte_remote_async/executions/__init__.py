"""Snapshots of executions, with the classes of the reference API's module ``flytekit.remote.executions``."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta

from flyte_remote_async.entities import FlyteTask, FlyteWorkflow
from flyte_remote_async.executions.attempt import FlyteTaskExecution
from flyte_remote_async.executions.base import RemoteExecutionBase
from flyte_remote_async.executions.node import FlyteNodeExecution
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
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

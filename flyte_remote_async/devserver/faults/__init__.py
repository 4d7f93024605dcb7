"""Faults on demand: what goes wrong between a client and Flyte, for tests of how a program lives with it."""

from __future__ import annotations

from flyte_remote_async.devserver.faults.kinds import (
    ConnectionCutError,
    Cut,
    DatabaseFails,
    Delay,
    Fail,
    FaultKind,
    Hang,
    KubernetesFails,
    Trickle,
    Truncate,
)
from flyte_remote_async.devserver.faults.registry import Fault, Faults

__all__ = [
    "ConnectionCutError",
    "Cut",
    "DatabaseFails",
    "Delay",
    "Fail",
    "Fault",
    "FaultKind",
    "Faults",
    "Hang",
    "KubernetesFails",
    "Trickle",
    "Truncate",
]

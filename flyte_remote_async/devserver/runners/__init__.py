"""How an attempt of a task is run: by a Python function, as an echo, or as a local process."""

from __future__ import annotations

from flyte_remote_async.devserver.runners.base import TaskCall, TaskRunner

__all__ = ["TaskCall", "TaskRunner"]

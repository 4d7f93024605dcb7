"""From the spec of a workflow or a task to what Flyte makes of it: checked, linked, and completed. Pure.

Source: flytepropeller/pkg/compiler of Flyte 1.16.8.
"""

from flyte_remote_async.devserver.compiler.compilation import compile_workflow
from flyte_remote_async.devserver.compiler.problems import CompileError, CrashError, Problem
from flyte_remote_async.devserver.compiler.references import Requirements, requirements
from flyte_remote_async.devserver.compiler.tasks import compile_task

__all__ = ["CompileError", "CrashError", "Problem", "Requirements", "compile_task", "compile_workflow", "requirements"]

"""Assertions whose failures say what a developer looks for next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio

from flyte_remote_async.models.phases import WorkflowPhase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flyte_remote_async.devserver import DevServer
    from flyte_remote_async.devserver.threaded import ThreadedDevServer
    from flyte_remote_async.executions import FlyteWorkflowExecution

__all__ = ["assert_requests", "assert_succeeded", "wait_for_phase"]

_FINE: Final = frozenset({"SUCCEEDED", "SKIPPED", "RECOVERED"})
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.5


def assert_succeeded(execution: FlyteWorkflowExecution) -> FlyteWorkflowExecution:
    """Return an execution that has succeeded; fail with all of its nodes that have not otherwise.

    Args:
        execution: A snapshot, as ``wait`` returns it.

    Raises:
        AssertionError: It has not succeeded; says which nodes and attempts have not, their errors, and their logs.
    """
    if execution.is_successful:
        return execution
    raise AssertionError("\n".join(_report(execution.to_dict())))


def _report(root: dict[str, Any]) -> Iterator[str]:
    name = f"{root['project']}/{root['domain']}/{root['name']}"
    yield f"{name} is {root['phase']}, and should have SUCCEEDED"
    yield from _reason(root, "  ")
    if root["nodes"] is None:
        yield "  its nodes were not read: pass what `await execution.sync(sync_nodes=True)` returns to see them"
    # Not by recursion: trees may be thousands of levels deep.
    stack = [(part, 1) for part in reversed(root["nodes"] or [])]
    while stack:
        part, depth = stack.pop()
        if part["phase"] in _FINE:
            continue
        indent = "  " * depth
        yield f"{indent}{part.get('id') or part.get('name')} {part.get('kind') or 'execution'} {part['phase']}"
        yield from _reason(part, f"{indent}  ")
        for attempt in part.get("attempts") or ():
            yield f"{indent}  attempt {attempt['attempt']} of {attempt['task']} {attempt['phase']}"
            yield from (f"{indent}    {log['name']}: {log['uri']}" for log in attempt["logs"])
        below = [*(part.get("nodes") or ()), *(part.get("executions") or ())]
        stack.extend((inner, depth + 1) for inner in reversed(below))


def _reason(part: dict[str, Any], indent: str) -> Iterator[str]:
    if part.get("abort_cause"):
        yield f"{indent}aborted: {part['abort_cause']}"
    if part["error"] is not None:
        lines = part["error"]["message"].strip().splitlines() or ["no message"]
        yield f"{indent}{part['error']['code']}: {lines[0]}"
        yield from (f"{indent}  {line}" for line in lines[1:])


def assert_requests(dev: DevServer | ThreadedDevServer, expected: Mapping[str, int]) -> None:
    """Fail unless a devserver has got exactly these requests since it started, or since ``dev.requests.clear()``.

    Args:
        dev: The devserver.
        expected: How many of each RPC, by its name; those that are not named must not have come.

    Raises:
        AssertionError: It has got others; says which.

    Example:
        >>> dev.requests.clear()
        >>> await execution.sync(sync_nodes=False)
        >>> assert_requests(dev, {"GetExecution": 1})
    """
    found = dict(dev.requests)
    names = sorted(name for name in {*found, *expected} if found.get(name, 0) != expected.get(name, 0))
    if names:
        told = (f"{name}: {found.get(name, 0)}, and not {expected.get(name, 0)}" for name in names)
        raise AssertionError("the devserver has got other requests\n  " + "\n  ".join(told))


async def wait_for_phase(
    execution: FlyteWorkflowExecution, phase: str | WorkflowPhase, timeout: float = 30.0
) -> FlyteWorkflowExecution:
    """Return a snapshot of an execution as soon as it is in a phase.

    Args:
        execution: Any snapshot of it.
        phase: The phase, such as ``"RUNNING"``.
        timeout: Seconds to wait at most.

    Raises:
        AssertionError: It has ended in another phase, or was not in that one in time.
        ValueError: There is no such phase.
    """
    if isinstance(phase, str):
        if phase not in WorkflowPhase.__members__:
            raise ValueError(f"{phase!r} is no phase: there are {', '.join(WorkflowPhase.__members__)}")
        phase = WorkflowPhase[phase]
    pause = _FIRST_PAUSE
    with anyio.move_on_after(timeout):
        while True:
            execution = await execution.sync(sync_nodes=False)
            if execution.phase == phase:
                return execution
            if execution.is_done:
                break
            await anyio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
    when = f"{timeout:g} s have passed"
    if execution.is_done:
        error = execution.error
        when = f"it has ended: [{error.code}] {error.message}" if error else "it has ended"
    raise AssertionError(f"{execution.id} is {execution.phase.name} and not {phase.name}, and {when}")

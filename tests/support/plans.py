"""Workflows made by hypothesis: what their tasks do on each attempt, and, worked out plainly, how they must end."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import attrs
from hypothesis import strategies as st

from flyte_remote_async.devserver.runners.stand_ins import FlyteRecoverableException, Interrupted
from tests.support.made_workflows import approve, made, signal, sleep, subworkflow, task, task_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyteidl.core import workflow_pb2

    from flyte_remote_async.devserver.clock import Clock
    from tests.support.made_workflows import Made

__all__ = ["Plan", "Step", "Worked", "act", "step_task", "steps"]

TIMEOUT = 60
step_task = task("t.step", ("key", "a", "b"))


@attrs.frozen
class Step:
    """One node of a made workflow.

    Attributes:
        kind: "task", "sleep", "signal", "approve" or "sub".
        needs: The steps before it whose values it takes, at most two.
        script: What the task does on each attempt: "ok", "fail", "recover", "gone" (the platform failed), "hang"; or
            for an approval "ok" or "reject".
        retries: The retries of the task.
        inner: The steps of a subworkflow.
    """

    kind: str
    needs: tuple[int, ...] = ()
    script: tuple[str, ...] = ("ok",)
    retries: int = 0
    inner: tuple[Step, ...] = ()


@attrs.frozen
class Worked:
    """How a step ends: its value, or None where it fails; and how many attempts it makes."""

    value: int | None
    attempts: int = 0


@attrs.frozen
class Plan:
    """A made workflow."""

    steps: tuple[Step, ...]
    fails_late: bool = False
    max_parallelism: int = 0

    def made(self, name: str) -> Made:
        """Return the workflow, its launch plan and an execution."""
        inner: dict[str, tuple[list[workflow_pb2.Node], dict[str, tuple[str, str]]]] = {}
        keys = itertools.count()
        nodes = _nodes(self.steps, keys, inner)
        return made(
            nodes,
            [step_task],
            _outputs(self.steps),
            fails_late=self.fails_late,
            sub_workflows=inner,
            max_parallelism=self.max_parallelism,
            name=name,
        )

    def scripts(self) -> list[tuple[str, ...]]:
        """Return what each task does, by the key that it is given."""
        return list(_scripts(self.steps))

    def signals(self) -> dict[str, Step]:
        """Return the gates that somebody has to open, by the id of their signal."""
        return {f"s{key}": step for key, step in enumerate(_all(self.steps)) if step.kind in {"signal", "approve"}}

    def works(self) -> tuple[Worked, ...] | None:
        """Return how each step of the top level ends; None where one fails."""
        return _work(self.steps)


def _all(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _all(step.inner)


def _scripts(steps: tuple[Step, ...]) -> Iterator[tuple[str, ...]]:
    return (step.script for step in _all(steps))


def _nodes(
    steps: tuple[Step, ...],
    keys: Iterator[int],
    inner: dict[str, tuple[list[workflow_pb2.Node], dict[str, tuple[str, str]]]],
) -> list[workflow_pb2.Node]:
    nodes = []
    for index, step in enumerate(steps):
        key, node_id = next(keys), f"n{index}"
        given = [(f"n{need}", "o0") if steps[need].kind != "sleep" else 0 for need in step.needs] + [0, 0]
        match step.kind:
            case "task":
                node = task_node(node_id, step_task, key=key, a=given[0], b=given[1])
                node.metadata.retries.retries = step.retries
                if "hang" in step.script:
                    node.metadata.timeout.seconds = TIMEOUT
            case "sleep":
                node = sleep(node_id, 10 * (key + 1))
            case "signal":
                node = signal(node_id, f"s{key}")
            case "approve":
                node = approve(node_id, f"s{key}", o0=given[0])
            case _:
                name = f"sub{key}"
                inner[name] = (_nodes(step.inner, keys, inner), _outputs(step.inner))
                node = subworkflow(node_id, name)
        node.upstream_node_ids.extend(f"n{need}" for need in step.needs)
        nodes.append(node)
    return nodes


def _outputs(steps: tuple[Step, ...]) -> dict[str, tuple[str, str]]:
    giving = [f"n{index}" for index, step in enumerate(steps) if step.kind != "sleep"]
    return {"o0": (giving[-1], "o0")} if giving else {}


def _work(steps: tuple[Step, ...]) -> tuple[Worked, ...] | None:
    worked: list[Worked] = []
    for key, step in enumerate(steps):
        values = [worked[need].value or 0 for need in step.needs] + [0, 0]
        worked.append(_work_one(step, key, values[0], values[1]))
        if worked[-1].value is None:
            return None
    return tuple(worked)


def _work_one(step: Step, key: int, a: int, b: int) -> Worked:
    match step.kind:
        case "task":
            return _work_task(step, a + b + 1)
        case "sleep":
            return Worked(0)
        case "signal":
            return Worked(7)
        case "approve":
            return Worked(a if step.script[0] == "ok" else None)
    inner = _work(step.inner)
    if inner is None:
        return Worked(None)
    giving = [each.value for each, of in zip(inner, step.inner, strict=True) if of.kind != "sleep"]
    return Worked(giving[-1] if giving else 0)


def _work_task(step: Step, value: int) -> Worked:
    users = systems = hangs = 0
    for number in itertools.count():
        match step.script[min(number, len(step.script) - 1)]:
            case "ok":
                return Worked(value, number + 1)
            case "fail":
                return Worked(None, number + 1)
            case "gone":
                systems += 1
            case "recover":
                users += 1
            case _:
                users += 1
                hangs += 1
        # After the second timeout the whole node has timed out.
        if users > step.retries or systems > 3 or hangs == 2:
            return Worked(None, number + 1)
    raise AssertionError


async def act(script: tuple[str, ...], number: int, clock: Clock) -> None:
    """Do what a script says for one attempt."""
    match script[min(number, len(script) - 1)]:
        case "fail":
            raise ValueError("boom")
        case "recover":
            raise FlyteRecoverableException("again")
        case "gone":
            raise Interrupted("gone")
        case "hang":
            await clock.sleep(1e6)


_DEEDS = st.sampled_from(["ok", "ok", "recover", "gone", "fail", "hang"])


def _steps(depth: int) -> st.SearchStrategy[tuple[Step, ...]]:
    kinds = ["task", "task", "task", "sleep", "signal", "approve", *["sub"] * (depth > 0)]

    @st.composite
    def draw_steps(draw: st.DrawFn) -> tuple[Step, ...]:
        steps: list[Step] = []
        for index in range(draw(st.integers(1, 5 if depth else 3))):
            kind = draw(st.sampled_from(kinds))
            needs = draw(st.sets(st.integers(0, index - 1), max_size=2)) if index else set()
            script: tuple[str, ...] = ("ok",)
            if kind == "task":
                script = (*draw(st.lists(_DEEDS, max_size=3)), "ok")
            elif kind == "approve":
                script = (draw(st.sampled_from(["ok", "ok", "ok", "reject"])),)
            retries = draw(st.integers(0, 2)) if kind == "task" else 0
            inner = draw(_steps(depth - 1)) if kind == "sub" else ()
            # What gives nothing cannot be needed for its value; the binding is a constant then.
            if kind == "sub" and all(step.kind == "sleep" for step in inner):
                kind, inner = "sleep", ()
            steps.append(Step(kind, tuple(sorted(needs)), script, retries, inner))
        return tuple(steps)

    return draw_steps()


steps: st.SearchStrategy[tuple[Step, ...]] = _steps(2)
"""The nodes of made workflows, nested up to two levels deep."""

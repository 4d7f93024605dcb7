"""How the difference of two versions is told."""

from __future__ import annotations

from typing import Any

import pytest
from flyteidl.admin import launch_plan_pb2
from flyteidl.core import compiler_pb2, literals_pb2, tasks_pb2
from google.protobuf import json_format

from flyte_remote_async.devserver.golang.differences import differences


def task(**fields: Any) -> tasks_pb2.TaskTemplate:
    return json_format.ParseDict(fields, tasks_pb2.TaskTemplate())


def literal(**primitive: Any) -> literals_pb2.Literal:
    return json_format.ParseDict({"scalar": {"primitive": primitive}}, literals_pb2.Literal())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (task(type="a"), task(type="a"), []),
        (task(type="a"), task(type="b"), ["/type:\n\t- a \n\t+ b"]),
        (task(type="a"), task(), ["/type:\n\t- a \n\t+ <nil>"]),
        (task(config={"a/b": "1"}), task(config={"a/b": "2"}), ["/config/a~1b:\n\t- 1 \n\t+ 2"]),
        (task(container={}), task(), ["/Target:\n\t- map[Container:map[]] \n\t+ <nil>"]),
        (
            task(container={"args": ["a", "b"]}),
            task(container={"args": ["c"]}),
            ["/Target/Container/args/0:\n\t- a \n\t+ c"],
        ),
        # A member of another kind is another member.
        (
            task(container={"image": "i"}),
            task(k8s_pod={"primary_container_name": "p"}),
            [
                "/Target/Container:\n\t- map[image:i] \n\t+ <nil>",
                "/Target/K8SPod:\n\t- <nil> \n\t+ map[primary_container_name:p]",
            ],
        ),
        (
            task(metadata={"interruptible": True, "timeout": "1.5s"}),
            task(metadata={}),
            [
                "/metadata/InterruptibleValue:\n\t- map[Interruptible:true] \n\t+ <nil>",
                "/metadata/timeout:\n\t- map[nanos:5e+08 seconds:1] \n\t+ <nil>",
            ],
        ),
        (
            task(custom={"a": 1, "b": [True, None, "x"]}),
            task(custom={"a": 2}),
            ["/custom/a:\n\t- 1 \n\t+ 2", "/custom/b:\n\t- [true <nil> x] \n\t+ <nil>"],
        ),
        (
            literal(integer=1234567),
            literal(float_value=-0.00001),
            [
                "/Value/Scalar/Value/Primitive/Value/FloatValue:\n\t- <nil> \n\t+ -1e-05",
                "/Value/Scalar/Value/Primitive/Value/Integer:\n\t- 1.234567e+06 \n\t+ <nil>",
            ],
        ),
        (
            literals_pb2.Binary(value=b"\xff", tag="t"),
            literals_pb2.Binary(tag="t"),
            ["/value:\n\t- /w== \n\t+ <nil>"],
        ),
        (
            launch_plan_pb2.LaunchPlanSpec(),
            launch_plan_pb2.LaunchPlanSpec(max_parallelism=25),
            ["/max_parallelism:\n\t- <nil> \n\t+ 25"],
        ),
    ],
)
def test_differences(old: Any, new: Any, told: list[str]) -> None:
    assert differences("intro:\n", old, new) == "intro:\n" + "\n".join(told)


def test_a_difference_too_long_for_a_status_is_cut() -> None:
    long = compiler_pb2.CompiledTask(template=task(type="ß" * 2_000_000))
    told = differences("intro:\n", long, compiler_pb2.CompiledTask())
    assert told.startswith("intro:\n/template:\n\t- map[Target:<nil> type:ßß")
    assert told.endswith("ß\n\n... [diff truncated — exceeded gRPC max message size]")
    assert 3 * 1024 * 1024 - 2 < len(told.encode()) <= 3 * 1024 * 1024

"""Which tasks compile."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from flyteidl.core import tasks_pb2
from google.protobuf import json_format

from flyte_remote_async.devserver.compiler import CompileError, compile_task
from flyte_remote_async.devserver.golang.quantities import QuantityError, parse_quantity

Json = dict[str, Any]

TASK: Json = {"id": {"name": "t"}, "interface": {"inputs": {"variables": {"a": {"type": {"simple": "INTEGER"}}}}}}


def resources(**entries: str) -> Json:
    listed = [{"name": name.upper(), "value": value} for name, value in entries.items()]
    return {"container": {"image": "i", "args": ["x"], "resources": {"requests": listed}}}


def pod(*containers: Any) -> Json:
    return {"k8s_pod": {"pod_spec": {"containers": list(containers)}}}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        resources(cpu="500m", memory="1Gi"),
        {"container": {"image": "i", "command": ["x"]}},
        {"container": {"image": "i"}, "interface": {}},
        pod({"name": "primary"}),
        {"k8s_pod": {}},
        {"sql": {"statement": "SELECT 1"}},
    ],
)
def test_tasks_that_compile(fields: Json) -> None:
    template = json_format.ParseDict({**TASK, **fields}, tasks_pb2.TaskTemplate())
    assert compile_task(template).template == template


@pytest.mark.parametrize(
    ("fields", "code", "node_id", "description"),
    [
        ({"id": None}, "ValueRequired", "root", "Value required [Id]."),
        ({"container": {"image": "i"}}, "ValueRequired", "container", "Value required [command]."),
        ({"container": {"args": ["x"]}}, "ValueRequired", "container", "Value required [image]."),
        (resources(cpu="lots"), "UnrecognizedValue", "resources.CPU", "Unrecognized value [lots]."),
        (pod({"name": "Not_A_Name"}), "InvalidValue", "root", "Invalid value [k8s pod spec container name]."),
        (pod("text"), "InvalidValue", "root", "Invalid value [k8s pod spec]."),
        (
            {"k8s_pod": {"pod_spec": {"containers": 1}}},
            "InvalidValue",
            "root",
            "Invalid value [k8s pod spec].",
        ),
    ],
)
def test_tasks_that_do_not(fields: Json, code: str, node_id: str, description: str) -> None:
    template = json_format.ParseDict({**TASK, **fields}, tasks_pb2.TaskTemplate())
    with pytest.raises(CompileError) as caught:
        compile_task(template)
    (problem,) = caught.value.problems
    assert (problem.code, problem.node_id, problem.description) == (code, node_id, description)


def test_an_unknown_resource_is_named_by_its_number() -> None:
    template = json_format.ParseDict({**TASK, **resources(cpu="x")}, tasks_pb2.TaskTemplate())
    template.container.resources.limits.add(value="y").name = 99  # type: ignore[assignment]  # of a newer Flyte
    with pytest.raises(CompileError, match=r"resources\.99"):
        compile_task(template)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", "1"),
        ("+1.5", "1.5"),
        (".5", "0.5"),
        ("-2k", "-2000"),
        ("500m", "0.5"),
        ("3u", "0.000003"),
        ("4n", "0.000000004"),
        ("1Ki", "1024"),
        ("2Gi", str(2 * 1024**3)),
        ("1M", "1000000"),
        ("2e3", "2000"),
        ("2E-1", "0.2"),
        ("1E", str(10**18)),
        ("1Ei", str(1024**6)),
    ],
)
def test_quantities(text: str, number: str) -> None:
    assert parse_quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "1gi", "1e", "--1", "1e99999999999"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError, match="quantities must match the regular expression"):
        parse_quantity(text)

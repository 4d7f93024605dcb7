"""Workflows of the kinds that flytekit's users write: values, maps, branches, failures, and tasks that start others."""

import asyncio
import functools
import os
import typing
from dataclasses import dataclass

import pandas as pd
from flytekit import (
    ContainerTask,
    Deck,
    LaunchPlan,
    StructuredDataset,
    Workflow,
    conditional,
    current_context,
    dynamic,
    eager,
    kwtypes,
    map_task,
    task,
    workflow,
)
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.extras.tasks.shell import OutputLocation, ShellTask
from flytekit.types.error.error import FlyteError
from flytekit.types.file import FlyteFile
from typing_extensions import Annotated

NAMES = ["a b.txt", "ünï.txt", "plus+&=.txt", "hash#.txt", "quote'.txt"]


def written(name: str, text: str) -> FlyteFile:
    path = os.path.join(current_context().working_directory, name)
    with open(path, "w") as file:
        file.write(text)
    return FlyteFile(path)


@task
def add(a: int, b: int = 1) -> int:
    return a + b


# --- values ---


@dataclass
class Part:
    text: FlyteFile
    number: int


@dataclass
class Whole:
    first: Part
    parts: typing.Dict[str, typing.List[Part]]
    note: typing.Optional[str] = None


@task
def make_whole(names: typing.List[str]) -> Whole:
    parts = [Part(written(name, name), number) for number, name in enumerate(names)]
    return Whole(parts[0], {"all": parts})


@task
def read_whole(whole: Whole, number: int) -> typing.List[str]:
    return [open(part.text).read() for part in whole.parts["all"]] + [f"{number} {whole.note}"]


@task
def make_table(n: int) -> Annotated[StructuredDataset, kwtypes(a=int, b=str, c=float)]:
    frame = pd.DataFrame({"a": range(n), "b": [str(i) for i in range(n)], "c": [i / 2 for i in range(n)]})
    return StructuredDataset(dataframe=frame)


@task
def two_columns(table: Annotated[StructuredDataset, kwtypes(a=int, c=float)]) -> typing.List[str]:
    return list(table.open(pd.DataFrame).all().columns)


@workflow
def values() -> typing.Tuple[typing.List[str], typing.List[str]]:
    whole = make_whole(names=NAMES)
    return read_whole(whole=whole, number=whole.parts["all"][2].number), two_columns(table=make_table(n=3))


# --- maps and dynamic workflows ---


@task
def odd(x: int, low: int) -> typing.Optional[int]:
    if x == 3:
        raise ValueError("three")
    return x if x % 2 and x > low else None


@task
def shown(xs: typing.List[typing.Optional[int]]) -> str:
    return str(xs)


@dynamic
def fibonacci(n: int) -> int:
    if n < 2:
        return n
    return add(a=fibonacci(n=n - 1), b=fibonacci(n=n - 2))


@workflow
def maps(xs: typing.List[int] = [0, 1, 3, 5]) -> typing.Tuple[str, int]:
    some = map_task(functools.partial(odd, low=1), concurrency=2, min_success_ratio=0.7)(x=xs)
    return shown(xs=some), fibonacci(n=2)


# --- failures ---


@task
def refuse(n: int) -> int:
    raise ValueError(f"refused {n} ☃")
    return n


@task
def clean(n: int, err: typing.Optional[FlyteError] = None):
    print(f"cleaning {n} after {err.message if err else None}")


@workflow(on_failure=clean)
def handled(n: int = 1) -> int:
    return refuse(n=n)


@task(retries=3)
def climb(top: int) -> int:
    checkpoint = current_context().checkpoint
    before = checkpoint.read()
    step = int(before.decode()) + 1 if before else 0
    checkpoint.write(str(step).encode())
    if step < top:
        raise FlyteRecoverableException(f"at {step}")
    return step


@task(enable_deck=True)
def shows_and_fails(n: int) -> int:
    Deck("seen", "<p>seen before the failure</p>")
    return int(f"no number {n}")


# --- commands ---

shell = ShellTask(
    name="kinds.shell",
    script="echo {inputs.word} > {outputs.o}",
    inputs=kwtypes(word=str),
    output_locs=[OutputLocation(var="o", var_type=FlyteFile, location="{inputs.word}.txt")],
)

raw = ContainerTask(
    name="kinds.raw",
    image="alpine",
    inputs=kwtypes(a=int, word=str),
    command=["sh", "-c", "test {{.inputs.a}} -eq 7 && test '{{.inputs.word}}' = \"$WORD\""],
    environment={"WORD": "ü v"},
)


counted = ContainerTask(
    name="kinds.counted",
    image="alpine",
    input_data_dir="/var/inputs",
    output_data_dir="/var/outputs",
    inputs=kwtypes(text=FlyteFile, more=int),
    outputs=kwtypes(total=int, copy=FlyteFile),
    command=[
        "sh",
        "-c",
        "echo $(( $(wc -c < /var/inputs/text) + {{.inputs.more}} )) > /var/outputs/total; cp /var/inputs/text /var/outputs/copy",
    ],
)


@workflow
def commands() -> typing.Tuple[FlyteFile, int, FlyteFile]:
    raw(a=7, word="ü v")
    said = shell(word="said")
    total, copy = counted(text=said, more=10)
    return said, total, copy


# --- made without a function ---


@workflow
def plus(a: int) -> int:
    return conditional("sign").if_(a > 0).then(add(a=a)).else_().fail("negative")


plus_plan = LaunchPlan.get_or_create(name="kinds.plus_plan", workflow=plus)

built = Workflow(name="kinds.built")
built.add_workflow_input("a", int)
_first = built.add_entity(climb, top=built.inputs["a"])
_second = built.add_launch_plan(plus_plan, a=_first.outputs["o0"])
built.add_workflow_output("both", [_first.outputs["o0"], _second.outputs["o0"]], python_type=typing.List[int])


# --- tasks that start others while they run ---


@task
async def double(a: int) -> int:
    await asyncio.sleep(0)
    return a * 2


@eager
async def inner(a: int) -> int:
    return sum(await asyncio.gather(double(a=a), double(a=a + 1)))


@eager
async def outer(a: int) -> str:
    total = await inner(a=a)
    try:
        return str(plus(a=-total))
    except Exception as error:
        return f"{total} {type(error).__name__}"

"""Tasks and workflows with everything that travels through the object store."""

import typing
from dataclasses import dataclass, field

import pandas as pd
from flytekit import Deck, current_context, dynamic, map_task, task, workflow
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile


@dataclass
class Order:
    name: str
    prices: typing.List[float] = field(default_factory=list)


@task
def total(order: Order) -> float:
    return sum(order.prices)


@task
def count(text: FlyteFile) -> int:
    with open(text) as file:
        return len(file.read())


@task
def double(frame: pd.DataFrame) -> pd.DataFrame:
    return frame * 2


@task
def write(words: typing.List[str]) -> typing.Tuple[FlyteFile, FlyteDirectory]:
    folder = current_context().working_directory
    import os
    os.makedirs(os.path.join(folder, "many"))
    for number, word in enumerate(words):
        with open(os.path.join(folder, "many", f"{number}.txt"), "w") as file:
            file.write(word)
    path = os.path.join(folder, "all.txt")
    with open(path, "w") as file:
        file.write(" ".join(words))
    return FlyteFile(path), FlyteDirectory(os.path.join(folder, "many"))


@task(enable_deck=True)
def show(name: str) -> str:
    Deck("greeting", f"<p>hello {name}</p>")
    current_context().default_deck.append("<p>default</p>")
    return name


@task
def square(x: int) -> int:
    return x * x


@dynamic
def squares(n: int) -> typing.List[int]:
    return map_task(square)(x=list(range(n))) if n > 100 else [square(x=i) for i in range(n)]


@workflow
def everything(order: Order, text: FlyteFile, frame: pd.DataFrame, words: typing.List[str]) -> typing.Tuple[float, int, pd.DataFrame, FlyteFile, FlyteDirectory, str, typing.List[int]]:
    f, d = write(words=words)
    return total(order=order), count(text=text), double(frame=frame), f, d, show(name="deck"), map_task(square)(x=[1, 2, 3])

@workflow
def small(n: int = 2) -> typing.List[int]:
    return squares(n=n)

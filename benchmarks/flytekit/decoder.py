"""flytekit's side of ``benchmarks/literals.py``: writes the payloads, and reads them with flytekit's own decoder.

Runs in an environment of its own, which has flytekit, pandas and pyarrow:

    python decoder.py FOLDER RUNS
"""

import gc
import json
import sys
import time
import typing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from flyteidl.core import interface_pb2, literals_pb2
from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.type_engine import LiteralsResolver, TypeEngine
from flytekit.models.interface import Variable
from flytekit.models.literals import LiteralMap


@dataclass
class Row:
    """A dataclass of ten fields."""

    a: int
    b: float
    c: str
    d: bool
    e: int
    f: float
    g: str
    h: list[int]
    i: dict[str, int]
    j: int | None = None


def row(at: int) -> Row:
    """Return one of many."""
    return Row(at, at / 7, f"row {at}", at % 2 == 0, -at, 2.5, "text", [at, at + 1], {"k": at}, at if at % 3 else None)


def table() -> pd.DataFrame:
    """Return 100,000 rows of five columns."""
    count = 100_000
    return pd.DataFrame(
        {
            "a": range(count),
            "b": [at / 7 for at in range(count)],
            "c": [f"row {at}" for at in range(count)],
            "d": [at % 2 == 0 for at in range(count)],
            "e": [at * 31 % 1000 for at in range(count)],
        }
    )


PAYLOADS: dict[str, tuple[typing.Any, typing.Callable[[], typing.Any]]] = {
    "list[int], 100k": (list[int], lambda: list(range(100_000))),
    "dict[str, float], 50k": (dict[str, float], lambda: {f"key{at}": at / 7 for at in range(50_000)}),
    "list[list[str]], 300 x 300": (
        list[list[str]],
        lambda: [[f"item {at} {other}" for other in range(300)] for at in range(300)],
    ),
    "list[dataclass], 1k x 10": (list[Row], lambda: [row(at) for at in range(1000)]),
    "dataset, 100k x 5": (pd.DataFrame, table),
}


def write(folder: Path) -> None:
    """Write the literal and the declared type of each payload."""
    ctx = FlyteContextManager.current_context()
    for name, (python, make) in PAYLOADS.items():
        declared = TypeEngine.to_literal_type(python)
        literal = TypeEngine.to_literal(ctx, make(), python, declared)
        literals = literals_pb2.LiteralMap(literals={"o0": literal.to_flyte_idl()})
        variables = interface_pb2.VariableMap(variables={"o0": Variable(declared, "").to_flyte_idl()})
        (folder / f"{name}.literals").write_bytes(literals.SerializeToString())
        (folder / f"{name}.variables").write_bytes(variables.SerializeToString())


def read(data: bytes, variables: dict[str, Variable], hint: typing.Any) -> typing.Any:
    """Decode as FlyteRemote does."""
    literals = LiteralMap.from_flyte_idl(literals_pb2.LiteralMap.FromString(data))
    resolver = LiteralsResolver(literals.literals, variables, FlyteContextManager.current_context())
    value = resolver.get("o0", hint)
    return value.open(pd.DataFrame).all() if hasattr(value, "open") else value


def measure(folder: Path, runs: int) -> None:
    """Print the milliseconds of each payload, with a hint and without."""
    for name, (python, _) in PAYLOADS.items():
        data = (folder / f"{name}.literals").read_bytes()
        declared = interface_pb2.VariableMap.FromString((folder / f"{name}.variables").read_bytes())
        variables = {key: Variable.from_flyte_idl(one) for key, one in declared.variables.items()}
        figures = {}
        for side, hint in (("hint", python), ("none", None)):
            took = []
            for _ in range(runs):
                gc.collect()
                start = time.perf_counter()
                read(data, variables, hint)
                took.append((time.perf_counter() - start) * 1000)
            figures[side] = min(took)
        print(json.dumps({"name": name, **figures}), flush=True)


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    if len(sys.argv) > 2:  # noqa: PLR2004 - to measure, a number of runs is given
        measure(FOLDER, int(sys.argv[2]))
    else:
        write(FOLDER)

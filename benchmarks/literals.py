"""What decoding costs, beside flytekit's own decoder on the same bytes in the same run.

flytekit writes the payloads and reads them in an environment of its own (``nox -s bench_literals`` makes one); then
they are read here, through ``await LiteralsResolver.from_flyte_idl(...).get("o0")`` with default settings. Both sides
begin with the serialised ``LiteralMap``, and the best of some runs counts.

    python benchmarks/literals.py --flytekit /path/to/env/bin/python [--runs 3]
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pandas as pd
from flyteidl.core import interface_pb2, literals_pb2

from flyte_remote_async.config.values import StorageConfig
from flyte_remote_async.resolver import LiteralsResolver
from flyte_remote_async.storage.objects import StoredObjects

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

THEIRS = Path(__file__).parent / "flytekit" / "decoder.py"


@dataclass
class Row:
    """A dataclass of ten fields, as flytekit's side has it."""

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


@attrs.frozen
class Payload:
    """How a payload is read, and how many times faster than flytekit it has to be, with a hint and without."""

    hint: Any
    with_hint: float
    without: float


PAYLOADS = {
    "list[int], 100k": Payload(list[int], 20, 20),
    "dict[str, float], 50k": Payload(dict[str, float], 20, 20),
    "list[list[str]], 300 x 300": Payload(list[list[str]], 20, 20),
    "list[dataclass], 1k x 10": Payload(list[Row], 5, 10),
}
DATASET = "dataset, 100k x 5"


@attrs.frozen
class Bytes:
    """A serialised payload."""

    literals: bytes
    variables: bytes

    @classmethod
    def of(cls, folder: Path, name: str) -> Bytes:
        """Read one that flytekit's side wrote."""
        return cls((folder / f"{name}.literals").read_bytes(), (folder / f"{name}.variables").read_bytes())

    def resolver(self, objects: StoredObjects | None = None) -> LiteralsResolver:
        """Return a new resolver."""
        literals = literals_pb2.LiteralMap.FromString(self.literals)
        variables = interface_pb2.VariableMap.FromString(self.variables)
        return LiteralsResolver.from_flyte_idl(literals, variables, objects=objects)


async def read(data: Bytes, hint: Any = None) -> Any:
    """Decode as a user does."""
    return await data.resolver().get("o0", hint)


async def best(work: Callable[[], Awaitable[Any]], runs: int) -> float:
    """Return the milliseconds of the fastest run."""
    took: list[float] = []
    for _ in range(runs):
        gc.collect()
        start = time.perf_counter()
        await work()
        took.append((time.perf_counter() - start) * 1000)
    return min(took)


async def compare(folder: Path, theirs: dict[str, dict[str, float]], runs: int) -> bool:
    """Print a line for each payload, and tell whether all are as fast as they have to be."""
    print(f"{'':28} {'with a hint':^29}  {'without':^29}")
    columns = f"{'flytekit':>10} {'ours':>9} {'times':>8}"
    print(f"{'payload':28} {columns}  {columns}")
    passed = True
    for name, payload in PAYLOADS.items():
        data = Bytes.of(folder, name)
        hinted = await best(functools.partial(read, data, payload.hint), runs)
        plain = await best(functools.partial(read, data), runs)
        times = theirs[name]["hint"] / hinted, theirs[name]["none"] / plain
        passed = passed and times[0] >= payload.with_hint and times[1] >= payload.without
        print(
            f"{name:28} {theirs[name]['hint']:10.1f} {hinted:9.2f} {times[0]:8.1f} "
            f" {theirs[name]['none']:10.1f} {plain:9.2f} {times[1]:8.1f}"
        )
    return passed


async def dataset(folder: Path, theirs: dict[str, float], runs: int) -> None:
    """Print what a dataset costs beside the frame library alone."""
    data = Bytes.of(folder, DATASET)
    async with StoredObjects(StorageConfig(local=True)) as objects:

        async def whole() -> Any:
            return await data.resolver(objects).get("o0", pd.DataFrame)

        frame = await whole()
        uri = data.resolver(objects).get_literal("o0").uri
        await best(whole, 2)
        ours = await best(whole, runs * 3)

        async def alone() -> Any:
            return pd.read_parquet(str(uri))

        pandas = await best(alone, runs * 3)
    figures = f"pandas alone {pandas:.1f} ms, ours {ours:.1f} ms, flytekit {theirs['hint']:.1f} ms"
    print(f"{DATASET} ({len(frame):,} rows): {figures}")


def main() -> None:
    """Measure, print, and fail when something is slower than it has to be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--flytekit", help="the Python of an environment with flytekit, pandas and pyarrow")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side, of which the best counts")
    options = parser.parse_args()
    if not options.flytekit:
        print("nothing to compare with: --flytekit names the Python of an environment with flytekit")
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [options.flytekit, str(THEIRS), folder]
        subprocess.run(command, check=True, capture_output=True)
        answer = subprocess.run([*command, str(options.runs)], check=True, capture_output=True, text=True)
        theirs = {one["name"]: one for one in map(json.loads, answer.stdout.splitlines())}
        passed = asyncio.run(compare(Path(folder), theirs, options.runs))
        asyncio.run(dataset(Path(folder), theirs[DATASET], options.runs))
    if not passed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

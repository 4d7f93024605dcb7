"""Run the benchmarks at scale, print their tables, and write them to a page if asked."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.scale import report
from benchmarks.scale.looks import Sides, compare_looks, compare_refreshes
from benchmarks.scale.proxy import Proxy
from benchmarks.scale.server import Server
from benchmarks.scale.theirs import Flytekit
from benchmarks.scale.waits import Bench
from benchmarks.scale.workflows import Flyte
from flyte_remote_async import FlyteRemote
from flyte_remote_async.transport.connect import open_transport
from flyte_remote_async.transport.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scale.looks import Look
    from benchmarks.scale.waits import Waits


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--endpoint", help="a Flyte to measure on, host:port; a devserver by default")
    parser.add_argument("--project", default="flytesnacks")
    parser.add_argument("--domain", default="development")
    parser.add_argument("--flytekit", metavar="PYTHON", help="an interpreter that has flytekit, to measure beside")
    parser.add_argument("--round-trips", type=_numbers, default=[0, 20, 100], metavar="MS,MS")
    parser.add_argument("--tasks", type=_numbers, default=[5, 20, 100, 1000], metavar="N,N")
    parser.add_argument("--waits", type=_numbers, default=[1, 100, 1000, 10000], metavar="N,N")
    parser.add_argument("--their-waits", type=_numbers, default=[1, 100, 1000], metavar="N,N", help="flytekit's")
    parser.add_argument("--idle", type=float, default=30, metavar="S", help="seconds in which nothing ends")
    parser.add_argument("--spread", type=float, default=120, metavar="S", help="seconds in which all executions end")
    parser.add_argument("--quick", action="store_true", help="small numbers: a minute, to see that it works")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables to this page, and a plot beside it")
    options = parser.parse_args()
    if options.quick:
        options.round_trips, options.tasks = [0, 20], [5, 20]
        options.waits, options.their_waits, options.idle, options.spread = [1, 50], [], 2, 5
    return options


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _looks(endpoint: str, proxy: Proxy, theirs: Flytekit | None, options: argparse.Namespace) -> list[Look]:
    place = {"project": options.project, "domain": options.domain}
    transport = open_transport(Target.parse(endpoint, insecure=True))
    flyte = Flyte(transport, **place)
    delays = [milliseconds / 1000 for milliseconds in options.round_trips]
    async with FlyteRemote.connect(proxy.endpoint, insecure=True, **place) as remote:
        sides = Sides(flyte, proxy, remote, theirs)
        found = await compare_looks(sides, options.tasks, delays)
        for delay in delays:
            found += await compare_refreshes(sides, max(options.tasks), delay)
    await transport.aclose()
    return found


def _waits(bench: Bench, options: argparse.Namespace) -> list[Waits]:
    found = []
    for count in options.waits:
        _say(f"{count:,} waits")
        found.append(bench.ours(count))
        if options.flytekit and count in options.their_waits:
            _say(f"{count:,} waits with flytekit")
            found.append(bench.flytekit(count, options.flytekit))
    return found


def _version(python: str) -> str:
    code = "import importlib.metadata as m; print(m.version('flytekit'))"
    return "flytekit " + subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _page(sections: Sequence[tuple[str, str]], path: Path) -> None:
    """Put the tables between the marks of a page that is there."""
    text = path.read_text(encoding="utf-8")
    for name, table in sections:
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure, and say what was found."""
    options = _arguments()
    with contextlib.ExitStack() as stack:
        server: Any = None if options.endpoint else stack.enter_context(Server())
        endpoint = options.endpoint or server.endpoint
        proxy = stack.enter_context(Proxy(endpoint))
        place = options.project, options.domain
        with contextlib.ExitStack() as inner:
            python = options.flytekit
            theirs = inner.enter_context(Flytekit(python, proxy.endpoint, place)) if python else None
            looks = asyncio.run(_looks(endpoint, proxy, theirs, options))
        print(report.looks_table(looks), end="\n\n", flush=True)
        bench = Bench(endpoint, place, proxy, server and server.pid, options.idle, options.spread)
        proxy.delay(0.02)
        waits = _waits(bench, options)
        print(report.waits_table(waits))
    about = report.machine(_version(options.flytekit) if options.flytekit else None)
    print(f"\n{about}")
    if options.page:
        sections = ("machine", about), ("looks", report.looks_table(looks)), ("waits", report.waits_table(waits))
        _page(sections, options.page)
        report.plot([look for look in looks if look.what != "refresh"], options.page.with_name("benchmarks.svg"))


if __name__ == "__main__":
    main()

"""What a start costs: import, connect and first reply, each against its floor, measured in one run.

The floor is a script that imports the same modules of others at the same points and makes one bare ``grpc.aio`` call to
the same server. Both run in fresh processes, one after the other in turn; figures are medians.

    python benchmarks/startup.py            # on a quiet machine
    python benchmarks/startup.py --quick    # only to see that it runs
    python benchmarks/startup.py --check    # exit code 1 when a target is missed
    python benchmarks/startup.py --check --tries 3    # exit code 1 when three runs in a row miss one
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET_RATIO = 1.3
TARGET_IMPORT_SECONDS = 0.2
TARGET_IMPORT_MB = 60.0

PARTS = ("import", "connect", "first reply")

COMMON = """
import time
start = time.perf_counter()
import asyncio
import json, sys
def memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
"""

OURS = (
    COMMON
    + """
import flyte_remote_async
def others():
    ours = ("flyte_remote_async", "__main__")
    return [name for name in sys.modules if name.partition(".")[0] not in sys.stdlib_module_names
            and name.partition(".")[0] not in ours]
imported, rss, modules = time.perf_counter(), memory(), [others()]
async def main():
    async with flyte_remote_async.FlyteRemote.connect(sys.argv[1], insecure=True, project="p", domain="d") as remote:
        connected = time.perf_counter()
        modules.append(others())
        await remote.fetch_execution("name")
        replied = time.perf_counter()
        modules.append(others())
    return connected, replied
connected, replied = asyncio.run(main())
print(json.dumps([imported - start, connected - imported, replied - connected, rss, modules]))
"""
)

FLOOR = (
    COMMON
    + """
import importlib
listed = time.perf_counter()
modules = json.loads(sys.argv[2])
start += time.perf_counter() - listed
def bring(names):
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:  # a name that its package made up, such as six.moves
            pass
bring(modules[0])
imported, rss = time.perf_counter(), memory()
async def main():
    bring(modules[1])
    import grpc.aio
    channel = grpc.aio.insecure_channel(sys.argv[1])
    connected = time.perf_counter()
    bring(modules[2])
    from flyteidl.admin import execution_pb2
    from flyteidl.core import identifier_pb2
    call = channel.unary_unary("/flyteidl.service.AdminService/GetExecution")
    id = identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name="name")
    request = execution_pb2.WorkflowExecutionGetRequest(id=id).SerializeToString()
    execution_pb2.Execution.FromString(await call(request, timeout=15)).id.name
    replied = time.perf_counter()
    await channel.close()
    return connected, replied
connected, replied = asyncio.run(main())
print(json.dumps([imported - start, connected - imported, replied - connected, rss, []]))
"""
)


async def serve() -> None:
    """Answer GetExecution with one execution until standard input ends."""
    import grpc.aio
    from flyteidl.admin import execution_pb2
    from flyteidl.core import execution_pb2 as core

    async def get_execution(request: bytes, _context: Any) -> bytes:
        wanted = execution_pb2.WorkflowExecutionGetRequest.FromString(request).id
        closure = execution_pb2.ExecutionClosure(phase=core.WorkflowExecution.SUCCEEDED)
        return execution_pb2.Execution(id=wanted, closure=closure).SerializeToString()

    server = grpc.aio.server()
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(get_execution)
    service = grpc.method_handlers_generic_handler("flyteidl.service.AdminService", {"GetExecution": handler})
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(None)


def run(script: str, *arguments: str) -> list[Any]:
    """Run a script in a fresh process and return what it measured."""
    # Where bytecode is not written, ours would be compiled at each start and that of others would not.
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    return list(json.loads(done.stdout))


def measure(endpoint: str, rounds: int) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return what our script and the floor measured, in turns."""
    modules = run(OURS, endpoint)[4]  # also writes the caches of bytecode
    listing = json.dumps(modules)
    run(FLOOR, endpoint, listing)
    ours, floor = [], []
    for _ in range(rounds):
        ours.append(run(OURS, endpoint))
        floor.append(run(FLOOR, endpoint, listing))
    return ours, floor


def report(ours: list[list[Any]], floor: list[list[Any]]) -> list[str]:
    """Print the table; return the targets that were missed."""
    missed = []
    print(f"{'':14}{'ours':>10}{'floor':>10}{'ratio':>8}    medians of {len(ours)} fresh processes each")
    for index, part in enumerate(PARTS):
        mine, bare = (statistics.median(line[index] for line in lines) for lines in (ours, floor))
        ratio = statistics.median(a[index] / b[index] for a, b in zip(ours, floor, strict=True))
        print(f"{part:14}{mine * 1e3:7.1f} ms{bare * 1e3:7.1f} ms{ratio:8.2f}")
        if ratio > TARGET_RATIO:
            missed.append(f"{part} takes {ratio:.2f} times its floor, more than {TARGET_RATIO}")
    mine, bare = (statistics.median(line[3] for line in lines) for lines in (ours, floor))
    print(f"{'memory':14}{mine:7.1f} MB{bare:7.1f} MB{mine / bare:8.2f}    after the import")
    seconds = statistics.median(line[0] for line in ours)
    if seconds > TARGET_IMPORT_SECONDS:
        missed.append(f"the import takes {seconds * 1e3:.0f} ms, more than {TARGET_IMPORT_SECONDS * 1e3:.0f}")
    if mine > TARGET_IMPORT_MB:
        missed.append(f"the import takes {mine:.0f} MB, more than {TARGET_IMPORT_MB:.0f}")
    return missed


def repeat(once: Callable[[], list[str]], tries: int) -> list[str]:
    """Return what the last try missed: a miss that comes from noise goes away, and one that stays counts."""
    missed: list[str] = []
    for _ in range(tries):
        missed = once()
        print("\n".join(missed))
        if not missed:
            break
    return missed


def main() -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(description="What a start costs, against its floor.")
    parser.add_argument("--rounds", type=int, default=21, help="fresh processes of each kind (default: 21)")
    parser.add_argument("--quick", action="store_true", help="three rounds")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--tries", type=int, default=1, help="run again at most so often while a target is missed")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    command = [sys.executable, str(Path(__file__).resolve()), "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            endpoint = f"127.0.0.1:{int(server.stdout.readline())}"
            rounds = 3 if options.quick else options.rounds
            missed = repeat(lambda: report(*measure(endpoint, rounds)), options.tries)
        finally:
            server.communicate()
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())

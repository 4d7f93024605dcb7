"""flytekit's side: looks and waits with its own FlyteRemote, by commands on standard input.

Runs in an environment of its own, which has flytekit:

    python flytekit_side.py ENDPOINT PROJECT DOMAIN

Each line in is a JSON object with ``do``: ``look`` (``name``), ``refresh`` (``name`` of one that was
looked at) or ``wait`` (``names``). Each line out is a JSON object.
"""

import json
import resource
import sys
import threading
import time
from typing import Any

from flytekit.configuration import Config
from flytekit.remote import FlyteRemote


def main() -> None:
    """Answer commands until standard input ends."""
    endpoint, project, domain = sys.argv[1:]
    remote = FlyteRemote(Config.for_endpoint(endpoint, insecure=True), project, domain)
    print(json.dumps({"ready": True}), flush=True)
    kept: dict[str, Any] = {}
    for line in sys.stdin:
        command = json.loads(line)
        match command["do"]:
            case "look":
                start = time.perf_counter()
                execution = remote.sync(remote.fetch_execution(name=command["name"]), sync_nodes=True)
                answer = {"seconds": time.perf_counter() - start}
                kept[command["name"]] = execution
            case "refresh":
                start = time.perf_counter()
                remote.sync(kept[command["name"]], sync_nodes=True)
                answer = {"seconds": time.perf_counter() - start}
            case "wait":
                answer = _wait(remote, command["names"])
            case other:
                raise SystemExit(f"no such command: {other}")
        print(json.dumps(answer), flush=True)


def _wait(remote: FlyteRemote, names: list[str]) -> dict[str, Any]:
    """Wait for executions as flytekit does by default, a thread each, and tell when each wait returned."""
    threading.stack_size(256 * 1024)
    ended: dict[str, float] = {}
    executions = [remote.fetch_execution(name=name) for name in names]
    print(json.dumps({"waiting": len(names)}), flush=True)
    cpu = time.process_time()

    def wait(execution: Any) -> None:
        remote.wait(execution)
        ended[execution.id.name] = time.time()

    threads = [threading.Thread(target=wait, args=(execution,)) for execution in executions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "ended": ended,
        "cpu": time.process_time() - cpu,
        "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


if __name__ == "__main__":
    main()

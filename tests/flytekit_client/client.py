"""What a user of flytekit does, done by flytekit itself; run with flytekit's own interpreter.

``python client.py PLAN`` reads a plan in JSON and writes what came of it to its standard output, as JSON.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from flyteidl.core import execution_pb2, literals_pb2
from flytekit.configuration import Config
from flytekit.models.admin.common import Sort
from flytekit.models.literals import Literal
from flytekit.remote import FlyteRemote

POLL = dt.timedelta(milliseconds=300)
LIMIT = dt.timedelta(minutes=8)
OLDEST_FIRST = Sort("created_at", Sort.Direction.ASCENDING)


class Client:
    """A user's session with one control plane."""

    def __init__(self, plan: dict[str, Any]) -> None:
        config = Config.for_endpoint(plan["endpoint"], insecure=True)
        self.remote = FlyteRemote(config, default_project="flytesnacks", default_domain="development")
        self.version = plan["version"]

    def launch(self, run: dict[str, Any]) -> Any:
        """Start a launch plan or a task with recorded inputs."""
        fetch = self.remote.fetch_task if run["is_task"] else self.remote.fetch_launch_plan
        literals = literals_pb2.LiteralMap.FromString(bytes.fromhex(run["inputs"])).literals
        inputs = {name: Literal.from_flyte_idl(literal) for name, literal in literals.items()}
        return self.remote.execute(fetch(name=run["name"], version=self.version), inputs=inputs)

    def answer(self, execution: Any, signals: dict[str, Any]) -> None:
        """Answer the gates of an execution as they are reached."""
        waiting = dict(signals)
        while waiting:
            for signal in self.remote.list_signals(execution.id.name):
                value = waiting.pop(signal.id.signal_id, None)
                if value is True:
                    self.remote.approve(signal.id.signal_id, execution.id.name)
                elif value is not None:
                    self.remote.set_input(signal.id.signal_id, execution.id.name, value)
            time.sleep(POLL.total_seconds())

    def ended(self, execution: Any) -> dict[str, Any]:
        """Wait for an execution, and tell all that flytekit finds out about it."""
        execution = self.remote.wait(execution, timeout=LIMIT, poll_interval=POLL, sync_nodes=False)
        told = {"tree": self.execution(execution.id), "sync": ""}
        try:
            told["nodes"] = sorted(self.remote.sync(execution, sync_nodes=True).node_executions)
        except Exception as error:  # noqa: BLE001 - flytekit's own defects are told, and compared
            told["sync"] = f"{type(error).__name__}: {error}"
        data = self.remote.client.get_execution_data(execution.id)
        told["outputs"] = data.full_outputs.to_flyte_idl().SerializeToString().hex()
        return told

    # --- the tree, as flytekit's client lists it ---

    def execution(self, identity: Any) -> dict[str, Any]:
        """Return an execution with all that is below it."""
        closure = self.remote.client.get_execution(identity).closure
        return {
            "phase": execution_pb2.WorkflowExecution.Phase.Name(closure.phase),
            "error_code": (closure.error.code if closure.error else "") or None,
            "nodes": self.level(identity, None),
        }

    def level(self, identity: Any, parent: str | None) -> dict[str, Any]:
        """Return the nodes below a node, by their ids."""
        nodes, _ = self.remote.client.list_node_executions(identity, limit=1000, unique_parent_id=parent)
        return {node.id.node_id: self.node(node) for node in nodes}

    def node(self, node: Any) -> dict[str, Any]:
        """Return a node with all that is below it."""
        child = node.closure.workflow_node_metadata
        attempts, _ = self.remote.client.list_task_executions_paginated(node.id, limit=100, sort_by=OLDEST_FIRST)
        return {
            "phase": execution_pb2.NodeExecution.Phase.Name(node.closure.phase),
            "error_code": (node.closure.error.code if node.closure.error else "") or None,
            "attempts": [
                {
                    "attempt": each.id.retry_attempt,
                    "phase": execution_pb2.TaskExecution.Phase.Name(each.closure.phase),
                    "error_code": (each.closure.error.code if each.closure.error else "") or None,
                }
                for each in attempts
            ],
            "children": self.level(node.id.execution_id, node.id.node_id) if node.metadata.is_parent_node else {},
            "executions": [self.execution(child.execution_id)] if child and child.execution_id else [],
        }

    # --- the plan ---

    def recorded(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Run what was recorded, all at once, and what builds on it afterwards."""
        for label in plan["cached"]:  # the cache had their results before they were recorded
            self.ended(self.launch(plan["runs"][label]))
        runs = {label: self.launch(run) for label, run in plan["runs"].items()}
        aborted = runs[plan["abort"]]
        for label, signals in plan["signals"].items():
            self.answer(runs[label], signals)
        self.remote.terminate(aborted, "enough")
        told = {label: self.ended(execution) for label, execution in runs.items()}
        client = self.remote.client
        again = {
            "relaunch": client.relaunch_execution(runs[plan["relaunch"]].id),
            "recover": client.recover_execution(runs[plan["recover"]].id),
            "cached.again": self.launch(plan["runs"][plan["again"]]).id,
        }
        for label, identity in again.items():
            told[label] = self.ended(self.remote.fetch_execution(name=identity.name))
        return told

    def flows(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Send values of all kinds there and back through the store."""
        flows = importlib.import_module("flows")  # lies beside the plan
        import pandas as pd
        from flytekit.types.directory import FlyteDirectory
        from flytekit.types.file import FlyteFile

        text = Path(plan["folder"], "text.txt")
        text.write_text("12345")
        inputs = {
            "order": flows.Order("a", [1.5, 2.5]),
            "text": FlyteFile(str(text)),
            "frame": pd.DataFrame({"a": [1, 2]}),
            "words": ["x", "yz"],
        }
        hints = {"order": flows.Order, "text": FlyteFile, "frame": pd.DataFrame, "words": list[str]}
        workflow = self.remote.fetch_workflow(name="flows.everything", version=self.version)
        execution = self.remote.execute(workflow, inputs=inputs, type_hints=hints)
        execution = self.remote.wait(execution, timeout=LIMIT, poll_interval=POLL)
        outputs = execution.outputs
        folder = Path(str(FlyteDirectory.listdir and outputs.get("o4", FlyteDirectory).download()))
        name = execution.id.name
        deck = self.remote.get(f"flyte://v1/flytesnacks/development/{name}/n4/d")
        return {
            "values": [
                outputs.get("o0", float),
                outputs.get("o1", int),
                outputs.get("o5"),
                outputs.get("o6", list[int]),
            ],
            "frame": outputs.get("o2", pd.DataFrame).to_dict("list"),
            "file": Path(outputs.get("o3", FlyteFile).download()).read_text(),
            "folder": {path.name: path.read_text() for path in folder.iterdir()},
            "deck": deck.decode() if isinstance(deck, bytes) else deck.data,
            "by address": self.remote.get(f"flyte://v1/flytesnacks/development/{name}/n1/o").get("o0", float),
        }

    def kinds(self) -> dict[str, Any]:
        """Run all kinds of workflows at once, and tell what came of them."""
        from flytekit.types.file import FlyteFile

        started = {}
        for name, inputs in (("values", {}), ("maps", {}), ("handled", {}), ("commands", {}), ("built", {"a": 2})):
            workflow = self.remote.fetch_workflow(name=f"kinds.{name}", version=self.version)
            started[name] = self.remote.execute(workflow, inputs=inputs)
        for name, task, inputs in (
            ("first eager", "outer", {"a": 3}),
            ("second eager", "outer", {"a": 4}),
            ("shows", "shows_and_fails", {"n": 1}),
        ):
            entity = self.remote.fetch_task(name=f"kinds.{task}", version=self.version)
            started[name] = self.remote.execute(entity, inputs=inputs)
        ended = {name: self.remote.wait(each, timeout=LIMIT, poll_interval=POLL) for name, each in started.items()}
        nodes = ended["handled"].node_executions
        deck = self.remote.get(f"flyte://v1/flytesnacks/development/{started['shows'].id.name}/kindsshowsandfails/d")
        return {
            "values": [ended["values"].outputs.get(name, list[str]) for name in ("o0", "o1")],
            "maps": [ended["maps"].outputs.get("o0", str), ended["maps"].outputs.get("o1", int)],
            "handled": [ended["handled"].error.message.splitlines()[-1].strip(), sorted(nodes)],
            "commands": [
                Path(ended["commands"].outputs.get("o0", FlyteFile).download()).read_text(),
                ended["commands"].outputs.get("o1", int),
                Path(ended["commands"].outputs.get("o2", FlyteFile).download()).read_text(),
            ],
            "built": ended["built"].outputs.get("both", list[int]),
            "eager": [ended[name].outputs.get("o0", str) for name in ("first eager", "second eager")],
            "deck": deck.decode() if isinstance(deck, bytes) else deck.data,
        }


def main() -> None:
    """Carry out a plan."""
    warnings.simplefilter("ignore")
    plan = json.loads(Path(sys.argv[1]).read_text())
    client = Client(plan)
    told = {"flows": client.flows(plan), "kinds": client.kinds(), "recorded": client.recorded(plan)}
    Path(sys.argv[2]).write_text(json.dumps(told))


if __name__ == "__main__":
    main()

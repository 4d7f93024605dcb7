"""Attempts of tasks with tiny commands, for the runner of containers."""

from __future__ import annotations

import sys
from typing import Any

import attrs
from flyteidl.core import identifier_pb2, literals_pb2, tasks_pb2

from flyte_remote_async.devserver.runners.base import TaskCall
from flyte_remote_async.devserver.runners.stand_ins import Attempt

__all__ = ["call", "python", "writing"]

RUN = identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name="e")
ROOT = "s3://my-s3-bucket/metadata/propeller/p-d-e/n0/data"

# Writes files, given as names and bytes in hexadecimal, to the folder that its first argument names.
WRITE = """
import os, sys, urllib.request
for name, data in zip(sys.argv[2::2], sys.argv[3::2]):
    url = "/".join((os.environ["FLYTE_AWS_ENDPOINT"], sys.argv[1].removeprefix("s3://"), name))
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}
    request = urllib.request.Request(url, data=bytes.fromhex(data), method="PUT", headers=headers)
    urllib.request.urlopen(request)
"""


def call(*command: str, number: int = 0, name: str = "e", **changes: Any) -> TaskCall:
    """Return an attempt of a task without inputs and outputs that runs a command."""
    task = tasks_pb2.TaskTemplate(
        id={"resource_type": identifier_pb2.TASK, "project": "p", "domain": "d", "name": "t", "version": "v"},
        container={"args": command},
    )
    usual = TaskCall(
        Attempt(name, "n0", "t", number),
        RUN,
        task,
        literals_pb2.LiteralMap(),
        generated_name=f"{name}-n0-{number}",
        inputs_uri=f"{ROOT}/inputs.pb",
        output_prefix=f"{ROOT}/{number}",
        raw_output_prefix=f"s3://my-s3-bucket/data/ab/{name}-n0-{number}",
        checkpoint_uri=f"s3://my-s3-bucket/data/ab/{name}-n0-{number}/_flytecheckpoints",
    )
    return attrs.evolve(usual, **changes)


def python(code: str, *arguments: str, **changes: Any) -> TaskCall:
    """Return an attempt that runs Python code."""
    return call(sys.executable, "-c", code, *arguments, **changes)


def writing(files: dict[str, bytes], *, then: str = "", **changes: Any) -> TaskCall:
    """Return an attempt that leaves files in its output folder."""
    pairs = [part for name, content in files.items() for part in (name, content.hex())]
    return python(WRITE + then, "{{.outputPrefix}}", *pairs, **changes)

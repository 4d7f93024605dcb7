"""The recorded workflows that the demo brings along; ``python -m tests.support.make_demo_data`` writes them anew."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import flyte_remote_async
from tests.support.recordings import load

if TYPE_CHECKING:
    from tests.support.recordings import Recordings

__all__ = ["FILE", "LABELS", "TASKS", "render"]

FILE: Final = Path(flyte_remote_async.__file__).parent / "cli" / "data" / "workflows.jsonl.gz"
LABELS: Final = (
    "samples.chain",
    "samples.branch",
    "samples.wide5",
    "samples.wide20",
    "samples.flakywf",
    "samples.failing",
    "more.nested_branch",
    "more.empty",
)
# A task that several workflows use is recorded with the first of them, so tasks are chosen by name.
TASKS: Final = frozenset(
    f"samples.{name}" for name in ("add", "cached", "echo_int", "fail", "flaky", "make_point", "use_point")
) | {"more.nothing"}


def render(recordings: Recordings) -> bytes:
    """Return the packaged file: the entities of a few workflows, in the recordings' own format."""
    lines = {
        (record.kind, record.key): {
            "label": record.label,
            "kind": record.kind,
            "key": record.key,
            "type": record.type,
            "pb": base64.b64encode(record.data).decode(),
        }
        for record in recordings.records
        if (record.kind in {"WORKFLOW", "LAUNCH_PLAN"} and record.label in LABELS)
        or (record.kind == "TASK" and record.key.split("/")[2] in TASKS)
    }
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines.values())
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        file.write(text.encode())
    return packed.getvalue()


if __name__ == "__main__":
    FILE.write_bytes(render(load()))

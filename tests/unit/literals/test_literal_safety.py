"""Nothing runs code from a literal: the whole corpus is decoded under an audit hook, in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# The first round imports and makes what it needs; what happens in the second comes from the data.
WATCHED = """
import json, sys, anyio
from flyte_remote_async.errors import FlyteRemoteError
from flyte_remote_async.literals import Context, read
from tests.support import golden
from tests.support.objects import FolderObjects

context = Context(objects=FolderObjects())
cases = [case for case in golden.literal_cases() if case["op"] != "encode" and not golden.lacks(case)]
loaded = [
    (case["id"], golden.literal_of(case), golden.type_of(case), hint)
    for case in cases
    for hint in ([None, golden.hint_of(case["hint"])] if case["hint"] else [None])
]
seen, current = [], ""

def watch(event, arguments):
    # numpy parses the header of an array as a literal of Python, which makes a syntax tree and runs nothing.
    is_tree = event == "compile" and arguments[1] == "<unknown>" and current.startswith("numpy")
    if current and event in FORBIDDEN and not is_tree:
        seen.append((current, event, str(arguments)[:200]))

FORBIDDEN = {"exec", "compile", "import", "pickle.find_class", "os.system", "subprocess.Popen", "os.exec", "os.spawn"}
FORBIDDEN |= {"code.__new__", "function.__new__", "marshal.loads", "ctypes.dlopen", "socket.connect", "os.putenv"}

async def main():
    global current
    for name, literal, declared, hint in loaded:
        for watched in (False, True):
            current = name if watched else ""
            try:
                value = await read(literal, declared, hint, context=context)
                list(value) if hasattr(value, "__next__") else value
            except FlyteRemoteError:
                pass
            current = ""

sys.addaudithook(watch)
anyio.run(main)
print(json.dumps({"decoded": len(loaded), "seen": seen}))
"""


def test_decoding_runs_no_code_of_the_data() -> None:
    done = subprocess.run([sys.executable, "-c", WATCHED], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stderr[-2000:])
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["decoded"] > 500
    assert result["seen"] == []

"""Containers that know nothing of Flyte: their inputs are files, and the files that they leave are outputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from flyteidl.core import literals_pb2, tasks_pb2, types_pb2

from tests.support.containers import python
from tests.support.literal_fields import literal_from

if TYPE_CHECKING:
    from flyte_remote_async.devserver.dataplane import DataPlane
    from flyte_remote_async.devserver.runners.base import TaskCall
    from flyte_remote_async.devserver.runners.containers import ContainerRunner
    from flyte_remote_async.devserver.runners.outcome import Outcome

pytestmark = pytest.mark.anyio

BUCKET = "s3://my-s3-bucket/"
RAW = f"{BUCKET}data/ab/e-n0-0"
FOLDER = {"metadata": {"type": {"dimensionality": types_pb2.BlobType.MULTIPART}}}


def piloted(code: str, inputs: dict[str, Any] | None = None, **outputs: types_pb2.LiteralType) -> TaskCall:
    """Return an attempt of a raw container: Python code that gets its two folders as arguments."""
    given = literals_pb2.LiteralMap()
    for name, value in (inputs or {}).items():
        given.literals[name].CopyFrom(literal_from(value))
    asked = python("import os, pathlib, sys\n" + code, "/in", "--out=/var/outputs/", inputs=given)
    config = asked.task.container.data_config
    config.enabled, config.input_path, config.output_path = True, "/in/", "/var/outputs"
    for name, declared in outputs.items():
        asked.task.interface.outputs.variables[name].type.CopyFrom(declared)
    return asked


OUT = "out = pathlib.Path(sys.argv[2].removeprefix('--out='))\n"
INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
BLOB = types_pb2.LiteralType(blob={})


def failure(outcome: Outcome) -> tuple[str, str, bool]:
    assert outcome.error is not None
    return outcome.error.code, outcome.error.message, outcome.recoverable


async def text_of(data: DataPlane) -> str:
    text = await data.logs.read("p/d/e/n0/0")
    assert text is not None
    return text


async def test_inputs_are_files(runner: ContainerRunner, data: DataPlane) -> None:
    await data.objects.put("some/file", b"in a file")
    await data.objects.put("some/folder/a.txt", b"a")
    await data.objects.put("some/folder/deep/b.txt", b"b")
    scalar = {
        "int.": {"primitive": {"integer": 5}},
        "file.": {"blob": {"uri": f"{BUCKET}some/file"}},
        "folder.": {"blob": {"uri": f"{BUCKET}some/folder", **FOLDER}},
        "table.": {"schema": {"uri": f"{BUCKET}some/folder/deep"}},
        "none.": {"none_type": {}},
        "error.": {"error": {"message": "e"}},
        "binary.": {"binary": {"value": b"\x01"}},
        "generic.": {"generic": {}},
        "union.": {"union": {"value": {"scalar": {"primitive": {"string_value": "u"}}}}},
    }
    inputs: dict[str, Any] = {name: {"scalar": value} for name, value in scalar.items()}
    inputs["list."] = {"collection": {"literals": [{"map": {"literals": {"k.": inputs["int."]}}}]}}
    code = (
        "root = pathlib.Path(sys.argv[1])\n"
        "files = {str(p.relative_to(root)): p.read_bytes().decode('latin-1') for p in root.rglob('*') if p.is_file()}\n"
        "import json; print(json.dumps([str(root), files]))"
    )
    assert (await runner.run(piloted(code, inputs))).error is None
    root, files = json.loads(await text_of(data))
    told = json.loads(files.pop("inputs.json"))
    brought = literals_pb2.LiteralMap.FromString(files.pop("inputs.pb").encode("latin-1"))
    assert files == {
        "int.": "5",
        "file.": "in a file",
        "folder./a.txt": "a",
        "folder./deep/b.txt": "b",
        "table./b.txt": "b",
        "none.": "null",
        "error.": "e",
        "binary.": "\x01",
        "generic.": "{}",
        "union.": "u",
        "list./0/k.": "5",
    }
    assert (told["file."], told["list."], told["none."]) == (f"{root}/file.", [{"k.": 5}], None)
    assert brought.literals["folder."].scalar.blob.uri == f"{root}/folder."
    assert brought.literals["union."].scalar.union.value.scalar.primitive.string_value == "u"


@pytest.mark.parametrize("kind", ["YAML", "PROTO"])
async def test_the_summary_has_the_format_that_is_asked_for(
    runner: ContainerRunner, data: DataPlane, kind: str
) -> None:
    asked = piloted(
        "print(sorted(os.listdir(sys.argv[1])), flush=True)\n"
        "print((pathlib.Path(sys.argv[1]) / 'inputs.yaml').read_text())"
    )
    asked.inputs.literals["a"].scalar.primitive.integer = 5
    asked.task.container.data_config.MergeFrom(tasks_pb2.DataLoadingConfig(format=kind))
    outcome = await runner.run(asked)
    names, _, summary = (await text_of(data)).partition("\n")
    assert (outcome.error is None) == (kind == "YAML")
    assert names == ("['a', 'inputs.pb', 'inputs.yaml']" if kind == "YAML" else "['a', 'inputs.pb']")
    assert kind == "PROTO" or yaml.safe_load(summary) == {"a": 5}


async def test_files_are_outputs(runner: ContainerRunner, data: DataPlane) -> None:
    code = OUT + (
        "(out / 'number.txt').write_text('41\\n')\n"
        "(out / 'file').write_text('f')\n"
        "(out / 'folder' / 'deep').mkdir(parents=True)\n"
        "(out / 'folder' / 'a').write_text('a')\n"
        "(out / 'folder' / 'deep' / 'b').write_text('b')\n"
    )
    outcome = await runner.run(piloted(code, number=INTEGER, file=BLOB, folder=BLOB))
    assert outcome.error is None
    assert outcome.outputs.literals["number"].scalar.primitive.integer == 41
    file, folder = (outcome.outputs.literals[name].scalar.blob for name in ("file", "folder"))
    assert (file.uri, folder.uri) == (f"{RAW}/file", f"{RAW}/folder")
    kinds = (file.metadata.type.dimensionality, folder.metadata.type.dimensionality)
    assert kinds == (types_pb2.BlobType.SINGLE, types_pb2.BlobType.MULTIPART)
    stored = {item.key: await data.objects.get(item.key) for item in await data.objects.list("data/ab/")}
    assert stored == {
        "data/ab/e-n0-0/file": b"f",
        "data/ab/e-n0-0/folder/a": b"a",
        "data/ab/e-n0-0/folder/b": b"b",
    }


async def test_a_container_of_a_pod_has_one_too(runner: ContainerRunner) -> None:
    asked = piloted(
        OUT + "(out / 'n').write_text(os.environ['WHERE'])", n=types_pb2.LiteralType(simple=types_pb2.STRING)
    )
    words, config = list(asked.task.container.args), asked.task.container.data_config
    pod = tasks_pb2.K8sPod(data_config=config)
    pod.pod_spec.update({"containers": [{"args": words, "env": [{"name": "WHERE", "value": "at /in/x, not /in.x"}]}]})
    asked.task.k8s_pod.CopyFrom(pod)
    text = (await runner.run(asked)).outputs.literals["n"].scalar.primitive.string_value
    assert text.startswith("at /")
    assert text.endswith("-data/inputs/x, not /in.x")


@pytest.mark.parametrize(
    ("code", "outputs", "words"),
    [
        ("", {"n": INTEGER}, "file not found at path"),
        ("(out / 'n').mkdir()", {"n": INTEGER}, "expected file for type [INTEGER], found dir"),
        ("(out / 'n').write_text('x' * 2000)", {"n": INTEGER}, "maximum allowed filesize is [1024], but found [2000]"),
        ("(out / 'n').write_text('x')", {"n": INTEGER}, "failed to parse integer value"),
        (
            "(out / 'n').write_text('x')",
            {"n": types_pb2.LiteralType(collection_type=INTEGER)},
            "currently CoPilot uploader does not support [collection_type], system error",
        ),
        ("os.mkfifo(out / 'n')", {"n": INTEGER}, "neither a file nor a folder"),
        ("os.mkfifo(out / '_ERROR')", {"n": INTEGER}, "neither a file nor a folder"),
        ("(out / 'd').mkdir(); open(os.fsencode(out) + b'/d/\\xff', 'w').close()", {"d": BLOB}, "can't encode"),
        ("", {"../../n": INTEGER}, "would be outside of its folder"),
        ("", {"/etc/hostname": INTEGER}, "file not found at path"),
        ("(out / '_ERROR').write_text('my own')", {"n": INTEGER}, "User Error: my own"),
        ("(out / '_ERROR').mkdir()", {"n": INTEGER}, "error file is a directory"),
        ("(out / '_ERROR').write_bytes(bytes(2 << 20))", {"n": INTEGER}, "error file too large 2097152"),
    ],
)
async def test_what_is_no_output_is_said(
    runner: ContainerRunner, code: str, outputs: dict[str, types_pb2.LiteralType], words: str
) -> None:
    outcome = await runner.run(piloted(OUT + code, None, **outputs))
    error, message, recoverable = failure(outcome)
    assert (error, recoverable) == ("OutputUploadFailed", True)
    assert words in message


@pytest.mark.parametrize(
    ("literal", "words"),
    [
        (
            {"scalar": {"blob": {"uri": f"{BUCKET}not/there"}}},
            "variable [x] download/store failed: incorrect blob reference",
        ),
        ({"scalar": {"blob": {"uri": "gs://other/x"}}}, "gs://other/x is not in the bucket"),
        ({"scalar": {"structured_dataset": {}}}, "unsupported scalar type [structured_dataset]"),
        ({}, "unsupported literal type [None]"),
        ({"map": {"literals": {"../../up": {"scalar": {"none_type": {}}}}}}, "would be outside of its folder"),
        ({"scalar": {"primitive": {"float_value": float("nan")}}}, "not JSON compliant"),
    ],
)
async def test_inputs_that_cannot_be_brought_are_said(
    runner: ContainerRunner, literal: dict[str, Any], words: str
) -> None:
    outcome = await runner.run(piloted("", {"x": literal}))
    error, message, recoverable = failure(outcome)
    assert (error, recoverable) == ("InputDownloadFailed", True)
    assert words in message


async def test_no_file_is_written_outside_of_its_folder(runner: ContainerRunner, data: DataPlane) -> None:
    await data.objects.put("some/../up", b"x")
    outcome = await runner.run(piloted("", {"x": {"scalar": {"blob": {"uri": f"{BUCKET}some", **FOLDER}}}}))
    assert "would be outside of its folder" in failure(outcome)[1]


async def test_a_name_that_is_a_path_stays_in_the_folder(runner: ContainerRunner, data: DataPlane) -> None:
    inside = {"/etc/own": {"scalar": {"primitive": {"integer": 1}}}}
    asked = piloted("print(os.path.exists(sys.argv[1] + '/m/etc/own'))", {"m": {"map": {"literals": inside}}})
    assert (await runner.run(asked)).error is None
    assert await text_of(data) == "True\n"


async def test_an_empty_list_is_an_empty_folder(runner: ContainerRunner, data: DataPlane) -> None:
    asked = piloted("print(os.listdir(sys.argv[1] + '/l'), os.listdir(sys.argv[1] + '/m'))")
    asked.inputs.literals["l"].collection.SetInParent()
    asked.inputs.literals["m"].map.SetInParent()
    assert (await runner.run(asked)).error is None
    assert await text_of(data) == "[] []\n"


async def test_what_stands_for_a_folder_is_no_file(runner: ContainerRunner, data: DataPlane) -> None:
    await data.objects.put("some/folder/", b"")
    await data.objects.put("some/folder/a", b"x")
    asked = piloted("print(os.listdir(sys.argv[1] + '/f'))")
    asked.inputs.literals["f"].scalar.blob.CopyFrom(literals_pb2.Blob(uri=f"{BUCKET}some/folder", **FOLDER))
    assert (await runner.run(asked)).error is None
    assert await text_of(data) == "['a']\n"


async def test_the_root_is_not_replaced(runner: ContainerRunner) -> None:
    asked = piloted("")
    asked.task.container.data_config.input_path = asked.task.container.data_config.output_path = "/"
    assert (await runner.run(asked)).error is None


async def test_a_command_that_fails_has_no_outputs(runner: ContainerRunner) -> None:
    outcome = await runner.run(piloted(OUT + "(out / 'n').write_text('1'); sys.exit(4)", n=INTEGER))
    assert "terminated with exit code (4)" in failure(outcome)[1]

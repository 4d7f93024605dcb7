"""What Flyte's copilot does around a container that knows nothing of Flyte: inputs become files, files become outputs.

In a pod, the folders of inputs and outputs are volumes. A process has none, so their paths in its command and in its
environment are replaced by those of folders of its own.

Source: flytecopilot/data and flytecopilot/cmd of Flyte 1.16.8.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
import yaml
from flyteidl.core import errors_pb2, literals_pb2, tasks_pb2, types_pb2

from flyte_remote_async.devserver.objects import key_of
from flyte_remote_async.devserver.runners.copilot_values import json_value, literal_of, primitive_text, summary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.devserver.objects import Objects
    from flyte_remote_async.devserver.runners.base import TaskCall

__all__ = ["Copilot"]

_INPUTS: Final = "/var/flyte/inputs"
_OUTPUTS: Final = "/var/flyte/outputs"
_LARGEST_TEXT: Final = 1024
_LARGEST_ERROR: Final = 1 << 20
_MULTIPART: Final = types_pb2.BlobType.MULTIPART


class _CopilotError(Exception):
    """A value that cannot be brought or taken."""


class Copilot:
    """Brings the inputs of one attempt to a folder, and takes its outputs from another.

    Args:
        call: The attempt.
        objects: The bucket.
        folder: Where its two folders are made.
    """

    def __init__(self, call: TaskCall, objects: Objects, folder: str) -> None:
        task = call.task
        config = task.k8s_pod.data_config if task.HasField("k8s_pod") else task.container.data_config
        self._call = call
        self._objects = objects
        self._format = config.format
        self._inputs, self._outputs = Path(folder, "inputs"), Path(folder, "outputs")
        folders = {config.input_path or _INPUTS: self._inputs, config.output_path or _OUTPUTS: self._outputs}
        # The root is part of every path, and is not replaced.
        self._folders = {path.rstrip("/"): str(own) for path, own in folders.items() if path.rstrip("/")}
        self._made = [self._inputs, self._outputs]
        self._files: dict[Path, bytes] = {}

    def moved(self, text: str) -> str:
        """Return a part of a command with the folders where they are."""
        if not self._folders:
            return text
        paths = "|".join(re.escape(path) for path in sorted(self._folders, key=len, reverse=True))
        return re.sub(rf"(?<![\w./-])({paths})(?![\w.-])", lambda found: self._folders[found[1]], text)

    async def bring(self) -> bool:
        """Write the inputs into their folder; return whether that was possible, else the attempt has an error."""
        try:
            values, brought = await self._map(self._call.inputs, self._inputs)
            self._files[self._inputs / "inputs.pb"] = brought.SerializeToString()
            if self._format == tasks_pb2.DataLoadingConfig.JSON:
                self._files[self._inputs / "inputs.json"] = summary(values)
            elif self._format == tasks_pb2.DataLoadingConfig.YAML:
                self._files[self._inputs / "inputs.yaml"] = yaml.safe_dump(values, allow_unicode=True).encode()
            await anyio.to_thread.run_sync(self._write)
        except (_CopilotError, OSError, ValueError) as error:
            await self._fail("InputDownloadFailed", f"failed to download input variable from remote store: {error}")
            return False
        return True

    async def take(self) -> None:
        """Store the outputs that the command left in their folder, or the error that it left there, or made."""
        variables = self._call.task.interface.outputs.variables
        if not variables:
            return
        outputs = literals_pb2.LiteralMap()
        try:
            await anyio.to_thread.run_sync(self._look_for_error)
            for name in sorted(variables):
                outputs.literals[name].CopyFrom(await self._taken(name, variables[name].type))
        except (_CopilotError, OSError, ValueError) as error:
            await self._fail("OutputUploadFailed", str(error))
            return
        await self._put("outputs.pb", outputs.SerializeToString())

    # --- inputs ---

    async def _map(
        self, given: literals_pb2.LiteralMap, folder: Path
    ) -> tuple[dict[str, Any], literals_pb2.LiteralMap]:
        values, brought = {}, literals_pb2.LiteralMap()
        for name in sorted(given.literals):
            try:
                values[name], literal = await self._literal(given.literals[name], _inside(folder, name))
            except _CopilotError as error:
                raise _CopilotError(f"variable [{name}] download/store failed: {error}") from error
            brought.literals[name].CopyFrom(literal)
        return values, brought

    async def _literal(self, literal: literals_pb2.Literal, path: Path) -> tuple[Any, literals_pb2.Literal]:
        match literal.WhichOneof("value"):
            case "scalar":
                value, scalar = await self._scalar(literal.scalar, path)
                return value, literals_pb2.Literal(scalar=scalar)
            case "collection":
                self._made.append(path)
                pairs = [await self._literal(one, path / str(i)) for i, one in enumerate(literal.collection.literals)]
                brought = literals_pb2.LiteralCollection(literals=[one for _, one in pairs])
                return [value for value, _ in pairs], literals_pb2.Literal(collection=brought)
            case "map":
                self._made.append(path)
                values, inside = await self._map(literal.map, path)
                return values, literals_pb2.Literal(map=inside)
            case kind:
                raise _CopilotError(f"unsupported literal type [{kind}]")

    async def _scalar(self, scalar: literals_pb2.Scalar, path: Path) -> tuple[Any, literals_pb2.Scalar]:
        moved = literals_pb2.Scalar()
        moved.CopyFrom(scalar)
        match scalar.WhichOneof("value"):
            case "blob":
                is_folder = scalar.blob.metadata.type.dimensionality == _MULTIPART
                await self._blob(scalar.blob.uri, path, is_folder=is_folder)
                moved.blob.uri = str(path)
                return str(path), moved
            case "schema":
                await self._blob(scalar.schema.uri, path, is_folder=True)
                moved.schema.uri = str(path)
                return str(path), moved
            case "union":
                value, inside = await self._literal(scalar.union.value, path)
                moved.union.value.CopyFrom(inside)
                return value, moved
            case "primitive":
                self._files[path] = primitive_text(scalar.primitive).encode()
            case "binary":
                self._files[path] = scalar.binary.value
            case "error":
                self._files[path] = scalar.error.message.encode()
            case "generic":
                self._files[path] = summary(json_value(scalar))
            case "none_type":
                self._files[path] = b"null"
            case kind:
                raise _CopilotError(f"unsupported scalar type [{kind}]")
        return json_value(scalar), moved

    async def _blob(self, uri: str, path: Path, *, is_folder: bool) -> None:
        key = key_of(uri)
        if key is None:
            raise _CopilotError(f"{uri} is not in the bucket of the devserver")
        if not is_folder:
            self._files[path] = await self._read(key)
            return
        base = key.rstrip("/") + "/"
        for item in await self._objects.list(base):
            if not item.key.endswith("/"):  # what stands for a folder
                self._files[_inside(path, item.key.removeprefix(base))] = await self._read(item.key)

    async def _read(self, key: str) -> bytes:
        data = await self._objects.get(key)
        if data is None:
            raise _CopilotError(f"incorrect blob reference, does not exist: {key}")
        return data

    def _write(self) -> None:
        for folder in self._made:
            folder.mkdir(parents=True, exist_ok=True)
        for path, data in self._files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    # --- outputs ---

    def _look_for_error(self) -> None:
        path = self._outputs / "_ERROR"
        if path.is_dir():
            raise _CopilotError("error file is a directory")
        if path.exists():
            _check_kind(path)
            if path.stat().st_size > _LARGEST_ERROR:
                raise _CopilotError(f"error file too large {path.stat().st_size}")
            raise _CopilotError(f"User Error: {path.read_text(errors='replace')}")

    async def _taken(self, name: str, wanted: types_pb2.LiteralType) -> literals_pb2.Literal:
        path = await anyio.to_thread.run_sync(_found, _inside(self._outputs, name))
        match wanted.WhichOneof("type"):
            case "simple":
                return literal_of(wanted.simple, await anyio.to_thread.run_sync(_short, path, wanted.simple))
            case "blob":
                return await self._stored(name, path)
            case kind:
                raise _CopilotError(f"currently CoPilot uploader does not support [{kind}], system error")

    async def _stored(self, name: str, path: Path) -> literals_pb2.Literal:
        uri = f"{self._call.raw_output_prefix}/{name}"
        files, is_folder = await anyio.to_thread.run_sync(_content, path)
        for inside, data in files.items():
            await self._objects.put(key_of(f"{uri}/{inside}" if is_folder else uri) or "", data)
        literal = literals_pb2.Literal()
        literal.scalar.blob.uri = uri
        literal.scalar.blob.metadata.type.dimensionality = _MULTIPART if is_folder else types_pb2.BlobType.SINGLE
        return literal

    async def _put(self, name: str, data: bytes) -> None:
        await self._objects.put(key_of(f"{self._call.output_prefix}/{name}") or "", data)

    async def _fail(self, code: str, message: str) -> None:
        document = errors_pb2.ErrorDocument()
        document.error.code, document.error.message = code, message
        document.error.kind = errors_pb2.ContainerError.RECOVERABLE
        await self._put("error.pb", document.SerializeToString())


def _inside(folder: Path, name: str) -> Path:
    """Return the path of something in a folder; its name comes from a client or a bucket, and may say anything."""
    parts = [part for part in name.split("/") if part]
    if ".." in parts:
        raise _CopilotError(f"{name} would be outside of its folder")
    return folder.joinpath(*parts)


def _found(path: Path) -> Path:
    """Return the path of an output, which may have an extension."""
    if not path.exists():
        beside = path.parent.iterdir() if path.parent.is_dir() else ()
        others = [other for other in beside if other.name.startswith(f"{path.name}.")]
        if len(others) != 1:
            raise _CopilotError(f"file not found at path [{path}]")
        path = others[0]
    _check_kind(path)
    return path


def _check_kind(path: Path) -> None:
    # A pipe or a device has no end.
    if not (path.is_file() or path.is_dir()):
        raise _CopilotError(f"what is at path [{path}] is neither a file nor a folder")


def _short(path: Path, wanted: types_pb2.SimpleType) -> bytes:
    if path.is_dir():
        name = types_pb2.SimpleType.Name(wanted)
        raise _CopilotError(f"expected file for type [{name}], found dir at path [{path}]")
    size = path.stat().st_size
    if size > _LARGEST_TEXT:
        raise _CopilotError(f"maximum allowed filesize is [{_LARGEST_TEXT}], but found [{size}]")
    return path.read_bytes()


def _content(path: Path) -> tuple[Mapping[str, bytes], bool]:
    """Return what is in a file or a folder, by name: of files in folders of a folder Flyte keeps the last name only."""
    if not path.is_dir():
        return {"": path.read_bytes()}, False
    found = {each.name: each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}
    for name in found:
        name.encode()  # one that is no text makes no key
    return found, True

"""The recordings of a real Flyte as flyteidl messages; ``tests/data/recordings/README.md`` says what they are."""

from __future__ import annotations

import base64
import functools
import gzip
import importlib
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DIRECTORY", "Call", "Record", "Recordings", "labels", "load", "message_class", "rpcs"]

DIRECTORY = Path(__file__).parent.parent / "data" / "recordings"

M = TypeVar("M", bound=Message)


@attrs.frozen
class Record:
    """One line of ``state.jsonl.gz``.

    Attributes:
        label: The workflow that was run, with ``/node`` for an execution that a launch-plan node started.
        kind: What it is, such as ``"NODE_EXECUTION"``.
        key: Its name; the README of the data has a table of them.
        type: Full name of the message.
        data: The bytes of the message.
    """

    label: str
    kind: str
    key: str
    type: str
    data: bytes

    @property
    def message(self) -> Any:
        """The message, parsed anew at each call: reading a protobuf map may change it."""
        return message_class(self.type).FromString(self.data)


@attrs.frozen
class Call:
    """One line of ``rpc.jsonl.gz``.

    Attributes:
        at: Seconds since the epoch.
        method: Path of the RPC, such as ``"/flyteidl.service.AdminService/GetExecution"``.
        request: Bytes of the request.
        response: Bytes of the response; empty when the call failed.
        code: Name of the gRPC status.
        details: The server's words with it.
    """

    at: float
    method: str
    request: bytes
    response: bytes
    code: str
    details: str


class Recordings:
    """All that the control plane knew of the recorded executions when they had ended."""

    def __init__(self, records: tuple[Record, ...]) -> None:
        self.records = records
        self._by_kind: dict[str, list[Record]] = defaultdict(list)
        self._by_key: dict[tuple[str, str], Record] = {}
        for record in records:
            self._by_kind[record.kind].append(record)
            self._by_key[record.kind, record.key] = record

    def of_kind(self, kind: str, label: str | None = None) -> list[Record]:
        """Return the records of one kind, of one label where one is given."""
        return [record for record in self._by_kind[kind] if label is None or record.label == label]

    def get(self, kind: str, key: str) -> Any:
        """Return one message; a KeyError where there is none."""
        return self._by_key[kind, key].message

    def messages(self, cls: type[M], label: str | None = None) -> list[M]:
        """Return all messages of one class, of one label where one is given."""
        name = cls.DESCRIPTOR.full_name
        return [
            cls.FromString(record.data)
            for record in self.records
            if record.type == name and (label is None or record.label == label)
        ]

    @property
    def executions(self) -> dict[str, str]:
        """The names of the executions, each with its label, in the order in which they were recorded."""
        return {record.key: record.label for record in self.of_kind("EXECUTION")}


def message_class(name: str) -> type[Message]:
    """Return the class of a message by its full name."""
    importlib.import_module("flyteidl.service.admin_pb2")  # registers the messages of all services
    importlib.import_module("flyteidl.service.dataproxy_pb2")
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))


@functools.cache
def load() -> Recordings:
    """Read ``state.jsonl.gz``, once per process."""
    return Recordings(
        tuple(
            Record(line["label"], line["kind"], line["key"], line["type"], base64.b64decode(line["pb"]))
            for line in _lines("state.jsonl.gz")
        )
    )


@functools.cache
def rpcs() -> tuple[Call, ...]:
    """Read ``rpc.jsonl.gz``, once per process."""
    return tuple(
        Call(
            float(line["t"]),
            line["method"],
            base64.b64decode(line["request"]),
            base64.b64decode(line["response"] or ""),
            line["code"],
            line["details"] or "",
        )
        for line in _lines("rpc.jsonl.gz")
    )


def labels() -> dict[str, str]:
    """Return label to execution name."""
    return cast("dict[str, str]", json.loads((DIRECTORY / "labels.json").read_text()))


def _lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DIRECTORY / name, "rt") as file:
        for line in file:
            yield json.loads(line)

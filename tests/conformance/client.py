"""A bare client for any Flyte: RPCs by name, messages as JSON, nothing of this package between."""

from __future__ import annotations

import copy
import re
import secrets
import string
import time
from typing import TYPE_CHECKING, Any, Final

import attrs
import grpc
from flyteidl.service import admin_pb2, auth_pb2, dataproxy_pb2, identity_pb2, signal_pb2
from google.protobuf import json_format, message_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Flyte", "Refusal", "RefusedError", "even", "fresh", "integers"]

_SERVICES: Final = {
    "AdminService": admin_pb2,
    "SignalService": signal_pb2,
    "DataProxyService": dataproxy_pb2,
    "IdentityService": identity_pb2,
    "AuthMetadataService": auth_pb2,
}
METHODS: Final = {
    method.name: method
    for service, module in _SERVICES.items()
    for method in module.DESCRIPTOR.services_by_name[service].methods
}
"""Name of an RPC to its descriptor."""

_TERMINAL: Final = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")
_CALL_SECONDS: Final = 30.0
_PATIENCE: Final = 50.0


@attrs.frozen
class Refusal:
    """How a call was refused.

    Attributes:
        code: Name of the gRPC status.
        details: The server's words, with single spaces.
        status: The bytes of ``grpc-status-details-bin``; empty where there are none.
    """

    code: str
    details: str
    status: bytes = b""


class RefusedError(Exception):
    """Raised when a call was refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.details}")
        self.refusal = refusal


class Flyte:
    """A Flyte.

    Args:
        endpoint: Host and port of its gRPC.
        project: A project that is active.
        domain: A domain.
    """

    def __init__(self, endpoint: str, project: str, domain: str) -> None:
        self.project = project
        self.domain = domain
        self._channel = grpc.insecure_channel(endpoint)

    @property
    def place(self) -> dict[str, str]:
        """Project and domain."""
        return {"project": self.project, "domain": self.domain}

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __call__(self, rpc: str, /, **request: Any) -> Any:
        """Make a call; return the response as JSON with the field names of flyteidl.

        Raises:
            RefusedError: The call was refused.
        """
        method = METHODS[rpc]
        message = json_format.ParseDict(request, message_factory.GetMessageClass(method.input_type)())
        call: Any = self._channel.unary_unary(
            f"/{method.containing_service.full_name}/{rpc}",
            request_serializer=lambda sent: sent.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        try:
            response = call(message, timeout=_CALL_SECONDS)
        except grpc.RpcError as error:
            raise RefusedError(_refusal(error)) from None
        return json_format.MessageToDict(response, preserving_proto_field_name=True)

    def refusal(self, rpc: str, /, **request: Any) -> Refusal:
        """Make a call that is refused; return how."""
        try:
            response = self(rpc, **request)
        except RefusedError as error:
            return error.refusal
        raise AssertionError(f"{rpc} was to be refused and answered {response}")

    def entity(self, kind: str, name: str, version: str) -> dict[str, str]:
        """Return the identifier of a task, workflow or launch plan."""
        return {**self.place, "resource_type": kind, "name": name, "version": version}

    def run(self, name: str) -> dict[str, str]:
        """Return the identifier of an execution."""
        return {**self.place, "name": name}

    def node(self, run: str, node_id: str) -> dict[str, Any]:
        """Return the identifier of a node execution."""
        return {"node_id": node_id, "execution_id": self.run(run)}

    def execute(self, entity: Mapping[str, str], inputs: Mapping[str, Any], **spec: Any) -> str:
        """Launch an execution under a fresh name, and return the name."""
        name = fresh("c")
        self(
            "CreateExecution",
            **self.place,
            name=name,
            spec={"launch_plan": dict(entity), **spec},
            inputs={"literals": inputs},
        )
        return name

    def execution(self, name: str) -> Any:
        """Return an execution."""
        return self("GetExecution", id=self.run(name))

    def phase(self, name: str) -> str:
        """Return the phase of an execution."""
        phase: str = self.execution(name)["closure"].get("phase", "UNDEFINED")
        return phase

    def ended(self, name: str) -> Any:
        """Wait until an execution has ended, and return it."""
        self.until(lambda: self.phase(name) in _TERMINAL)
        return self.execution(name)

    def nodes(self, name: str, parent: str = "") -> dict[str, Any]:
        """Return the nodes of an execution, or of a node of it, by their ids."""
        listed = self("ListNodeExecutions", workflow_execution_id=self.run(name), limit=100, unique_parent_id=parent)
        return {node["id"]["node_id"]: node for node in listed.get("node_executions", [])}

    def until(self, condition: Callable[[], object], seconds: float = _PATIENCE) -> None:
        """Wait for what takes a cluster its time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("what was waited for did not come")
            time.sleep(0.05)


def _refusal(error: Any) -> Refusal:
    trailing = dict(error.trailing_metadata() or ())
    return Refusal(error.code().name, even(error.details()), trailing.get("grpc-status-details-bin", b""))


def even(details: str) -> str:
    """Return words with single spaces: each build of Go's protobuf draws whether it puts one or two between fields."""
    return re.sub(" +", " ", details)


def fresh(prefix: str = "") -> str:
    """Return a name that nobody has used, of lower case letters and digits."""
    return prefix + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))


def integers(**values: int) -> dict[str, Any]:
    """Return literals of integers."""
    return {name: {"scalar": {"primitive": {"integer": str(value)}}} for name, value in values.items()}


def fill(value: Any, words: Mapping[str, str]) -> Any:
    """Return JSON with its ``$names`` replaced."""
    if isinstance(value, str):
        return string.Template(value).substitute(words)
    if isinstance(value, dict):
        return {key: fill(inner, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, words) for inner in value]
    return copy.copy(value)

"""The table of RPCs, held against flyteidl's own service descriptors."""

from __future__ import annotations

import subprocess
import sys

import pytest
from flyteidl.service import admin_pb2, auth_pb2, dataproxy_pb2, identity_pb2, signal_pb2
from google.protobuf.message import Message

from flyte_remote_async.transport import methods
from flyte_remote_async.transport.base import Method
from flyte_remote_async.transport.methods import METHODS

DESCRIBED = {
    f"/{service.full_name}/{rpc.name}": rpc
    for module in (admin_pb2, signal_pb2, dataproxy_pb2, identity_pb2, auth_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for rpc in service.methods
}


def test_every_rpc_is_in_the_table_and_no_other() -> None:
    assert set(METHODS) == set(DESCRIBED)
    assert len(METHODS) == 66


@pytest.mark.parametrize("path", DESCRIBED)
def test_an_rpc_carries_the_messages_that_flyteidl_describes(path: str) -> None:
    method, rpc = METHODS[path], DESCRIBED[path]
    assert not rpc.client_streaming
    assert not rpc.server_streaming
    assert (method.path, method.name) == (path, rpc.name)
    assert issubclass(method.request_type, Message)
    assert method.request_type.DESCRIPTOR is rpc.input_type
    assert method.response_type.DESCRIPTOR is rpc.output_type


def test_every_rpc_is_a_constant_named_after_it() -> None:
    constants = {name: value for name, value in vars(methods).items() if isinstance(value, Method)}
    assert {value.path for value in constants.values()} == set(METHODS)
    assert all(name.replace("_", "") == value.name.upper() for name, value in constants.items())


def test_launches_and_events_are_not_sent_twice() -> None:
    assert {method.name for method in METHODS.values() if not method.idempotent} == {
        "CreateExecution",
        "CreateNodeEvent",
        "CreateTaskEvent",
        "CreateWorkflowEvent",
        "RecoverExecution",
        "RegisterProject",
        "RelaunchExecution",
    }


def test_a_backend_is_imported_when_it_is_opened() -> None:
    script = (
        "import sys, flyte_remote_async.transport.methods, flyte_remote_async.transport.connect\n"
        "loaded = [m for m in sys.modules if m.split('.')[0] in ('grpc', 'grpclib', 'h2')]\n"
        "print(loaded)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"

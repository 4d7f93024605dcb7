"""Faults on demand, as each kind of client sees them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from flyteidl.admin import execution_pb2, project_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver import (
    Cut,
    DatabaseFails,
    Delay,
    DevServer,
    Fail,
    Hang,
    KubernetesFails,
    Trickle,
    Truncate,
)
from flyte_remote_async.devserver.faces import connections
from flyte_remote_async.devserver.faces.connections import cut_connections
from flyte_remote_async.devserver.faces.faces import Faces
from flyte_remote_async.devserver.faces.serving import Serving
from flyte_remote_async.devserver.faults import Faults
from flyte_remote_async.errors import (
    AlreadyExistsError,
    ClosedError,
    DeadlineExceededError,
    InternalError,
    NotFoundError,
    ResourceExhaustedError,
    UnavailableError,
)
from flyte_remote_async.policy.retry import RetryPolicy
from flyte_remote_async.transport.connect import connect, wrap
from flyte_remote_async.transport.methods import CREATE_EXECUTION, GET_VERSION, LIST_PROJECTS, REGISTER_PROJECT
from flyte_remote_async.transport.target import Target
from tests.support.cancelling import cancel_at_every_step
from tests.support.eventually import eventually
from tests.support.remotes import recorded_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from flyte_remote_async import FlyteRemote
    from flyte_remote_async.devserver.faults import FaultKind
    from flyte_remote_async.transport.base import Transport

pytestmark = pytest.mark.anyio

WAYS = ("grpcio", "grpclib", "in process")
ONCE = RetryPolicy(max_attempts=1)


@contextlib.asynccontextmanager
async def transport_to(dev: DevServer, way: str, policy: RetryPolicy = ONCE) -> AsyncIterator[Transport]:
    if way == "in process":
        transport = wrap(dev.transport, endpoint=way, policy=policy)
    else:
        transport = connect(Target.parse(dev.endpoint, insecure=True), backend=way, policy=policy)  # type: ignore[arg-type]
    try:
        yield transport
    finally:
        await transport.aclose()


async def register(transport: Transport, name: str) -> None:
    request = project_pb2.ProjectRegisterRequest(project={"id": name, "name": name})
    await transport.unary(REGISTER_PROJECT, request.SerializeToString(), timeout=10)


async def projects(transport: Transport, timeout: float = 10) -> list[str]:
    reply = await transport.unary(LIST_PROJECTS, b"", timeout=timeout)
    return [project.id for project in project_pb2.Projects.FromString(reply.message).projects]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# --- what a client sees ---


async def test_a_status_comes_with_its_words_and_its_metadata(way: str) -> None:
    async with DevServer() as dev, transport_to(dev, way) as transport:
        kind = Fail("RESOURCE_EXHAUSTED", "too busy", pushback=1.5, metadata=(("why", "tests"),))
        with dev.faults.add(kind, "List*") as fault, pytest.raises(ResourceExhaustedError) as caught:
            await projects(transport)
        assert caught.value.details == "too busy"
        assert set(caught.value.trailing_metadata) == {("why", "tests"), ("grpc-retry-pushback-ms", "1500")}
        assert fault.hits == 1
        assert await projects(transport) == ["flytesnacks"]
        assert fault.hits == 1


async def test_a_server_may_ask_not_to_be_asked_again(way: str) -> None:
    async with DevServer() as dev, transport_to(dev, way, RetryPolicy(initial=0)) as transport:
        with dev.faults.add(Fail("RESOURCE_EXHAUSTED", pushback=-1)) as fault, pytest.raises(ResourceExhaustedError):
            await projects(transport)
        assert fault.hits == 1


@pytest.mark.parametrize("kind", [Fail("UNAVAILABLE"), Cut()], ids=repr)
async def test_before_the_commit_nothing_was_done(way: str, kind: FaultKind) -> None:
    async with DevServer() as dev, transport_to(dev, way) as transport:
        with dev.faults.add(kind, REGISTER_PROJECT), pytest.raises(UnavailableError):
            await register(transport, "p")
        # A channel learns of a cut a moment later.
        async with transport_to(dev, way) as again:
            assert await projects(again) == ["flytesnacks"]


@pytest.mark.parametrize("kind", [Fail("UNAVAILABLE", after_commit=True), Cut(after_commit=True)], ids=repr)
async def test_after_the_commit_it_was_done_and_only_the_answer_is_lost(way: str, kind: FaultKind) -> None:
    async with DevServer() as dev, transport_to(dev, way) as transport:
        with dev.faults.add(kind, REGISTER_PROJECT), pytest.raises(UnavailableError):
            await register(transport, "p")
        # A channel learns of a cut a moment later.
        async with transport_to(dev, way) as again:
            assert await projects(again) == ["flytesnacks", "p"]


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_call_that_hangs_ends_by_its_own_deadline(way: str, after_commit: bool) -> None:
    async with DevServer() as dev, transport_to(dev, way) as transport:
        with dev.faults.add(Hang(after_commit=after_commit)), pytest.raises(DeadlineExceededError):
            await projects(transport, timeout=0.1)
        assert await projects(transport) == ["flytesnacks"]


async def test_answers_may_be_cut_short_or_empty(way: str) -> None:
    async with DevServer() as dev, transport_to(dev, way) as transport:
        whole = (await transport.unary(LIST_PROJECTS, b"", timeout=10)).message
        with dev.faults.add(Truncate(7)):
            assert (await transport.unary(LIST_PROJECTS, b"", timeout=10)).message == whole[:7]
        with dev.faults.add(Truncate()):
            assert await projects(transport) == []


@pytest.mark.parametrize("kind", [Delay(0.05), Delay(0.05, jitter=0.01), Trickle(1000)], ids=repr)
async def test_answers_may_take_long(way: str, kind: FaultKind) -> None:
    async with DevServer() as dev, transport_to(dev, way) as transport:
        await projects(transport)
        with dev.faults.add(kind, LIST_PROJECTS):
            began = time.monotonic()
            await projects(transport)
            # The message has some 60 bytes.
            assert time.monotonic() - began >= 0.05


async def test_a_cut_takes_the_other_calls_of_its_connection_along() -> None:
    async with DevServer() as dev, transport_to(dev, "grpcio") as one, transport_to(dev, "grpclib") as other:
        with dev.faults.add(Hang(), GET_VERSION) as hang:
            lost = asyncio.create_task(one.unary(GET_VERSION, b"", timeout=30))
            kept = asyncio.create_task(other.unary(GET_VERSION, b"", timeout=30))
            await eventually(lambda: hang.hits == 2)
            with dev.faults.add(Cut(), LIST_PROJECTS), pytest.raises(UnavailableError):
                await projects(one)
            with pytest.raises(UnavailableError):
                await lost
            assert not kept.done()
            kept.cancel()


async def test_a_remote_lives_with_many_faults_at_once(way: str) -> None:
    async with DevServer() as dev, transport_to(dev, way, RetryPolicy(initial=0, max_attempts=20)) as transport:
        dev.faults.add(Fail("UNAVAILABLE"), probability=0.3, seed=1)
        dev.faults.add(Cut(after_commit=True), probability=0.1, seed=2)
        dev.faults.add(Fail("INTERNAL"), times=3)
        for _ in range(20):
            assert await projects(transport) == ["flytesnacks"]
        dev.faults.clear()
        before = dev.requests["ListProjects"]
        await projects(transport)
        assert dev.requests["ListProjects"] == before + 1


# --- servers that go and come back ---


async def test_a_restart_keeps_the_port_and_the_state(way: str) -> None:
    async with DevServer() as dev, transport_to(dev, way, RetryPolicy(initial=0.05, max_attempts=50)) as transport:
        await register(transport, "p")
        endpoint = dev.endpoint
        hang = dev.faults.add(Hang(), GET_VERSION, times=1)
        held = asyncio.create_task(transport.unary(GET_VERSION, b"", timeout=30))
        await eventually(lambda: hang.hits == 1)
        await dev.restart(downtime=0.1)
        assert (dev.endpoint, await projects(transport)) == (endpoint, ["flytesnacks", "p"])
        # A read: it was sent again.
        assert (await held).message


async def test_calls_are_refused_during_an_outage(way: str) -> None:
    async with DevServer() as dev, transport_to(dev, way) as transport:
        await projects(transport)
        async with dev.outage():
            with pytest.raises(UnavailableError):
                await projects(transport)
            async with transport_to(dev, "in process") as late:
                with pytest.raises(UnavailableError, match="is down"):
                    await projects(late)
        async with transport_to(dev, way) as again:
            assert await projects(again) == ["flytesnacks"]


async def test_a_call_in_flight_is_lost_when_the_server_goes_down(way: str) -> None:
    async with DevServer() as dev, transport_to(dev, way) as transport:
        hang = dev.faults.add(Hang())
        held = asyncio.create_task(projects(transport))
        await eventually(lambda: hang.hits == 1)
        async with dev.outage():
            with pytest.raises(UnavailableError):
                await held


async def test_a_closed_transport_says_so_also_during_a_call() -> None:
    async with DevServer() as dev:
        transport = dev.transport()
        hang = dev.faults.add(Hang())
        held = asyncio.create_task(transport.unary(GET_VERSION, b""))
        await eventually(lambda: hang.hits == 1)
        await transport.aclose()
        with pytest.raises(ClosedError, match="was closed while GetVersion was in flight"):
            await held
        with pytest.raises(ClosedError, match="is closed"):
            await transport.unary(GET_VERSION, b"")


async def test_no_call_is_lost_when_clients_are_told_to_go_away(way: str) -> None:
    async with DevServer() as dev, transport_to(dev, way, RetryPolicy(initial=0.02, max_attempts=20)) as transport:
        slow = dev.faults.add(Delay(0.1), GET_VERSION)
        held = asyncio.create_task(transport.unary(GET_VERSION, b"", timeout=30))
        await eventually(lambda: slow.hits == 1)
        await dev.goaway()
        assert (await held).message
        assert await projects(transport) == ["flytesnacks"]
        # grpclib gives up the calls of a connection that is to go, and a read is sent again.
        assert slow.hits == (2 if way == "grpclib" else 1)


@pytest.mark.parametrize("close_while", ["down", "opening"])
async def test_an_outage_of_a_server_that_is_closed_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch, close_while: str
) -> None:
    dev = await DevServer().start()
    port, start = int(dev.endpoint.rpartition(":")[2]), Serving.start

    async def start_and_close(serving: Serving, host: str, port: int) -> int:
        bound = await start(serving, host, port)
        await dev.aclose()
        return bound

    async with dev.outage():
        if close_while == "down":
            await dev.aclose()
        else:
            monkeypatch.setattr(Serving, "start", start_and_close)
    with pytest.raises(OSError, match=r"refused|attempts failed"):
        await anyio.connect_tcp("127.0.0.1", port)


async def test_a_cancelled_outage_ends() -> None:
    async with DevServer() as dev, transport_to(dev, "in process") as transport:
        with anyio.move_on_after(0.01):
            await dev.restart(downtime=60)
        assert await projects(transport) == ["flytesnacks"]


@pytest.mark.parametrize("verb", ["restart", "goaway"])
async def test_the_server_is_there_after_a_verb_that_was_cancelled_at_any_moment(verb: str) -> None:
    async with DevServer() as dev:
        turns, finished = 0, False
        while not finished:
            task = asyncio.create_task(getattr(dev, verb)())
            for _ in range(turns):
                await asyncio.sleep(0)
            finished = not task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            async with transport_to(dev, "grpcio") as transport, transport_to(dev, "in process") as inside:
                assert await projects(transport) == await projects(inside) == ["flytesnacks"]
            turns += 1 + turns // 4
        assert turns > 10


async def test_a_start_or_a_close_that_is_cancelled_at_any_moment_leaves_nothing() -> None:
    devs: list[DevServer] = []

    async def live() -> None:
        devs.append(DevServer())
        async with devs[-1] as dev:
            dev.task("samples.add")(lambda a: a)

    def nothing_listens() -> None:
        with pytest.raises(ClosedError):
            _ = devs[-1].endpoint

    assert await cancel_at_every_step(live, lambda: nothing_listens() if devs else None, stretch=4) > 10


async def test_only_connections_of_the_port_are_cut(tmp_path: Path) -> None:
    async with (
        DevServer() as dev,
        DevServer() as other,
        transport_to(dev, "grpclib") as mine,
        transport_to(other, "grpclib") as theirs,
    ):
        await projects(mine)
        await projects(theirs)
        port = int(dev.endpoint.rpartition(":")[2])
        assert await anyio.to_thread.run_sync(cut_connections, port, 1) == 0
        assert await anyio.to_thread.run_sync(cut_connections, port) == 1
        await projects(theirs)
    async with Serving({}) as serving:
        await serving.start(f"unix:{tmp_path / 's'}")
        await serving.cut("unix:")


async def test_where_sockets_cannot_be_found_a_cut_is_a_status(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(connections, "_FDS", tmp_path / "none")
    async with DevServer() as dev, transport_to(dev, "grpcio") as transport:
        with dev.faults.add(Cut()), pytest.raises(UnavailableError, match="was cut before the request"):
            await projects(transport)


async def test_a_port_that_another_took_meanwhile_is_said() -> None:
    async with DevServer() as dev:
        host, _, port = dev.endpoint.rpartition(":")
        with contextlib.ExitStack() as taken, pytest.raises(OSError, match="Address already in use"):
            async with dev.outage():
                taken.enter_context(socket.create_server((host, int(port))))


async def test_an_outage_before_the_start_and_without_grpc_is_fine() -> None:
    faces = Faces({}, "127.0.0.1")
    await faces.open()
    await faces.aclose()
    await faces.goaway(0)
    await faces.aclose()
    async with faces.outage():
        pass
    await faces.aclose()


@pytest.mark.parametrize(
    ("host", "is_open"),
    [
        ("127.0.0.1", False),
        ("localhost", False),
        ("[::1]", False),
        ("unix:/tmp/s", False),
        ("0.0.0.0", True),  # noqa: S104 - what is tested
        ("::", True),
        ("10.0.0.1", True),
        ("flyte.example.com", True),
    ],
)
def test_who_reaches_it(host: str, is_open: bool) -> None:
    assert Faces({}, host).is_open_to_others is is_open


# --- which calls ---


def test_a_pattern_that_fits_no_rpc_is_a_mistake() -> None:
    faults = Faults()
    with pytest.raises(ValueError, match=r"is called 'GetExecutoin'; did you mean 'GetExecution'"):
        faults.add(Hang(), "GetExecutoin")
    with pytest.raises(ValueError, match=r"no RPC of Flyte is called 'zzz'$"):
        faults.add(Hang(), ["Get*", "zzz"])
    with pytest.raises(ValueError, match="one RPC at least"):
        faults.add(Hang(), [])


@pytest.mark.parametrize("wrong", [{"probability": 0}, {"probability": 1.5}, {"times": 0}, {"skip": -1}], ids=str)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Faults().add(Hang(), **wrong)


def test_values_that_no_fault_can_have_are_refused() -> None:
    for make in (lambda: Delay(-1), lambda: Trickle(0), lambda: Truncate(-1), lambda: Fail("OK"), lambda: Fail("NOPE")):
        with pytest.raises(ValueError):
            make()


@given(
    calls=st.integers(0, 40),
    skip=st.integers(0, 10),
    times=st.none() | st.integers(1, 10),
    probability=st.floats(0.01, 1),
    seed=st.integers(0, 5),
)
def test_the_calls_that_are_struck(calls: int, skip: int, times: int | None, probability: float, seed: int) -> None:
    def struck() -> list[bool]:
        fault = Faults().add(Hang(), "Get*", times=times, skip=skip, probability=probability, seed=seed)
        assert not fault.strikes("CreateExecution")
        found = [fault.strikes("GetExecution") for _ in range(calls)]
        assert fault.hits == sum(found)
        return found

    found = struck()
    assert found == struck()
    assert not any(found[:skip])
    assert times is None or sum(found) <= times
    if probability == 1:
        assert sum(found) == min(max(calls - skip, 0), calls if times is None else times)


async def test_requests_are_counted_also_those_that_fail() -> None:
    async with DevServer() as dev, transport_to(dev, "in process") as transport:
        with dev.faults.add(Fail("NOT_FOUND"), GET_VERSION, times=1), pytest.raises(NotFoundError):
            await transport.unary(GET_VERSION, b"")
        await transport.unary(GET_VERSION, b"")
        await projects(transport)
        assert dev.requests == {"GetVersion": 2, "ListProjects": 1}


# --- Flyte's own faults ---


@contextlib.asynccontextmanager
async def launching() -> AsyncIterator[tuple[DevServer, FlyteRemote]]:
    async with recorded_server() as dev, dev.remote() as remote:
        dev.stand_in("samples.add", lambda a, b=1: a + b)
        yield dev, remote


async def test_what_kubernetes_refuses_has_failed_at_once() -> None:
    async with launching() as (dev, remote):
        workflow = await remote.fetch_workflow("samples.wide5")
        with dev.faults.add(KubernetesFails("quota exceeded")) as fault:
            execution = await remote.execute(workflow, inputs={"a": 1}, name="refused")
        execution = await execution.sync()
        assert execution.phase.name == "FAILED"
        assert execution.error is not None
        assert execution.error.message == "failed to create workflow in propeller quota exceeded"
        assert (execution.error.code, execution.error.kind.name, fault.hits) == ("Internal", "SYSTEM", 1)


async def test_a_task_that_kubernetes_refuses_leaves_nothing_behind() -> None:
    async with launching() as (dev, remote):
        task = await remote.fetch_task("samples.add")
        with dev.faults.add(KubernetesFails()), pytest.raises(InternalError, match="in propeller etcdserver"):
            await remote.execute(task, inputs={"a": 1, "b": 2}, name="task")
        with pytest.raises(NotFoundError):
            await remote.fetch_execution("task")
        execution = await remote.execute(task, inputs={"a": 1, "b": 2}, name="task")
        assert (await execution.wait(timeout=30)).is_successful


async def test_what_the_database_forgot_runs_once_when_it_is_sent_again() -> None:
    calls: list[int] = []

    def add(a: int, b: int = 1) -> int:
        calls.append(a)
        return a + b

    async with launching() as (dev, remote):
        dev.stand_in("samples.add", add)
        task = await remote.fetch_task("samples.add")
        with dev.faults.add(DatabaseFails(), times=1), pytest.raises(InternalError, match="connection refused"):
            await remote.execute(task, inputs={"a": 1, "b": 2}, name="forgotten")
        with pytest.raises(NotFoundError):
            await remote.fetch_execution("forgotten")
        execution = await remote.execute(task, inputs={"a": 1, "b": 2}, name="forgotten")
        assert (await execution.wait(timeout=30)).is_successful
        assert calls == [1]


async def test_an_execution_that_has_ended_stays_so_when_its_creation_is_sent_again() -> None:
    calls: list[int] = []

    def add(a: int, b: int = 1) -> int:
        calls.append(a)
        return a + b

    async with launching() as (dev, remote):
        dev.stand_in("samples.add", add)
        task = await remote.fetch_task("samples.add")
        status = await remote.execute(task, inputs={"a": 1, "b": 2}, name="ended")
        ended = await status.wait(timeout=30)
        request = execution_pb2.ExecutionCreateRequest(
            project="flytesnacks", domain="development", name="ended", spec=ended.to_flyte_idl().spec
        )
        request.inputs.literals["a"].scalar.primitive.integer = 7
        request.inputs.literals["b"].scalar.primitive.integer = 7
        with pytest.raises(AlreadyExistsError):
            await dev.transport().unary(CREATE_EXECUTION, request.SerializeToString())
        # On Flyte a copy of it starts in Kubernetes, and ends before it has done anything.
        again = await (await remote.fetch_execution("ended")).wait(timeout=30)
        assert again == ended
        assert await status.wait(timeout=30) == ended
        assert await ended.sync(sync_nodes=True) is ended
        assert await again.outputs["o0"] == 3
        assert calls == [1]

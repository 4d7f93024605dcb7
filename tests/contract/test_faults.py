"""What a broken wire looks like: the same error whichever backend meets it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trustme

from flyte_remote_async import errors
from flyte_remote_async.devserver.faces.serving import ServerTLS, Serving
from flyte_remote_async.errors import ConfigError, DeadlineExceededError, RPCError, UnavailableError
from flyte_remote_async.policy.retry import RetryPolicy
from flyte_remote_async.transport import wire
from flyte_remote_async.transport.connect import connect, open_transport
from flyte_remote_async.transport.methods import GET_EXECUTION
from flyte_remote_async.transport.target import Target
from flyte_remote_async.transport.tls import TLSOptions
from tests.support.eventually import eventually
from tests.support.faults import h2_server, hang_up, say_nothing, talk_nonsense, tcp_server

if TYPE_CHECKING:
    from pathlib import Path

    from h2.connection import H2Connection

    from flyte_remote_async.transport.base import Metadata, Reply
    from flyte_remote_async.transport.connect import Backend

pytestmark = pytest.mark.anyio

GRPC_HEADERS = [(":status", "200"), ("content-type", "application/grpc")]
BACKENDS: tuple[Backend, ...] = ("grpcio", "grpclib")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    chosen: Backend = request.param
    return chosen


async def echo(request: bytes, metadata: Metadata) -> bytes:
    return request


async def ask(target: Target, backend: Backend, *, tls: TLSOptions | None = None, timeout: float = 5) -> Reply:
    """Make one call over one bare channel."""
    transport = open_transport(target, backend=backend, tls=tls)
    try:
        return await transport.unary(GET_EXECUTION, b"x" * 100, timeout=timeout)
    finally:
        await transport.aclose()


def plaintext(port: int) -> Target:
    return Target.parse(f"127.0.0.1:{port}", insecure=True)


# --- what answers is not a gRPC server -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "details"),
    [
        (302, "UNKNOWN", "a proxy or login page answered instead of Flyte"),
        (400, "INTERNAL", ""),
        (401, "UNAUTHENTICATED", ""),
        (403, "PERMISSION_DENIED", ""),
        (404, "UNIMPLEMENTED", ""),
        (429, "UNAVAILABLE", ""),
        (500, "UNKNOWN", ""),
        (502, "UNAVAILABLE", ""),
        (503, "UNAVAILABLE", ""),
        (504, "UNAVAILABLE", ""),
    ],
)
async def test_an_html_page_is_the_status_that_it_means(backend: Backend, status: int, code: str, details: str) -> None:
    def page(connection: H2Connection, stream: int) -> None:
        connection.send_headers(stream, [(":status", str(status)), ("content-type", "text/html")])
        connection.send_data(stream, b"<html>", end_stream=True)

    async with h2_server(page) as port:
        with pytest.raises(RPCError) as caught:
            await ask(plaintext(port), backend)
    assert caught.value.code == code
    assert f"Received http2 header with status: {status}" in caught.value.details
    assert details in caught.value.details


async def test_a_page_that_says_ok_is_no_reply(backend: Backend) -> None:
    def page(connection: H2Connection, stream: int) -> None:
        connection.send_headers(stream, [(":status", "200"), ("content-type", "text/html")])
        connection.send_data(stream, b"<html>", end_stream=True)

    async with h2_server(page) as port:
        with pytest.raises(errors.UnknownError):
            await ask(plaintext(port), backend)


async def test_a_login_page_is_not_asked_again(backend: Backend) -> None:
    asked: list[int] = []

    def page(connection: H2Connection, stream: int) -> None:
        asked.append(stream)
        connection.send_headers(stream, [(":status", "302"), ("location", "https://login")], end_stream=True)

    async with h2_server(page) as port:
        transport = connect(plaintext(port), backend=backend)
        with pytest.raises(errors.UnknownError) as caught:
            await transport.unary(GET_EXECUTION, b"")
        await transport.aclose()
    assert (len(asked), caught.value.attempts) == (1, 1)


@pytest.mark.parametrize("serve", [hang_up, talk_nonsense])
@pytest.mark.parametrize("insecure", [True, False])
async def test_what_does_not_speak_http2_is_unavailable(backend: Backend, serve: Any, *, insecure: bool) -> None:
    async with tcp_server(serve) as port:
        with pytest.raises(UnavailableError, match="insecure="):
            await ask(Target.parse(f"127.0.0.1:{port}", insecure=insecure), backend)


@pytest.mark.parametrize("insecure", [True, False])
async def test_what_never_answers_ends_by_the_timeout(backend: Backend, *, insecure: bool) -> None:
    async with tcp_server(say_nothing) as port:
        with pytest.raises(DeadlineExceededError):
            await ask(Target.parse(f"127.0.0.1:{port}", insecure=insecure), backend, timeout=0.2)


async def test_a_wrong_port_is_unavailable(backend: Backend) -> None:
    with pytest.raises(UnavailableError, match="check the endpoint") as caught:
        await ask(plaintext(1), backend)
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.endpoint == "127.0.0.1:1"


async def test_a_wrong_host_is_unavailable(backend: Backend) -> None:
    with pytest.raises(UnavailableError, match=r"no-such-host\.invalid:443"):
        await ask(Target.parse("no-such-host.invalid"), backend, timeout=20)


# --- gRPC that breaks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reset", "code"),
    [
        (0, "INTERNAL"),
        (1, "INTERNAL"),
        (2, "INTERNAL"),
        (3, "INTERNAL"),
        (7, "UNAVAILABLE"),
        (8, "CANCELLED"),
        (11, "RESOURCE_EXHAUSTED"),
        (12, "PERMISSION_DENIED"),
    ],
)
async def test_a_stream_that_is_reset_is_the_status_that_it_means(backend: Backend, reset: int, code: str) -> None:
    async with h2_server(lambda connection, stream: connection.reset_stream(stream, reset)) as port:
        with pytest.raises(RPCError, match=f"RST_STREAM with error code {reset}") as caught:
            await ask(plaintext(port), backend)
    assert caught.value.code == code


async def test_a_call_that_is_cancelled_closes_its_stream(backend: Backend) -> None:
    asked: list[H2Connection] = []
    async with h2_server(lambda connection, _stream: asked.append(connection)) as port:
        transport = open_transport(plaintext(port), backend=backend)
        calls = [asyncio.create_task(transport.unary(GET_EXECUTION, b"x")) for _ in range(3)]
        await eventually(lambda: len(asked) == 3)
        (connection,) = {id(connection): connection for connection in asked}.values()
        assert connection.open_inbound_streams == 3
        calls[0].cancel()
        await eventually(lambda: connection.open_inbound_streams == 2)
        for call in calls[1:]:
            call.cancel()
        await eventually(lambda: connection.open_inbound_streams == 0)
        assert all(
            isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*calls, return_exceptions=True)
        )
        await transport.aclose()


async def test_a_server_that_goes_away_is_unavailable(backend: Backend) -> None:
    def leave(connection: H2Connection, stream: int) -> None:
        connection.close_connection(2, last_stream_id=0)

    async with h2_server(leave) as port:
        with pytest.raises(UnavailableError, match="GOAWAY"):
            await ask(plaintext(port), backend)


async def test_a_read_survives_servers_that_go_away(backend: Backend) -> None:
    asked = 0

    def leave_twice(connection: H2Connection, stream: int) -> None:
        nonlocal asked
        asked += 1
        if asked < 3:
            connection.close_connection(0, last_stream_id=0)
            return
        connection.send_headers(stream, GRPC_HEADERS)
        connection.send_data(stream, wire.frame(b"here"))
        connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)

    async with h2_server(leave_twice) as port:
        transport = connect(plaintext(port), backend=backend, policy=RetryPolicy(initial=0.02))
        reply = await transport.unary(GET_EXECUTION, b"", timeout=20)
        await transport.aclose()
    assert reply.message == b"here"


def reply(*chunks: bytes, trailers: tuple[tuple[str, str], ...] | None = (("grpc-status", "0"),)) -> Any:
    """Return an answer of some data and trailers; without trailers, the last data ends the stream."""

    def answer(connection: H2Connection, stream: int) -> None:
        connection.send_headers(stream, GRPC_HEADERS)
        for index, chunk in enumerate(chunks):
            connection.send_data(stream, chunk, end_stream=trailers is None and index == len(chunks) - 1)
        if trailers is not None:
            connection.send_headers(stream, trailers, end_stream=True)

    return answer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(reply(), "INTERNAL", id="no message"),
        pytest.param(reply(b"\0\0\0\0\x09abc"), "INTERNAL", id="half a message"),
        pytest.param(reply(b"\0\0"), "INTERNAL", id="half a head"),
        pytest.param(reply(wire.frame(b"a"), trailers=None), "UNKNOWN", id="no trailers"),
        pytest.param(reply(wire.frame(b"a"), trailers=(("x", "y"),)), "UNKNOWN", id="no status"),
        pytest.param(reply(wire.frame(b"a"), trailers=(("grpc-status", "5"),)), "NOT_FOUND", id="message and error"),
    ],
)
async def test_a_malformed_reply_is_an_error_and_never_a_reply(backend: Backend, answer: Any, code: str) -> None:
    async with h2_server(answer) as port:
        with pytest.raises(RPCError) as caught:
            await ask(plaintext(port), backend)
    assert caught.value.code == code


@pytest.mark.parametrize("trailing", [(("grpc-status", "5"), ("grpc-message", "no%20such"), ("k", "v"))])
async def test_an_answer_of_trailers_alone_is_a_status(backend: Backend, trailing: Any) -> None:
    def refuse(connection: H2Connection, stream: int) -> None:
        connection.send_headers(stream, [*GRPC_HEADERS, *trailing], end_stream=True)

    async with h2_server(refuse) as port:
        with pytest.raises(errors.NotFoundError) as caught:
            await ask(plaintext(port), backend)
    assert (caught.value.details, caught.value.trailing_metadata) == ("no such", (("k", "v"),))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(reply(wire.frame(b"a"), wire.frame(b"b")), "INTERNAL", id="two messages"),
        pytest.param(reply(b"\x01\0\0\0\x01a"), "INTERNAL", id="compressed"),
        pytest.param(reply(wire.frame(b"a"), trailers=(("grpc-status", "99"),)), "UNKNOWN", id="unknown status"),
        pytest.param(reply(b"\0\xff\xff\xff\xff"), "RESOURCE_EXHAUSTED", id="4 GiB announced"),
    ],
)
async def test_what_cores_of_grpc_disagree_on_is_an_error_over_grpclib(answer: Any, code: str) -> None:
    async with h2_server(answer) as port:
        with pytest.raises(RPCError) as caught:
            await ask(plaintext(port), "grpclib")
    assert caught.value.code == code


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, *, client_ca: bytes | None = None) -> ServerTLS:
    issued = authority.issue_cert("localhost")
    return ServerTLS(
        key=issued.private_key_pem.bytes(), certificate=issued.cert_chain_pems[0].bytes(), client_ca=client_ca
    )


def client_tls(authority: trustme.CA, signed_by: trustme.CA) -> TLSOptions:
    issued = signed_by.issue_cert("client")
    return TLSOptions(
        ca_cert=authority.cert_pem.bytes(),
        client_cert=issued.cert_chain_pems[0].bytes(),
        client_key=issued.private_key_pem.bytes(),
    )


async def test_a_server_with_a_trusted_certificate_answers(backend: Backend, authority: trustme.CA) -> None:
    async with Serving({GET_EXECUTION.path: echo}, tls=server_tls(authority)) as serving:
        port = await serving.start("localhost")
        tls = TLSOptions(ca_cert=authority.cert_pem.bytes())
        found = await ask(Target.parse(f"https://localhost:{port}"), backend, tls=tls)
    assert found.message == b"x" * 100


async def test_a_server_may_have_another_name(backend: Backend, authority: trustme.CA) -> None:
    async with Serving({GET_EXECUTION.path: echo}, tls=server_tls(authority)) as serving:
        port = await serving.start("127.0.0.1")
        tls = TLSOptions(ca_cert=authority.cert_pem.bytes(), server_name="localhost")
        found = await ask(Target.parse(f"127.0.0.1:{port}"), backend, tls=tls)
    assert found.message == b"x" * 100


@pytest.mark.parametrize("trust", ["usual roots", "another authority", "another name"])
async def test_a_server_that_is_not_trusted_is_not_asked_again(
    backend: Backend, authority: trustme.CA, trust: str
) -> None:
    tls = {
        "usual roots": TLSOptions(),
        "another authority": TLSOptions(ca_cert=trustme.CA().cert_pem.bytes()),
        "another name": TLSOptions(ca_cert=authority.cert_pem.bytes(), server_name="flyte.example.com"),
    }[trust]
    async with Serving({GET_EXECUTION.path: echo}, tls=server_tls(authority)) as serving:
        target = Target.parse(f"localhost:{await serving.start('localhost')}")
        transport = connect(target, backend=backend, tls=tls)
        with pytest.raises(UnavailableError, match=r"(?i)certificate|hostname") as caught:
            await transport.unary(GET_EXECUTION, b"", timeout=10)
        await transport.aclose()
    assert caught.value.attempts == 1


async def test_plaintext_to_a_tls_server_is_unavailable(backend: Backend, authority: trustme.CA) -> None:
    async with Serving({GET_EXECUTION.path: echo}, tls=server_tls(authority)) as serving:
        port = await serving.start("localhost")
        with pytest.raises(UnavailableError, match="insecure=False"):
            await ask(Target.parse(f"http://localhost:{port}"), backend)


async def test_tls_to_a_plaintext_server_is_unavailable(backend: Backend) -> None:
    async with Serving({GET_EXECUTION.path: echo}) as serving:
        target = Target.parse(f"localhost:{await serving.start('localhost')}")
        transport = connect(target, backend=backend)
        with pytest.raises(UnavailableError, match="insecure=True") as caught:
            await transport.unary(GET_EXECUTION, b"", timeout=10)
        await transport.aclose()
    assert caught.value.attempts == 1


async def test_verification_is_skipped_where_the_backend_can(authority: trustme.CA) -> None:
    async with Serving({GET_EXECUTION.path: echo}, tls=server_tls(authority)) as serving:
        target = Target.parse(f"localhost:{await serving.start('localhost')}")
        found = await ask(target, "grpclib", tls=TLSOptions(verify=False))
        assert found.message == b"x" * 100
        with pytest.raises(ConfigError, match='transport="grpclib"'):
            await ask(target, "grpcio", tls=TLSOptions(verify=False))


async def test_mutual_tls(backend: Backend, authority: trustme.CA) -> None:
    trusted = authority.cert_pem.bytes()
    async with Serving({GET_EXECUTION.path: echo}, tls=server_tls(authority, client_ca=trusted)) as serving:
        target = Target.parse(f"localhost:{await serving.start('localhost')}")
        found = await ask(target, backend, tls=client_tls(authority, signed_by=authority))
        assert found.message == b"x" * 100
        for tls in (TLSOptions(ca_cert=trusted), client_tls(authority, signed_by=trustme.CA())):
            with pytest.raises(UnavailableError):
                await ask(target, backend, tls=tls)


async def test_a_client_certificate_that_cannot_be_read_is_a_configuration_error(authority: trustme.CA) -> None:
    junk = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    tls = TLSOptions(ca_cert=authority.cert_pem.bytes(), client_cert=junk, client_key=junk)
    with pytest.raises(ConfigError, match="cannot be used"):
        await ask(Target.parse("localhost:1"), "grpclib", tls=tls)


# --- connections -----------------------------------------------------------------------------------------------------


async def test_a_unix_socket_is_an_endpoint(backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "s"  # names of sockets are short
    async with Serving({GET_EXECUTION.path: echo}) as serving:
        await serving.start(f"unix:{path}")
        found = await ask(Target.parse(f"unix:{path}", insecure=True), backend)
    assert found.message == b"x" * 100


class Proxy:
    """Passes connections on, until it is told to drop what the present ones send."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self._frozen_up_to = 0

    def freeze(self) -> None:
        """Let every present connection look alive, and lose all that it sends, as a firewall does that forgot it."""
        self._frozen_up_to = self.connections

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                if number > self._frozen_up_to:
                    sink.write(data)

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(pump, up_reader, writer)
                await pump(reader, up_writer)
                group.cancel_scope.cancel()
        finally:
            up_writer.close()


async def test_a_connection_that_a_firewall_forgot_is_replaced(backend: Backend) -> None:
    async with Serving({GET_EXECUTION.path: echo}) as serving:
        proxy = Proxy(await serving.start())
        async with tcp_server(proxy) as port:
            transport = connect(plaintext(port), backend=backend, policy=RetryPolicy(max_attempts=1))
            await transport.unary(GET_EXECUTION, b"", timeout=10)
            proxy.freeze()
            for _ in range(3):
                with pytest.raises(DeadlineExceededError):
                    await transport.unary(GET_EXECUTION, b"", timeout=0.1)
            assert proxy.connections == 1
            found = await transport.unary(GET_EXECUTION, b"again", timeout=10)
            await transport.aclose()
    assert (found.message, proxy.connections) == (b"again", 2)


async def test_a_call_that_still_waits_does_not_keep_others_on_the_dead_connection(backend: Backend) -> None:
    async with Serving({GET_EXECUTION.path: echo}) as serving:
        proxy = Proxy(await serving.start())
        async with tcp_server(proxy) as port:
            transport = connect(plaintext(port), backend=backend, policy=RetryPolicy(max_attempts=1))
            await transport.unary(GET_EXECUTION, b"", timeout=10)
            proxy.freeze()
            waits = asyncio.create_task(transport.unary(GET_EXECUTION, b"", timeout=30))
            for _ in range(3):
                with pytest.raises(DeadlineExceededError):
                    await transport.unary(GET_EXECUTION, b"", timeout=0.1)
            found = await transport.unary(GET_EXECUTION, b"again", timeout=10)
            assert not waits.done()
            await transport.aclose()
            with pytest.raises(errors.ClosedError):
                await waits
    assert (found.message, proxy.connections) == (b"again", 2)


async def test_many_first_calls_make_one_connection(backend: Backend) -> None:
    async with Serving({GET_EXECUTION.path: echo}) as serving:
        proxy = Proxy(await serving.start())
        async with tcp_server(proxy) as port:
            transport = connect(plaintext(port), backend=backend)
            await asyncio.gather(*(transport.unary(GET_EXECUTION, b"") for _ in range(300)))
            await transport.aclose()
    assert proxy.connections == 1


async def test_a_server_that_comes_back_is_found_again(backend: Backend) -> None:
    serving = Serving({GET_EXECUTION.path: echo})
    port = await serving.start()
    transport = connect(plaintext(port), backend=backend, policy=RetryPolicy(initial=0.5, max_attempts=20))
    await transport.unary(GET_EXECUTION, b"")
    await serving.stop()
    call = asyncio.create_task(transport.unary(GET_EXECUTION, b"patient", timeout=30))
    with pytest.raises(UnavailableError):
        await ask(plaintext(port), backend)
    again = Serving({GET_EXECUTION.path: echo})
    await again.start(port=port)
    assert (await call).message == b"patient"
    await transport.aclose()
    await again.stop()

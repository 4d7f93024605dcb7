"""Objects are read whole, from wherever they lie, through the faults that networks have."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import attrs
import pytest

from flyte_remote_async.config.values import Secret, StorageConfig
from flyte_remote_async.errors import (
    IntegrityError,
    MissingExtraError,
    ObjectNotFoundError,
    StorageError,
    UnavailableError,
    UnimplementedError,
)
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.storage import incoming, patience
from flyte_remote_async.storage.addresses import parse
from flyte_remote_async.storage.objects import StoredObjects
from flyte_remote_async.storage.opening import has_credentials, open_bucket
from tests.support.object_server import Answer, object_server, signed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.object_server import ObjectServer, Request

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
CANARY = "s3cr3t-signature"
LARGE = bytes(range(256)) * 12_000  # three chunks and a bit


@pytest.fixture
async def server() -> AsyncIterator[ObjectServer]:
    async with object_server() as server:
        server.objects |= {"b/dir/one.txt": b"one", "b/dir/sub/two.txt": b"two", "b/large": LARGE, "b/empty": b""}
        yield server


@pytest.fixture(autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (incoming, patience):
        monkeypatch.setattr(module, "_BACKOFF", Backoff(initial=0.001, factor=1.0, longest=0.001))
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path_factory.mktemp("gcloud")))


def config(server: ObjectServer) -> StorageConfig:
    return server.config(s3_retries=1, s3_backoff=0.001)


class Signer:
    """Signs URLs as a control plane does, and counts."""

    def __init__(self, server: ObjectServer) -> None:
        self.server = server
        self.count = 0

    async def __call__(self, uri: str) -> str:
        self.count += 1
        return signed(self.server, uri, f"{CANARY}-{self.count}")


@pytest.fixture(params=["bucket", "signed", "web"])
async def source(request: pytest.FixtureRequest, server: ObjectServer) -> AsyncIterator[tuple[StoredObjects, str]]:
    """Objects, and the URI of the bucket, over each way there is."""
    made = {
        "bucket": lambda: StoredObjects(config(server), stall=2),
        "signed": lambda: StoredObjects(sign=Signer(server), stall=2),
        "web": lambda: StoredObjects(stall=2),
    }
    objects = made[request.param]()
    yield objects, f"{server.url}/b" if request.param == "web" else "s3://b"
    await objects.aclose()


# --- every way --------------------------------------------------------------------------------------------------------


async def test_bytes(source: tuple[StoredObjects, str]) -> None:
    objects, bucket = source
    assert await objects.read(f"{bucket}/dir/one.txt") == b"one"
    assert await objects.read(f"{bucket}/empty") == b""
    assert await objects.read(f"{bucket}/large") == LARGE
    assert await objects.read(f"{bucket}/large", limit=len(LARGE)) == LARGE


async def test_names_are_taken_as_they_are(source: tuple[StoredObjects, str], server: ObjectServer) -> None:
    objects, bucket = source
    server.objects["b/üñ ï+&.txt"] = b"odd"
    name = "%C3%BC%C3%B1%20%C3%AF+&.txt" if bucket.startswith("http") else "üñ ï+&.txt"
    assert await objects.read(f"{bucket}/{name}") == b"odd"


async def test_a_limit(source: tuple[StoredObjects, str], server: ObjectServer) -> None:
    objects, bucket = source
    with pytest.raises(StorageError, match="1,000 is the limit"):
        await objects.read(f"{bucket}/large", limit=1000)
    if bucket.startswith("http"):
        server.fault = lambda _request, answer: _with(answer, chunked=True)
        with pytest.raises(StorageError, match="1,000 is the limit"):
            await objects.read(f"{bucket}/large", limit=1000)


async def test_nothing_there(source: tuple[StoredObjects, str], tmp_path: Path) -> None:
    objects, bucket = source
    with pytest.raises(ObjectNotFoundError) as caught:
        await objects.read(f"{bucket}/none")
    assert f"{bucket}/none" in str(caught.value)
    with pytest.raises(FileNotFoundError):
        await objects.download(f"{bucket}/none", tmp_path / "x")
    assert not any(os.scandir(tmp_path))


async def test_streams(source: tuple[StoredObjects, str]) -> None:
    objects, bucket = source
    async with objects.open(f"{bucket}/large") as stream:
        assert await stream.read(0) == b""
        assert await stream.read(5) == LARGE[:5]
        assert await stream.read(2_000_000) == LARGE[5:2_000_005]
        rest = [chunk async for chunk in stream]
        assert b"".join(rest) == LARGE[2_000_005:]
        assert await stream.read() == b""
    async with objects.open(f"{bucket}/large") as stream:  # left before the end
        assert await stream.read(1) == LARGE[:1]
    async with objects.open(f"{bucket}/large") as stream:
        assert await stream.read() == LARGE


def cut(size: int) -> Callable[[Request, Answer], Answer]:
    return lambda request, answer: _with(answer, cut=size) if "large" in request.path else answer


def once(**changes: object) -> Callable[[Request, Answer], Answer]:
    left = iter([True])
    return lambda _request, answer: _with(answer, **changes) if next(left, False) else answer


def always(answer: Answer) -> Callable[[Request, Answer], Answer]:
    return lambda _request, _answer: answer


def _with(answer: Answer, **changes: object) -> Answer:
    for name, value in changes.items():
        setattr(answer, name, value)
    return answer


@pytest.mark.parametrize("size", [0, 1, 1_048_575, 1_048_577, len(LARGE) - 1])
async def test_a_transfer_that_is_cut_goes_on(
    source: tuple[StoredObjects, str], server: ObjectServer, size: int
) -> None:
    objects, bucket = source
    cuts = iter([True, True])
    fault = cut(size)
    server.fault = lambda request, answer: fault(request, answer) if next(cuts, False) else answer
    assert await objects.read(f"{bucket}/large") == LARGE


async def test_a_transfer_that_gets_on_may_be_cut_often(
    source: tuple[StoredObjects, str], server: ObjectServer
) -> None:
    objects, bucket = source
    server.fault = cut(300_000)
    assert await objects.read(f"{bucket}/large") == LARGE


async def test_a_transfer_that_never_gets_on_is_an_error(
    source: tuple[StoredObjects, str], server: ObjectServer, tmp_path: Path
) -> None:
    objects, bucket = source
    server.fault = cut(0)
    with pytest.raises(StorageError, match="tried 5 times"):
        await objects.download(f"{bucket}/large", tmp_path / "large")
    assert not any(os.scandir(tmp_path))


async def test_a_server_that_stalls(server: ObjectServer) -> None:
    for objects, bucket in (
        (StoredObjects(config(server), stall=0.2), "s3://b"),
        (StoredObjects(stall=0.2), f"{server.url}/b"),
    ):
        server.fault = once(stall=9)
        assert await objects.read(f"{bucket}/large") == LARGE
        await objects.aclose()


async def test_a_busy_server(source: tuple[StoredObjects, str], server: ObjectServer) -> None:
    objects, bucket = source
    answers = iter([503, 500])
    server.fault = lambda _request, answer: _with(answer, status=next(answers, answer.status))
    if bucket == "s3://b" and objects._ways._sign is None:  # obstore tries again by itself, as often as it is told
        answers = iter([503])
    assert await objects.read(f"{bucket}/dir/one.txt") == b"one"


async def test_an_object_that_changes_meanwhile(source: tuple[StoredObjects, str], server: ObjectServer) -> None:
    objects, bucket = source

    def change(request: Request, answer: Answer) -> Answer:
        if answer.status == 200:
            server.objects["b/large"] = LARGE[::-1]
            return _with(answer, cut=1_500_000)
        return answer

    server.fault = change
    with pytest.raises(StorageError):
        await objects.read(f"{bucket}/large")


@pytest.mark.parametrize("header", ["Content-MD5", "x-amz-meta-flyteContentMD5", "x-goog-hash"])
async def test_a_digest_that_does_not_match(server: ObjectServer, tmp_path: Path, header: str) -> None:
    objects = StoredObjects()
    prefix = "crc32c=AAAAAA==, md5=" if header == "x-goog-hash" else ""
    server.notes["b/large"] = {header: prefix + _digest(LARGE)}
    assert await objects.read(f"{server.url}/b/large") == LARGE
    server.objects["b/large"] = LARGE[:-1] + b"x"
    with pytest.raises(IntegrityError, match="MD5"):
        await objects.read(f"{server.url}/b/large")
    with pytest.raises(IntegrityError, match="MD5"):
        await objects.download(f"{server.url}/b/large", tmp_path / "large")
    assert not any(os.scandir(tmp_path))
    server.notes["b/large"] = {header: prefix + "no digest"}
    assert len(await objects.read(f"{server.url}/b/large")) == len(LARGE)
    await objects.aclose()


async def test_the_digest_of_a_bucket(server: ObjectServer) -> None:
    objects = StoredObjects(config(server))
    server.notes["b/large"] = {"x-amz-meta-flyteContentMD5": _digest(b"another")}
    with pytest.raises(IntegrityError, match="MD5"):
        await objects.read("s3://b/large")


def _digest(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()  # noqa: S324 - what stores use


# --- lists ------------------------------------------------------------------------------------------------------------


async def test_lists_of_a_bucket(server: ObjectServer) -> None:
    objects = StoredObjects(config(server))
    server.objects |= {f"b/many/{number:02}": b"x" for number in range(13)}
    server.objects |= {"b/dirs/other": b"x", "b/many/": b""}
    assert await objects.list("s3://b/dir/") == ["s3://b/dir/one.txt", "s3://b/dir/sub/two.txt"]
    assert await objects.list("s3://b/many") == [f"s3://b/many/{number:02}" for number in range(13)]
    assert await objects.list("s3://b/large") == ["s3://b/large"]
    with pytest.raises(ObjectNotFoundError):
        await objects.list("s3://b/di")


@pytest.mark.parametrize("status", [503, None])
async def test_a_list_that_breaks_off_is_asked_for_again(server: ObjectServer, status: int | None) -> None:
    left = [3]

    def fault(_request: Request, answer: Answer) -> Answer | None:
        left[0] -= 1
        if left[0] < 0:
            return answer
        return Answer(status) if status else None  # the connection is cut

    server.fault = fault
    objects = StoredObjects(server.config())  # whose library tries once
    assert await objects.list("s3://b/dir/") == ["s3://b/dir/one.txt", "s3://b/dir/sub/two.txt"]
    assert left == [-1]
    left[0] = 100
    with pytest.raises(StorageError, match=r"s3://b/dir: it cannot be listed: .*\(tried 4 times\)"):
        await objects.list("s3://b/dir")


async def test_what_has_no_lists_says_so(server: ObjectServer) -> None:
    objects = StoredObjects()
    with pytest.raises(StorageError, match="no list"):
        await objects.list(f"{server.url}/b/dir")


# --- several ways -----------------------------------------------------------------------------------------------------


async def test_known_credentials_come_first(server: ObjectServer) -> None:
    signer = Signer(server)
    objects = StoredObjects(config(server), sign=signer)
    assert await objects.read("s3://b/dir/one.txt") == b"one"
    assert signer.count == 0
    server.fault = lambda request, answer: answer if request.query else Answer(403)
    assert await objects.read("s3://b/dir/one.txt") == b"one"
    assert signer.count == 1
    await objects.aclose()


async def test_without_credentials_the_control_plane_signs(server: ObjectServer) -> None:
    signer = Signer(server)
    objects = StoredObjects(sign=signer)
    assert await objects.read("s3://b/dir/one.txt") == b"one"
    assert signer.count == 1
    await objects.aclose()


async def test_all_ways_that_were_tried_are_told(server: ObjectServer) -> None:
    async def refuse(_uri: str) -> str:
        raise UnimplementedError("no data proxy", method="CreateDownloadLocation")

    server.fault = lambda _request, _answer: Answer(403, b"<Error><Code>AccessDenied</Code></Error>")
    objects = StoredObjects(config(server), sign=refuse)
    with pytest.raises(StorageError) as caught:
        await objects.read("s3://b/dir/one.txt")
    assert not isinstance(caught.value, ObjectNotFoundError)
    assert [line.partition(":")[0] for line in caught.value.tried] == [
        "the store itself",
        "a URL signed by the control plane",
    ]
    assert "403" in caught.value.tried[0]
    assert "no data proxy" in caught.value.tried[1]
    server.fault = lambda _request, answer: answer
    with pytest.raises(ObjectNotFoundError, match="no data proxy"):
        await objects.read("s3://b/none")


async def test_a_control_plane_that_cannot_be_reached(server: ObjectServer) -> None:
    async def fail(_uri: str) -> str:
        raise UnavailableError("down")

    objects = StoredObjects(config(server), sign=fail)
    assert await objects.read("s3://b/dir/one.txt") == b"one"


async def test_a_signature_that_is_no_web_address() -> None:
    async def odd(_uri: str) -> str:
        return "file:///etc/passwd"

    with pytest.raises(StorageError, match="no web address"):
        await StoredObjects(config_of_nowhere(), sign=odd).read("s3://b/x")


def config_of_nowhere() -> StorageConfig:
    return StorageConfig(
        s3_endpoint="http://127.0.0.1:1", s3_access_key_id="k", s3_secret_access_key=Secret("s"), s3_retries=0
    )


# --- signed URLs ------------------------------------------------------------------------------------------------------


async def test_an_expired_signature_is_renewed_once(server: ObjectServer) -> None:
    signer = Signer(server)
    objects = StoredObjects(sign=signer)
    server.fault = lambda request, answer: Answer(403) if request.query["X-Signature"].endswith("-1") else answer
    assert await objects.read("s3://b/dir/one.txt") == b"one"
    assert signer.count == 2
    await objects.aclose()


async def test_a_signature_that_expires_while_it_is_read(server: ObjectServer) -> None:
    signer = Signer(server)
    objects = StoredObjects(sign=signer)

    def expire(request: Request, answer: Answer) -> Answer:
        if not request.query["X-Signature"].endswith("-1"):
            return answer
        return Answer(403) if "range" in request.headers else _with(answer, cut=1_500_000)

    server.fault = expire
    assert await objects.read("s3://b/large") == LARGE
    assert signer.count == 2
    await objects.aclose()


async def test_a_signature_never_shows(server: ObjectServer, caplog: pytest.LogCaptureFixture) -> None:
    objects = StoredObjects(sign=Signer(server))
    await objects.read("s3://b/dir/one.txt")
    for status in (400, 403, 404, 500, 302):
        headers = {"Location": f"/elsewhere?sig={CANARY}"} if status == 302 else {}
        server.fault = always(Answer(status, b"", headers))
        # At the level DEBUG a library below logs the headers that a server sends.
        caplog.set_level(logging.INFO if status == 302 else logging.DEBUG)
        with pytest.raises(StorageError) as caught:
            await objects.read("s3://b/dir/one.txt")
        assert CANARY not in str(caught.value)
        assert CANARY not in repr(caught.value.__context__)
        assert caught.value.__cause__ is None or CANARY not in str(caught.value.__cause__)
    assert CANARY not in caplog.text
    await objects.aclose()


async def test_a_server_that_knows_no_ranges(server: ObjectServer) -> None:
    objects = StoredObjects()

    def whole(request: Request, answer: Answer) -> Answer:
        answer.status, answer.body = 200, LARGE
        answer.headers.pop("Content-Range", None)
        return _with(answer, cut=None if "range" in request.headers else 1_500_000)

    server.fault = whole
    assert await objects.read(f"{server.url}/b/large") == LARGE
    await objects.aclose()


async def test_a_web_address_that_moved(server: ObjectServer) -> None:
    objects = StoredObjects()
    server.fault = lambda request, answer: (
        Answer(302, b"", {"Location": "/b/large"}) if request.path == "/old" else answer
    )
    assert await objects.read(f"{server.url}/old") == LARGE
    server.fault = lambda _request, _answer: Answer(302, b"", {"Location": "/again"})
    with pytest.raises(StorageError, match="leads on"):
        await objects.read(f"{server.url}/old")
    server.fault = lambda _request, _answer: Answer(302, b"", {"Location": "file:///etc/passwd"})
    with pytest.raises(StorageError, match="cannot be used"):
        await objects.read(f"{server.url}/old")
    await objects.aclose()


# --- this machine -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["file://", ""])
async def test_files_of_this_machine(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a b%20.txt").write_bytes(b"text")
    (tmp_path / "sub" / "x").write_bytes(LARGE)
    objects = StoredObjects(StorageConfig(local=True))
    uri = f"{scheme}{tmp_path}"
    assert await objects.read(f"{uri}/a b%20.txt") == b"text"
    assert await objects.list(uri) == [f"{uri}/a b%20.txt", f"{uri}/sub/x"]
    assert await objects.list(f"{uri}/sub/x") == [f"{uri}/sub/x"]
    await objects.download(f"{uri}/sub/x", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == LARGE
    async with objects.open(f"{uri}/sub/x") as stream:
        assert await stream.read(3) == LARGE[:3]
    with pytest.raises(ObjectNotFoundError, match="no such file"):
        await objects.read(f"{uri}/none")
    with pytest.raises(ObjectNotFoundError, match="is a folder"):
        await objects.read(uri)
    with pytest.raises(ObjectNotFoundError):
        await objects.list(f"{uri}/none")


async def test_files_of_this_machine_are_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"secret")
    objects = StoredObjects()
    for uri in (f"file://{tmp_path}/x", f"{tmp_path}/x"):
        with pytest.raises(StorageError, match="local=True"):
            await objects.read(uri)
        with pytest.raises(StorageError, match="local=True"):
            await objects.download(uri, tmp_path / "y")
        with pytest.raises(StorageError, match="local=True"):
            await objects.list(uri)


async def test_the_web_can_be_closed(server: ObjectServer) -> None:
    async with StoredObjects(StorageConfig(web=False), sign=Signer(server)) as objects:
        with pytest.raises(StorageError, match="web=False"):
            await objects.read(f"{server.url}/b/large")
        assert await objects.read("s3://b/large") == LARGE  # signed URLs are the control plane's own


# --- which way --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "config", "env", "known"),
    [
        ("s3", StorageConfig(), {}, False),
        ("s3", StorageConfig(s3_access_key_id="k"), {}, True),
        ("s3", StorageConfig(), {"AWS_ACCESS_KEY_ID": "k"}, True),
        ("gs", StorageConfig(), {"GOOGLE_APPLICATION_CREDENTIALS": "f"}, True),
        ("gs", StorageConfig(s3_access_key_id="k"), {}, False),
        ("azure", StorageConfig(azure_account_name="a"), {}, False),
        ("azure", StorageConfig(azure_account_key=Secret("k")), {}, True),
        ("azure", StorageConfig(azure_client_secret=Secret("k")), {}, True),
    ],
)
def test_credentials_that_are_known(kind: str, config: StorageConfig, env: dict[str, str], known: bool) -> None:
    assert has_credentials(kind, config, env) is known


async def test_a_login_of_gcloud_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    objects = StoredObjects()
    assert not await objects.reaches("gs://b/k")
    (tmp_path / "application_default_credentials.json").write_text("{}")
    assert await objects.reaches("gs://b/k")
    assert not await objects.reaches("s3://b/k")
    assert not await objects.reaches("https://h/k")
    assert not await objects.reaches("/data/x")
    assert not await objects.reaches("ssh://h/x")
    assert await StoredObjects(StorageConfig(local=True)).reaches("/data/x")


@pytest.mark.parametrize(
    ("uri", "config", "host"),
    [
        ("s3://my-bucket/k", StorageConfig(), "my-bucket.s3.us-east-1.amazonaws.com"),
        ("s3://my.bucket/k", StorageConfig(), "s3.us-east-1.amazonaws.com/my.bucket"),
        ("s3://b/k", StorageConfig(s3_endpoint="http://h:9"), "http://h:9/b"),
        ("s3://b/k", StorageConfig(s3_endpoint="https://h", s3_addressing_style="virtual"), "https://b.h/k"),
        ("s3://b/k", StorageConfig(s3_addressing_style="path"), "s3.us-east-1.amazonaws.com/b"),
    ],
)
def test_where_a_bucket_is(uri: str, config: StorageConfig, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import obstore

    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    known = attrs.evolve(config, s3_access_key_id="k", s3_secret_access_key=Secret("s"))
    store = open_bucket(parse(uri), known, True)
    assert host in obstore.sign(store, "GET", "k", timedelta(seconds=60))


def test_azure_and_google_open() -> None:
    azure = StorageConfig(azure_account_name="acc", azure_account_key=Secret("a2V5"), s3_retries=3, s3_backoff=5.0)
    assert "acc" in repr(open_bucket(parse("abfs://box/k"), azure, True))
    assert "other" in repr(open_bucket(parse("abfs://box@other.dfs.core.windows.net/k"), azure, True))
    assert "b" in repr(open_bucket(parse("gs://b/k"), StorageConfig(), False))


async def test_without_the_extra_there_are_signed_urls(server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(MissingExtraError, match=r"flyte-remote-async\[data\]"):
        await StoredObjects(config(server)).read("s3://b/large")
    async with StoredObjects(config(server), sign=Signer(server)) as objects:
        assert await objects.read("s3://b/large") == LARGE
        with pytest.raises(StorageError, match=r"flyte-remote-async\[data\]"):
            await objects.list("s3://b/dir")


# --- one remote, many loops and processes -------------------------------------------------------------------------


def test_objects_outlive_a_loop(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    objects = StoredObjects(StorageConfig(local=True))
    for _ in range(2):
        assert asyncio.run(objects.read(str(tmp_path / "x"))) == b"x"


def test_a_client_belongs_to_its_loop() -> None:
    async def get(objects: StoredObjects) -> bytes:
        async with object_server() as server:
            server.objects["b/x"] = b"x"
            data = await objects.read(f"{server.url}/b/x")
            await objects.aclose()
            return data

    objects = StoredObjects()
    assert [asyncio.run(get(objects)) for _ in range(2)] == [b"x", b"x"]


FORKED = """
import asyncio, os, sys
from flyte_remote_async.config.values import Secret, StorageConfig
from flyte_remote_async.errors import StorageError
from flyte_remote_async.storage.objects import StoredObjects

url = sys.argv[1]
objects = StoredObjects(
    StorageConfig(s3_endpoint=url, s3_access_key_id="k", s3_secret_access_key=Secret("s"), s3_addressing_style="path")
)
assert asyncio.run(objects.read("s3://b/dir/one.txt")) == b"one"
child = os.fork()
if child == 0:
    try:
        asyncio.run(objects.read("s3://b/dir/one.txt"))
    except StorageError as error:
        # What signed URLs are read with works.
        os._exit(0 if "fork" in str(error) and asyncio.run(objects.read(url + "/b/dir/one.txt")) == b"one" else 2)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
async def test_a_forked_process_is_told(server: ObjectServer) -> None:
    done = await anyio.run_process([sys.executable, "-c", FORKED, server.url], check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()

"""Places to upload to, links to download from, and what is too large to be shown."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import identifier_pb2, literals_pb2
from google.protobuf.duration_pb2 import Duration

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import RPCError
from tests.support.raw import Asking

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

pytestmark = pytest.mark.anyio

PLACE = {"project": "flytesnacks", "domain": "development"}
DIGEST = hashlib.md5(b"data", usedforsecurity=False).digest()
RUN = identifier_pb2.WorkflowExecutionIdentifier(**PLACE, name="e")
NODE = identifier_pb2.NodeExecutionIdentifier(node_id="n0", execution_id=RUN)
TASK = identifier_pb2.Identifier(resource_type=identifier_pb2.TASK, **PLACE, name="t", version="v")


async def refused(ask: Asking, rpc: str, **request: Any) -> tuple[str, str]:
    with pytest.raises(RPCError) as caught:
        await ask(rpc, **request)
    return caught.value.code, caught.value.details


def sent(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a client sends of those that it is given."""
    return {name: value for name, value in headers.items() if name != "Content-Length"}


@pytest.mark.parametrize("metadata", [True, False])
async def test_what_is_uploaded_comes_back(
    ask: Asking, nobody: httpx.AsyncClient, dev: DevServer, *, metadata: bool
) -> None:
    asked = {**PLACE, "content_md5": DIGEST, "filename": "a b.txt", "add_content_md5_metadata": metadata}
    place = await ask("CreateUploadLocation", **asked)
    if metadata:
        assert place.headers["x-amz-meta-flyteContentMD5"] == place.headers["Content-MD5"]
    assert (await nobody.put(place.signed_url, content=b"data", headers=sent(place.headers))).status_code == 200
    assert [info.key.rpartition("/")[2] for info in await dev.objects.list()] == ["a b.txt"]
    link = await ask("CreateDownloadLocation", native_url=place.native_url)
    got = await nobody.get(link.signed_url, headers={"Range": "bytes=1-2"})
    assert (got.status_code, got.content) == (206, b"at")
    assert (await nobody.head(link.signed_url)).headers["content-length"] == "4"


async def test_only_what_was_signed_is_taken(ask: Asking, nobody: httpx.AsyncClient, dev: DevServer) -> None:
    place = await ask("CreateUploadLocation", **PLACE, content_md5=DIGEST, filename="x")
    right = sent(place.headers)
    for method, content, headers, status, code in (
        ("PUT", b"tada", right, 400, "BadDigest"),
        ("PUT", b"data", {}, 403, "SignatureDoesNotMatch"),
        ("PUT", b"tada", {"Content-MD5": base64.b64encode(bytes(16)).decode()}, 403, "SignatureDoesNotMatch"),
        ("DELETE", b"", right, 403, "SignatureDoesNotMatch"),
        ("GET", b"", right, 403, "SignatureDoesNotMatch"),
    ):
        answer = await nobody.request(method, place.signed_url, content=content, headers=headers)
        assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (status, True)
    assert await dev.objects.list() == []
    await dev.clock.advance(hours=1)
    late = await nobody.put(place.signed_url, content=b"data", headers=right)
    assert (late.status_code, "Request has expired" in late.text) == (403, True)


async def test_a_link_to_nothing_is_a_link(ask: Asking, nobody: httpx.AsyncClient) -> None:
    for uri, code in (("s3://my-s3-bucket/none", "NoSuchKey"), ("s3://other/x", "NoSuchBucket")):
        link = await ask("CreateDownloadLocation", native_url=uri)
        answer = await nobody.get(link.signed_url)
        assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (404, True)


async def test_what_is_there_is_overwritten_with_the_same_alone(ask: Asking, dev: DevServer) -> None:
    asked = {**PLACE, "filename": "x", "filename_root": "root"}
    place = await ask("CreateUploadLocation", **asked)
    assert place.native_url == "s3://my-s3-bucket/flytesnacks/development/root/x"
    await dev.objects.put("flytesnacks/development/root/x", b"data")
    words = f"file already exists at location [{place.native_url}], specify a matching hash if you wish to rewrite"
    for digest in (b"", bytes(16)):
        assert await refused(ask, "CreateUploadLocation", **asked, content_md5=digest) == ("ALREADY_EXISTS", words)
    assert await ask("CreateUploadLocation", **asked, content_md5=DIGEST)
    assert await ask("CreateUploadLocation", **PLACE, filename_root="root")


async def test_a_name_is_made_up_where_none_is_given(ask: Asking) -> None:
    first, second = [await ask("CreateUploadLocation", **PLACE, content_md5=DIGEST) for _ in range(2)]
    assert first.native_url != second.native_url
    assert len(first.native_url.rpartition("/")[2]) == 20
    org = await ask("CreateUploadLocation", **PLACE, org="o", filename_root="r", filename="x")
    assert org.native_url == "s3://my-s3-bucket/o/flytesnacks/development/r/x"


async def test_a_name_that_is_no_url_is_refused(ask: Asking) -> None:
    for name in ("%zz", "a\nb"):
        code, details = await refused(ask, "CreateUploadLocation", **PLACE, filename_root="r", filename=name)
        assert code == "INTERNAL"
        assert details.startswith("failed to create storage location, Error: failed to construct datastore reference.")
    code, details = await refused(ask, "CreateUploadLocation", **PLACE, content_md5=DIGEST, filename="%zz")
    assert details.startswith("failed to create shardedStorageLocation, Error: ")


NEGATIVE = "presigned URLs require an expire duration greater than 0"


@pytest.mark.parametrize(
    ("life", "upload", "download"),
    [
        (
            Duration(seconds=3601),
            "expiresIn [1h0m1s] cannot exceed max allowed expiration [1h0m0s]",
            "expiresIn is invalid. Error: input duration [1h0m1s] cannot exceed max allowed expiration [1h0m0s]",
        ),
        (
            Duration(seconds=-90),
            NEGATIVE,
            "expiresIn is invalid. Error: input duration [-1m30s] should not less than 0",
        ),
        (Duration(nanos=-1), NEGATIVE, "expiresIn is invalid. Error: input duration [-1ns] should not less than 0"),
        (Duration(), NEGATIVE, NEGATIVE),
        (
            Duration(seconds=1, nanos=-1),
            "expiresIn [seconds:1 nanos:-1] is invalid",
            "expiresIn is invalid. Error: input duration [seconds:1 nanos:-1] is invalid",
        ),
    ],
)
async def test_how_long_urls_are_good_for_is_bounded(ask: Asking, life: Duration, upload: str, download: str) -> None:
    assert upload in (await refused(ask, "CreateUploadLocation", **PLACE, filename_root="r", expires_in=life))[1]
    asked = {"native_url": "s3://my-s3-bucket/x", "expires_in": life}
    assert download in (await refused(ask, "CreateDownloadLocation", **asked))[1]
    if download != NEGATIVE:
        details = (await refused(ask, "CreateDownloadLink", artifact_type=1, node_execution_id=NODE, expires_in=life))[
            1
        ]
        assert details == f"error while validating request. Error: {download}"


async def test_a_short_life_is_kept(ask: Asking) -> None:
    link = await ask("CreateDownloadLocation", native_url="s3://my-s3-bucket/x", expires_in=Duration(seconds=90))
    assert "X-Amz-Expires=90&" in link.signed_url


@pytest.mark.parametrize(
    ("uri", "code", "details"),
    [
        ("%zz", "INVALID_ARGUMENT", "error while validating request: failed to parse native_url [%zz]"),
        (":x", "INVALID_ARGUMENT", "error while validating request: failed to parse native_url [:x]"),
        ("a:b/c", "INTERNAL", "GetObjectInput.Bucket"),
        (
            "s3://my-s3-bucket",
            "INTERNAL",
            "1 validation error(s) found.\n- minimum field size of 1, GetObjectInput.Key",
        ),
    ],
)
async def test_what_names_no_object_is_refused(ask: Asking, uri: str, code: str, details: str) -> None:
    found = await refused(ask, "CreateDownloadLocation", native_url=uri)
    assert found[0] == code
    assert details in found[1]


async def test_a_deck_elsewhere_is_not_looked_for(ask: Asking, dev: DevServer) -> None:
    asked = {"artifact_type": 1, "node_execution_id": NODE}
    code, details = await refused(ask, "CreateDownloadLink", **asked)
    assert code == "INVALID_ARGUMENT"
    assert details.startswith("failed to find node execution [node_id:")
    assert "missing entity of type node execution" in details
    node = node_execution_pb2.NodeExecution(id=NODE, closure={"deck_uri": "s3://b/deck.html"})
    await dev.store.put_node(node)
    code, details = await refused(ask, "CreateDownloadLink", **asked)
    assert code == "INTERNAL"
    assert "Conf container:my-s3-bucket != Passed Container:b" in details


# --- data by address ---


@pytest.fixture
async def stored(dev: DevServer) -> None:
    """Keep an execution with a node and an attempt, and the same data for all of them."""
    await dev.store.put_execution(execution_pb2.Execution(id=RUN))
    await dev.store.put_node(node_execution_pb2.NodeExecution(id=NODE))
    attempt = identifier_pb2.TaskExecutionIdentifier(task_id=TASK, node_execution_id=NODE)
    await dev.store.put_attempt(task_execution_pb2.TaskExecution(id=attempt))
    await write(dev, b"x")


async def write(dev: DevServer, value: bytes) -> literals_pb2.LiteralMap:
    scalar = literals_pb2.Scalar(binary=literals_pb2.Binary(value=value))
    literals = literals_pb2.LiteralMap(literals={"o0": literals_pb2.Literal(scalar=scalar)})
    attempt = identifier_pb2.TaskExecutionIdentifier(task_id=TASK, node_execution_id=NODE)
    await dev.store.put_execution_data(RUN, inputs=literals, outputs=literals)
    await dev.store.put_node_data(NODE, inputs=literals, outputs=literals)
    await dev.store.put_attempt_data(attempt, inputs=literals, outputs=literals)
    return literals


BASE = "flyte://v1/flytesnacks/development/e/n0"


@pytest.mark.usefixtures("stored")
async def test_data_has_addresses(ask: Asking) -> None:
    for address in ("i", "o", "0/i", "0/o"):
        assert "o0" in (await ask("GetData", flyte_url=f"{BASE}/{address}")).literal_map.literals
    for address in ("i/o0", "o/o0", "0/o/o0"):
        assert (await ask("GetData", flyte_url=f"{BASE}/{address}")).literal.scalar.binary.value == b"x"


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("address", "details"),
    [
        ("0/d", "deck type cannot be specified with a retry attempt, just use the node instead"),
        ("o/none", "name [none] not found in node execution [node_id:"),
        ("0/o/none", "name [none] not found in task execution [task_id:"),
        ("1/o", "no task executions were listed [node_execution_id:"),
        ("d/x", "failed to parse artifact url Error: failed to parse ["),
        ("o\n", "failed to parse artifact url Error: failed to parse ["),
        (
            "9" * 30 + "/o",
            f'failed to parse attempt [{"9" * 30}], strconv.Atoi: parsing "{"9" * 30}": value out of range',
        ),
        ("4294967297/o", "no task executions were listed [node_execution_id:"),
    ],
)
async def test_other_addresses_are_refused(ask: Asking, address: str, details: str) -> None:
    code, words = await refused(ask, "GetData", flyte_url=f"{BASE}/{address}")
    assert code == "INVALID_ARGUMENT"
    assert details in words


@pytest.mark.usefixtures("stored")
async def test_what_is_too_large_comes_back_empty_and_without_an_error(ask: Asking, dev: DevServer) -> None:
    overhead = (await write(dev, bytes((2 << 20) - 100))).ByteSize() - ((2 << 20) - 100)
    attempt = identifier_pb2.TaskExecutionIdentifier(task_id=TASK, node_execution_id=NODE)
    for size, shown in ((2 << 20, True), ((2 << 20) + 1, False)):
        await write(dev, bytes(size - overhead))
        for rpc, identity in (
            ("GetExecutionData", RUN),
            ("GetNodeExecutionData", NODE),
            ("GetTaskExecutionData", attempt),
        ):
            data = await ask(rpc, id=identity)
            assert [bool(side.literals) for side in (data.full_inputs, data.full_outputs)] == [shown, shown]
    assert not (await ask("GetData", flyte_url=f"{BASE}/o")).literal_map.literals


@pytest.mark.parametrize(("limit", "shown"), [(0, True), (10, False)])
async def test_how_much_is_shown_can_be_said(limit: int, *, shown: bool) -> None:
    async with DevServer(read_limit_bytes=limit) as dev:
        await dev.store.put_execution(execution_pb2.Execution(id=RUN))
        await write(dev, bytes(3 << 20))
        data = await Asking(dev.transport())("GetExecutionData", id=RUN)
        assert bool(data.full_outputs.literals) is shown

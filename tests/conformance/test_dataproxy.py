"""The data proxy: where files go, and where they come from."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conformance.client import fresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte

INVALID = "INVALID_ARGUMENT"


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def upload(flyte: Flyte, content: bytes, **request: Any) -> str:
    """Upload a file, and return its address."""
    location = flyte("CreateUploadLocation", **flyte.place, content_md5=md5(content), **request)
    # The length that Flyte tells is that of the digest.
    told = {name: value for name, value in location.get("headers", {}).items() if name != "Content-Length"}
    headers = told | {"Content-MD5": md5(content)}
    assert httpx.put(location["signed_url"], content=content, headers=headers).status_code in (200, 201)
    return str(location["native_url"])


def download(flyte: Flyte, url: str) -> bytes:
    answer = httpx.get(flyte("CreateDownloadLocation", native_url=url)["signed_url"])
    assert answer.status_code == 200
    return answer.content


def test_a_file_comes_back(flyte: Flyte) -> None:
    content = fresh().encode()
    url = upload(flyte, content, filename="x.txt")
    folder = base64.b32encode(base64.b64decode(md5(content))).decode()
    assert url.endswith(f"/{flyte.project}/{flyte.domain}/{folder}/x.txt")
    assert download(flyte, url) == content


def test_a_file_under_a_root(flyte: Flyte) -> None:
    content, root = fresh().encode(), fresh("root")
    url = upload(flyte, content, filename="x.txt", filename_root=root)
    assert url.endswith(f"/{flyte.project}/{flyte.domain}/{root}/x.txt")
    assert download(flyte, url) == content


def test_another_file_of_the_same_name(flyte: Flyte) -> None:
    root = fresh("root")
    upload(flyte, b"one", filename="x.txt", filename_root=root)
    upload(flyte, b"one", filename="x.txt", filename_root=root)
    refusal = flyte.refusal(
        "CreateUploadLocation", **flyte.place, content_md5=md5(b"two"), filename="x.txt", filename_root=root
    )
    assert refusal.code == "ALREADY_EXISTS"


def test_a_name_is_drawn(flyte: Flyte) -> None:
    urls = {
        flyte("CreateUploadLocation", **flyte.place, content_md5=md5(b"x"))["native_url"].rpartition("/")[2]
        for _ in range(2)
    }
    assert len(urls) == 2


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"content_md5": ""}, "content_md5 or filename_root is a required parameter"),
        ({"project": ""}, "project and domain are required parameters"),
        ({"domain": ""}, "project and domain are required parameters"),
    ],
)
def test_an_upload_that_is_refused(
    refuses: Callable[..., None], flyte: Flyte, change: dict[str, Any], details: str
) -> None:
    request = {**flyte.place, "content_md5": md5(b"x"), "filename": "x.txt"} | change
    refuses("CreateUploadLocation", request, INVALID, details)


def test_the_project_need_not_be_there(flyte: Flyte) -> None:
    request = {"project": "nope-nope", "domain": flyte.domain, "content_md5": md5(b"x"), "filename": "x"}
    assert "/nope-nope/" in flyte("CreateUploadLocation", **request)["native_url"]


def test_a_path_in_the_name_is_resolved(flyte: Flyte) -> None:
    location = flyte("CreateUploadLocation", **flyte.place, content_md5=md5(b"x"), filename="../x.txt")
    assert location["native_url"].endswith(f"/{flyte.project}/{flyte.domain}/x.txt")


def test_a_long_life_is_refused(flyte: Flyte) -> None:
    request = {**flyte.place, "content_md5": md5(b"x"), "filename": "x", "expires_in": "7200s"}
    assert flyte.refusal("CreateUploadLocation", **request).code == INVALID


def test_an_upload_is_signed(flyte: Flyte) -> None:
    location = flyte("CreateUploadLocation", **flyte.place, content_md5=md5(b"x"), filename="x.txt")
    bare = urllib.parse.urlsplit(location["signed_url"])._replace(query="").geturl()
    assert httpx.put(bare, content=b"x").status_code == 403


def test_outputs_are_downloaded(flyte: Flyte, finished: str) -> None:
    url = flyte.execution(finished)["closure"]["outputs"]["uri"]
    assert b"o0" in download(flyte, url)


def test_a_file_that_there_is_not(flyte: Flyte, finished: str) -> None:
    url = flyte.execution(finished)["closure"]["outputs"]["uri"] + fresh()
    assert httpx.get(flyte("CreateDownloadLocation", native_url=url)["signed_url"]).status_code == 404


def test_what_is_no_address(flyte: Flyte) -> None:
    refusal = flyte.refusal("CreateDownloadLocation", native_url="nope")
    assert refusal.code == "INTERNAL"
    assert refusal.details.startswith("failed to create a signed url. Error: ")


@pytest.mark.parametrize("node_id", ["n0", "n0-0-n0", "start-node"])
def test_a_node_without_a_deck(flyte: Flyte, finished: str, node_id: str) -> None:
    request = {"artifact_type": "ARTIFACT_TYPE_DECK", "node_execution_id": flyte.node(finished, node_id)}
    refusal = flyte.refusal("CreateDownloadLink", **request)
    assert refusal.code == "NOT_FOUND"
    assert refusal.details.startswith("no deckUrl found for request [artifact_type:ARTIFACT_TYPE_DECK expires_in:")


def test_the_deck_of_a_node_that_there_is_not(flyte: Flyte, finished: str) -> None:
    request = {"artifact_type": "ARTIFACT_TYPE_DECK", "node_execution_id": flyte.node(finished, "zz")}
    refusal = flyte.refusal("CreateDownloadLink", **request)
    assert refusal.code == INVALID
    assert refusal.details.startswith("failed to find node execution")

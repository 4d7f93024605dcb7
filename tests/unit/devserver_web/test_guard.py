"""Who may speak to the HTTP port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flyte_remote_async.devserver.web.guard import Hosts

if TYPE_CHECKING:
    import httpx

    from flyte_remote_async.devserver import DevServer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost:80", "LocalHost:80", "[::1]:80"])
@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:80", "http://localhost:80", "HTTP://[::1]:80"])
def test_its_own_names_may(host: str, origin: str | None) -> None:
    assert Hosts("127.0.0.1", 80).refusal(host, origin) == ""


@pytest.mark.parametrize(
    "host", [None, "", "127.0.0.1", "127.0.0.1:81", "evil.example:80", "192.168.0.1:80", "127.0.0.1.evil:80", ":80"]
)
def test_a_name_that_was_turned_here_may_not(host: str | None) -> None:
    assert "use 127.0.0.1:80" in Hosts("127.0.0.1", 80).refusal(host, None)


@pytest.mark.parametrize(
    "origin", ["null", "", "https://127.0.0.1:80", "http://evil.example:80", "http://127.0.0.1:81", "http://localhost"]
)
def test_pages_of_others_may_not(origin: str) -> None:
    assert "may not use this devserver" in Hosts("127.0.0.1", 80).refusal("127.0.0.1:80", origin)


def test_a_server_for_others_may_be_called_by_address_and_by_its_name() -> None:
    hosts = Hosts("0.0.0.0", 80, "Build-7")  # noqa: S104 - asked for
    for name in ("192.168.0.7:80", "[fe80::1]:80", "build-7:80", "localhost:80"):
        assert hosts.refusal(name, f"http://{name}") == ""
    assert hosts.refusal("evil.example:80", None)
    assert Hosts("::1", 80).refusal("[::1]:80", None) == ""
    assert Hosts("::1", 80).refusal("[::2]:80", None)


async def test_the_port_refuses_and_says_why(dev: DevServer, http: httpx.AsyncClient) -> None:
    answer = await http.get("/logs/p/d/e/n/0", headers={"Host": "evil.example"})
    assert answer.status_code == 403
    assert "not called 'evil.example'" in answer.text
    answer = await http.put("/my-s3-bucket/x", headers={"Origin": "http://evil.example"}, content=b"x")
    assert answer.status_code == 403
    assert "pages of http://evil.example" in answer.text
    answer = await http.put("/my-s3-bucket/x", headers={"Origin": f"http://{dev.http_endpoint}"}, content=b"x")
    assert answer.status_code == 200

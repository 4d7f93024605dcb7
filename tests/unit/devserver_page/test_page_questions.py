"""What the page asks, and what it is answered."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flyte_remote_async.devserver import DevServer, Fail
from flyte_remote_async.devserver.web.page.rows import rows
from flyte_remote_async.executions.below import Below
from flyte_remote_async.testing import build_attempt, build_execution, build_node
from tests.support.recordings import DIRECTORY
from tests.support.snapshots import execution_of, node_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from flyte_remote_async.testing.builders import BuiltExecution
    from tests.support.recordings import Recordings

pytestmark = pytest.mark.anyio

PLACE = "/console/api/executions/flytesnacks/development"
LIST = {"project": "flytesnacks", "domain": "development"}
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
async def recorded(dev: DevServer) -> dict[str, str]:
    """Load what was recorded; return the names of executions by their workflow."""
    await dev.load(DIRECTORY / "state.jsonl.gz")
    async with dev.remote() as remote:
        found = [execution async for execution in remote.list_executions()]
    return {each.closure.workflow_id.name: each.id.name for each in reversed(found) if each.closure.workflow_id}


async def asked(http: httpx.AsyncClient, path: str, **parameters: str) -> Any:
    answer = await http.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- lists ----------------------------------------------------------------------------------------------------------


async def test_executions_come_in_pages_with_the_newest_first(dev: DevServer, http: httpx.AsyncClient) -> None:
    for index in range(120):
        await dev.load(build_execution(f"x{index:03}", created_at=NOON + dt.timedelta(minutes=index)))
    names: list[str] = []
    token = ""
    for size in (50, 50, 20):
        page = await asked(http, "/console/api/executions", **LIST, token=token)
        assert len(page["rows"]) == size
        names += [row["execution"] for row in page["rows"]]
        token = page["next"]
    assert token == ""
    assert names == [f"x{index:03}" for index in reversed(range(120))]


async def test_executions_are_found_by_name_by_workflow_and_by_phase(dev: DevServer, http: httpx.AsyncClient) -> None:
    await dev.load(build_execution("etl-1", "FAILED", workflow="reports.daily", created_at=NOON))
    await dev.load(build_execution("x2", workflow="etl.daily", created_at=NOON + dt.timedelta(hours=1)))
    await dev.load(build_execution("etl-3", workflow="etl.daily", created_at=NOON + dt.timedelta(hours=2)))
    await dev.load(build_execution("x4", workflow="reports.daily", created_at=NOON + dt.timedelta(hours=3)))

    async def names(**parameters: str) -> list[str]:
        page = await asked(http, "/console/api/executions", **LIST, **parameters)
        return [row["execution"] for row in page["rows"]]

    assert await names(text="etl") == ["etl-3", "x2", "etl-1"]
    assert await names(text="etl", phase="FAILED") == ["etl-1"]
    assert await names(phase="SUCCEEDED") == ["x4", "etl-3", "x2"]
    assert await names(text="nothing") == []


async def test_a_row_tells_what_a_list_shows(dev: DevServer, http: httpx.AsyncClient) -> None:
    await dev.load(build_execution("x", workflow="etl.daily", created_at=NOON, duration=90))
    page = await asked(http, "/console/api/executions", **LIST)
    begun = int(NOON.timestamp() * 1000)
    (row,) = page["rows"]
    assert row == {
        **LIST,
        "execution": "x",
        "node": "",
        "kind": "execution",
        "what": "etl.daily",
        "phase": "SUCCEEDED",
        "done": True,
        "created": begun,
        "start": begun,
        "end": begun + 90_000,
    }


async def test_places_tell_their_newest_execution(dev: DevServer, http: httpx.AsyncClient) -> None:
    await dev.load(build_execution("x", domain="staging", created_at=NOON))
    places = (await asked(http, "/console/api/places"))["places"]
    assert {place["domain"]: place["newest"] for place in places} == {
        "development": None,
        "staging": int(NOON.timestamp() * 1000),
        "production": None,
    }


# --- executions -----------------------------------------------------------------------------------------------------


async def test_the_tree_is_the_one_of_a_snapshot(
    dev: DevServer, http: httpx.AsyncClient, recordings: Recordings
) -> None:
    await dev.load(DIRECTORY / "state.jsonl.gz")
    async with dev.remote() as remote:
        for name in recordings.executions:
            execution = await (await remote.fetch_execution(name)).sync(sync_nodes=True)
            found = await asked(http, f"{PLACE}/{execution.id.name}")
            assert found["phase"] == execution.phase.name
            rows = [row for row in found["rows"] if row["kind"] != "element"]
            lines = execution.tree().splitlines()
            assert len(rows) == len(lines)
            for row, line in zip(rows, lines, strict=True):
                assert f"{row['node'] or row['execution']} " in line
                assert f" {row['phase']}" in line
            for row in rows:
                assert row["level"] >= 1
                assert all(start is not None for _, start, _ in row["bars"])


async def test_a_map_shows_its_elements(http: httpx.AsyncClient, recorded: dict[str, str]) -> None:
    found = await asked(http, f"{PLACE}/{recorded['more.mapped_failing']}")
    elements = [(row["node"], row["element"], row["phase"]) for row in found["rows"] if row["kind"] == "element"]
    assert elements[:2] == [("n0", 0, "SUCCEEDED"), ("n0", 1, "FAILED")]
    assert {row["level"] for row in found["rows"] if row["kind"] == "element"} == {3}
    node = await asked(http, f"{PLACE}/{recorded['more.mapped_failing']}/node", node="n0")
    assert [element["index"] for element in node["attempts"][-1]["elements"]] == [0, 1, 2, 3]


async def test_a_child_execution_is_in_the_tree_and_knows_its_parent(
    http: httpx.AsyncClient, recorded: dict[str, str]
) -> None:
    found = await asked(http, f"{PLACE}/{recorded['samples.nested_lp']}")
    (child,) = [row for row in found["rows"][1:] if row["kind"] == "execution"]
    inner = [row["node"] for row in found["rows"] if row["execution"] == child["execution"]]
    assert inner == ["", "n0", "n1"]
    facts = {fact["label"]: fact for fact in (await asked(http, f"{PLACE}/{child['execution']}"))["facts"]}
    assert facts["Started by"]["target"]["execution"] == recorded["samples.nested_lp"]
    assert facts["Started by"]["target"]["node"] == "n0"
    node = await asked(http, f"{PLACE}/{recorded['samples.nested_lp']}/node", node="n0")
    (link,) = [fact for fact in node["facts"] if fact["label"] == "Child execution"]
    assert link["target"]["execution"] == child["execution"]


async def test_a_failure_names_the_way_to_what_failed_first(http: httpx.AsyncClient, recorded: dict[str, str]) -> None:
    found = await asked(http, f"{PLACE}/{recorded['more.lp_failing']}")
    path = [(target["execution"], target["node"]) for target in found["failure"]["path"]]
    assert path[0] == (recorded["more.lp_failing"], "n0")
    assert path[-1][0] != recorded["more.lp_failing"]
    assert "ValueError" in found["error"]["message"]
    assert "ValueError" in found["failure"]["error"]["message"]


async def test_an_abortion_tells_its_cause(http: httpx.AsyncClient, recorded: dict[str, str]) -> None:
    found = await asked(http, f"{PLACE}/{recorded['more.long_wait']}")
    assert found["abort"]["cause"]
    assert found["failure"] is None or found["failure"]["error"] is None


async def test_a_tree_has_two_thousand_rows_at_most(dev: DevServer, http: httpx.AsyncClient) -> None:
    inner = [build_node(f"m{index}") for index in range(30)]
    nodes = [build_node(f"n{index}") for index in range(2000)]
    await dev.load(build_execution("x", nodes=[*nodes, build_node("last", children=inner)]))
    found = await asked(http, f"{PLACE}/x")
    assert len(found["rows"]) == 2000
    assert found["left_out"] == 1 + 2000 + 31 - 2000


async def test_a_running_execution_is_read_again(dev: DevServer, http: httpx.AsyncClient) -> None:
    await dev.load(DIRECTORY / "state.jsonl.gz")
    begun, may_end = anyio.Event(), anyio.Event()

    @dev.task("samples.add")
    async def add(a: int, b: int = 1) -> int:
        begun.set()
        await may_end.wait()
        return a + b

    async with dev.remote() as remote:
        execution = await remote.execute(await remote.fetch_workflow("samples.failing"), inputs={"a": 3})
        await begun.wait()
        path = f"{PLACE}/{execution.id.name}"
        found = await asked(http, path)
        assert (found["phase"], found["done"]) == ("RUNNING", False)
        assert found["rows"][-1]["end"] is None
        dev.stand_in("samples.fail", lambda a: a)
        may_end.set()
        await execution.wait(timeout=30)
        found = await asked(http, path)
        assert found["phase"] == "SUCCEEDED"
        assert all(row["done"] for row in found["rows"])


async def test_few_snapshots_are_kept(dev: DevServer, http: httpx.AsyncClient) -> None:
    for index in range(12):
        await dev.load(build_execution(f"x{index}", nodes=[build_node("n0")]))
    for index in (*range(12), 0):
        assert (await asked(http, f"{PLACE}/x{index}"))["execution"] == f"x{index}"


def test_what_could_not_be_read_below_a_node_is_left_out_and_its_problem_is_told() -> None:
    node = node_of(below=Below(problem="the attempts are gone"))
    found, left_out = rows(execution_of(nodes=[node]))
    assert left_out == 0
    assert [(row["kind"], row.get("problem"), row.get("attempts")) for row in found] == [
        ("execution", None, None),
        ("unknown", "the attempts are gone", 0),
    ]


def test_of_an_execution_without_nodes_there_is_one_row() -> None:
    assert [row["kind"] for row in rows(execution_of())[0]] == ["execution"]


# --- nodes, values, logs --------------------------------------------------------------------------------------------


async def test_a_node_tells_its_attempts_with_reasons_errors_and_logs(dev: DevServer, http: httpx.AsyncClient) -> None:
    own = f"http://{dev.http_endpoint}/logs/flytesnacks/development/x/n0/0"
    logs = [own, "https://logs.example/7", "javascript:alert(1)"]
    failed = build_attempt("FAILED", error="first " * 100, reason="the pod was lost", logs=logs)
    await dev.load(build_execution("x", nodes=[build_node("n0", attempts=[failed, build_attempt()])]))
    node = await asked(http, f"{PLACE}/x/node", node="n0")
    first, second = node["attempts"]
    assert first["error"]["message"] == "first " * 100
    assert [reason["text"] for reason in first["reasons"]] == ["the pod was lost"]
    assert [log["path"] for log in first["logs"]] == ["/logs/flytesnacks/development/x/n0/0", "", ""]
    assert (second["attempt"], second["phase"]) == (1, "SUCCEEDED")


async def test_what_came_out_of_the_cache_names_who_put_it_there(
    http: httpx.AsyncClient, recorded: dict[str, str]
) -> None:
    page = await asked(http, "/console/api/executions", **LIST, text="more.cachedwf")
    rows = [(await asked(http, f"{PLACE}/{row['execution']}"))["rows"][1] for row in page["rows"]]
    hit = next(row for row in rows if row["cache"] == "CACHE_HIT")
    node = await asked(http, f"{PLACE}/{hit['execution']}/node", node=hit["node"])
    source = next(fact for fact in node["facts"] if fact["label"] == "Cached by")
    assert source["target"]["node"]


async def test_values_are_shown_with_their_types(http: httpx.AsyncClient, recorded: dict[str, str]) -> None:
    data = await asked(http, f"{PLACE}/{recorded['more.types']}/data")
    shown = {value["name"]: (value["type"], value["text"]) for value in data["outputs"]["values"]}
    assert shown["c"] == ("enum(red, blue)", "blue")
    assert shown["day"] == ("datetime", "2024-02-29T00:00:00Z")
    assert [value["text"] for value in data["inputs"]["values"]] == ["3"]
    data = await asked(http, f"{PLACE}/{recorded['more.types']}/data", node="n0")
    assert data["outputs"]["values"]


async def test_a_large_value_is_cut_and_can_be_had_whole(dev: DevServer, http: httpx.AsyncClient) -> None:
    whole = {"long": "é" * 5000, "huge": "x" * (1 << 20), "short": "s"}
    await dev.load(build_execution("x", outputs=whole))
    data = await asked(http, f"{PLACE}/x/data")
    values = {value["name"]: value for value in data["outputs"]["values"]}
    assert (len(values["long"]["text"]), values["long"]["cut"]) == (4000, True)
    assert (values["huge"]["text"], values["huge"]["cut"]) == ("", True)
    assert values["short"]["cut"] is False
    for name, value in whole.items():
        answer = await http.get(f"{PLACE}/x/literal", params={"side": "outputs", "name": name})
        assert answer.text == value
        assert answer.headers["content-type"].startswith("text/plain")
    answer = await http.get(f"{PLACE}/x/literal", params={"side": "inputs", "name": "long"})
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no 'long' among the inputs"})


async def test_many_values_are_not_all_shown(dev: DevServer, http: httpx.AsyncClient) -> None:
    await dev.load(build_execution("x", inputs={f"a{index:03}": index for index in range(210)}))
    inputs = (await asked(http, f"{PLACE}/x/data"))["inputs"]
    assert (len(inputs["values"]), inputs["left_out"]) == (200, 10)


async def test_outputs_that_cannot_be_read_say_so(dev: DevServer, http: httpx.AsyncClient) -> None:
    await dev.load(_elsewhere(build_execution("x", outputs={"o0": 1})))
    outputs = (await asked(http, f"{PLACE}/x/data"))["outputs"]
    assert "outputs" in outputs["problem"]
    assert outputs["values"] == []
    answer = await http.get(f"{PLACE}/x/literal", params={"side": "outputs", "name": "o0"})
    assert (answer.status_code, answer.json()["error"]) == (502, outputs["problem"])


def _elsewhere(built: BuiltExecution) -> Iterator[str]:
    """Yield the lines of an execution whose outputs are in a bucket that nobody can reach."""
    for kind, key, message in built.messages():
        if kind == "EXECUTION":
            message.closure.outputs.uri = "s3://elsewhere/outputs.pb"  # type: ignore[attr-defined]
        if kind != "EXECUTION_DATA":
            pb = base64.b64encode(message.SerializeToString()).decode()
            yield json.dumps({"kind": kind, "key": key, "type": message.DESCRIPTOR.full_name, "pb": pb})


async def test_an_object_is_opened_with_a_signed_address(dev: DevServer, http: httpx.AsyncClient) -> None:
    await dev.objects.put("a/é.txt", b"content")
    answer = await http.get("/console/api/object", params={"uri": "s3://my-s3-bucket/a/é.txt"})
    assert answer.status_code == 307
    opened = await http.get(answer.headers["location"])
    assert (opened.status_code, opened.content) == (200, b"content")
    answer = await http.get("/console/api/object", params={"uri": "s3://elsewhere/a"})
    assert (answer.status_code, answer.json()["error"]) == (400, "'s3://elsewhere/a' is no object of s3://my-s3-bucket")


# --- the edges ------------------------------------------------------------------------------------------------------


async def test_the_console_of_flyte_leads_to_the_page(dev: DevServer, http: httpx.AsyncClient) -> None:
    await dev.load(build_execution("x"))
    async with dev.remote() as remote:
        url = (await remote.fetch_execution("x")).execution_url
    assert url is not None
    path = url[url.index("/console/") :]
    answer = await http.get(path)
    assert answer.headers["location"] == "/console/#/executions/flytesnacks/development/x"
    answer = await http.get("/console/projects/p/domains/d/executions/%3Cb%3E")
    assert answer.headers["location"] == "/console/#/executions/p/d/%3Cb%3E"
    answer = await http.get("/console/select-project")
    assert (answer.status_code, answer.text) == (404, "the devserver's page is at /console/\n")
    for path in ("/", "/console"):
        assert (await http.get(path)).headers["location"] == "/console/"


async def test_the_page_may_load_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    for path, kind in (
        ("/console/", "text/html"),
        ("/console/page.js", "text/javascript"),
        ("/console/page.css", "text/css"),
        ("/console/icon.svg", "image/svg+xml"),
    ):
        answer = await http.get(path)
        assert answer.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "http:" not in answer.text.replace("http://www.w3.org/2000/svg", "").replace("http://`", "")


@pytest.mark.parametrize(
    "path", ["/console/", "/console/page.js", "/console/api/places", f"{PLACE}/x", f"{PLACE}/x/data"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_is_written(http: httpx.AsyncClient, path: str, method: str) -> None:
    answer = await http.request(method, path)
    assert answer.status_code in {403, 404, 405}


async def test_pages_of_others_get_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.get("/console/api/places", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    answer = await http.get("/console/api/places", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    answer = await http.get("/console/", headers={"Host": "evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"{PLACE}/nope", 404, "missing entity"),
        (f"{PLACE}/nope/data", 404, "missing entity"),
        (f"{PLACE}/nope/node?node=n0", 404, "missing entity"),
        ("/console/api/executions?project=p", 400, "missing domain"),
        ("/console/api/executions?project=p&domain=d&text=a%3Bb", 400, "no escapes"),
        ("/console/api/executions?project=p&domain=d&token=1.2", 400, "token"),
        ("/console/api/object?uri=", 400, "is no object"),
    ],
)
async def test_a_refusal_says_why(http: httpx.AsyncClient, path: str, status: int, words: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text


async def test_the_page_is_no_client_to_be_counted_or_hindered(dev: DevServer, http: httpx.AsyncClient) -> None:
    await dev.load(build_execution("x", nodes=[build_node("n0")]))
    dev.faults.add(Fail("UNAVAILABLE"))
    async with dev.outage():
        assert (await asked(http, f"{PLACE}/x"))["phase"] == "SUCCEEDED"
        assert (await asked(http, f"{PLACE}/x/node", node="n0"))["phase"] == "SUCCEEDED"
    assert not dev.requests


async def test_a_page_that_is_open_does_not_keep_the_server_from_closing(http: httpx.AsyncClient) -> None:
    async with DevServer() as other:
        http.base_url = f"http://{other.http_endpoint}"
        await other.load(build_execution("x"))
        assert (await asked(http, f"{PLACE}/x"))["execution"] == "x"

from __future__ import annotations

import contextlib
import pickle
import warnings
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.config import AuthConfig, Config, Secret, StorageConfig, Timeouts
from flyte_remote_async.config.keys import KEYS
from flyte_remote_async.config.overrides import Overrides
from flyte_remote_async.errors import ConfigError, FlyteRemoteError

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "c4nary-s3cret"

YAML = b"""
admin:
  endpoint: dns:///flyte.example.com
  insecure: false
  authType: ClientSecret
  clientId: my-client
  scopes: [all, offline]
  caCertFilePath: /certs/ca.pem
console:
  endpoint: https://console.example.com
task:
  project: tasks
root:
  project: roots
  domain: staging
storage:
  connection:
    endpoint: http://minio:9000
    access-key: minio
    secret-key: c4nary-s3cret
"""

INI = b"""
[platform]
url = flyte.example.com:81
insecure = True
[credentials]
client_id = my-client
client_secret = c4nary-%s3cret
scopes = all, offline
command = get-token,--quiet
[local]
project = inis
"""


def load(content: bytes = b"", env: dict[str, str] | None = None, **overrides: Any) -> Config:
    return Config.load(file=content, env=env or {}, **overrides)


# --- values -----------------------------------------------------------------------------------------------------------


def test_the_defaults_are_those_that_are_documented() -> None:
    config = Config(endpoint="host:81")
    assert config.timeouts == Timeouts(read=15.0, create=30.0, data=60.0)
    assert config.max_message_bytes == 64 * 1024 * 1024
    assert (config.insecure, config.transport, config.project) == (False, "grpcio", None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"endpoint": "  "}, "endpoint is empty"),
        ({"transport": "carrier-pigeon"}, "no transport 'carrier-pigeon'"),
        ({"client_cert_file": "a.pem"}, "belong together"),
        ({"client_key_file": "a.pem"}, "belong together"),
        ({"max_message_bytes": 0}, "max_message_bytes must be 1 or more"),
        ({"max_attempts": 0}, "max_attempts must be 1 or more"),
        ({"decode_in_place_bytes": -1}, "decode_in_place_bytes must be 0 or more"),
        ({"decode_processes": -1}, "decode_processes must be 0 or more"),
        ({"headers": {"grpc-timeout": "1"}}, "belongs to gRPC"),
        ({"headers": {"trace-bin": "1"}}, "for bytes"),
        ({"headers": {"a b": "1"}}, "cannot be a header"),
        ({"headers": {"a": "é"}}, "cannot carry"),
        ({"headers": {"a": "x\r\ny"}}, "cannot carry"),
        ({"max_backoff": 0}, "positive number"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Config(**{"endpoint": "host:81", **fields})


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), timedelta(0), True, "15"])
def test_a_time_limit_is_a_positive_finite_duration(value: Any) -> None:
    with pytest.raises(ConfigError, match="time limit"):
        Timeouts(read=value)


def test_a_time_limit_can_be_a_timedelta() -> None:
    assert Timeouts(data=timedelta(minutes=2)).data == 120.0


def test_headers_are_a_mapping_or_pairs_and_lower_case() -> None:
    assert Config(endpoint="h", headers={"X-Team": "a"}).headers == (("x-team", "a"),)
    assert Config(endpoint="h", headers=(("x-team", "a"), ("x-team", "b"))).headers == (
        ("x-team", "a"),
        ("x-team", "b"),
    )


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("Pkce", "pkce"),
        ("standard", "pkce"),
        ("BASIC", "client_secret"),
        ("client_credentials", "client_secret"),
        ("ClientSecret", "client_secret"),
        ("external_process", "external_command"),
        ("ExternalCommand", "external_command"),
        ("DeviceFlow", "device_flow"),
        ("AcmeCorp", "AcmeCorp"),
        (None, None),
    ],
)
def test_every_spelling_of_an_auth_mode_is_known(name: str | None, mode: str | None) -> None:
    assert AuthConfig(mode=name).mode == mode


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", [repr, str, "{}".format, lambda s: f"{s!r:>5}", lambda s: str(pickle.dumps(s))])
def test_a_secret_never_shows_itself(show: Callable[[Secret], str]) -> None:
    assert CANARY not in show(Secret(CANARY))


def test_a_secret_reveals_itself_to_who_asks() -> None:
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret("other")
    assert Secret(CANARY) != CANARY
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_unpickled_secret_says_that_it_was_left_out() -> None:
    config = pickle.loads(pickle.dumps(load(YAML)))
    assert config.auth == load(YAML).auth
    with pytest.raises(ConfigError, match="load the configuration again"):
        config.storage.s3_secret_access_key.reveal()


def test_no_secret_is_shown_by_a_configuration() -> None:
    config = load(
        YAML,
        {
            "FLYTE_CREDENTIALS_CLIENT_SECRET": CANARY,
            "FLYTE_AZURE_STORAGE_ACCOUNT_KEY": CANARY,
            "FLYTE_AZURE_CLIENT_SECRET": CANARY,
            "FLYTE_CREDENTIALS_COMMAND": f"get-token,{CANARY}",
            "FLYTE_CREDENTIALS_PROXY_COMMAND": f"get-token,{CANARY}",
            "FLYTE_PLATFORM_HTTP_PROXY_URL": f"http://user:{CANARY}@proxy",
        },
        headers={"x-api-key": CANARY},
    )
    for text in (repr(config), str(config), config.explain()):
        assert CANARY not in text
    secrets = (config.auth.client_secret, config.storage.s3_secret_access_key, config.storage.azure_account_key)
    assert [secret.reveal() for secret in secrets if secret] == [CANARY] * 3
    assert config.auth.command == ("get-token", CANARY)


# --- where values come from -------------------------------------------------------------------------------------------


def test_an_argument_beats_the_environment_beats_the_file_beats_the_default() -> None:
    env = {"FLYTE_PLATFORM_URL": "from-env:1"}
    assert load(YAML, env, endpoint="from-argument:1").endpoint == "from-argument:1"
    assert load(YAML, env).endpoint == "from-env:1"
    assert load(YAML).endpoint == "dns:///flyte.example.com"
    assert load().endpoint == "localhost:30080"


def test_the_sandbox_is_assumed_where_nothing_names_an_endpoint() -> None:
    assert load().insecure
    assert not load(b"admin: {insecure: false}").insecure
    assert not load(endpoint="flyte.example.com").insecure


def test_yaml_is_read() -> None:
    config = load(YAML)
    assert config.auth == AuthConfig(mode="client_secret", client_id="my-client", scopes=("all", "offline"))
    assert config.ca_cert_file == Path("/certs/ca.pem")
    assert config.console_endpoint == "https://console.example.com"
    assert (config.project, config.domain) == ("tasks", "staging")
    assert config.storage == StorageConfig(
        s3_endpoint="http://minio:9000", s3_access_key_id="minio", s3_secret_access_key=Secret(CANARY)
    )


def test_ini_is_read_and_a_percent_sign_is_one() -> None:
    config = load(INI)
    assert (config.endpoint, config.insecure, config.project) == ("flyte.example.com:81", True, "inis")
    assert config.auth.scopes == ("all", "offline")
    assert config.auth.command == ("get-token", "--quiet")
    assert config.auth.client_secret == Secret("c4nary-%s3cret")


def test_keys_of_yaml_are_read_without_regard_to_case_as_flytectl_does() -> None:
    assert load(b"Admin: {ENDPOINT: host, AuthTYPE: basic}").auth.mode == "client_secret"


@pytest.mark.parametrize(("field", "kind", "places"), KEYS, ids=[key[0] for key in KEYS])
def test_every_key_reaches_its_field(field: str, kind: str, places: tuple[str, ...]) -> None:
    texts = {"bool": "true", "number": "7", "seconds": "7s"}
    text = texts.get(kind, "seven")
    for place in places:
        where, _, name = place.partition(" ")
        section, _, option = name.partition(".")
        if where == "env":
            config = load(env={name: text, "seven": "hidden"})
        elif where == "ini":
            config = load(f"[{section}]\n{option} = {text}\n".encode(), {"seven": "hidden"})
        else:
            nested = "{" + option.replace(".", ": {") + f": {text}" + "}" * (option.count(".") + 1)
            config = load(f"{section}: {nested}".encode(), {"seven": "hidden"})
        changed = set(config.explain().splitlines()) - set(load().explain().splitlines())
        renamed = {"attempt_timeout": "timeouts.read", "auth.client_secret_env_var": "auth.client_secret"}
        lines = [line for line in changed if line.startswith(f"{renamed.get(field, field)} = ")]
        assert len(lines) == 1
        assert (name if where == "env" else name.lower()) in (lines[0] if where == "env" else lines[0].lower())


def test_the_project_of_a_task_is_the_last_resort() -> None:
    env = {"_F_PRJ": "short", "FLYTE_INTERNAL_EXECUTION_PROJECT": "internal"}
    assert load(env=env).project == "internal"
    assert load(env={"_F_PRJ": "short"}).project == "short"
    assert load(YAML, env).project == "tasks"
    assert load(YAML, env | {"FLYTE_LOCAL_PROJECT": "local"}).project == "local"
    assert load(YAML, env | {"FLYTE_LOCAL_PROJECT": "local", "FLYTE_DEFAULT_PROJECT": "usual"}).project == "usual"


def test_an_empty_variable_or_value_is_not_set() -> None:
    assert load(b"admin: {endpoint: '', insecure: null}", {"FLYTE_PLATFORM_URL": ""}).endpoint == "localhost:30080"


def test_a_secret_is_taken_from_the_variable_that_is_named_before_all_else() -> None:
    content = b"admin: {clientSecretEnvVar: MINE, clientSecretLocation: /etc/secret}"
    both = load(content, {"FLYTE_CREDENTIALS_CLIENT_SECRET": "plain", "MINE": f"{CANARY}\n"})
    assert both.auth == AuthConfig(client_secret=Secret(CANARY))
    unset = load(content, {"FLYTE_CREDENTIALS_CLIENT_SECRET": "plain"})
    assert unset.auth == AuthConfig(client_secret=Secret("plain"), client_secret_location=Path("/etc/secret"))


def test_flytectls_limits_keep_their_meaning() -> None:
    config = load(b"admin: {perRetryTimeout: 1m30s, maxRetries: 2, maxBackoffDelay: 500ms, maxMessageSizeBytes: 1024}")
    assert config.timeouts == Timeouts(90, 90, 90)
    assert (config.max_attempts, config.max_backoff, config.max_message_bytes) == (2, 0.5, 1024)
    zero = load(b"admin: {maxRetries: 0, maxMessageSizeBytes: 0}")
    assert (zero.max_attempts, zero.max_message_bytes) == (1, Config(endpoint="h").max_message_bytes)


@pytest.mark.parametrize("word", ["true", "True", "1", "on", "YES", "t"])
def test_words_for_true(word: str) -> None:
    assert load(env={"FLYTE_PLATFORM_INSECURE": word}, endpoint="h").insecure


@pytest.mark.parametrize("word", ["false", "False", "0", "off", "NO", "n"])
def test_words_for_false(word: str) -> None:
    assert not load(env={"FLYTE_PLATFORM_INSECURE": word}).insecure


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"admin: {insecure: maybe}", "admin.insecure: true or false is wanted"),
        (b"admin: {endpoint: [a]}", "admin.endpoint: a text is wanted"),
        (b"admin: {perRetryTimeout: soon}", "admin.perRetryTimeout: a duration"),
        (b"admin: {perRetryTimeout: -5}", "a duration"),
        (b"admin: {perRetryTimeout: .inf}", "a duration"),
        (b"admin: {maxRetries: many}", "admin.maxRetries: a whole number"),
        (b"admin: {maxRetries: -1}", "a whole number"),
        (b"admin: {scopes: [[a]]}", "a text is wanted"),
        (b"admin: 3", "'admin' must be a mapping"),
        (b"- a\n- b", "is not a configuration"),
        (b"admin: [", "is not valid YAML, line 1"),
        (b"a: \x07", "a character that YAML does not allow"),
        (b"admin: \xff", "is not UTF-8"),
        (b"[platform]\nurl", "is not a valid ini file, line 2"),
        (b"[platform]\n[platform]", "line 2"),
        (b"[]", "is not a valid ini file, line 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_names_the_place(content: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(content)


@pytest.mark.parametrize("content", [b"admin: {x: [" + CANARY.encode(), b"[a]\n" + CANARY.encode()])
def test_the_text_of_a_malformed_file_is_not_quoted(content: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        load(content)
    assert CANARY not in str(caught.value)


@given(st.binary(max_size=60) | st.text("[]{}:-'\"&*!|># \nabé=%").map(str.encode))
def test_any_bytes_are_a_configuration_or_a_config_error(content: bytes) -> None:
    with contextlib.suppress(ConfigError):
        assert load(content).endpoint


@given(st.integers(0, 48), st.integers(0, 59), st.integers(1, 59))
def test_durations_are_read_as_go_writes_them(hours: int, minutes: int, seconds: int) -> None:
    config = load(f"admin: {{perRetryTimeout: {hours}h{minutes}m{seconds}s}}".encode())
    assert config.timeouts.read == timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds()


def test_a_slip_of_the_pen_is_pointed_out_once() -> None:
    content = b"admin: {endpont: host, clientID: a, zzz: 1, pkceConfig: {refreshTime: 5m}}"
    with pytest.warns(UserWarning, match=r"admin\.endpont \(did you mean admin.endpoint\?\), admin.zzz$") as caught:
        load(content)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.raises(ConfigError, match=r"did you mean admin\.endpoint"):
        load(content, strict=True)


def test_sections_of_others_are_not_our_business() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(b"logger: {show-source: true, level: 0}\nunion: {a: 1}", strict=True) == load()
        assert load(b"[sdk]\nworkflow_packages = a", strict=True) == load()


# --- which file -------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    (home / ".flyte").mkdir(parents=True)
    return home


def test_files_are_looked_for_where_flytekit_looks(home: Path) -> None:
    env = {"HOME": str(home)}
    assert Config.load(env=env).endpoint == "localhost:30080"
    (home / ".flyte" / "config.yaml").write_text("admin: {endpoint: four}")
    assert Config.load(env=env).endpoint == "four"
    (home / ".flyte" / "config").write_text("[platform]\nurl = three")
    assert Config.load(env=env).endpoint == "three"
    Path("flytekit.config").write_text("[platform]\nurl = two")
    assert Config.load(env={}).endpoint == "two"
    assert Config.load(env=env).endpoint == "two"
    (home / "own.yml").write_text("admin: {endpoint: one}")
    assert Config.load(env=env | {"FLYTECTL_CONFIG": "~/own.yml"}).endpoint == "one"
    (home / "over.yaml").write_text("admin: {endpoint: zero}")
    over = {"_FLYTECTL_CONFIG_PYFLYTE_OVERRIDE": str(home / "over.yaml"), "FLYTECTL_CONFIG": "~/own.yml"}
    assert Config.auto(env=env | over).endpoint == "zero"
    assert Config.auto(home / "own.yml", env=env | over).endpoint == "one"
    assert Config.auto(str(home / "own.yml"), env=env | over).endpoint == "one"


def test_a_file_that_is_named_must_be_there(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"FLYTECTL_CONFIG names gone\.yaml, which is no file"):
        Config.load(env={"FLYTECTL_CONFIG": "gone.yaml"})
    with pytest.raises(ConfigError, match=r"cannot read the configuration file gone\.yaml: No such file"):
        Config.load(file="gone.yaml", env={})


def test_the_process_environment_is_the_usual_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("FLYTE_PLATFORM_URL", "from-process:1")
    assert Config.load().endpoint == "from-process:1"


@pytest.mark.anyio
async def test_a_file_is_read_beside_the_loop(home: Path) -> None:
    (home / ".flyte" / "config.yaml").write_text("admin: {endpoint: host}")
    config = await Config.load_async(env={"HOME": str(home)}, project="p", domain=None)
    assert (config.endpoint, config.project, config.domain) == ("host", "p", None)


# --- short ways -------------------------------------------------------------------------------------------------------


def test_for_endpoint_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_PLATFORM_INSECURE", "true")
    assert Config.for_endpoint("host:81", project=None, domain="d") == Config(endpoint="host:81", domain="d")


def test_for_sandbox() -> None:
    config = Config.for_sandbox(project="mine", domain=None)
    assert (config.endpoint, config.insecure) == ("localhost:30080", True)
    assert (config.project, config.domain) == ("mine", "development")
    assert config.storage.s3_endpoint == "http://localhost:30002"


def test_an_override_that_is_no_field_is_an_error() -> None:
    with pytest.raises(TypeError, match="projct"):
        Config.load(env={}, file=b"", projct="p")  # type: ignore[call-arg]


def test_replace_changes_what_is_given() -> None:
    config = load(YAML)
    assert config.replace(project=None) is config
    changed = config.replace(project="mine", auth=AuthConfig(mode="pkce"))
    assert (changed.project, changed.domain, changed.auth.client_id) == ("mine", "staging", None)
    assert "project = 'mine'  (argument)" in changed.explain()
    assert "auth.client_id = None  (argument)" in changed.explain()


def test_a_part_that_is_given_replaces_what_was_found_of_it() -> None:
    config = load(YAML, timeouts=Timeouts(read=1), auth=AuthConfig())
    assert config.auth == AuthConfig()
    assert config.timeouts.read == 1.0


def test_explain_names_the_source_of_each_value() -> None:
    lines = load(YAML, {"FLYTE_PLATFORM_INSECURE": "1"}, transport="grpclib").explain().splitlines()
    assert "endpoint = 'dns:///flyte.example.com'  (the given configuration: admin.endpoint)" in lines
    assert "insecure = True  (environment FLYTE_PLATFORM_INSECURE)" in lines
    assert "transport = 'grpclib'  (argument)" in lines
    assert "server_name = None  (default)" in lines
    assert "storage.s3_secret_access_key = ***  (the given configuration: storage.connection.secret-key)" in lines
    assert "auth.client_secret = None  (default)" in lines
    assert "endpoint = 'localhost:30080'  (default: the local sandbox)" in load().explain()


def test_what_may_be_given_by_name_is_what_a_configuration_has() -> None:
    fields = {field.alias for field in attrs.fields(Config)} - {"endpoint", "sources"}
    assert Overrides.__optional_keys__ == fields


def test_configurations_are_values() -> None:
    assert load(YAML) == load(YAML)
    assert len({load(YAML), load(YAML), load(INI)}) == 2
    assert pickle.loads(pickle.dumps(load(INI.replace(b"client_secret", b"x")))).project == "inis"
    with pytest.raises(AttributeError):
        load(YAML).project = "other"  # type: ignore[misc]


def test_a_config_error_is_a_value_error_and_ours() -> None:
    assert issubclass(ConfigError, ValueError)
    assert issubclass(ConfigError, FlyteRemoteError)

"""The words that the command understands."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

__all__ = ["parser"]

_DEMO: Final = """\
Start a Flyte control plane in this process, launch a real compiled workflow on it, show its progress while it runs,
and print its tree of nodes and its typed outputs. With --endpoint, launch it on that Flyte instead.
"""
_EXAMPLES: Final = """\
examples:
  flyte-remote demo
  flyte-remote demo --list
  flyte-remote demo --workflow samples.branch --inputs '{"a": 7}'
  flyte-remote demo --endpoint localhost:30080 --insecure --workflow samples.chain
"""
_DEV: Final = """\
Run a Flyte 1.x control plane on this machine: the same gRPC as Flyte's, no container and no cluster. It is for tests,
demos and local work, and has no authentication: whoever reaches its port may use it.
"""
_DEV_EXAMPLES: Final = """\
examples:
  flyte-remote dev
  flyte-remote dev --state flyte.db
  flyte-remote dev --import recorded.jsonl.gz --port 0 --ready-file ready.json

stop it with Ctrl-C (exit code 130) or SIGTERM (exit code 0); exit code 2 says that the port, the state file or another
argument cannot be used, which one line on stderr explains.
"""
_EXPORT: Final = """\
Read compiled tasks, workflows and launch plans of a Flyte, and executions with all that belongs to them, into a file
that devservers load: for tests of a service without that Flyte, or to look at a failed run at leisure. Without names,
the newest version of each entity of the project and domain is read. What an entity needs comes along.
"""
_EXPORT_EXAMPLES: Final = """\
examples:
  flyte-remote export compiled.jsonl.gz --project flytesnacks --domain development
  flyte-remote export compiled.jsonl.gz --workflow samples.chain --workflow samples.branch:v2
  flyte-remote export failed.jsonl.gz --execution f3e1c0d8a7b2
  flyte-remote dev --import failed.jsonl.gz

Executions are written with their inputs and outputs. Objects in a store, such as files and tables, stay where they are.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="flyte-remote", description="An async client of the Flyte 1.x control plane.", allow_abbrev=False
    )
    commands = command.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(_add(commands, "demo", "launch a workflow, watch it run, read its outputs", _DEMO, _EXAMPLES))
    _add_dev(_add(commands, "dev", "run a Flyte control plane on this machine", _DEV, _DEV_EXAMPLES))
    what = "read what a Flyte knows into a file that the devserver loads"
    _add_export(_add(commands, "export", what, _EXPORT, _EXPORT_EXAMPLES))
    return command


def _add(commands: Any, name: str, summary: str, description: str, examples: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return added


def _add_demo(demo: argparse.ArgumentParser) -> None:
    what = demo.add_argument_group("what to launch")
    what.add_argument("--workflow", metavar="NAME", type=_name, default="samples.chain", help="default: %(default)s")
    what.add_argument(
        "--inputs", metavar="JSON", type=_inputs, default={}, help="an object of inputs by name; the rest are defaults"
    )
    what.add_argument("--list", action="store_true", help="list the workflows that the demo brings along, and exit")
    where = demo.add_argument_group("where to launch it")
    where.add_argument("--endpoint", metavar="HOST:PORT", help="a Flyte of yours; default: one in this process")
    where.add_argument("--insecure", action="store_true", help="without TLS")
    where.add_argument("--project", default="flytesnacks", help="default: %(default)s")
    where.add_argument("--domain", default="development", help="default: %(default)s")
    demo.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, help="give up waiting after so long; default: never"
    )
    demo.set_defaults(run=_run_demo)


def _add_dev(dev: argparse.ArgumentParser) -> None:
    where = dev.add_argument_group("where it listens")
    where.add_argument(
        "--port", metavar="N", type=_port, default=30080, help="for gRPC; 0 takes a free one; default: %(default)s"
    )
    where.add_argument(
        "--http-port",
        metavar="N",
        type=_port,
        help="for signed URLs, S3 and the page; 0 takes a free one; default: the one after --port, or a free one",
    )
    where.add_argument(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="other machines reach it when this is not loopback, and it has no authentication; default: %(default)s",
    )
    what = dev.add_argument_group("what it knows")
    what.add_argument("--state", metavar="PATH", type=Path, help="keep the state in this file; default: in memory")
    what.add_argument(
        "--import",
        metavar="FILE",
        type=Path,
        dest="source",
        help="read entities and executions of another control plane (JSON lines, gzipped or not)",
    )
    dev.add_argument(
        "--run-containers",
        action="store_true",
        help="run the commands of tasks as processes of this machine, as this user: whoever reaches the port runs code",
    )
    dev.add_argument(
        "--ready-file",
        metavar="PATH",
        type=Path,
        help="write a JSON object with the endpoint and the pid to this file once it is ready, for scripts",
    )
    dev.set_defaults(run=_run_dev)


def _add_export(export: argparse.ArgumentParser) -> None:
    export.add_argument("file", metavar="FILE", type=Path, help="the file to write; gzipped when its name ends in .gz")
    what = export.add_argument_group("what to read", "each may be given several times; without a version, the newest")
    for word, thing in (("workflow", "a workflow"), ("task", "a task"), ("launch-plan", "a launch plan")):
        what.add_argument(f"--{word}", metavar="NAME[:VERSION]", type=_entity, action="append", default=[], help=thing)
    what.add_argument("--execution", metavar="NAME", type=_name, action="append", default=[], help="an execution")
    where = export.add_argument_group("where to read it")
    where.add_argument(
        "--endpoint", metavar="HOST:PORT", help="a Flyte; default: the one of Flyte's configuration and environment"
    )
    where.add_argument("--insecure", action="store_true", help="without TLS")
    where.add_argument("--project", help="default: that of the configuration")
    where.add_argument("--domain", help="default: that of the configuration")
    export.set_defaults(run=_run_export)


def _run_export(arguments: argparse.Namespace) -> int:
    # Inside: it imports the client.
    from flyte_remote_async.cli.export import run

    return run(arguments)


def _run_dev(arguments: argparse.Namespace) -> int:
    # Inside: it imports the server.
    from flyte_remote_async.cli.dev import run

    return run(arguments)


def _run_demo(arguments: argparse.Namespace) -> int:
    # Inside: it imports the client and the server.
    from flyte_remote_async.cli.demo import run

    return run(arguments)


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("the name is empty")
    return text


def _entity(text: str) -> tuple[str, str | None]:
    name, colon, version = text.partition(":")
    if colon and not version.strip():
        raise argparse.ArgumentTypeError(f"{text!r} has a colon and no version behind it")
    return _name(name), version or None


def _inputs(text: str) -> dict[str, Any]:
    try:
        inputs = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from error
    if not isinstance(inputs, dict):
        raise argparse.ArgumentTypeError(f'{text!r} is not an object of inputs by name, such as {{"a": 3}}')
    return inputs


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds

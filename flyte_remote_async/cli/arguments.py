"""The words that the command understands."""

from __future__ import annotations

import argparse
import json
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


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="flyte-remote", description="An async client of the Flyte 1.x control plane.", allow_abbrev=False
    )
    commands = command.add_subparsers(title="commands", metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo",
        help="launch a workflow, watch it run, read its outputs",
        description=_DEMO,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_demo(demo)
    return command


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


def _run_demo(arguments: argparse.Namespace) -> int:
    # Inside: it imports the client and the server.
    from flyte_remote_async.cli.demo import run

    return run(arguments)


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("the name of a workflow is empty")
    return text


def _inputs(text: str) -> dict[str, Any]:
    try:
        inputs = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from error
    if not isinstance(inputs, dict):
        raise argparse.ArgumentTypeError(f'{text!r} is not an object of inputs by name, such as {{"a": 3}}')
    return inputs


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds

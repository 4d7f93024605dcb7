"""The slower checks; ``.ci/run`` runs all of them. ``nox -l`` lists them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False  # what a machine does not have, it cannot test
nox.options.sessions = ["lint", "docs", "build", "bench", "flytekit", "browser", "tests", "lowest"]

ROOT = Path(__file__).parent
BRIEF = {"HYPOTHESIS_PROFILE": "brief"}  # README's command has searched at length


@nox.session(python=["3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run the tests on the Pythons that README's command did not use."""
    session.install("-e", ".[test]")
    session.run("pytest", "-q", "-n", "2", *session.posargs, env=BRIEF)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest version of each direct dependency."""
    session.install("uv")
    session.run(
        *("uv", "pip", "install", "-q", "--resolution", "lowest-direct", "-e", ".[test]"),
        "googleapis-common-protos==1.68.0",  # flyteidl brings it, and newer ones would lift protobuf
        env={"VIRTUAL_ENV": session.virtualenv.location},
    )
    session.run("pytest", "-q", "-n", "2", *session.posargs, env=BRIEF)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and the direction of imports."""
    session.install("-e", ".[lint]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken link is an error."""
    session.install("-e", ".[docs]")
    session.run(
        "mkdocs", "build", "-q", "--strict", "--site-dir", session.create_tmp(), env={"NO_MKDOCS_2_WARNING": "1"}
    )


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel, install it as a user would, and run the demo away from the source."""
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(ROOT))
        (wheel,) = Path(folder).glob("*.whl")
        session.install(f"flyte-remote-async[cli,devserver] @ {wheel.as_uri()}")
        session.chdir(folder)
        session.run("python", "-m", "flyte_remote_async", "demo")
        session.run("flyte-remote", "--help", silent=True)


@nox.session
def browser(session: nox.Session) -> None:
    """Test the devserver's page in Debian's Chromium, which is installed where it is missing."""
    if shutil.which("chromium") is None:
        if os.geteuid() != 0:
            session.error("Chromium is missing; as root: apt-get install chromium")
        session.run("apt-get", "-qq", "update", external=True)
        session.run("apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium", external=True)
    session.install("-e", ".[test,browser]")
    session.run("pytest", "-q", "-n", "2", "tests/browser", *session.posargs, env={"REQUIRE_BROWSER": "1"})


@nox.session
def bench(session: nox.Session) -> None:
    """Check what a start costs; run the others with small counts, as their figures want a quiet machine."""
    small = {
        "devserver.py": ["--quick"],
        "startup.py": ["--check", "--tries", "3"],
        "transport.py": ["--pairs", "4", "--limit", "100"],
        "stalls.py": ["--runs", "1", "--scale", "0.02", "--limit", "1000"],
    }
    session.install("-e", ".[test]")
    for script in sorted((ROOT / "benchmarks").glob("*.py")):
        session.run("python", str(script), *small.get(script.name, []))
    session.run("python", "-m", "benchmarks.scale", "--quick")


@nox.session
def flytekit(session: nox.Session) -> None:
    """Let flytekit's own client, in an environment of its own, register and run workflows on the devserver."""
    python = _flytekit(session, "pandas", "pyarrow")
    session.install("-e", ".[test]")
    session.run("pytest", "-q", "tests/flytekit_client", *session.posargs, env={"FLYTEKIT_PYTHON": python})


@nox.session(default=False)
def bench_literals(session: nox.Session) -> None:
    """Compare decoding with flytekit's own decoder, which gets an environment of its own."""
    python = _flytekit(session, "pandas", "pyarrow")
    session.install("-e", ".[test]")
    session.run("python", "benchmarks/literals.py", "--flytekit", python, *session.posargs)
    session.run("python", "benchmarks/stalls.py")


@nox.session(default=False)
def bench_scale(session: nox.Session) -> None:
    """Compare looks, refreshes and waits at scale with flytekit's client; ``-- --help`` tells what can be chosen."""
    python = _flytekit(session)
    session.install("-e", ".[test]", "matplotlib")
    session.run("python", "-m", "benchmarks.scale", "--flytekit", python, *session.posargs)


def _flytekit(session: nox.Session, *packages: str) -> str:
    """Return the interpreter of an environment of its own that has flytekit."""
    folder = Path(session.create_tmp()).resolve() / "flytekit"  # tests run it from other folders
    session.run("python", "-m", "venv", str(folder))
    python = str(folder / "bin" / "python")
    session.run(python, "-m", "pip", "install", "-q", "flytekit==1.16.31", *packages, external=True)
    return python

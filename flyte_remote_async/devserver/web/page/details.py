"""What the page shows of one execution or node besides its row. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyte_remote_async.devserver.web.page.rows import milliseconds, row_of_execution
from flyte_remote_async.devserver.web.page.types import type_text
from flyte_remote_async.devserver.web.page.values import shown
from flyte_remote_async.errors import OutputsUnavailableError
from flyte_remote_async.executions.rendering import error_to_dict
from flyte_remote_async.models.identifiers import NodeExecutionIdentifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flyte_remote_async.executions import FlyteNodeExecution, FlyteTaskExecution, FlyteWorkflowExecution
    from flyte_remote_async.executions.failure import FailureReport
    from flyte_remote_async.models.executions import ExecutionSpec
    from flyte_remote_async.models.identifiers import Identifier, WorkflowExecutionIdentifier
    from flyte_remote_async.models.literals import Literal, Variable
    from flyte_remote_async.models.outcomes import ExternalResource, TaskLog

__all__ = ["details_of_execution", "details_of_node", "values"]

_LONGEST: Final = 4_000
_LARGEST: Final = 1 << 20
_MOST: Final = 200


def details_of_execution(execution: FlyteWorkflowExecution, failure: FailureReport | None) -> dict[str, Any]:
    """Return what there is to know about an execution.

    Args:
        execution: The execution.
        failure: Why it failed, where it did.
    """
    spec, closure = execution.spec, execution.closure
    return {
        **row_of_execution(execution),
        "facts": [fact for fact in _facts(execution, spec) if fact["text"]],
        "error": error_to_dict(closure.error),
        "abort": {"cause": closure.abort_cause, "by": _aborted_by(execution)} if closure.abort_cause else None,
        "failure": _failure(failure),
    }


def _facts(execution: FlyteWorkflowExecution, spec: ExecutionSpec) -> Iterable[dict[str, Any]]:
    metadata = spec.metadata
    yield _fact("Workflow", _versioned(execution.closure.workflow_id))
    yield _fact("Launch plan", _versioned(spec.launch_plan))
    yield _fact("Started as", metadata.mode.name.lower().replace("_", " "))
    yield _fact("By", metadata.principal)
    yield _link("Repeats", metadata.reference_execution)
    yield _link("Started by", metadata.parent_node_execution)
    yield _fact("Labels", ", ".join(f"{key}={value}" for key, value in spec.labels.items()))
    yield _fact("Max parallelism", str(spec.max_parallelism or ""))


def _fact(label: str, text: str) -> dict[str, Any]:
    return {"label": label, "text": text, "target": None}


def _link(label: str, id: WorkflowExecutionIdentifier | NodeExecutionIdentifier | None) -> dict[str, Any]:
    if id is None:
        return _fact(label, "")
    target = _target(id)
    return {"label": label, "text": f"{target['execution']} {target['node']}".rstrip(), "target": target}


def _target(id: WorkflowExecutionIdentifier | NodeExecutionIdentifier) -> dict[str, str]:
    execution, node_id = (id.execution_id, id.node_id) if isinstance(id, NodeExecutionIdentifier) else (id, "")
    return {
        "project": execution.project,
        "domain": execution.domain,
        "execution": execution.name,
        "node": node_id,
    }


def _versioned(id: Identifier | None) -> str:
    return "" if id is None else f"{id.name} @ {id.version}"


def _aborted_by(execution: FlyteWorkflowExecution) -> str:
    metadata = execution.closure.abort_metadata
    return metadata.principal if metadata else ""


def _failure(report: FailureReport | None) -> dict[str, Any] | None:
    """Return the first failure, where it is in a part of the execution."""
    if report is None or len(report.path) == 1:
        return None
    return {"path": [_target(part.id) for part in report.path[1:]], "error": error_to_dict(report.error)}


def details_of_node(node: FlyteNodeExecution, path_of: Callable[[str], str]) -> dict[str, Any]:
    """Return what there is to know about a node, but for its data.

    Args:
        node: The node, with its attempts.
        path_of: Returns the path of a URL of this port; empty for others.
    """
    closure = node.closure
    task = closure.task_node_metadata
    source = task.catalog_key.source_task_execution if task and task.catalog_key else None
    child = closure.workflow_node_metadata
    facts = [
        _fact("Task", _versioned(node.task_id)),
        _link("Cached by", source.node_execution_id if source else None),
        _link("Child execution", child),
    ]
    return {
        **_target(node.id),
        "phase": node.phase.name,
        "facts": [fact for fact in facts if fact["text"]],
        "error": error_to_dict(closure.error),
        "attempts": [_attempt(attempt, path_of) for attempt in node.task_executions],
        "deck": closure.deck_uri,
    }


def _attempt(attempt: FlyteTaskExecution, path_of: Callable[[str], str]) -> dict[str, Any]:
    closure = attempt.closure
    reasons = [{"at": milliseconds(reason.occurred_at), "text": reason.message} for reason in attempt.reasons]
    return {
        "attempt": attempt.attempt,
        "phase": attempt.phase.name,
        "start": milliseconds(closure.started_at),
        "took": closure.duration.total_seconds() if closure.duration else None,
        "reasons": reasons or ([{"at": None, "text": attempt.reason}] if attempt.reason else []),
        "logs": [_log(log, path_of) for log in attempt.logs],
        "error": error_to_dict(closure.error),
        "elements": [_element(element, path_of) for element in attempt.external_resources],
    }


def _element(element: ExternalResource, path_of: Callable[[str], str]) -> dict[str, Any]:
    return {
        "index": element.index,
        "attempt": element.retry_attempt,
        "phase": element.phase.name,
        "logs": [_log(log, path_of) for log in element.logs],
    }


def _log(log: TaskLog, path_of: Callable[[str], str]) -> dict[str, str]:
    return {"name": log.name or log.uri, "uri": log.uri, "path": path_of(log.uri)}


def values(
    literals: Mapping[str, Literal] | OutputsUnavailableError, types: Mapping[str, Variable] | None
) -> dict[str, Any]:
    """Return inputs or outputs as they are shown: text, cut where it is long.

    Args:
        literals: The values, or why there are none.
        types: What was declared; None where that is not known.
    """
    if isinstance(literals, OutputsUnavailableError):
        return {"problem": str(literals), "values": [], "left_out": 0}
    found = [_value(name, literals[name], (types or {}).get(name)) for name in sorted(literals)[:_MOST]]
    return {"problem": "", "values": found, "left_out": max(len(literals) - _MOST, 0)}


def _value(name: str, literal: Literal, declared: Variable | None) -> dict[str, Any]:
    size = len(literal.wire)
    declared_type = type_text(declared.type.to_flyte_idl()) if declared else ""
    value = {"name": name, "type": declared_type, "bytes": size}
    if size > _LARGEST:
        return {**value, "text": "", "cut": True, "is_text": False, "places": []}
    whole = shown(literal.to_flyte_idl())
    text = whole.text[:_LONGEST]
    is_cut = len(text) < len(whole.text)
    return {**value, "text": text, "cut": is_cut, "is_text": whole.is_text, "places": list(whole.places)}

"""What people read of executions, on recordings of a real Flyte and on messages that have everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from flyteidl.admin import common_pb2, execution_pb2, launch_plan_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import catalog_pb2, identifier_pb2, literals_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.event import event_pb2
from google.protobuf import text_format

from flyte_remote_async.models.common import Notification, QualityOfService, QualityOfServiceTier
from flyte_remote_async.models.executions import ExecutionClosure, ExecutionMetadata, ExecutionSpec, ExecutionState
from flyte_remote_async.models.launch_plans import LaunchPlanMetadata
from flyte_remote_async.models.node_executions import NodeExecutionClosure, NodeExecutionMetaData
from flyte_remote_async.models.outcomes import ErrorKind, ExecutionError, ExternalResource, LogFormat, TaskLog
from flyte_remote_async.models.phases import CatalogCacheStatus, ExecutionMode, NodePhase, TaskPhase, WorkflowPhase
from flyte_remote_async.models.task_executions import InstanceClass, TaskExecutionClosure

if TYPE_CHECKING:
    from tests.support.recordings import Recordings


def closure_of(recordings: Recordings, label: str) -> ExecutionClosure:
    (execution,) = recordings.messages(execution_pb2.Execution, label)
    return ExecutionClosure.from_flyte_idl(execution.closure)


def test_a_succeeded_execution(recordings: Recordings) -> None:
    closure = closure_of(recordings, "samples.chain")
    assert closure.phase is WorkflowPhase.SUCCEEDED
    assert closure.error is None
    assert closure.abort_metadata is None
    assert closure.abort_cause == ""
    assert closure.output_uri.endswith("outputs.pb")
    assert closure.output_data == {}
    assert closure.computed_inputs == {}
    assert closure.workflow_id is not None
    assert closure.workflow_id.name == "samples.chain"
    assert closure.notifications == ()
    assert closure.state_change_details is not None
    assert closure.state_change_details.state is ExecutionState.EXECUTION_ACTIVE
    assert closure.state_change_details.occurred_at == closure.created_at
    assert closure.state_change_details.principal == ""
    assert closure.created_at is not None
    assert closure.started_at is not None
    assert closure.updated_at is not None
    assert closure.duration is not None
    assert closure.created_at <= closure.started_at <= closure.updated_at
    assert timedelta() < closure.duration < timedelta(minutes=5)


def test_a_failed_execution(recordings: Recordings) -> None:
    closure = closure_of(recordings, "samples.failing")
    error = closure.error
    assert error is not None
    assert error.kind is ErrorKind.USER
    assert error.code
    assert error.message in str(error)
    assert str(error).startswith(error.code)


def test_an_aborted_execution(recordings: Recordings) -> None:
    executions = recordings.messages(execution_pb2.Execution)
    closures = [ExecutionClosure.from_flyte_idl(execution.closure) for execution in executions]
    aborted = [closure for closure in closures if closure.phase is WorkflowPhase.ABORTED]
    assert aborted
    for closure in aborted:
        assert closure.abort_metadata is not None
        assert closure.abort_cause == closure.abort_metadata.cause != ""
        assert closure.abort_metadata.principal == ""
        assert closure.error is None


def test_a_launch_by_a_node_and_a_repetition_say_so(recordings: Recordings) -> None:
    specs = [ExecutionSpec.from_flyte_idl(e.spec) for e in recordings.messages(execution_pb2.Execution)]
    by_mode = {spec.metadata.mode: spec for spec in specs}
    child = by_mode[ExecutionMode.CHILD_WORKFLOW].metadata
    assert child.nesting == 1
    assert child.parent_node_execution is not None
    assert child.parent_node_execution.node_id == "n0"
    relaunched = by_mode[ExecutionMode.RELAUNCH].metadata
    assert relaunched.reference_execution is not None
    assert relaunched.reference_execution.name in recordings.executions
    assert relaunched.parent_node_execution is None
    assert by_mode[ExecutionMode.RECOVERED].metadata.reference_execution is not None
    manual = by_mode[ExecutionMode.MANUAL]
    assert manual.metadata.reference_execution is None
    assert manual.metadata.scheduled_at is None
    assert manual.launch_plan.domain == "development"


def test_a_spec_with_everything() -> None:
    message = text_format.Parse(
        """
        metadata { scheduled_at { seconds: 60 } principal: "me"
                   system_metadata { execution_cluster: "east" namespace: "p-d" } }
        notifications { notifications { phases: [SUCCEEDED, FAILED] email { recipients_email: "a@b.c" } } }
        labels { values { key: "team" value: "blue" } }
        annotations { values { key: "b" value: "2" } values { key: "a" value: "1" } }
        security_context { run_as { iam_role: "role" k8s_service_account: "account" } }
        quality_of_service { spec { queueing_budget { seconds: 30 } } }
        max_parallelism: 7
        raw_output_data_config { output_location_prefix: "s3://b" }
        cluster_assignment { cluster_pool_name: "gpu" }
        interruptible { value: false }
        overwrite_cache: true
        envs { values { key: "K" value: "V" } }
        tags: "t"
        execution_cluster_label { value: "label" }
        """,
        execution_pb2.ExecutionSpec(),
    )
    spec = ExecutionSpec.from_flyte_idl(message)
    assert spec.metadata.scheduled_at == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert spec.metadata.principal == "me"
    assert (spec.metadata.execution_cluster, spec.metadata.namespace) == ("east", "p-d")
    (notification,) = spec.notifications
    assert notification.kind == "email"
    assert notification.phases == (WorkflowPhase.SUCCEEDED, WorkflowPhase.FAILED)
    assert notification.recipients == ("a@b.c",)
    assert not spec.disable_all
    assert spec.labels == {"team": "blue"}
    assert list(spec.annotations) == ["a", "b"]
    assert spec.security_context is not None
    assert (spec.security_context.iam_role, spec.security_context.k8s_service_account) == ("role", "account")
    assert spec.quality_of_service is not None
    assert spec.quality_of_service.queueing_budget == timedelta(seconds=30)
    assert (spec.max_parallelism, spec.raw_output_data_prefix, spec.cluster_pool) == (7, "s3://b", "gpu")
    assert spec.interruptible is False
    assert spec.overwrite_cache
    assert spec.envs == {"K": "V"}
    assert spec.tags == ("t",)
    assert spec.execution_cluster_label == "label"


def test_a_spec_that_says_nothing_leaves_it_open() -> None:
    spec = ExecutionSpec.from_flyte_idl(execution_pb2.ExecutionSpec())
    assert spec.interruptible is None
    assert spec.security_context is None
    assert spec.quality_of_service is None
    assert spec.notifications == ()
    metadata = ExecutionMetadata.from_flyte_idl(execution_pb2.ExecutionMetadata())
    assert metadata.mode is ExecutionMode.MANUAL
    assert Notification.from_flyte_idl(common_pb2.Notification()).recipients == ()
    tier = QualityOfService.from_flyte_idl(core_execution_pb2.QualityOfService(tier="HIGH")).tier
    assert tier is QualityOfServiceTier.HIGH


def test_outputs_in_an_old_closure() -> None:
    values = literals_pb2.LiteralMap(literals={"o0": literals_pb2.Literal(hash="h")})
    by_blob = execution_pb2.ExecutionClosure(outputs=execution_pb2.LiteralMapBlob(values=values))
    for message in (by_blob, execution_pb2.ExecutionClosure(output_data=values)):
        assert ExecutionClosure.from_flyte_idl(message).output_data["o0"].hash == "h"
    old = ExecutionClosure.from_flyte_idl(execution_pb2.ExecutionClosure(abort_cause="because"))
    assert old.abort_cause == "because"
    assert old.workflow_id is None


@pytest.mark.parametrize("number", [-1, 55, 2**31 - 1])
def test_phases_that_do_not_exist_yet(number: int) -> None:
    phase = ExecutionClosure.from_flyte_idl(execution_pb2.ExecutionClosure(phase=number)).phase  # type: ignore[arg-type]
    assert phase == number
    assert not phase.is_known
    assert not phase.is_terminal


def test_nodes_of_the_recordings(recordings: Recordings) -> None:
    nodes = recordings.messages(node_execution_pb2.NodeExecution)
    closures = [NodeExecutionClosure.from_flyte_idl(node.closure) for node in nodes]
    metadata = [NodeExecutionMetaData.from_flyte_idl(node.metadata) for node in nodes]
    assert {NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.RECOVERED} <= {closure.phase for closure in closures}
    assert any(closure.error for closure in closures)
    assert all(closure.created_at and closure.updated_at for closure in closures)
    statuses = {c.task_node_metadata.cache_status for c in closures if c.task_node_metadata}
    assert {CatalogCacheStatus.CACHE_HIT, CatalogCacheStatus.CACHE_DISABLED} <= statuses
    keys = [c.task_node_metadata.catalog_key for c in closures if c.task_node_metadata]
    hit = next(key for key in keys if key and key.source_task_execution)
    assert hit.dataset_id.name
    assert hit.artifact_tag
    assert hit.artifact_id
    assert hit.source_task_execution is not None
    assert hit.source_task_execution.task_id.name == "samples.cached"
    children = [closure.workflow_node_metadata for closure in closures if closure.workflow_node_metadata]
    assert {child.name for child in children} <= set(recordings.executions)
    assert any(closure.dynamic_job_spec_uri for closure in closures)
    assert any(closure.output_uri for closure in closures)
    assert any(closure.duration for closure in closures)
    assert any(closure.started_at for closure in closures)
    assert {entry.spec_node_id for entry in metadata} >= {"start-node", "end-node", "n0"}
    assert any(entry.is_parent_node and entry.is_dynamic for entry in metadata)
    assert any(entry.is_array for entry in metadata)
    assert not any(entry.is_eager for entry in metadata)
    assert {entry.retry_group for entry in metadata} >= {"0"}


def test_a_node_closure_of_another_kind_says_none() -> None:
    closure = NodeExecutionClosure.from_flyte_idl(
        node_execution_pb2.NodeExecutionClosure(
            deck_uri="s3://deck",
            output_data=literals_pb2.LiteralMap(literals={"o0": literals_pb2.Literal()}),
            task_node_metadata=node_execution_pb2.TaskNodeMetadata(
                checkpoint_uri="s3://c", catalog_key=catalog_pb2.CatalogMetadata()
            ),
        )
    )
    assert closure.deck_uri == "s3://deck"
    assert closure.workflow_node_metadata is None
    assert list(closure.output_data) == ["o0"]
    assert closure.task_node_metadata is not None
    assert closure.task_node_metadata.checkpoint_uri == "s3://c"
    assert closure.task_node_metadata.catalog_key is not None
    assert closure.task_node_metadata.catalog_key.source_task_execution is None


def test_attempts_of_the_recordings(recordings: Recordings) -> None:
    closures = [
        TaskExecutionClosure.from_flyte_idl(attempt.closure)
        for attempt in recordings.messages(task_execution_pb2.TaskExecution)
    ]
    assert {TaskPhase.SUCCEEDED, TaskPhase.FAILED} <= {closure.phase for closure in closures}
    assert all(closure.created_at and closure.updated_at for closure in closures)
    assert any(closure.started_at and closure.duration for closure in closures)
    assert any(closure.error for closure in closures)
    assert any(closure.output_uri for closure in closures)
    assert any(closure.reason for closure in closures)
    noted = next(closure for closure in closures if len(closure.reasons) > 1)
    assert noted.reasons[0].message
    assert noted.reasons[0].occurred_at is not None
    assert {"python-task"} <= {closure.task_type for closure in closures}
    assert all(closure.event_version >= 0 for closure in closures)
    mapped = next(closure for closure in closures if closure.external_resources)
    assert [item.index for item in mapped.external_resources] == list(range(len(mapped.external_resources)))
    assert all(item.external_id for item in mapped.external_resources)
    assert all(item.phase is TaskPhase.SUCCEEDED for item in mapped.external_resources)
    assert any(closure.metadata.generated_name for closure in closures)
    assert any(closure.metadata.plugin_identifier == "container" for closure in closures)
    assert all(closure.metadata.instance_class is InstanceClass.DEFAULT for closure in closures)


def test_an_attempt_with_everything() -> None:
    message = text_format.Parse(
        """
        logs { uri: "http://log" name: "main" message_format: JSON ttl { seconds: 5 } ShowWhilePending: true
               HideOnceFinished: true }
        log_context { primary_pod_name: "pod" pods { pod_name: "pod" } pods { pod_name: "pod-1" } }
        custom_info { fields { key: "a" value { number_value: 1 } } }
        output_data { literals { key: "o0" value {} } }
        """,
        task_execution_pb2.TaskExecutionClosure(),
    )
    closure = TaskExecutionClosure.from_flyte_idl(message)
    (log,) = closure.logs
    assert (log.uri, log.name, log.message_format, log.ttl) == (
        "http://log",
        "main",
        LogFormat.JSON,
        timedelta(seconds=5),
    )
    assert log.show_while_pending
    assert log.hide_once_finished
    assert closure.log_context is not None
    assert closure.log_context.primary_pod_name == "pod"
    assert closure.log_context.pod_names == ("pod", "pod-1")
    assert closure.custom_info == {"a": 1}
    assert list(closure.output_data) == ["o0"]
    assert TaskLog.from_flyte_idl(core_execution_pb2.TaskLog()).ttl is None


def test_a_subtask_that_is_an_execution() -> None:
    identifier = identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name="n")
    message = event_pb2.ExternalResourceInfo(
        retry_attempt=2,
        cache_status=catalog_pb2.CACHE_HIT,
        logs=[core_execution_pb2.TaskLog(name="l")],
        workflow_node_metadata=event_pb2.WorkflowNodeMetadata(execution_id=identifier),
        log_context=core_execution_pb2.LogContext(),
    )
    subtask = ExternalResource.from_flyte_idl(message)
    assert subtask.execution_id is not None
    assert str(subtask.execution_id) == "p/d/n"
    assert subtask.retry_attempt == 2
    assert subtask.cache_status is CatalogCacheStatus.CACHE_HIT
    assert [log.name for log in subtask.logs] == ["l"]
    assert subtask.log_context is not None
    assert subtask.custom_info == {}
    assert ExternalResource.from_flyte_idl(event_pb2.ExternalResourceInfo()).execution_id is None


def test_an_error_without_words_still_says_something() -> None:
    assert str(ExecutionError.from_flyte_idl(core_execution_pb2.ExecutionError())) == "no details were given"
    full = core_execution_pb2.ExecutionError(code="C", message="m", error_uri="s3://e", worker="w", kind="SYSTEM")
    full.timestamp.seconds = 1
    error = ExecutionError.from_flyte_idl(full)
    assert (str(error), error.error_uri, error.worker, error.kind) == ("C: m", "s3://e", "w", ErrorKind.SYSTEM)
    assert error.timestamp == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "cron", "rate", "is_scheduled"),
    [
        ("", "", None, False),
        ('schedule { cron_expression: "0 6 * * *" }', "0 6 * * *", None, True),
        ('schedule { cron_schedule { schedule: "@daily" } kickoff_time_input_arg: "t" }', "@daily", None, True),
        ("schedule { rate { value: 10 unit: HOUR } }", "", (10, "HOUR"), True),
        ("schedule { rate { } }", "", (0, "MINUTE"), False),
        ("schedule { rate { value: 1 unit: 9 } }", "", (1, "UNKNOWN_9"), True),
    ],
)
def test_schedules(text: str, cron: str, rate: tuple[int, str] | None, is_scheduled: bool) -> None:
    message = text_format.Parse(text, launch_plan_pb2.LaunchPlanMetadata())
    schedule = LaunchPlanMetadata.from_flyte_idl(message).schedule
    assert schedule.cron_expression == cron
    assert schedule.rate == rate
    assert schedule.is_scheduled == is_scheduled
    assert schedule.kickoff_time_input_arg == ("t" if "kickoff" in text else "")

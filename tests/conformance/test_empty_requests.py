"""What Flyte answers to a request with nothing in it, for every RPC for which that changes nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.conformance.client import METHODS

if TYPE_CHECKING:
    from tests.conformance.client import Flyte

INVALID = "INVALID_ARGUMENT"
# Some check the project first, and an empty one is any.
ANY_PLACE = r"domain \[\] is unrecognized by system|project \[.*\] is not active"
REFUSED = {
    "CreateTask": (INVALID, "missing id"),
    "CreateWorkflow": (INVALID, "missing id"),
    "CreateLaunchPlan": (INVALID, "missing id"),
    "CreateExecution": (INVALID, "missing project"),
    "RelaunchExecution": (INVALID, "missing project"),
    "RecoverExecution": (INVALID, "missing project"),
    "UpdateLaunchPlan": (INVALID, "missing id"),
    "UpdateExecution": (INVALID, "missing id"),
    "TerminateExecution": (INVALID, "missing id"),
    "UpdateProject": (INVALID, "missing project_id"),
    "UpdateNamedEntity": (INVALID, "invalid value for resource_type"),
    "UpdateProjectAttributes": (INVALID, "missing attributes"),
    "UpdateProjectDomainAttributes": (INVALID, "missing attributes"),
    "UpdateWorkflowAttributes": (INVALID, "missing attributes"),
    "RegisterProject": (INVALID, "missing project"),
    "GetWorkflow": (INVALID, "missing id"),
    "GetLaunchPlan": (INVALID, "missing id"),
    "GetActiveLaunchPlan": (INVALID, "missing project"),
    "GetExecution": (INVALID, "missing id"),
    "GetExecutionMetrics": (INVALID, "missing id"),
    "GetTaskExecution": (INVALID, "missing id"),
    "GetTaskExecutionData": (INVALID, "missing id"),
    "GetProject": (INVALID, "missing project_id"),
    "GetNamedEntity": (INVALID, "invalid value for resource_type"),
    "GetDescriptionEntity": (INVALID, "invalid value for resource_type"),
    "GetProjectDomainAttributes": (INVALID, ANY_PLACE),
    "GetWorkflowAttributes": (INVALID, ANY_PLACE),
    "DeleteProjectDomainAttributes": (INVALID, ANY_PLACE),
    "DeleteWorkflowAttributes": (INVALID, ANY_PLACE),
    "ListTasks": (INVALID, "missing id"),
    "ListWorkflows": (INVALID, "missing id"),
    "ListLaunchPlans": (INVALID, "missing id"),
    "ListActiveLaunchPlans": (INVALID, "missing project"),
    "ListTaskIds": (INVALID, "missing project"),
    "ListWorkflowIds": (INVALID, "missing project"),
    "ListLaunchPlanIds": (INVALID, "missing and/or invalid parameters: limit"),
    "ListNamedEntities": (INVALID, "missing project"),
    "ListDescriptionEntities": (INVALID, "missing id"),
    "ListExecutions": (INVALID, "missing id"),
    "ListNodeExecutions": (INVALID, "missing execution_id"),
    "ListNodeExecutionsForTask": (INVALID, "missing id"),
    "ListTaskExecutions": (INVALID, "missing id"),
    "ListSignals": (INVALID, "missing execution_id"),
    "GetOrCreateSignal": (INVALID, "missing id"),
    "SetSignal": (INVALID, "missing id"),
    "CreateWorkflowEvent": (INVALID, "Workflow event handler was called without event"),
    "CreateTaskEvent": (INVALID, "missing event"),
    "GetData": (
        INVALID,
        "failed to validate resolve artifact request. Error: source is required. Provided empty string",
    ),
    "CreateDownloadLink": (
        INVALID,
        r"error while validating request. Error: invalid artifact type \[ARTIFACT_TYPE_UNDEFINED\]",
    ),
    "CreateUploadLocation": (INVALID, "project and domain are required parameters"),
    "CreateDownloadLocation": ("INTERNAL", "(?s)failed to create a signed url.*GetObjectInput.Key.*"),
    "UserInfo": ("UNIMPLEMENTED", "unknown service flyteidl.service.IdentityService"),
    "GetOAuth2Metadata": ("UNIMPLEMENTED", "unknown service flyteidl.service.AuthMetadataService"),
    "GetPublicClientConfig": ("UNIMPLEMENTED", "unknown service flyteidl.service.AuthMetadataService"),
}
# With some execution there, of which the first is taken.
ANSWERED = {
    "GetTask",
    "GetExecutionData",
    "GetNodeExecution",
    "GetNodeExecutionData",
    "ListProjects",
    "GetDomains",
    "GetVersion",
    "ListMatchableAttributes",
}
# These would change, or depend on, something that the suite did not make.
LEFT_OUT = {"CreateNodeEvent", "DeleteProjectAttributes", "GetProjectAttributes", "GetDynamicNodeWorkflow"}


def test_no_rpc_is_forgotten() -> None:
    assert sorted([*REFUSED, *ANSWERED, *LEFT_OUT]) == sorted(METHODS)


@pytest.mark.parametrize(("rpc", "code", "details"), [(rpc, *wanted) for rpc, wanted in REFUSED.items()])
def test_an_empty_request_is_refused(flyte: Flyte, finished: str, rpc: str, code: str, details: str) -> None:
    refusal = flyte.refusal(rpc)
    assert refusal.code == code
    assert re.fullmatch(details, refusal.details)


@pytest.mark.parametrize("rpc", sorted(ANSWERED))
def test_an_empty_request_is_answered(flyte: Flyte, finished: str, rpc: str) -> None:
    flyte(rpc)

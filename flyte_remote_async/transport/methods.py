"""The table of the RPCs of Flyte's control plane: one typed value for each, and all of them by path.

The table drives the transports, the devserver and the typed door to every RPC; there are no generated stubs. Source:
the service descriptors of flyteidl, which a test holds the table against.

An RPC is idempotent when sending it twice has the effect of sending it once. Registration is (entities are versioned,
and the same content twice is ``ALREADY_EXISTS``); launching is not: a replayed ``CreateExecution`` overwrites the
inputs of the first.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from flyte_remote_async.transport.base import Method

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyteidl.admin import common_pb2 as common
    from flyteidl.admin import description_entity_pb2 as description_entity
    from flyteidl.admin import event_pb2 as event
    from flyteidl.admin import execution_pb2 as execution
    from flyteidl.admin import launch_plan_pb2 as launch_plan
    from flyteidl.admin import matchable_resource_pb2 as matchable_resource
    from flyteidl.admin import node_execution_pb2 as node_execution
    from flyteidl.admin import project_attributes_pb2 as project_attributes
    from flyteidl.admin import project_domain_attributes_pb2 as project_domain_attributes
    from flyteidl.admin import project_pb2 as project
    from flyteidl.admin import signal_pb2 as signal
    from flyteidl.admin import task_execution_pb2 as task_execution
    from flyteidl.admin import task_pb2 as task
    from flyteidl.admin import version_pb2 as version
    from flyteidl.admin import workflow_attributes_pb2 as workflow_attributes
    from flyteidl.admin import workflow_pb2 as workflow
    from flyteidl.service import auth_pb2 as auth
    from flyteidl.service import dataproxy_pb2 as dataproxy
    from flyteidl.service import identity_pb2 as identity

_BY_PATH: Final[dict[str, Method[Any, Any]]] = {}


def _method(
    service: str, package: str, name: str, request: str, response: str, *, idempotent: bool = True
) -> Method[Any, Any]:
    method: Method[Any, Any] = Method(
        f"flyteidl.service.{service}", name, f"{package}.{request}", f"{package}.{response}", idempotent
    )
    _BY_PATH[method.path] = method
    return method


_admin = partial(_method, "AdminService", "admin")
_signal = partial(_method, "SignalService", "admin")
_dataproxy = partial(_method, "DataProxyService", "service")
_identity = partial(_method, "IdentityService", "service")
_auth = partial(_method, "AuthMetadataService", "service")

# --- AdminService -------------------------------------------------------------------------------------------------
CREATE_TASK: Method[task.TaskCreateRequest, task.TaskCreateResponse] = _admin(
    "CreateTask", "task.TaskCreateRequest", "task.TaskCreateResponse"
)
GET_TASK: Method[common.ObjectGetRequest, task.Task] = _admin("GetTask", "common.ObjectGetRequest", "task.Task")
LIST_TASK_IDS: Method[common.NamedEntityIdentifierListRequest, common.NamedEntityIdentifierList] = _admin(
    "ListTaskIds", "common.NamedEntityIdentifierListRequest", "common.NamedEntityIdentifierList"
)
LIST_TASKS: Method[common.ResourceListRequest, task.TaskList] = _admin(
    "ListTasks", "common.ResourceListRequest", "task.TaskList"
)
CREATE_WORKFLOW: Method[workflow.WorkflowCreateRequest, workflow.WorkflowCreateResponse] = _admin(
    "CreateWorkflow", "workflow.WorkflowCreateRequest", "workflow.WorkflowCreateResponse"
)
GET_WORKFLOW: Method[common.ObjectGetRequest, workflow.Workflow] = _admin(
    "GetWorkflow", "common.ObjectGetRequest", "workflow.Workflow"
)
LIST_WORKFLOW_IDS: Method[common.NamedEntityIdentifierListRequest, common.NamedEntityIdentifierList] = _admin(
    "ListWorkflowIds", "common.NamedEntityIdentifierListRequest", "common.NamedEntityIdentifierList"
)
LIST_WORKFLOWS: Method[common.ResourceListRequest, workflow.WorkflowList] = _admin(
    "ListWorkflows", "common.ResourceListRequest", "workflow.WorkflowList"
)
CREATE_LAUNCH_PLAN: Method[launch_plan.LaunchPlanCreateRequest, launch_plan.LaunchPlanCreateResponse] = _admin(
    "CreateLaunchPlan", "launch_plan.LaunchPlanCreateRequest", "launch_plan.LaunchPlanCreateResponse"
)
GET_LAUNCH_PLAN: Method[common.ObjectGetRequest, launch_plan.LaunchPlan] = _admin(
    "GetLaunchPlan", "common.ObjectGetRequest", "launch_plan.LaunchPlan"
)
GET_ACTIVE_LAUNCH_PLAN: Method[launch_plan.ActiveLaunchPlanRequest, launch_plan.LaunchPlan] = _admin(
    "GetActiveLaunchPlan", "launch_plan.ActiveLaunchPlanRequest", "launch_plan.LaunchPlan"
)
LIST_ACTIVE_LAUNCH_PLANS: Method[launch_plan.ActiveLaunchPlanListRequest, launch_plan.LaunchPlanList] = _admin(
    "ListActiveLaunchPlans", "launch_plan.ActiveLaunchPlanListRequest", "launch_plan.LaunchPlanList"
)
LIST_LAUNCH_PLAN_IDS: Method[common.NamedEntityIdentifierListRequest, common.NamedEntityIdentifierList] = _admin(
    "ListLaunchPlanIds", "common.NamedEntityIdentifierListRequest", "common.NamedEntityIdentifierList"
)
LIST_LAUNCH_PLANS: Method[common.ResourceListRequest, launch_plan.LaunchPlanList] = _admin(
    "ListLaunchPlans", "common.ResourceListRequest", "launch_plan.LaunchPlanList"
)
UPDATE_LAUNCH_PLAN: Method[launch_plan.LaunchPlanUpdateRequest, launch_plan.LaunchPlanUpdateResponse] = _admin(
    "UpdateLaunchPlan", "launch_plan.LaunchPlanUpdateRequest", "launch_plan.LaunchPlanUpdateResponse"
)
CREATE_EXECUTION: Method[execution.ExecutionCreateRequest, execution.ExecutionCreateResponse] = _admin(
    "CreateExecution", "execution.ExecutionCreateRequest", "execution.ExecutionCreateResponse", idempotent=False
)
RELAUNCH_EXECUTION: Method[execution.ExecutionRelaunchRequest, execution.ExecutionCreateResponse] = _admin(
    "RelaunchExecution", "execution.ExecutionRelaunchRequest", "execution.ExecutionCreateResponse", idempotent=False
)
RECOVER_EXECUTION: Method[execution.ExecutionRecoverRequest, execution.ExecutionCreateResponse] = _admin(
    "RecoverExecution", "execution.ExecutionRecoverRequest", "execution.ExecutionCreateResponse", idempotent=False
)
GET_EXECUTION: Method[execution.WorkflowExecutionGetRequest, execution.Execution] = _admin(
    "GetExecution", "execution.WorkflowExecutionGetRequest", "execution.Execution"
)
UPDATE_EXECUTION: Method[execution.ExecutionUpdateRequest, execution.ExecutionUpdateResponse] = _admin(
    "UpdateExecution", "execution.ExecutionUpdateRequest", "execution.ExecutionUpdateResponse"
)
GET_EXECUTION_DATA: Method[execution.WorkflowExecutionGetDataRequest, execution.WorkflowExecutionGetDataResponse] = (
    _admin(
        "GetExecutionData", "execution.WorkflowExecutionGetDataRequest", "execution.WorkflowExecutionGetDataResponse"
    )
)
LIST_EXECUTIONS: Method[common.ResourceListRequest, execution.ExecutionList] = _admin(
    "ListExecutions", "common.ResourceListRequest", "execution.ExecutionList"
)
TERMINATE_EXECUTION: Method[execution.ExecutionTerminateRequest, execution.ExecutionTerminateResponse] = _admin(
    "TerminateExecution", "execution.ExecutionTerminateRequest", "execution.ExecutionTerminateResponse"
)
GET_NODE_EXECUTION: Method[node_execution.NodeExecutionGetRequest, node_execution.NodeExecution] = _admin(
    "GetNodeExecution", "node_execution.NodeExecutionGetRequest", "node_execution.NodeExecution"
)
GET_DYNAMIC_NODE_WORKFLOW: Method[
    node_execution.GetDynamicNodeWorkflowRequest, node_execution.DynamicNodeWorkflowResponse
] = _admin(
    "GetDynamicNodeWorkflow",
    "node_execution.GetDynamicNodeWorkflowRequest",
    "node_execution.DynamicNodeWorkflowResponse",
)
LIST_NODE_EXECUTIONS: Method[node_execution.NodeExecutionListRequest, node_execution.NodeExecutionList] = _admin(
    "ListNodeExecutions", "node_execution.NodeExecutionListRequest", "node_execution.NodeExecutionList"
)
LIST_NODE_EXECUTIONS_FOR_TASK: Method[
    node_execution.NodeExecutionForTaskListRequest, node_execution.NodeExecutionList
] = _admin(
    "ListNodeExecutionsForTask", "node_execution.NodeExecutionForTaskListRequest", "node_execution.NodeExecutionList"
)
GET_NODE_EXECUTION_DATA: Method[
    node_execution.NodeExecutionGetDataRequest, node_execution.NodeExecutionGetDataResponse
] = _admin(
    "GetNodeExecutionData", "node_execution.NodeExecutionGetDataRequest", "node_execution.NodeExecutionGetDataResponse"
)
REGISTER_PROJECT: Method[project.ProjectRegisterRequest, project.ProjectRegisterResponse] = _admin(
    "RegisterProject", "project.ProjectRegisterRequest", "project.ProjectRegisterResponse", idempotent=False
)
UPDATE_PROJECT: Method[project.Project, project.ProjectUpdateResponse] = _admin(
    "UpdateProject", "project.Project", "project.ProjectUpdateResponse"
)
GET_PROJECT: Method[project.ProjectGetRequest, project.Project] = _admin(
    "GetProject", "project.ProjectGetRequest", "project.Project"
)
LIST_PROJECTS: Method[project.ProjectListRequest, project.Projects] = _admin(
    "ListProjects", "project.ProjectListRequest", "project.Projects"
)
GET_DOMAINS: Method[project.GetDomainRequest, project.GetDomainsResponse] = _admin(
    "GetDomains", "project.GetDomainRequest", "project.GetDomainsResponse"
)
CREATE_WORKFLOW_EVENT: Method[event.WorkflowExecutionEventRequest, event.WorkflowExecutionEventResponse] = _admin(
    "CreateWorkflowEvent",
    "event.WorkflowExecutionEventRequest",
    "event.WorkflowExecutionEventResponse",
    idempotent=False,
)
CREATE_NODE_EVENT: Method[event.NodeExecutionEventRequest, event.NodeExecutionEventResponse] = _admin(
    "CreateNodeEvent", "event.NodeExecutionEventRequest", "event.NodeExecutionEventResponse", idempotent=False
)
CREATE_TASK_EVENT: Method[event.TaskExecutionEventRequest, event.TaskExecutionEventResponse] = _admin(
    "CreateTaskEvent", "event.TaskExecutionEventRequest", "event.TaskExecutionEventResponse", idempotent=False
)
GET_TASK_EXECUTION: Method[task_execution.TaskExecutionGetRequest, task_execution.TaskExecution] = _admin(
    "GetTaskExecution", "task_execution.TaskExecutionGetRequest", "task_execution.TaskExecution"
)
LIST_TASK_EXECUTIONS: Method[task_execution.TaskExecutionListRequest, task_execution.TaskExecutionList] = _admin(
    "ListTaskExecutions", "task_execution.TaskExecutionListRequest", "task_execution.TaskExecutionList"
)
GET_TASK_EXECUTION_DATA: Method[
    task_execution.TaskExecutionGetDataRequest, task_execution.TaskExecutionGetDataResponse
] = _admin(
    "GetTaskExecutionData", "task_execution.TaskExecutionGetDataRequest", "task_execution.TaskExecutionGetDataResponse"
)
UPDATE_PROJECT_DOMAIN_ATTRIBUTES: Method[
    project_domain_attributes.ProjectDomainAttributesUpdateRequest,
    project_domain_attributes.ProjectDomainAttributesUpdateResponse,
] = _admin(
    "UpdateProjectDomainAttributes",
    "project_domain_attributes.ProjectDomainAttributesUpdateRequest",
    "project_domain_attributes.ProjectDomainAttributesUpdateResponse",
)
GET_PROJECT_DOMAIN_ATTRIBUTES: Method[
    project_domain_attributes.ProjectDomainAttributesGetRequest,
    project_domain_attributes.ProjectDomainAttributesGetResponse,
] = _admin(
    "GetProjectDomainAttributes",
    "project_domain_attributes.ProjectDomainAttributesGetRequest",
    "project_domain_attributes.ProjectDomainAttributesGetResponse",
)
DELETE_PROJECT_DOMAIN_ATTRIBUTES: Method[
    project_domain_attributes.ProjectDomainAttributesDeleteRequest,
    project_domain_attributes.ProjectDomainAttributesDeleteResponse,
] = _admin(
    "DeleteProjectDomainAttributes",
    "project_domain_attributes.ProjectDomainAttributesDeleteRequest",
    "project_domain_attributes.ProjectDomainAttributesDeleteResponse",
)
UPDATE_PROJECT_ATTRIBUTES: Method[
    project_attributes.ProjectAttributesUpdateRequest, project_attributes.ProjectAttributesUpdateResponse
] = _admin(
    "UpdateProjectAttributes",
    "project_attributes.ProjectAttributesUpdateRequest",
    "project_attributes.ProjectAttributesUpdateResponse",
)
GET_PROJECT_ATTRIBUTES: Method[
    project_attributes.ProjectAttributesGetRequest, project_attributes.ProjectAttributesGetResponse
] = _admin(
    "GetProjectAttributes",
    "project_attributes.ProjectAttributesGetRequest",
    "project_attributes.ProjectAttributesGetResponse",
)
DELETE_PROJECT_ATTRIBUTES: Method[
    project_attributes.ProjectAttributesDeleteRequest, project_attributes.ProjectAttributesDeleteResponse
] = _admin(
    "DeleteProjectAttributes",
    "project_attributes.ProjectAttributesDeleteRequest",
    "project_attributes.ProjectAttributesDeleteResponse",
)
UPDATE_WORKFLOW_ATTRIBUTES: Method[
    workflow_attributes.WorkflowAttributesUpdateRequest, workflow_attributes.WorkflowAttributesUpdateResponse
] = _admin(
    "UpdateWorkflowAttributes",
    "workflow_attributes.WorkflowAttributesUpdateRequest",
    "workflow_attributes.WorkflowAttributesUpdateResponse",
)
GET_WORKFLOW_ATTRIBUTES: Method[
    workflow_attributes.WorkflowAttributesGetRequest, workflow_attributes.WorkflowAttributesGetResponse
] = _admin(
    "GetWorkflowAttributes",
    "workflow_attributes.WorkflowAttributesGetRequest",
    "workflow_attributes.WorkflowAttributesGetResponse",
)
DELETE_WORKFLOW_ATTRIBUTES: Method[
    workflow_attributes.WorkflowAttributesDeleteRequest, workflow_attributes.WorkflowAttributesDeleteResponse
] = _admin(
    "DeleteWorkflowAttributes",
    "workflow_attributes.WorkflowAttributesDeleteRequest",
    "workflow_attributes.WorkflowAttributesDeleteResponse",
)
LIST_MATCHABLE_ATTRIBUTES: Method[
    matchable_resource.ListMatchableAttributesRequest, matchable_resource.ListMatchableAttributesResponse
] = _admin(
    "ListMatchableAttributes",
    "matchable_resource.ListMatchableAttributesRequest",
    "matchable_resource.ListMatchableAttributesResponse",
)
LIST_NAMED_ENTITIES: Method[common.NamedEntityListRequest, common.NamedEntityList] = _admin(
    "ListNamedEntities", "common.NamedEntityListRequest", "common.NamedEntityList"
)
GET_NAMED_ENTITY: Method[common.NamedEntityGetRequest, common.NamedEntity] = _admin(
    "GetNamedEntity", "common.NamedEntityGetRequest", "common.NamedEntity"
)
UPDATE_NAMED_ENTITY: Method[common.NamedEntityUpdateRequest, common.NamedEntityUpdateResponse] = _admin(
    "UpdateNamedEntity", "common.NamedEntityUpdateRequest", "common.NamedEntityUpdateResponse"
)
GET_VERSION: Method[version.GetVersionRequest, version.GetVersionResponse] = _admin(
    "GetVersion", "version.GetVersionRequest", "version.GetVersionResponse"
)
GET_DESCRIPTION_ENTITY: Method[common.ObjectGetRequest, description_entity.DescriptionEntity] = _admin(
    "GetDescriptionEntity", "common.ObjectGetRequest", "description_entity.DescriptionEntity"
)
LIST_DESCRIPTION_ENTITIES: Method[
    description_entity.DescriptionEntityListRequest, description_entity.DescriptionEntityList
] = _admin(
    "ListDescriptionEntities",
    "description_entity.DescriptionEntityListRequest",
    "description_entity.DescriptionEntityList",
)
GET_EXECUTION_METRICS: Method[
    execution.WorkflowExecutionGetMetricsRequest, execution.WorkflowExecutionGetMetricsResponse
] = _admin(
    "GetExecutionMetrics",
    "execution.WorkflowExecutionGetMetricsRequest",
    "execution.WorkflowExecutionGetMetricsResponse",
)

# --- SignalService ------------------------------------------------------------------------------------------------
GET_OR_CREATE_SIGNAL: Method[signal.SignalGetOrCreateRequest, signal.Signal] = _signal(
    "GetOrCreateSignal", "signal.SignalGetOrCreateRequest", "signal.Signal"
)
LIST_SIGNALS: Method[signal.SignalListRequest, signal.SignalList] = _signal(
    "ListSignals", "signal.SignalListRequest", "signal.SignalList"
)
SET_SIGNAL: Method[signal.SignalSetRequest, signal.SignalSetResponse] = _signal(
    "SetSignal", "signal.SignalSetRequest", "signal.SignalSetResponse"
)

# --- DataProxyService ---------------------------------------------------------------------------------------------
CREATE_UPLOAD_LOCATION: Method[dataproxy.CreateUploadLocationRequest, dataproxy.CreateUploadLocationResponse] = (
    _dataproxy(
        "CreateUploadLocation", "dataproxy.CreateUploadLocationRequest", "dataproxy.CreateUploadLocationResponse"
    )
)
CREATE_DOWNLOAD_LOCATION: Method[dataproxy.CreateDownloadLocationRequest, dataproxy.CreateDownloadLocationResponse] = (
    _dataproxy(
        "CreateDownloadLocation", "dataproxy.CreateDownloadLocationRequest", "dataproxy.CreateDownloadLocationResponse"
    )
)
CREATE_DOWNLOAD_LINK: Method[dataproxy.CreateDownloadLinkRequest, dataproxy.CreateDownloadLinkResponse] = _dataproxy(
    "CreateDownloadLink", "dataproxy.CreateDownloadLinkRequest", "dataproxy.CreateDownloadLinkResponse"
)
GET_DATA: Method[dataproxy.GetDataRequest, dataproxy.GetDataResponse] = _dataproxy(
    "GetData", "dataproxy.GetDataRequest", "dataproxy.GetDataResponse"
)

# --- IdentityService ----------------------------------------------------------------------------------------------
USER_INFO: Method[identity.UserInfoRequest, identity.UserInfoResponse] = _identity(
    "UserInfo", "identity.UserInfoRequest", "identity.UserInfoResponse"
)

# --- AuthMetadataService ------------------------------------------------------------------------------------------
GET_OAUTH2_METADATA: Method[auth.OAuth2MetadataRequest, auth.OAuth2MetadataResponse] = _auth(
    "GetOAuth2Metadata", "auth.OAuth2MetadataRequest", "auth.OAuth2MetadataResponse"
)
GET_PUBLIC_CLIENT_CONFIG: Method[auth.PublicClientAuthConfigRequest, auth.PublicClientAuthConfigResponse] = _auth(
    "GetPublicClientConfig", "auth.PublicClientAuthConfigRequest", "auth.PublicClientAuthConfigResponse"
)

# Every RPC by its path on the wire.
METHODS: Final[Mapping[str, Method[Any, Any]]] = MappingProxyType(_BY_PATH)
